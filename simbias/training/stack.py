"""Training many networks: segments of seconds, over the devices, networks leaving as they end.

On CPU a device is a core, which trains one network at a time, because single-threaded matrix
products on a network that fits the core's cache beat batched ones; the networks that have come
least far go first, so that they end together and no core waits. On an accelerator the same program
runs under ``vmap`` over as many networks as fit the memory, sharded over the devices.
"""

import math
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from simbias import _programs
from simbias._checks import each, fail, instance, whole
from simbias._frames import DataFrame, frame
from simbias._keys import seed_key
from simbias._memory import fits
from simbias._pinned import pinned
from simbias._types import Params, PyTree
from simbias.losses import Loss, cross_entropy
from simbias.networks import Network
from simbias.parallel import devices_for, over_seeds, spread, stacked
from simbias.tasks.task import Points, Task, numbers_of, rotation_of
from simbias.training import fit
from simbias.training.cell import BATCH, Cell
from simbias.training.draws import compare, fingerprint
from simbias.training.fit import TRACE, Problem, Program, Segment, State
from simbias.training.method import Method
from simbias.training.stop import COARSE, End, Stop

N_SELECT = 10_000
MOST_NETWORKS = 1_000_000  # of one call or run: more could not be listed in a reasonable time
# The default scheduler runs independent operations of a program side by side; here every core has
# a network of its own, and one operation after the other is some 5% faster.
_CPU_OPTIONS = {"xla_cpu_scheduler_type": "CPU_SCHEDULER_TYPE_MEMORY_OPTIMIZED"}
_SEGMENT_SECONDS = 4.0
_LOSS = TRACE.index("train_loss")


class Job(NamedTuple):
    """One network to train."""

    cell: Cell
    seed: int


class MaskedJob(NamedTuple):
    """One network to train on a masked half of the seed's supersample.

    ``mask`` counts the masks; initialisation and order of the batches are its own too.
    """

    cell: Cell
    seed: int
    mask: int


AnyJob = TypeVar("AnyJob", Job, MaskedJob)


@dataclass
class Snapshot:
    """A network in training, on the host: what a checkpoint holds.

    Attributes:
        state: NumPy arrays.
        trace: one row of ``TRACE`` a check so far.
        seconds: training time so far, of the core or of its share of a device.
        draws: fingerprint of its draws; "" where none was kept.
    """

    state: State
    trace: Float[np.ndarray, "checks columns"]
    seconds: float = 0.0
    draws: str = ""

    @property
    def running(self) -> bool:
        """Whether the stop rule has not been met yet."""
        return int(self.state.end) == End.RUNNING

    @property
    def diverged(self) -> bool:
        """Whether training ended with a loss that is not finite or of no use."""
        return int(self.state.end) in (End.DIVERGED, End.LOST)


@dataclass(frozen=True)
class Stack:
    """The trained networks of a cell, seeds on the leading axis of every array (NumPy).

    Attributes:
        cell: what was trained.
        seeds: the integer seed of each network.
        params: parameters as ``cell.network.apply`` takes them, with a leading axis.
        initial: the same before the first update; None where it is not known.
        rotation: the orthogonal matrix of each data set; of no rows where inputs are not turned.
        updates: updates made.
        end: why training ended, as in ``simbias.training.stop.End``.
        fitted_since: for each training point, the update of the first check from which on it was
            labelled correctly; -1 where it is labelled wrongly at the end.
        traces: one array a network, (checks, columns of ``TRACE``).
        seconds: training time of each network.
        draws: fingerprint of each network's draws, see ``simbias.training.draws``; "" where none
            was kept.

    Raises:
        ValueError: arrays that are not of one entry a seed, or not of the cell's sizes.

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
    traces: tuple[Float[np.ndarray, "checks columns"], ...] = field(repr=False)
    seconds: Float[np.ndarray, " seeds"]
    draws: tuple[str, ...]

    def __post_init__(self) -> None:
        # what is put together from parts must not measure one network on another's data
        count, dim = len(seed_list(self.seeds)), numbers_of(self.cell.task)
        for name in ("updates", "end", "seconds", "traces", "draws"):
            if len(getattr(self, name)) != count:
                raise fail(name, f"{len(getattr(self, name))} entries", f"one a seed, {count}")
        turned = dim if np.size(self.rotation) else 0
        sizes = {
            "rotation": (count, turned, turned),
            "fitted_since": (count, self.cell.n_train),
        }
        for name, size in sizes.items():
            if np.shape(getattr(self, name)) != size:
                raise fail(name, f"shape {np.shape(getattr(self, name))}", f"shape {size}")
        for name in ("params", "initial"):
            leading = {np.shape(leaf)[:1] for leaf in jax.tree.leaves(getattr(self, name))}
            if leading - {(count,)}:
                raise fail(name, f"leading axes {sorted(leading)}", f"one entry a seed, {count}")

    def __len__(self) -> int:
        return len(self.seeds)

    def index(self, seed: int) -> int:
        """The position of a seed; raises ValueError."""
        if whole("seed", seed, least=0, most=2**63 - 1) not in self.seeds:
            raise fail("seed", seed, f"one of {list(self.seeds)}")
        return self.seeds.index(seed)

    def some(self, seeds: Sequence[int]) -> "Stack":
        """The stack of some of its networks, in the order given; raises ValueError."""
        places = [self.index(seed) for seed in seed_list(each("seeds", seeds, object))]
        params, initial = jax.tree.map(lambda leaf: leaf[places], (self.params, self.initial))
        return Stack(
            cell=self.cell,
            seeds=tuple(seeds),
            params=params,
            initial=initial,
            rotation=self.rotation[places],
            updates=self.updates[places],
            end=self.end[places],
            fitted_since=self.fitted_since[places],
            traces=tuple(self.traces[i] for i in places),
            seconds=self.seconds[places],
            draws=tuple(self.draws[i] for i in places),
        )

    def outcome(self, i: int) -> tuple[str, str]:
        """Status and reason of network ``i``."""
        return self.cell.stop.outcome(End(int(self.end[i])), int(self.updates[i]))

    def to_frame(self) -> DataFrame:
        """A pandas data frame, a row a network, the last check of its trace included.

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
    n_select: int = N_SELECT,
) -> Stack:
    """Train a network for each seed, with its own rotation, data, initialisation and order.

    Args:
        task: the distribution.
        network: the architecture.
        method: the training algorithm.
        n_train: size of each training set.
        seeds: how many (0, 1, ...), or which.
        batch: points an update.
        stop: when training ends; default ``Stop()``.
        loss: what is minimised; default the cross-entropy.
        n_select: fresh points on which traces are evaluated (never those that certify).

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
    cell = Cell(task, network, method, n_train, batch, rule, objective)
    chosen = seed_list(seeds)
    jobs = [Job(cell, seed) for seed in chosen]
    whole("n_select", n_select)
    snapshots = train_jobs(jobs, n_select=n_select)
    return assemble(cell, {seed: snapshots[job] for seed, job in zip(chosen, jobs, strict=True)})


@pinned
def replay(
    cell: Cell, updates: int, *, seeds: int | Sequence[int] = 1, n_select: int = N_SELECT
) -> Stack:
    """Networks of a cell as they were along training: the same keys, stopped earlier.

    Networks that the stop rule ended before are as they ended.

    Args:
        cell: what was trained.
        updates: when to stop, at a check of the cell.
        seeds: how many (0, 1, ...), or which.
        n_select: as they were trained with.

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
        words = f"a multiple of {fine} up to {COARSE}, of {coarse} from there on, or {most}"
        raise fail("updates", updates, f"one of a check: {words}")
    jobs = [Job(cell, seed) for seed in seed_list(seeds)]
    snapshots = train_jobs(jobs, n_select=whole("n_select", n_select), until=updates)
    stack = assemble(cell, {job.seed: snapshots[job] for job in jobs})
    # what only a network that has ended is judged by does not hold for one that was halted
    halted = (
        np.isin(stack.end, (End.BUDGET, End.LOST)) & (stack.updates == updates) & (updates < most)
    )
    return replace(stack, end=np.where(halted, End.RUNNING, stack.end))


def seed_list(seeds: object) -> tuple[int, ...]:
    """The seeds meant by a count or a list; raises ValueError."""
    if isinstance(seeds, np.ndarray):
        seeds = seeds.tolist()
    if isinstance(seeds, Sequence) and not isinstance(seeds, str | bytes):
        chosen = tuple(whole("seeds", seed, least=0, most=2**63 - 1) for seed in seeds)
        if not chosen or len(set(chosen)) < len(chosen):
            raise fail("seeds", seeds, "a count >= 1, or distinct integers >= 0")
        if len(chosen) > MOST_NETWORKS:
            raise fail("seeds", f"{len(chosen)} of them", f"at most {MOST_NETWORKS}")
        return chosen
    return tuple(range(whole("seeds", seeds, most=MOST_NETWORKS)))


@pinned
def train_jobs(
    jobs: Sequence[AnyJob],
    *,
    saved: dict[AnyJob, Snapshot] | None = None,
    n_select: int = N_SELECT,
    after_segment: Callable[[dict[AnyJob, Snapshot]], None] | None = None,
    vectorised: bool | None = None,
    until: int | None = None,
) -> dict[AnyJob, Snapshot]:
    """Train networks that share one compiled program (see ``group_key``).

    Args:
        jobs: the networks.
        saved: snapshots to go on from.
        n_select: fresh points on which traces are evaluated.
        after_segment: called with the networks that just advanced; may raise to stop.
        vectorised: whether networks run under ``vmap``; default: on accelerators only.
        until: end every network after this many updates at the latest, as if its budget were spent.

    Returns:
        The snapshot of every job, ended.

    Raises:
        ValueError: more than fits the memory.
        DrawsError: a snapshot to go on from was drawn from other numbers than are drawn here.
    """
    check_memory(jobs[0].cell, len(jobs), n_select)
    _programs.make_room()
    vectorised = jax.default_backend() != "cpu" if vectorised is None else vectorised
    program = fit.program(jobs[0].cell, n_select)
    problems = {job: fit.problem(*job) for job in jobs}
    if until is not None:
        for job, problem in problems.items():
            most = np.minimum(problem.max_updates, np.int32(until))
            problems[job] = problem._replace(max_updates=most)
    snapshots: dict[AnyJob, Snapshot] = {}
    for job in jobs:
        before = (saved or {}).get(job)
        if before is not None:
            check_snapshot(job, before)
        snapshots[job] = before or _fresh(program, problems[job])
    run = _Segments(program, _width(program, problems[jobs[0]], len(jobs), vectorised), vectorised)
    while running := [job for job in jobs if snapshots[job].running]:
        chosen = sorted(running, key=lambda job: int(snapshots[job].state.updates))[: run.width]
        advanced = run([problems[job] for job in chosen], [snapshots[job] for job in chosen])
        moved = dict(zip(chosen, advanced, strict=True))
        snapshots |= moved
        if after_segment is not None:
            after_segment(moved)
    guess = program.loss.of_equal_logits(program.classes)
    return {job: _judged(job.cell.stop, snapshot, guess) for job, snapshot in snapshots.items()}


def _judged(stop: Stop, snapshot: Snapshot, guess: float) -> Snapshot:
    """A network that has ended, its last training loss considered."""
    end = stop.judged(End(int(snapshot.state.end)), float(snapshot.trace[-1, _LOSS]), guess)
    if end == int(snapshot.state.end):
        return snapshot
    return replace(snapshot, state=snapshot.state._replace(end=np.int32(end)))


def check_memory(cell: Cell, networks: int, n_select: int = N_SELECT) -> None:
    """Raise ValueError where the networks of a program surely do not fit the memory."""
    task, network = cell.task, cell.network
    dim = numbers_of(task)
    law = jax.eval_shape(task.law, seed_key(0))
    of_law = 4.0 * sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(law))
    fits("dim", dim, of_law)
    shapes = jax.eval_shape(lambda key: network.init(key, task.shape, task.classes), seed_key(0))
    params = 4.0 * sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes))
    at_once = min(networks, len(jax.devices()))
    fits("network", network.label, 3 * params * at_once, where="device")  # their gradients too
    for argument, rows in (("n_train", cell.n_train), ("n_select", n_select)):
        fits(argument, rows, 4.0 * rows * dim * at_once, where="device")
    kept = 2 * params + 4.0 * cell.n_train + of_law  # of each, on the host
    fits("seeds", f"{networks} networks", kept * networks)


@pinned
def check_snapshot(job: Job | MaskedJob, snapshot: Snapshot) -> None:
    """Raise DrawsError where training would go on with another training set."""
    if snapshot.draws:
        problem = fit.problem(*job)
        now = fingerprint(problem, fit.training_set(job.cell, problem))
        turn = rotation_of(problem.law)
        compare(f"{job.cell.name} seed {job.seed}", snapshot.draws, now, turn, turn)


@pinned
def redraw(stack: Stack, i: int) -> Points:
    """The training set of network ``i``, drawn again and left on the device.

    Raises:
        DrawsError: it is not the one that the network was trained on.
    """
    problem = fit.problem(stack.cell, stack.seeds[i])
    data = fit.training_set(stack.cell, problem)
    named = f"{stack.cell.name} seed {stack.seeds[i]}"
    turn = rotation_of(problem.law)
    compare(named, stack.draws[i], fingerprint(problem, data), stack.rotation[i], turn)
    return data


def group_key(cell: Cell, n_select: int = N_SELECT) -> Hashable:
    """What the cells trained by one compiled program have in common."""
    return fit.program(cell, n_select), fit.shapes(cell)


@pinned
def assemble(cell: Cell, snapshots: dict[int, Snapshot]) -> Stack:
    """The stack of a cell's networks, in the order given."""
    problems = [fit.problem(cell, seed) for seed in snapshots]
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


def joined(stacks: Sequence[Stack]) -> Stack:
    """The networks of several stacks of one cell, all with their initialisation or all without."""
    parts: dict[str, PyTree] = {
        name: jax.tree.map(
            lambda *leaves: np.concatenate(leaves), *(getattr(one, name) for one in stacks)
        )
        for name in ("params", "initial", "rotation", "updates", "end", "fitted_since", "seconds")
    }
    parts |= {
        name: tuple(item for one in stacks for item in getattr(one, name))
        for name in ("seeds", "traces", "draws")
    }
    return Stack(cell=stacks[0].cell, **parts)


@pinned
def initial_params(cell: Cell, problems: Sequence[Problem]) -> Params:
    """The parameters that networks of a cell start from, each from its initialisation stream."""
    program = fit.program(cell, 1)
    return stacked([_start(program, problem).params for problem in problems])


@pinned
def state_shape(cell: Cell) -> State:
    """The shapes and dtypes of a network's training state."""
    problem = fit.problem(cell, 0)
    shape: State = jax.eval_shape(lambda problem: fit.start(fit.program(cell, 1), problem), problem)
    return shape


class _Segments:
    """Runs segments of one program, ``width`` networks a call, and sizes them by the clock."""

    def __init__(self, program: Program, width: int, vectorised: bool) -> None:
        self.width = width
        self._program, self._vectorised = program, vectorised
        self._devices = devices_for(width)
        self._checks = 1

    def __call__(self, problems: list[Problem], snapshots: list[Snapshot]) -> Iterator[Snapshot]:
        states = [snapshot.state for snapshot in snapshots]
        idle = problems[0], states[0]._replace(end=np.int32(End.BUDGET))
        pairs = list(zip(problems, states, strict=True))
        laid = spread(pairs, self._devices, rows=self.width, filler=idle)
        compiled = _compiled(self._program, self._devices, self._vectorised, self.width)
        clock = time.perf_counter()
        ended, traces, done = jax.device_get(compiled(laid, jnp.int32(self._checks)))
        seconds = time.perf_counter() - clock
        if max(done) == self._checks:
            ideal = self._checks * _SEGMENT_SECONDS / seconds
            self._checks = int(np.clip(ideal, 1, min(4 * self._checks, fit.SEGMENT_CHECKS)))
        share = seconds * len(self._devices) / len(problems)
        for i, snapshot in enumerate(snapshots):
            yield Snapshot(
                jax.tree.map(lambda leaf, i=i: leaf[i], ended),
                np.concatenate([snapshot.trace, traces[i, : done[i]]]),
                snapshot.seconds + share,
                snapshot.draws,
            )


@lru_cache
def _compiled(
    program: Program, devices: tuple[jax.Device, ...], vectorised: bool, width: int
) -> Callable[..., Segment]:
    def one(pair: tuple[Problem, State], checks: Int[Array, ""]) -> Segment:
        return fit.segment(program, *pair, checks)

    options = _CPU_OPTIONS if devices[0].platform == "cpu" else None
    return over_seeds(one, devices, vectorised=vectorised, compiler_options=options)


@lru_cache
def _starter(program: Program) -> Callable[[Problem], State]:
    return jax.jit(lambda problem: fit.start(program, problem))


def _start(program: Program, problem: Problem) -> State:
    # what does not matter before the first update is left out, so that it compiles nothing anew
    same = program._replace(n_select=0, batch=0, stride=0)
    state: State = jax.device_get(_starter(same)(problem))
    return state


def _fresh(program: Program, problem: Problem) -> Snapshot:
    draws = ""
    if problem.supersample is None:  # a masked network is asked about its points at once
        train = fit.draw_once(program.draw, program.n_train, problem)
        draws = fingerprint(problem, train)
    return Snapshot(_start(program, problem), np.zeros((0, len(TRACE)), np.float32), draws=draws)


def _width(program: Program, problem: Problem, jobs: int, vectorised: bool) -> int:
    """Networks a call: one a core on CPU, as many as fit half the memory on an accelerator."""
    devices = jax.devices()
    if not vectorised:
        return min(len(devices), jobs)
    dim = math.prod(program.shape)
    drawn = program.n_train if problem.supersample is None else 2 * program.n_train
    rows = drawn + program.n_select
    need = 4 * rows * (4 * dim + 8)  # the set, its uniforms, its unrotated points, labels
    memory = (devices[0].memory_stats() or {}).get("bytes_limit", 8 * 2**30)
    per_device = max(1, min(-(-jobs // len(devices)), memory // 2 // need))
    return min(len(devices), jobs) * int(per_device)
