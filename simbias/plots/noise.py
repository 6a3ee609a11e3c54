"""Noise on labels: accuracy against its amount and structure, and what an accuracy asks for.

A panel for each question that the run's cells answer, with the law that is expected beside the
points: one accuracy for each r = n_clean / (1 + alpha), sizes needed as powers of 1 + alpha, and a
label that is answered where it has the plurality.
"""

from collections.abc import Callable, Sequence
from itertools import product
from typing import TypeVar

import numpy as np
from jaxtyping import Float
from scipy.special import ndtr, ndtri

from simbias._checks import each, fail
from simbias.plots.noise_display import NoiseDisplay, NoiseLine, NoisePanel
from simbias.results.noise import (
    TARGET,
    GradientBatch,
    Needed,
    NoisyCell,
    is_uniform,
    needed,
)
from simbias.results.summary import mean_over_seeds

Key = TypeVar("Key")

_ALPHA = r"labels for each clean one, $1+\alpha$"
_CLIP = 1e-3  # of accuracies to which a law is fitted
_LIMITS = ("fresh", "soft", "realised")  # forms of a large batch
_FORMS = {
    "fresh": "drawn for each batch",
    "soft": "law of the label",
    "realised": "drawn once, full batch",
    "fixed": "drawn once",
}


def noise(
    cells: Sequence[NoisyCell],
    *,
    target: float = TARGET,
    batches: Sequence[GradientBatch] = (),
) -> NoiseDisplay:
    """What label noise does to accuracy, ready to be drawn.

    Args:
        cells: from ``simbias.results.noise.noisy_cells``.
        target: the accuracy of which is said what it asks for.
        batches: from ``simbias.results.gradient_batches``; none: they are not drawn.

    Raises:
        ValueError: no cells between which noise, or the size under noise, differs.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> task, net, method = simbias.tasks.get("mixture"), simbias.MLP(8), simbias.sgd()
        >>> cells = []
        >>> for alpha, accuracy in ((0, 0.99), (4, 0.97), (20, 0.94)):
        ...     soft = simbias.tasks.LabelNoise(alpha=alpha, form="soft")
        ...     cell = simbias.training.Cell(task, net, method, n_train=800, label_noise=soft)
        ...     right = np.array([accuracy, accuracy + 0.01])
        ...     cells.append(simbias.results.NoisyCell(cell, (0, 1), right, right))
        >>> [panel.name for panel in simbias.plots.noise(cells).panels]
        ['limits']
    """
    cells = [noisy for noisy in each("cells", cells, NoisyCell) if np.isfinite(noisy.alpha)]
    laws = [law for size in ("n_clean", "batch") for law in needed(cells, size, target=target)]
    asked = [
        _limits(cells),
        _of_fixed(cells, "alpha"),
        _of_fixed(cells, "n_clean"),
        *map(_needed, laws),
        *map(_gradient, each("batches", batches, GradientBatch)),
        *_structure(cells),
    ]
    panels = tuple(panel for panel in asked if panel is not None and panel.lines)
    if not panels:
        raise fail("cells", f"{len(cells)} of them", "some between which noise or its size differs")
    finding = "; ".join(law.finding for law in laws)
    return NoiseDisplay(panels, finding or "accuracy on clean labels, trained on noisy ones")


def _limits(cells: Sequence[NoisyCell]) -> NoisePanel | None:
    """The three limits of a large batch side by side: of each form the cells with most alphas.

    A line for each network; of labels that are drawn once, which are memorised, the best check too.
    """
    own = [n for n in cells if n.noise.form in _LIMITS and is_uniform(n.noise)]
    networks = list(dict.fromkeys(n.cell.network.label for n in own))
    lines = []
    for form, network in product(_LIMITS, networks):
        alike = [n for n in own if (n.noise.form, n.cell.network.label) == (form, network)]
        groups = _grouped(alike, lambda n: (n.cell.n_train, n.cell.batch))
        largest = max(groups, key=lambda size: (len(groups[size]), size), default=None)
        if largest and len(groups[largest]) > 1:
            words = _FORMS[form] + (f", {network}" if len(networks) > 1 else "")
            lines.append(_line(words, groups[largest], lambda n: 1 + n.alpha, "last"))
            if form == "realised":
                best = f"{words}, best check"
                lines.append(_line(best, groups[largest], lambda n: 1 + n.alpha, "best"))
    title = "limits of a large batch"
    return NoisePanel("limits", title, _ALPHA, "accuracy", "x", tuple(lines))


def _of_fixed(cells: Sequence[NoisyCell], along: str) -> NoisePanel | None:
    """Labels that are drawn once: against alpha at fixed n_clean, or the other way round."""
    own = [n for n in cells if n.noise.form == "fixed" and is_uniform(n.noise)]
    inputs = {n.noise.inputs for n in own}
    law = _law_of_r([n for n in own if n.alpha > 0])

    def words(noisy: NoisyCell) -> str:
        fixed = f"$n$ = {noisy.n_clean:g}" if along == "alpha" else rf"$\alpha$ = {noisy.alpha:g}"
        return f"{fixed}, inputs {noisy.noise.inputs}" if len(inputs) > 1 else fixed

    def place(noisy: NoisyCell) -> float:
        return 1 + noisy.alpha if along == "alpha" else noisy.n_clean

    groups = _grouped(own, words)
    lines = tuple(
        _line(label, group, place, "best", law)
        for label, group in groups.items()
        if len({place(n) for n in group}) > 1
    )
    if along == "alpha":
        most = max((len(line.x) for line in lines), default=0)
        lines = tuple(line for line in lines if len(line.x) > min(2, most - 1))
        return NoisePanel("alpha", "clean labels fixed", _ALPHA, "accuracy, best check", "x", lines)
    words_of_n = "clean labels $n$"
    return NoisePanel("n_clean", "proportion fixed", words_of_n, "accuracy, best check", "x", lines)


def _needed(law: Needed) -> NoisePanel:
    """What the target asks for at each alpha, beside the expected power through the middle."""
    x = 1 + law.alphas
    value, low, high = np.array([_of_logs(row) for row in law.sizes]).T
    seen = np.isfinite(value)
    middle = np.mean(np.log(value[seen]) - law.expected * np.log(x[seen])) if seen.any() else np.nan
    line = NoiseLine(law.learner, x, value, low, high, np.exp(middle) * x**law.expected)
    what = {"n_clean": "clean labels needed", "batch": "batch needed"}[law.size]
    title = f"for accuracy {law.target:g}: {what}"
    return NoisePanel(law.size, title, _ALPHA, what, "xy", (line,))


def _gradient(batch: GradientBatch) -> NoisePanel:
    """The batch at which a gradient's noise is as large as its mean, and as a part of that."""
    x, lines = 1 + batch.alphas, []
    for label, sizes in (("what labels make of it", batch.labels), ("whole mean", batch.whole)):
        value, low, high = np.array([_of_logs(row) for row in sizes]).T
        middle = np.mean(np.log(value) - 2 * np.log(x))
        law = np.exp(middle) * x**2 if label != "whole mean" else np.full(len(x), np.nan)
        lines.append(NoiseLine(label, x, value, low, high, law))
    title = "batch of the first gradient"
    return NoisePanel("gradient", title, _ALPHA, "noise as large as mean", "xy", tuple(lines))


def _structure(cells: Sequence[NoisyCell]) -> list[NoisePanel]:
    """Accuracy where part of the noise goes to one class: a panel for each alpha."""
    own = [n for n in cells if n.noise.matrix is None and n.noise.target == "next"]
    groups = _grouped(own, lambda n: (n.alpha, n.noise.form, n.cell.n_train, n.cell.batch))
    by_alpha: dict[float, list[NoiseLine]] = {}
    for (alpha, form, *_), group in groups.items():
        if alpha > 1 and len(group) > 2:
            line = _line(_FORMS[form], group, lambda n: n.noise.concentration, "last")
            clean = np.nanmax(line.value)
            law = np.where(line.x < 1 / alpha, clean, np.where(line.x > 1 / alpha, 0.0, np.nan))
            by_alpha.setdefault(alpha, []).append(line._replace(law=law))
    return [
        NoisePanel(
            "structure",
            rf"noise that goes to one class, $\alpha$ = {alpha:g}",
            "proportion of noise that does",
            "accuracy, at the end",
            "",
            tuple(lines),
            plurality=1 / alpha,
        )
        for alpha, lines in by_alpha.items()
    ]


def _grouped(
    cells: Sequence[NoisyCell], key: Callable[[NoisyCell], Key]
) -> dict[Key, list[NoisyCell]]:
    groups: dict[Key, list[NoisyCell]] = {}
    for noisy in cells:
        groups.setdefault(key(noisy), []).append(noisy)
    return groups


Law = Callable[[NoisyCell], float]


def _line(
    label: str,
    cells: Sequence[NoisyCell],
    place: Callable[[NoisyCell], float],
    check: str,
    law: Law = lambda noisy: np.nan,
) -> NoiseLine:
    means = [mean_over_seeds(noisy.accuracy(check).tolist()) for noisy in cells]
    numbers = [
        (place(noisy), mean.value, mean.low, mean.high, law(noisy))
        for noisy, mean in zip(cells, means, strict=True)
    ]
    return NoiseLine(label, *np.array(sorted(numbers)).T)


def _law_of_r(cells: Sequence[NoisyCell]) -> Law:
    """The accuracy as a function of r = n_clean / (1 + alpha) alone, fitted to all cells at once.

    A line of the accuracy's probit in log r.
    """
    ratio = np.array([noisy.n_clean / (1 + noisy.alpha) for noisy in cells])
    if len(np.unique(ratio)) < 2:
        return lambda noisy: np.nan
    right = np.array([noisy.best.mean() for noisy in cells]).clip(_CLIP, 1 - _CLIP)
    line = np.polynomial.Polynomial.fit(np.log(ratio), ndtri(right), 1)
    return lambda noisy: float(ndtr(line(np.log(noisy.n_clean / (1 + noisy.alpha)))))


def _of_logs(sizes: Float[np.ndarray, " seeds"]) -> tuple[float, float, float]:
    """The geometric mean of sizes with its interval, of the seeds that have one."""
    mean = mean_over_seeds(np.log(sizes[np.isfinite(sizes)]).tolist(), least=-np.inf, most=np.inf)
    value, half = mean.value, mean.half
    return float(np.exp(value)), float(np.exp(value - half)), float(np.exp(value + half))
