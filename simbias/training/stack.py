"""The trained networks of a cell as a stack, seeds on the leading axis.

Longer than 400 lines because a stack is trained, replayed and shown by what it holds.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import jax
import numpy as np
from jaxtyping import Float, Int

from simbias._checks import each, fail, instance, whole
from simbias._escape import html_text
from simbias._frames import DataFrame, frame
from simbias._numbers import counted
from simbias._pinned import pinned
from simbias._progress import end_line, overwrite_line
from simbias._types import Params, PyTree
from simbias.losses import Loss, cross_entropy
from simbias.networks import Network
from simbias.parallel import stacked
from simbias.tasks.label_noise import LabelNoise
from simbias.tasks.task import Points, Task, numbers_of, rotation_of
from simbias.training import fit
from simbias.training.cell import BATCH, PRECISION, Cell
from simbias.training.course import course
from simbias.training.draws import compare, fingerprint
from simbias.training.fit import TRACE
from simbias.training.jobs import N_SELECT, Job, Snapshot, initial_params, train_jobs
from simbias.training.method import Method
from simbias.training.problem import problem_of, training_set
from simbias.training.stop import COARSE, End, Stop

MOST_NETWORKS = 1_000_000  # of one call or run: more could not be listed in a reasonable time


@dataclass(frozen=True)
class Stack:
    """The trained networks of a cell, seeds on the leading axis of every array (NumPy).

    Attributes:
        cell: the cell.
        seeds: the integer seed of each network.
        params: parameters as ``cell.network.apply`` takes them, with a leading axis.
        initial: the parameters before the first update; None where they are not known.
        rotation: the orthogonal matrix of each data set; without rows where inputs are not turned.
        updates: number of updates.
        end: why training ended, as in ``simbias.training.stop.End``.
        fitted_since: for each training point, the update of the first check from which on it was
            labelled correctly; -1 where it is labelled wrongly at the end.
        traces: for each network an array (checks, columns of ``TRACE``).
        seconds: training time of each network.
        draws: fingerprint of each network's draws, see ``simbias.training.draws``; "" where none
            was kept.

    Raises:
        ValueError: arrays without one entry for each seed, or not of the cell's sizes.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> len(stack), stack.seeds, stack.updates.tolist()
        (2, (0, 1), [200, 200])
        >>> stack.params["layers"][0]["kernel"].shape
        (2, 4, 8)
        >>> stack.outcome(0)
        ('done', 'trained for 200 updates')
        >>> stack.some([1]).seeds
        (1,)
    """

    cell: Cell
    seeds: tuple[int, ...]
    params: Params
    initial: Params | None
    rotation: Float[np.ndarray, "seeds dim dim"]
    updates: Int[np.ndarray, " seeds"]
    end: Int[np.ndarray, " seeds"]
    fitted_since: Int[np.ndarray, "seeds n_train"]
    traces: tuple[Float[np.ndarray, "_ columns"], ...] = field(repr=False)
    seconds: Float[np.ndarray, " seeds"]
    draws: tuple[str, ...]

    def __post_init__(self) -> None:
        # parts of different stacks must not be combined: a network would meet another's data
        count, dim = len(seed_list(self.seeds)), numbers_of(self.cell.task)
        for name in ("updates", "end", "seconds", "traces", "draws"):
            if len(getattr(self, name)) != count:
                raise fail(
                    name, f"{len(getattr(self, name))} entries", f"one for each seed, {count}"
                )
        turned_dim = dim if np.size(self.rotation) else 0
        sizes = {
            "rotation": (count, turned_dim, turned_dim),
            "fitted_since": (count, self.cell.n_train),
        }
        for name, size in sizes.items():
            if np.shape(getattr(self, name)) != size:
                raise fail(name, f"shape {np.shape(getattr(self, name))}", f"shape {size}")
        for name in ("params", "initial"):
            leading = {np.shape(leaf)[:1] for leaf in jax.tree.leaves(getattr(self, name))}
            if leading - {(count,)}:
                raise fail(
                    name, f"leading axes {sorted(leading)}", f"one entry for each seed, {count}"
                )

    def __len__(self) -> int:
        return len(self.seeds)

    def index(self, seed: int) -> int:
        """The position of a seed; raises ValueError."""
        if whole("seed", seed, least=0, most=2**63 - 1) not in self.seeds:
            raise fail("seed", seed, f"one of {list(self.seeds)}")
        return self.seeds.index(seed)

    def some(self, seeds: Sequence[int]) -> "Stack":
        """The stack of some of its networks, in the order given; raises ValueError."""
        positions = [self.index(seed) for seed in seed_list(each("seeds", seeds, object))]
        params, initial = jax.tree.map(lambda leaf: leaf[positions], (self.params, self.initial))
        return Stack(
            cell=self.cell,
            seeds=tuple(seeds),
            params=params,
            initial=initial,
            rotation=self.rotation[positions],
            updates=self.updates[positions],
            end=self.end[positions],
            fitted_since=self.fitted_since[positions],
            traces=tuple(self.traces[i] for i in positions),
            seconds=self.seconds[positions],
            draws=tuple(self.draws[i] for i in positions),
        )

    def outcome(self, i: int) -> tuple[str, str]:
        """Status and reason of network ``i``."""
        return self.cell.stop.outcome(End(int(self.end[i])), int(self.updates[i]))

    def __repr__(self) -> str:
        return f"Stack({self.cell.name}, {counted(len(self), 'network')})"

    def _repr_html_(self) -> str:
        """A row for each network, as a notebook shows it."""
        names = ("seed", "status", "updates", "reason")
        rows = [
            (seed, self.outcome(i)[0], int(self.updates[i]), self.outcome(i)[1])
            for i, seed in enumerate(self.seeds)
        ]
        return html_text(repr(self), names, rows)

    def to_frame(self) -> DataFrame:
        """A pandas data frame with a row for each network and the last check of its trace.

        Raises:
            ValueError: pandas is not installed.
        """
        status, reason = zip(*map(self.outcome, range(len(self))), strict=True)
        last = [trace[-1] if len(trace) else np.full(len(TRACE), np.nan) for trace in self.traces]
        columns = {
            "cell": [self.cell.name] * len(self),
            "seed": self.seeds,
            "status": status,
            "reason": reason,
            "updates": self.updates,
            "train_seconds": self.seconds,
        }
        checks = dict(zip(TRACE, np.array(last).T, strict=True))
        return frame(columns | {name: checks[name] for name in TRACE if name not in columns})


@pinned
def train(
    task: Task,
    network: Network,
    method: Method,
    *,
    n_train: int,
    seeds: int | Sequence[int] = 1,
    batch: int = BATCH,
    stop: Stop | None = None,
    loss: Loss | None = None,
    label_noise: LabelNoise | None = None,
    precision: str = PRECISION,
    n_select: int = N_SELECT,
    progress: bool = False,
) -> Stack:
    """Train a network for each seed, with its own rotation, data, initialisation and order.

    Args:
        task: the distribution.
        network: the architecture.
        method: the training algorithm.
        n_train: size of each training set.
        seeds: their number (0, 1, ...), or a list.
        batch: points of each update.
        stop: when training ends; default ``Stop()``.
        loss: the loss that is minimised; default the cross-entropy.
        label_noise: noise on the labels of the training set; default none.
        precision: of the factors of matrix products of an update, ``float32``, ``bfloat16`` or, on
            accelerators, ``tensorfloat32``; sums, weights and all that evaluates are in float32.
        n_select: fresh points on which traces are evaluated (never those used to certify).
        progress: say on standard error how far training is, every few seconds. An interrupt
            (Ctrl-C) then ends it: the networks that have begun are returned as they are, with the
            status "interrupted", and a warning names the seeds that are left out.

    Returns:
        The trained networks.

    Raises:
        ValueError: an argument out of range.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)

        The same seeds give the same networks, whatever else is trained beside them:

        >>> other = simbias.training.train(task, net, method, n_train=1000, seeds=[1, 5], stop=stop)
        >>> bool((other.fitted_since[0] == stack.fitted_since[1]).all())
        True
    """
    rule = Stop() if stop is None else stop
    objective = cross_entropy() if loss is None else loss
    cell = Cell(task, network, method, n_train, batch, rule, objective, label_noise, precision)
    chosen = seed_list(seeds)
    jobs = [Job(cell, seed) for seed in chosen]
    whole("n_select", n_select)
    snapshots = _watched(jobs, n_select) if progress else train_jobs(jobs, n_select=n_select)
    return assemble(cell, {job.seed: snapshots[job] for job in jobs if job in snapshots})


def _watched(jobs: Sequence[Job], n_select: int) -> Mapping[Job, Snapshot]:
    """Train, and say how far it is; where it is interrupted, the networks that have begun."""
    kept: dict[Job, Snapshot] = {}

    def after_segment(moved: Mapping[Job, Snapshot]) -> None:
        kept.update(moved)
        ended = sum(not snapshot.running for snapshot in kept.values())
        updates = sum(int(snapshot.state.updates) for snapshot in kept.values())
        overwrite_line(f"training: {ended} of {len(jobs)} networks ended, {updates:,} updates")

    try:
        return train_jobs(jobs, n_select=n_select, after_segment=after_segment)
    except KeyboardInterrupt:
        if not kept:
            raise
        missing = [job.seed for job in jobs if job not in kept]
        without = f", without seeds {', '.join(map(str, missing))}" if missing else ""
        warnings.warn(f"interrupted: networks as they are{without}", stacklevel=4)
        return kept
    finally:
        end_line()


@pinned
def replay(
    cell: Cell, updates: int, *, seeds: int | Sequence[int] = 1, n_select: int = N_SELECT
) -> Stack:
    """Networks of a cell as they were along training: the same keys, stopped earlier.

    Networks that the stop rule ended earlier are as they ended.

    Args:
        cell: the cell.
        updates: when to stop, at a check of the cell.
        seeds: their number (0, 1, ...), or a list.
        n_select: as in their training.

    Raises:
        ValueError: an argument out of range.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> stop = simbias.Stop(max_updates=400, check_every=200)
        >>> net, method = simbias.MLP(8), simbias.sgd()
        >>> cell = simbias.training.Cell(task, net, method, n_train=1000, stop=stop)
        >>> halfway = simbias.training.replay(cell, 200, seeds=2)
        >>> halfway.updates.tolist(), halfway.outcome(0)
        ([200, 200], ('interrupted', 'stopped after 200 updates'))
    """
    instance("cell", cell, Cell)
    most = cell.stop.max_updates
    if not cell.stop.checked_at(whole("updates", updates, most=most)):
        fine, coarse = cell.stop.spacing
        checks = f"a multiple of {fine} up to {COARSE}, of {coarse} from there on, or {most}"
        raise fail("updates", updates, f"one of a check: {checks}")
    jobs = [Job(cell, seed) for seed in seed_list(seeds)]
    snapshots = train_jobs(jobs, n_select=whole("n_select", n_select), until=updates)
    stack = assemble(cell, {job.seed: snapshots[job] for job in jobs})
    # reasons that hold only for a network that has ended do not hold for one that was halted
    halted = (
        np.isin(stack.end, (End.BUDGET, End.LOST)) & (stack.updates == updates) & (updates < most)
    )
    return replace(stack, end=np.where(halted, End.RUNNING, stack.end))


def checkpoints(
    cell: Cell,
    updates: Sequence[int],
    *,
    seeds: int | Sequence[int] = 1,
    n_select: int = N_SELECT,
) -> Iterator[Stack]:
    """Networks of a cell as they were at several checks of one training, see ``replay``.

    Args:
        cell: the cell.
        updates: increasing numbers, each of a check of the cell.
        seeds: their number (0, 1, ...), or a list.
        n_select: as in their training.

    Raises:
        ValueError: an argument out of range.

    Examples:
        >>> import simbias
        >>> from simbias.training.stack import checkpoints
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> stop = simbias.Stop(max_updates=400, check_every=200)
        >>> net, method = simbias.MLP(8), simbias.sgd()
        >>> cell = simbias.training.Cell(task, net, method, n_train=1000, stop=stop)
        >>> [stack.updates.tolist() for stack in checkpoints(cell, [200, 400], seeds=2)]
        [[200, 200], [400, 400]]
    """
    instance("cell", cell, Cell)
    jobs = [Job(cell, seed) for seed in seed_list(seeds)]
    if not list(updates) == sorted(set(updates)) or not all(map(cell.stop.checked_at, updates)):
        raise fail("updates", list(updates), "increasing numbers, each of a check of the cell")
    passed = course(jobs, n_select=n_select)
    reached, snapshots = 0, dict[Job, Snapshot]()
    for until in updates:
        while reached < until:
            reached, snapshots = next(passed, (until, snapshots))  # as they ended, from there on
        yield assemble(cell, {job.seed: snapshots[job] for job in jobs})


def replayed(stack: Stack, updates: Sequence[int]) -> Stack:
    """The networks of a stack, each as it was after so many updates, trained again up to there.

    Args:
        stack: networks with the checks at which they were trained.
        updates: of each network, of a check.

    Examples:
        >>> import simbias
        >>> from simbias.training.stack import replayed
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> bool((replayed(stack, [200, 200]).params["layers"][0]["bias"] != 0).any())
        True
    """
    by_update: dict[int, list[int]] = {}
    for i, update in enumerate(updates):
        by_update.setdefault(update, []).append(i)
    params: dict[int, Params] = {}
    for update, members in by_update.items():
        earlier = replay(stack.cell, update, seeds=[stack.seeds[i] for i in members])
        for place, i in enumerate(members):
            params[i] = jax.tree.map(lambda leaf, place=place: leaf[place], earlier.params)
    return replace(stack, params=stacked([params[i] for i in range(len(stack))]))


@pinned
def train_from(stack: Stack, *, n_select: int = N_SELECT) -> Stack:
    """Networks trained as their cell says, from the parameters of a stack on.

    Data sets, order of batches and everything else random are those of each seed, as where training
    begins at the initialisation: that of the seed, which the networks keep as theirs.

    Args:
        stack: networks that training begins at.
        n_select: as for ``train``.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> stop = simbias.Stop(max_updates=200)
        >>> net, method = simbias.MLP(8), simbias.sgd()
        >>> cell = simbias.training.Cell(task, net, method, n_train=1000, stop=stop)
        >>> best = simbias.validation.control(cell, "achievable", seeds=2)
        >>> simbias.training.train_from(best).updates.tolist()
        [200, 200]
    """
    instance("stack", stack, Stack)
    program = fit.program(stack.cell, whole("n_select", n_select))
    saved = {}
    for i, seed in enumerate(stack.seeds):
        problem = problem_of(stack.cell, seed)
        params = jax.tree.map(lambda leaf, i=i: leaf[i], stack.params)
        state = jax.device_get(fit.start_from(program, problem, params))
        trace = np.zeros((0, len(TRACE)), np.float32)
        saved[Job(stack.cell, seed)] = Snapshot(state, trace, draws=stack.draws[i])
    snapshots = train_jobs(list(saved), saved=saved, n_select=n_select)
    return assemble(stack.cell, {job.seed: snapshot for job, snapshot in snapshots.items()})


@pinned
def untrained(cell: Cell, seed: int) -> Stack:
    """The network of a seed before its first update."""
    state = jax.device_get(fit.start(fit.program(cell, 1), problem_of(cell, seed)))
    return assemble(cell, {seed: Snapshot(state, np.zeros((0, len(TRACE)), np.float32))})


def seed_list(seeds: object) -> tuple[int, ...]:
    """The seeds that a count or a list stands for; raises ValueError."""
    if isinstance(seeds, np.ndarray):
        seeds = seeds.tolist()
    if isinstance(seeds, Sequence) and not isinstance(seeds, str | bytes):
        if len(seeds) > MOST_NETWORKS:
            raise fail("seeds", f"{len(seeds)} of them", f"at most {MOST_NETWORKS}")
        ends = (*seeds[:1], *seeds[-1:]) if isinstance(seeds, range) else seeds
        checked = tuple(whole("seeds", seed, least=0, most=2**63 - 1) for seed in ends)
        chosen = tuple(seeds) if isinstance(seeds, range) else checked
        if not chosen or len(set(chosen)) < len(chosen):
            raise fail("seeds", seeds, "a count >= 1, or distinct integers >= 0")
        return chosen
    return tuple(range(whole("seeds", seeds, most=MOST_NETWORKS)))


@pinned
def redraw(stack: Stack, i: int) -> Points:
    """The training set of network ``i``, drawn again and left on the device.

    Raises:
        DrawsError: it is not the training set of the network.
    """
    problem = problem_of(stack.cell, stack.seeds[i])
    data = training_set(stack.cell, problem)
    network = f"{stack.cell.name} seed {stack.seeds[i]}"
    rotation = rotation_of(problem.law)
    compare(network, stack.draws[i], fingerprint(problem, data), stack.rotation[i], rotation)
    return data


@pinned
def assemble(cell: Cell, snapshots: dict[int, Snapshot]) -> Stack:
    """The stack of a cell's networks, in the order given."""
    problems = [problem_of(cell, seed) for seed in snapshots]
    rotations = [rotation_of(problem.law) for problem in problems]
    program = fit.program(cell, 1)
    states = [snapshot.state for snapshot in snapshots.values()]
    params = [
        fit.evaluated(program, problem, state)
        for problem, state in zip(problems, states, strict=True)
    ]
    return Stack(
        cell=cell,
        seeds=tuple(snapshots),
        params=stacked(params),
        initial=initial_params(cell, problems),
        rotation=np.stack(rotations),
        updates=np.array([int(state.updates) for state in states]),
        end=np.array([int(state.end) for state in states]),
        fitted_since=np.stack([state.fitted_since for state in states]),
        traces=tuple(snapshot.trace for snapshot in snapshots.values()),
        seconds=np.array([snapshot.seconds for snapshot in snapshots.values()]),
        draws=tuple(snapshot.draws for snapshot in snapshots.values()),
    )


def join_stacks(stacks: Sequence[Stack]) -> Stack:
    """The networks of several stacks of one cell, all with their initialisation or all without."""
    parts: dict[str, PyTree] = {
        name: jax.tree.map(
            lambda *leaves: np.concatenate(leaves), *(getattr(stack, name) for stack in stacks)
        )
        for name in ("params", "initial", "rotation", "updates", "end", "fitted_since", "seconds")
    }
    parts |= {
        name: tuple(entry for stack in stacks for entry in getattr(stack, name))
        for name in ("seeds", "traces", "draws")
    }
    return Stack(cell=stacks[0].cell, **parts)
