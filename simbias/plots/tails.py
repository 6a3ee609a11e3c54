"""Why tails are said to shrink and to grow: two estimators of one lineage, pooled and by itself.

Shumailov et al. (2023) derive that tails vanish, and show samples whose likelihood under the
first model falls. Both hold: within a lineage the variance goes to 0, over all lineages together
that of their samples grows, and which way the source's score of new points goes is settled by what
sums of squares are divided by.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from simbias._checks import each, fail
from simbias.generations import Moments, expectations
from simbias.plots.lineages import LineageLine, LineagesDisplay
from simbias.results.lineages import PooledLineages

_TITLES = (
    "log variance\nwithin a lineage",
    "variance of samples\nover all lineages",
    "-log density of new points\nunder the source, nats",
    "-log density of real\npoints under the model",
)
_ESTIMATORS = ("divided by n (ddof 0)", "by n - 1 (ddof 1)")


def tails(runs: Sequence[PooledLineages]) -> LineagesDisplay:
    """Where tails shrink and where they grow, ready to be drawn.

    Args:
        runs: from ``simbias.results.lineages.lineages_of``; of the replaced lineages of a normal
            source those of the fewest points are shown.

    Raises:
        ValueError: none of them is of such lineages.

    Examples:
        >>> import simbias
        >>> cell = simbias.generations.LineageCell.of(
        ...     {"name": "normal"}, {"name": "gaussian"}, {"name": "replace"},
        ...     points=20, generations=4, lineages=300,
        ... )
        >>> moments = simbias.generations.moments(simbias.generations.lineages(cell, seed=0))
        >>> display = simbias.plots.tails([simbias.results.PooledLineages(cell, moments)])
        >>> sorted(display.tables())
        ['tails']
    """
    suiting = [
        entry
        for entry in each("runs", runs, PooledLineages)
        if (entry.cell.generator.name, entry.cell.regime.name) == ("gaussian", "replace")
    ]
    if not suiting:
        raise fail("runs", f"{len(runs)} cells", "one of a gaussian under replace, or more")
    points = min(entry.cell.points for entry in suiting)
    lines: list[LineageLine] = []
    for cell, kept in suiting:
        if cell.points == points:
            forms = expectations(cell)
            lines += _lines(int(cell.generator.settings["ddof"]), kept, forms)
    lines.sort(key=lambda line: _TITLES.index(line.panel))
    finding = f"{points} points a generation: shrinking within, growing over all lineages"
    return LineagesDisplay(tuple(lines), finding, table="tails", columns=len(_TITLES))


def _lines(
    ddof: int, kept: Mapping[str, Moments], forms: Mapping[str, np.ndarray]
) -> list[LineageLine]:
    """Pooled over lineages, samples have the mean variance and the variance of the means.

    The source's mean is 0, and so is that of all lineages together: the squared drift is what the
    means add. The two standard errors are added, which is no less than that of the sum.
    """
    together = (
        kept["variance"].mean + kept["drift"].mean,
        kept["variance"].error + kept["drift"].error,
        forms["variance"] + forms["drift"],
    )
    label = _ESTIMATORS[ddof]
    lines = [LineageLine(_TITLES[1], label, "variance", *together)]
    for panel, name in ((0, "log_variance"), (2, "new_under_old"), (3, "old_under_new")):
        numbers = kept[name].mean, kept[name].error, forms[name]
        lines.append(LineageLine(_TITLES[panel], label, name, *numbers))
    return lines
