"""Training many networks: segments of seconds, over the devices, networks leaving as they end.

On CPU a device is a core, which trains one network at a time, because single-threaded matrix
products on a network that fits the core's cache beat batched ones; the networks that have come
least far go first, so that they end together and no core waits. On an accelerator the same program
runs under ``vmap`` over as many networks as fit the memory, sharded over the devices.
"""

import math
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from simbias import _programs
from simbias._keys import seed_key
from simbias._memory import fits
from simbias._pinned import pinned
from simbias._types import Params
from simbias.networks import Network
from simbias.parallel import compile_ahead, devices_for, over_seeds, spread, stacked
from simbias.tasks.task import numbers_of, rotation_of
from simbias.training import fit
from simbias.training.cell import Cell
from simbias.training.draws import compare, fingerprint
from simbias.training.fit import TRACE, Program, Segment, State
from simbias.training.precision import check_device
from simbias.training.problem import TrainingProblem, draw_once, problem_of, training_set
from simbias.training.stop import End, Stop

N_SELECT = 10_000
# The default scheduler runs independent operations of a program side by side; here every core has
# a network of its own, and one operation after the other is some 5% faster.
_CPU_OPTIONS = {"xla_cpu_scheduler_type": "CPU_SCHEDULER_TYPE_MEMORY_OPTIMIZED"}
_SEGMENT_SECONDS = 4.0
_ROWS, _ROWS_BYTES = 8, 2**23  # networks that a core may train in one call, and their memory
_LOSS = TRACE.index("train_loss")


class Job(NamedTuple):
    """One network to train."""

    cell: Cell
    seed: int


class MaskedJob(NamedTuple):
    """One network to train on a masked half of the seed's supersample.

    ``mask`` is the index of the mask; each has its own initialisation and order of batches too.
    """

    cell: Cell
    seed: int
    mask: int


class AlteredJob(NamedTuple):
    """One network to train on the seed's training set, altered; initialisation and order are as is.

    Attributes:
        cell, seed: as of a ``Job``.
        mask: None: it is no half of a supersample.
        coins: which draw of coin flips the labels are; None: they are the task's.
        replaced: the position of the training point in whose place there is another draw; -1: of
            none, by the same program.
    """

    cell: Cell
    seed: int
    mask: None = None
    coins: int | None = None
    replaced: int | None = None


class SecondJob(NamedTuple):
    """One network to train on a second set of the seed: the points that follow its training set."""

    cell: Cell
    seed: int
    mask: None = None
    coins: None = None
    replaced: None = None
    second: bool = True


AnyJob = TypeVar("AnyJob", Job, MaskedJob, AlteredJob, SecondJob)


@dataclass
class Snapshot:
    """A network in training, on the host: what a checkpoint holds.

    Attributes:
        state: NumPy arrays.
        trace: a row of ``TRACE`` for each check so far.
        seconds: training time so far, of one core, or the network's part of a device's time.
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
        """Whether training ended with a loss that is not finite, or far above a guess's."""
        return int(self.state.end) in (End.DIVERGED, End.LOST)


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
        DrawsError: the training set of a snapshot to go on from cannot be drawn again here.
    """
    check_memory(jobs[0].cell, len(jobs), n_select)
    _programs.make_room()
    vectorised = _vectorised() if vectorised is None else vectorised
    program = fit.program(jobs[0].cell, n_select)
    problems = {job: problem_of(*job) for job in jobs}
    if until is not None:
        for job, problem in problems.items():
            most = np.minimum(problem.max_updates, np.int32(until))
            problems[job] = problem._replace(max_updates=most)
    snapshots: dict[AnyJob, Snapshot] = {}
    for job in jobs:
        start = (saved or {}).get(job)
        if start is not None:
            check_snapshot(job, start)
        snapshots[job] = start or _fresh(program, problems[job])
    run = _Segments(
        program, *_layout(program, problems[jobs[0]], len(jobs), vectorised), vectorised
    )
    while running := [job for job in jobs if snapshots[job].running]:
        chosen = sorted(running, key=lambda job: int(snapshots[job].state.updates))[: run.width]
        advanced = run([problems[job] for job in chosen], [snapshots[job] for job in chosen])
        moved = dict(zip(chosen, advanced, strict=True))
        snapshots |= moved
        if after_segment is not None:
            after_segment(moved)
    guess = program.loss.of_equal_logits(program.classes)
    return {job: _ended(job.cell.stop, snapshot, guess) for job, snapshot in snapshots.items()}


def _ended(stop: Stop, snapshot: Snapshot, guess: float) -> Snapshot:
    """The snapshot of a network that has ended, ``LOST`` where its last loss says so."""
    end = stop.ended(End(int(snapshot.state.end)), float(snapshot.trace[-1, _LOSS]), guess)
    if end == int(snapshot.state.end):
        return snapshot
    return replace(snapshot, state=snapshot.state._replace(end=np.int32(end)))


def check_memory(cell: Cell, networks: int, n_select: int = N_SELECT) -> None:
    """Raise ValueError where a program's networks surely do not fit the memory, or the device."""
    check_device(cell.precision, jax.default_backend())
    task, network = cell.task, cell.network
    dim = numbers_of(task)
    law_bytes = 4.0 * sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(fit.law_shapes(cell)))
    fits("dim", dim, law_bytes)
    param_bytes = _param_bytes(network, task.shape, task.classes)
    at_once = min(networks, len(jax.devices()))
    fits("network", network.label, 3 * param_bytes * at_once, where="device")  # their gradients too
    if cell.label_noise is not None:
        drawn = cell.label_noise.drawn_bytes(cell.n_train) * at_once
        fits("label_noise", cell.label_noise.settings, drawn, where="device")
    for argument, rows in (("n_train", cell.n_train), ("n_select", n_select)):
        fits(argument, rows, 4.0 * rows * dim * at_once, where="device")
    host_bytes = 2 * param_bytes + 4.0 * cell.n_train + law_bytes  # of each, on the host
    fits("seeds", f"{networks} networks", host_bytes * networks)


@lru_cache
def _param_bytes(network: Network, shape: tuple[int, ...], classes: int) -> float:
    """The memory of a network's parameters."""
    params = jax.eval_shape(lambda key: network.init(key, shape, classes), seed_key(0))
    return float(sum(4 * math.prod(leaf.shape) for leaf in jax.tree.leaves(params)))


@pinned
def check_snapshot(job: Job | MaskedJob | AlteredJob | SecondJob, snapshot: Snapshot) -> None:
    """Raise DrawsError where training would go on with another training set."""
    if snapshot.draws:
        problem = problem_of(*job)
        current = fingerprint(problem, training_set(job.cell, problem))
        rotation = rotation_of(problem.law)
        compare(f"{job.cell.name} seed {job.seed}", snapshot.draws, current, rotation, rotation)


def group_key(cell: Cell, n_select: int = N_SELECT) -> Hashable:
    """A key that is equal for cells that one compiled program trains."""
    return fit.program(cell, n_select), fit.shapes(cell)


@pinned
def initial_params(cell: Cell, problems: Sequence[TrainingProblem]) -> Params:
    """The parameters that networks of a cell start from, each from its initialisation stream."""
    program = fit.program(cell, 1)
    return stacked([_start(program, problem).params for problem in problems])


@pinned
def state_shape(cell: Cell) -> State:
    """The shapes and dtypes of a network's training state."""
    problem = problem_of(cell, 0)
    shape: State = jax.eval_shape(lambda problem: fit.start(fit.program(cell, 1), problem), problem)
    return shape


@pinned
def compile_training(cell: Cell, networks: int, n_select: int = N_SELECT) -> None:
    """Compile what ``train_jobs`` runs for so many networks of a cell's program."""
    program, problem, vectorised = fit.program(cell, n_select), problem_of(cell, 0), _vectorised()
    count, rows = _layout(program, problem, networks, vectorised)
    devices, own = devices_for(count), (problem, state_shape(cell))
    segment = _compiled(program, devices, vectorised, count * rows)
    compile_ahead(segment, devices, own, jnp.int32(1), rows=count * rows)


@pinned
def compile_start(cell: Cell) -> None:
    """Compile what makes networks of a cell's program, before their first update."""
    fit.compile_start(fit.program(cell, 1), problem_of(cell, 0))


class _Segments:
    """Runs segments of one program on ``width`` networks at once, and sizes them by the clock.

    A device has ``rows`` networks, of which it trains one after the other where it is a core: they
    are few until it is seen that a network ends long before a segment would.
    """

    def __init__(self, program: Program, devices: int, rows: int, vectorised: bool) -> None:
        self._program, self._vectorised = program, vectorised
        self._devices, self._rows = devices_for(devices), rows
        self.width = len(self._devices) * (rows if vectorised else 1)
        self._checks = 1

    def __call__(
        self, problems: list[TrainingProblem], snapshots: list[Snapshot]
    ) -> Iterator[Snapshot]:
        count = len(self._devices)
        places = [i % count * self._rows + i // count for i in range(len(problems))]  # in turns
        pairs = [(problems[0], snapshots[0].state._replace(end=np.int32(End.BUDGET)))]  # idle
        pairs *= count * self._rows
        for place, problem, snapshot in zip(places, problems, snapshots, strict=True):
            pairs[place] = problem, snapshot.state
        placed = spread(pairs, self._devices)
        compiled = _compiled(self._program, self._devices, self._vectorised, len(pairs))
        clock = time.perf_counter()
        ended, traces, filled = jax.device_get(compiled(placed, jnp.int32(self._checks)))
        seconds = time.perf_counter() - clock
        if max(filled) == self._checks:
            ideal = self._checks * _SEGMENT_SECONDS / seconds
            self._checks = int(np.clip(ideal, 1, min(4 * self._checks, fit.SEGMENT_CHECKS)))
        elif not self._vectorised:
            together = int(self.width // count * _SEGMENT_SECONDS / seconds)
            self.width = count * int(np.clip(together, 1, self._rows))
        part = seconds * count / len(problems)
        for i, snapshot in zip(places, snapshots, strict=True):
            yield Snapshot(
                jax.tree.map(lambda leaf, i=i: leaf[i], ended),
                np.concatenate([snapshot.trace, traces[i, : filled[i]]]),
                snapshot.seconds + part,
                snapshot.draws,
            )


@lru_cache
def _compiled(
    program: Program, devices: tuple[jax.Device, ...], vectorised: bool, width: int
) -> Callable[..., Segment]:
    def train_segment(pair: tuple[TrainingProblem, State], checks: Int[Array, ""]) -> Segment:
        def train(problem: TrainingProblem, state: State) -> Segment:
            return fit.segment(program, problem, state, checks)

        if vectorised:
            return train(*pair)
        # an idle row takes no time
        segment: Segment = jax.lax.cond(pair[1].end == End.RUNNING, train, fit.no_segment, *pair)
        return segment

    options = _CPU_OPTIONS if devices[0].platform == "cpu" else None
    return over_seeds(train_segment, devices, vectorised=vectorised, compiler_options=options)


def _vectorised() -> bool:
    """Whether networks are trained under ``vmap`` here."""
    return jax.default_backend() != "cpu"


def _start(program: Program, problem: TrainingProblem) -> State:
    state: State = jax.device_get(fit.start(program, problem))
    return state


def _fresh(program: Program, problem: TrainingProblem) -> Snapshot:
    draws = ""
    if problem.own_set:  # others are evaluated on their points at once
        train = draw_once(program.draw, program.n_train, problem)
        draws = fingerprint(problem, train)
    return Snapshot(_start(program, problem), np.zeros((0, len(TRACE)), np.float32), draws=draws)


def _layout(
    program: Program, problem: TrainingProblem, jobs: int, vectorised: bool
) -> tuple[int, int]:
    """Devices, and networks that each may have in one call.

    On an accelerator they are as many as fit half of its memory.
    """
    devices = jax.devices()
    if not vectorised:
        params = _param_bytes(program.network, program.shape, program.classes)
        bytes_each = 3 * params + 4 * program.n_train  # what the method keeps of them too
        return min(len(devices), jobs), int(np.clip(_ROWS_BYTES // bytes_each, 1, _ROWS))
    dim = math.prod(program.shape)
    points = program.n_train if problem.own_set else 2 * program.n_train
    rows = points + program.n_select
    bytes_needed = 4 * rows * (4 * dim + 8)  # the set, its uniforms, its unrotated points, labels
    memory = (devices[0].memory_stats() or {}).get("bytes_limit", 8 * 2**30)
    per_device = max(1, min(-(-jobs // len(devices)), memory // 2 // bytes_needed))
    return min(len(devices), jobs), int(per_device)
