"""The lineages of a run, cell by cell, over all its seeds."""

from typing import NamedTuple

from simbias.experiments import experiments
from simbias.generations import LineageCell, LineageStack, Moments, pooled
from simbias.results.store import Store
from simbias.results.trained import anything, load


class PooledLineages(NamedTuple):
    """The moments of the lineages of a cell over all seeds of a run.

    Attributes:
        cell: of which they are.
        moments: by measure.

    Examples:
        >>> import simbias
        >>> cell = simbias.generations.LineageCell.of(
        ...     {"name": "normal"}, {"name": "gaussian"}, {"name": "replace"},
        ...     points=20, generations=4, lineages=300,
        ... )
        >>> moments = simbias.generations.moments(simbias.generations.lineages(cell, seed=3))
        >>> lineages = simbias.results.PooledLineages(cell, moments)
        >>> lineages.moments["drift"].counted.tolist()
        [300, 300, 300, 300]
    """

    cell: LineageCell
    moments: dict[str, Moments]


def lineages_of(store: Store, cell: str | None = None) -> list[PooledLineages]:
    """The lineages of every cell of a run that has some, over its seeds, in the suite's order.

    Args and errors are those of ``lineage_stacks``.
    """
    joined = []
    for stack in lineage_stacks(store, cell):
        names = [name for name in stack.moments[0] if all(name in part for part in stack.moments)]
        moments = {name: pooled([part[name] for part in stack.moments]) for name in names}
        joined.append(PooledLineages(stack.cell, moments))
    return joined


def lineage_stacks(store: Store, cell: str | None = None) -> list[LineageStack]:
    """The lineages of every cell of a run that has some, seed by seed, in the suite's order.

    Args:
        store: the run directory.
        cell: a name, or the beginning of some; default: all.

    Raises:
        ValueError: no such cell.
        StoreError: nothing of the run has ended, or a file cannot be read.
    """
    kind = experiments()["generations"]
    _, rows = store.query(f"SELECT count(*) FROM {kind.table.name}")
    if not rows[0][0]:
        return []
    stacks = []
    for ended in anything(store, cell):
        seeds = [seed for seed, fault in ended.faults.items() if not fault]
        if isinstance(ended.cell, LineageCell) and seeds:
            stacks.append(load(store, ended.cell, seeds))
    return stacks
