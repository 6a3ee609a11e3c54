"""Lineages of generators under a regime: models that learn from what models before them wrote.

A replica is a block of lineages. Its row is about the last generation; its trace has a check for
each generation, with mean and spread of every measure over the lineages, and its tensors are the
moments: ten million numbers are kept as a few. Between segments of generations lineages are kept as
a checkpoint.
"""

import time
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from simbias._types import Settings
from simbias.experiments import table
from simbias.experiments.experiment import (
    Context,
    Ended,
    Experiment,
    Learned,
    Moved,
    Progress,
    Replica,
    Saved,
    Shown,
    Tensors,
)
from simbias.experiments.table import Column, rows_table
from simbias.generations import (
    MEASURES,
    LineageCell,
    Lineages,
    LineageStack,
    LineageState,
    Moments,
    lineages,
    moments,
    states,
)
from simbias.generations.stack import as_tensors, from_tensors

_DEFAULTS = {"generations": 10, "lineages": 1000}
_SPREAD = "_sd"  # of a column of the standard deviation over lineages

_MEASURED = tuple(
    Column(name, "DOUBLE", f"{meaning}; mean over lineages")
    for name, (meaning, *_) in MEASURES.items()
)
_FIRST = (
    *table.ASKED,
    Column("generator", "VARCHAR", "name and settings of what was fitted"),
    Column("regime", "VARCHAR", "name and settings of what sets were made of"),
    table.SEED,
    table.STATUS,
    table.REASON,
    Column("points", "BIGINT", "of the set of each generation"),
    Column("generations", "BIGINT", "fits; the first to real points"),
    Column("lineages", "BIGINT", "independent ones of this seed"),
    Column("survived", "BIGINT", "lineages that had a model at the last generation"),
)
_TRACE = (
    Column("generation", "BIGINT", "which fit; the first is to real points"),
    Column("alive", "BIGINT", "lineages with a model"),
    *_MEASURED,
    *(
        Column(f"{name}{_SPREAD}", "DOUBLE", f"standard deviation of {name} over lineages")
        for name in MEASURES
    ),
)


def run(replicas: Sequence[Replica], context: Context) -> Iterator[Ended]:
    """Run the lineages of a group, block by block."""
    for replica in replicas:
        cell = replica.cell
        assert isinstance(cell, LineageCell)
        clock = time.perf_counter()
        for state in states(cell, replica.seed, context.saved.get(replica)):
            if state.generation < cell.generations:
                part = state.generation / cell.generations
                moved = Moved(_kept(state), Progress(part, state.generation))
                context.advanced({replica: moved})
        context.measuring([replica])
        yield _ended(replica, Lineages(cell, replica.seed, state.values, state.alive), clock)


def _ended(replica: Replica, lineages: Lineages, clock: float) -> Ended:
    by_measure = moments(lineages)
    alive = lineages.alive.sum(axis=0)
    trace = [_check(by_measure, alive, i) for i in range(len(alive))]
    count, survived = len(lineages.alive), int(alive[-1])
    reason = lineages.ended or f"{count} lineages of {len(alive)} generations"
    if lineages.ended and survived:
        reason += "; means are of those that are left"
    unmeasured = [name for name in MEASURES if trace[-1].get(name) is None]
    if survived and unmeasured:
        verb = "is" if len(unmeasured) == 1 else "are"
        reason += f"; no such number of these models: {', '.join(unmeasured)} {verb} empty"
    columns = {name: trace[-1][name] for name in MEASURES if name in trace[-1]}
    columns |= {"survived": survived, "train_seconds": time.perf_counter() - clock}
    status, tensors = "done" if survived else "diverged", as_tensors(by_measure)
    return Ended(replica, status, reason, columns, trace, tensors)


def _check(by_measure: Mapping[str, Moments], alive: np.ndarray, i: int) -> dict[str, object]:
    check: dict[str, object] = {"generation": i + 1, "alive": int(alive[i])}
    for name, kept in by_measure.items():
        if kept.counted[i]:
            check[name] = float(kept.mean[i])
        if kept.counted[i] > 1:
            check[f"{name}{_SPREAD}"] = float(kept.deviation[i])
    return check


def _kept(state: LineageState) -> dict[str, np.ndarray]:
    """The arrays of a state, for a checkpoint."""
    leaves = {f"leaf {i:03}": leaf for i, leaf in enumerate(state.leaves)}
    values = {f"measure {name}": value for name, value in state.values.items()}
    return {"generation": np.array(state.generation), "alive": state.alive} | leaves | values


def restore(replica: Replica, saved: Tensors) -> Saved:
    """The state of lineages on their way.

    Raises:
        ValueError: arrays that are missing, or of other lineages.
    """
    cell = replica.cell
    assert isinstance(cell, LineageCell)
    try:
        generation, alive = int(saved["generation"]), saved["alive"]
    except KeyError as error:
        raise ValueError(f"checkpoint: {error} is missing") from None
    if alive.shape != (cell.lineages, generation):
        raise ValueError(f"checkpoint: of {alive.shape[0]} lineages, not {cell.lineages}")
    values = {
        name.removeprefix("measure "): np.asarray(array)
        for name, array in saved.items()
        if name.startswith("measure ")
    }
    leaves = [saved[name] for name in sorted(saved) if name.startswith("leaf ")]
    progress = Progress(generation / cell.generations, generation)
    return Saved(LineageState(generation, leaves, values, alive), progress)


def _make(replicas: Sequence[Replica]) -> dict[Replica, LineageStack | None]:
    stacks: dict[Replica, LineageStack | None] = {}
    for replica in replicas:
        cell, seed = replica
        assert isinstance(cell, LineageCell)
        ran = lineages(cell, seed)
        alive = bool(ran.alive[:, -1].any())
        stacks[replica] = LineageStack(cell, (seed,), (moments(ran),)) if alive else None
    return stacks


def _read(replica: Replica, arrays: Tensors, trace: object) -> LineageStack:
    cell, seed = replica
    assert isinstance(cell, LineageCell)
    return LineageStack(cell, (seed,), (from_tensors(arrays),))


def _join(parts: Sequence[LineageStack]) -> LineageStack:
    return LineageStack(
        parts[0].cell,
        tuple(seed for part in parts for seed in part.seeds),
        tuple(kept for part in parts for kept in part.moments),
    )


def _cell(settings: Settings) -> LineageCell:
    sizes = _DEFAULTS | {key: settings[key] for key in _DEFAULTS if key in settings}
    return LineageCell.of(
        settings["task"],
        settings["generator"],
        settings["regime"],
        points=settings["points"],
        **sizes,
    )


def _words(part: Settings) -> str:
    more = ", ".join(f"{key}={value:g}" for key, value in part.items() if key != "name")
    return f"{part['name']}({more})" if more else str(part["name"])


def _known(cell: LineageCell) -> dict[str, object]:
    parts = cell.parts
    return {
        "task": parts["task"]["name"],
        "generator": _words(parts["generator"]),
        "regime": _words(parts["regime"]),
        "points": cell.points,
        "generations": cell.generations,
        "lineages": cell.lineages,
    }


generations = Experiment(
    name="generations",
    summary="models learn from what models before them wrote, generation after generation",
    table=rows_table(
        "generations", (*_FIRST, *_MEASURED, *table.SPENT[:-1], *table.KEPT), weighed=True
    ),
    keys={"generator": dict, "regime": dict, "points": int, "generations": int, "lineages": int},
    needed=("generator", "regime", "points"),
    learner="generator",
    cell=_cell,
    run=run,
    known=_known,
    effort=lambda cell: {"lineages": cell.lineages, "generations": cell.generations},
    restore=restore,
    learned=Learned(_make, _read, _join, classifies=False),
    trace=_TRACE,
    shown={
        name: Shown(heading, low, float("inf"), always=False)
        for name, (_, heading, low) in MEASURES.items()
        if heading
    },
    steps="generations",
    units="lineages",
    figures=("lineages", "tails", "threshold", "degradation"),
)
