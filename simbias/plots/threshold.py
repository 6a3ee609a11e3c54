"""From which proportion of wrong labels on a critic fails: accuracies beside right/(right + wrong).

Feng et al. (arXiv 2406.07515): the jump of what is learned from verified labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from simbias._checks import each, fail
from simbias.generations import CriticThreshold, LineageStack, critic_threshold
from simbias.generations.expectations import threshold as law
from simbias.plots import _figure as style
from simbias.stats.student import half_width_of_mean

_CONFIDENCE = 0.99
_COLOURS = (style.BLUE, style.VERMILLION, style.GREEN, style.ORANGE)
Critic = tuple[str, str, float]  # regime, the source without its error, points


class CriticCurve(NamedTuple):
    """What is learned from the labels that a critic accepts, by the proportion that are wrong.

    Attributes:
        label: the critic in words.
        errors: proportions of wrong labels, rising.
        accuracy: of a generation, mean over seeds.
        half: half-width of its 99% interval by Student's t over seeds; NaN for one seed.
        expected: right/(right + wrong).
        located: where the accuracy crosses one half; None: it does not, or there is one seed.

    Examples:
        >>> import numpy as np
        >>> from simbias.plots import CriticCurve
        >>> curve = CriticCurve("80%", np.array([0.6, 0.7]), *np.ones((2, 2)), 2 / 3, None)
        >>> round(curve.expected, 3), curve.located
        (0.667, None)
    """

    label: str
    errors: Float[np.ndarray, " errors"]
    accuracy: Float[np.ndarray, " errors"]
    half: Float[np.ndarray, " errors"]
    expected: float
    located: CriticThreshold | None


@dataclass(eq=False)
class ThresholdDisplay(style.Display):
    """Accuracies as points, the expected threshold as a line, where they cross one half as a band.

    Attributes:
        curves: one for each critic and generation.

    Examples:
        >>> import numpy as np
        >>> from simbias.plots import CriticCurve, ThresholdDisplay
        >>> curve = CriticCurve("80%", np.array([0.6, 0.7]), *np.ones((2, 2)), 2 / 3, None)
        >>> list(ThresholdDisplay((curve,)).tables())
        ['accuracies', 'thresholds']
    """

    curves: tuple[CriticCurve, ...]

    def tables(self) -> dict[str, style.Table]:
        """Accuracies, a row for each error; and thresholds, a row for each curve."""
        points = [
            (curve.label, *numbers)
            for curve in self.curves
            for numbers in zip(curve.errors, curve.accuracy, curve.half, strict=True)
        ]
        nowhere = CriticThreshold(np.nan, np.nan, np.nan)
        located = [
            (curve.label, curve.expected, *(curve.located or nowhere)) for curve in self.curves
        ]
        return {
            "accuracies": style.by_column(("critic", "error", "accuracy", "half"), points),
            "thresholds": style.by_column(
                ("critic", "expected", "located", "low", "high"), located
            ),
        }

    def _size(self) -> tuple[float, float]:
        return style.SINGLE, 2.3 + 0.3 * len(self.curves)

    def _draw(self, axes: tuple[Axes, ...]) -> None:
        (ax,) = axes
        ax.axhline(0.5, color=style.GREY, linewidth=0.5)
        for i, curve in enumerate(self.curves):
            colour = _COLOURS[i % len(_COLOURS)]
            words = f"accepted: {curve.label}\n$p^*$ = {curve.expected:.3f}"
            if curve.located is not None:
                value, low, high = curve.located
                words += f", crossed at {value:.3f} [{low:g}, {high:g}]"
                ax.axvspan(low, high, color=colour, alpha=0.15, linewidth=0)
            ax.axvline(curve.expected, color=style.GREY, linewidth=0.9, linestyle="--")
            ax.errorbar(
                curve.errors, curve.accuracy, np.nan_to_num(curve.half), marker="o", ms=3,
                color=colour, linewidth=0.9, label=words,
            )  # fmt: skip
        ax.set_ylim(0, 1)
        ax.set(xlabel="proportion of wrong labels", ylabel="accuracy")
        ax.spines[["top", "right"]].set_visible(False)
        self._heading(ax, "where a critic fails")
        handles, labels = ax.get_legend_handles_labels()
        self._legend(ax, handles, labels, ncols=1)


def critics_of(stacks: Sequence[LineageStack]) -> dict[Critic, list[LineageStack]]:
    """Lineages of critics at two errors or more, by the critic, errors rising."""
    critics: dict[Critic, list[LineageStack]] = {}
    for stack in each("stacks", stacks, LineageStack):
        if stack.cell.regime.name == "verify" and stack.cell.generator.name == "labeller":
            source = {k: v for k, v in stack.cell.generator.settings.items() if k != "error"}
            critic = stack.cell.texts[2], str(sorted(source.items())), stack.cell.points
            critics.setdefault(critic, []).append(stack)
    return {critic: sorted(own, key=_error) for critic, own in critics.items() if len(own) > 1}


def threshold(stacks: Sequence[LineageStack]) -> ThresholdDisplay:
    """Where critics fail, ready to be drawn.

    Args:
        stacks: from ``simbias.results.lineages.lineage_stacks``.

    Raises:
        ValueError: no critic of which there are lineages at two errors of the source or more.

    Examples:
        >>> import simbias
        >>> def at(error):
        ...     cell = simbias.generations.LineageCell.of(
        ...         {"name": "two-classes", "error": error},
        ...         {"name": "labeller"},
        ...         {"name": "verify", "right": 0.8, "wrong": 0.4},
        ...         points=400, generations=1, lineages=20,
        ...     )
        ...     moments = simbias.generations.moments(simbias.generations.lineages(cell, seed=0))
        ...     return simbias.generations.LineageStack(cell, (0,), (moments,))
        >>> (curve,) = simbias.plots.threshold([at(0.5), at(0.8)]).curves
        >>> curve.label, [round(value, 1) for value in curve.accuracy.tolist()]
        ('80% of right, 40% of wrong; generation 1', [0.8, 0.2])
    """
    critics = critics_of(stacks)
    if not critics:
        allowed = "lineages of a critic at two errors of the source or more"
        raise fail("stacks", f"{len(stacks)} cells", allowed)
    curves = []
    for own in critics.values():
        last = min(stack.cell.generations for stack in own)
        # the law is of one generation; what is verified again is right more often
        curves += [_curve(own, generation) for generation in sorted({1, last})]
    return ThresholdDisplay(tuple(curves))


def _error(stack: LineageStack) -> float:
    return stack.cell.generator.settings["error"]


def _curve(stacks: Sequence[LineageStack], generation: int) -> CriticCurve:
    cell = stacks[0].cell
    seeds = [seed for seed in stacks[0].seeds if all(seed in stack.seeds for stack in stacks)]
    accuracies = np.array(
        [
            [part["correct"].mean[generation - 1] for part in stack.some(seeds).moments]
            for stack in stacks
        ]
    ).T
    errors = [_error(stack) for stack in stacks]
    mean = accuracies.mean(axis=0)
    half = np.array([half_width_of_mean(values, _CONFIDENCE) for values in accuracies.T])
    try:
        located = critic_threshold(errors, accuracies, confidence=_CONFIDENCE)
    except ValueError:  # it has none
        located = None
    right, wrong = cell.regime.settings["right"], cell.regime.settings["wrong"]
    words = f"{right:.0%} of right, {wrong:.0%} of wrong; generation {generation}"
    return CriticCurve(
        words,
        np.array(errors),
        mean,
        half,
        law(right, wrong),
        located,
    )
