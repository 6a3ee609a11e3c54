"""Cells of a run that noise on labels sets apart, and the sizes that they need for an accuracy.

D. Rolnick, A. Veit, S. Belongie, N. Shavit (arXiv 1705.10694, 2017) found the number of clean
examples that a target accuracy asks for to grow about linearly in alpha, the noisy labels for each
clean one. A mean over labels of which one in 1 + alpha is clean says as much of the clean ones as

    r = n_clean / (1 + alpha)

clean labels would, so that n_clean in proportion to 1 + alpha is what to expect; and where labels
are drawn anew for every batch, a batch in proportion to (1 + alpha)^2.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from simbias._checks import each, known, real
from simbias._defaults import CONFIDENCE
from simbias._frames import DataFrame, frame
from simbias._identity import canonical
from simbias.results.store import Store
from simbias.results.trained import trained
from simbias.stats.needed import PowerLaw, needed_size, power_law
from simbias.tasks import LabelNoise
from simbias.training.cell import Cell
from simbias.validation import initial_noise_scale

TARGET = 0.9  # accuracy
CHECKS = ("last", "best")
_CLEAN = LabelNoise(alpha=0)
# of a size that is needed: the form of noise that tells it, and the expected power of 1 + alpha
_SIZES = {"n_clean": ("fixed", 1.0), "batch": ("fresh", 2.0)}


@dataclass(frozen=True)
class NoisyCell:
    """The accuracies of one cell's networks.

    Attributes:
        cell: of which they are; without noise it counts as noise at alpha = 0.
        seeds: of the networks that ended and did not diverge.
        last: accuracy on certify draws, when training ended.
        best: the greatest accuracy on select draws at any check: an estimate of what stopping in
            time gives, a little too high for being the greatest of some.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> task, noise = simbias.tasks.get("mixture"), simbias.tasks.LabelNoise(alpha=3)
        >>> net, method = simbias.MLP(8), simbias.sgd()
        >>> cell = simbias.training.Cell(task, net, method, n_train=800, label_noise=noise)
        >>> noisy = simbias.results.NoisyCell(cell, (0,), np.array([0.7]), np.array([0.8]))
        >>> noisy.alpha, noisy.n_clean
        (3.0, 200.0)
    """

    cell: Cell
    seeds: tuple[int, ...]
    last: Float[np.ndarray, " seeds"]
    best: Float[np.ndarray, " seeds"]

    @property
    def noise(self) -> LabelNoise:
        """Its noise."""
        return self.cell.label_noise or _CLEAN

    @property
    def alpha(self) -> float:
        """Noisy labels for each clean one; NaN where a matrix says it all."""
        return np.nan if self.noise.alpha is None else self.noise.alpha

    @property
    def n_clean(self) -> float:
        """Clean labels of the training set, by expectation where inputs are not shared."""
        labels = self.cell.n_train
        return labels / (1 + self.alpha) if self.noise.form == "fixed" else float(labels)

    def accuracy(self, check: str) -> Float[np.ndarray, " seeds"]:
        """At the last check, or at the best."""
        accuracies: Float[np.ndarray, " seeds"] = getattr(self, known("check", check, CHECKS))
        return accuracies

    def to_frame(self) -> DataFrame:
        """A pandas data frame with a row a network; raises ValueError where there is no pandas."""
        columns = {name: [getattr(self, name)] * len(self.seeds) for name in ("alpha", "n_clean")}
        return frame({"seed": self.seeds, **columns, "last": self.last, "best": self.best})


@dataclass(frozen=True)
class Needed:
    """What an accuracy asks for at each alpha, and the power of 1 + alpha by which that grows.

    Attributes:
        size: ``"n_clean"`` or ``"batch"``.
        target: the accuracy.
        check: at which it is looked at, ``"last"`` or ``"best"``.
        learner: the network.
        alphas: noisy labels for each clean one.
        sizes: what is needed, (alphas, seeds); NaN where it lies beyond what was tried.
        law: the power of 1 + alpha, over the seeds that have a size at every alpha.
        expected: the power that is expected.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> from simbias.stats.needed import power_law
        >>> alphas, sizes = np.array([1.0, 3.0]), np.array([[100.0, 110.0], [210.0, 220.0]])
        >>> law = power_law(1 + alphas, sizes, confidence=0.95)
        >>> said = "n_clean", 0.9, "best", "(8,1)"
        >>> simbias.results.Needed(*said, alphas, sizes, law, expected=1.0).finding
        'n_clean for .9: exponent 1.04 [0.59, 1.48]'
    """

    size: str
    target: float
    check: str
    learner: str
    alphas: Float[np.ndarray, " alphas"]
    sizes: Float[np.ndarray, "alphas seeds"]
    law: PowerLaw
    expected: float

    @property
    def finding(self) -> str:
        """The exponent with its interval, in words."""
        target = f"{self.target:g}".removeprefix("0")
        words = f"{self.size} for {target}: exponent"
        if not self.law.seeds:
            return f"{words} not found: no seed needs a size within those tried at every alpha"
        value, low, high = map(float, self.law.exponent)
        interval = f" [{low:.2f}, {high:.2f}]" if np.isfinite(low) else " (one seed)"
        return f"{words} {value:.2f}{interval}"


@dataclass(frozen=True)
class GradientBatch:
    """The batch that a gradient asks for by itself: its noise scale before the first update.

    Attributes:
        learner: the network.
        alphas: noisy labels for each clean one.
        whole: batch at which the noise is as large as the mean gradient, (alphas, seeds).
        labels: batch at which it is as large as what labels make of the mean, (alphas, seeds).
        law: the power of 1 + alpha by which ``labels`` grows; 2 is expected.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> from simbias.stats.needed import power_law
        >>> alphas, batches = np.array([1.0, 3.0]), np.array([[10.0, 11.0], [40.0, 43.0]])
        >>> law = power_law(1 + alphas, batches, confidence=0.95)
        >>> batch = simbias.results.GradientBatch("(8,1)", alphas, batches, batches, law)
        >>> round(float(batch.law.exponent.value), 2)
        1.98
    """

    learner: str
    alphas: Float[np.ndarray, " alphas"]
    whole: Float[np.ndarray, "alphas seeds"]
    labels: Float[np.ndarray, "alphas seeds"]
    law: PowerLaw


def noisy_cells(store: Store, cell: str | None = None) -> list[NoisyCell]:
    """The cells of networks of a run in which some have noise on labels, in the suite's order.

    Cells without noise are among them, at alpha = 0, where some cell has noise.

    Args:
        store: the run directory.
        cell: a name, or the beginning of some; default: all.

    Raises:
        ValueError: no such cell.
        StoreError: no network of the run has ended.

    Examples:
        >>> import simbias
        >>> task, noise = simbias.tasks.get("noisy-lms-5", dim=4), simbias.tasks.LabelNoise(alpha=3)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> of = {"n_train": 1000, "seeds": 2, "stop": stop, "label_noise": noise}
        >>> stack = simbias.train(task, net, method, **of)
        >>> store = simbias.runner.keep(stack, "run", n_certify=10_000)
        >>> [(noisy.alpha, noisy.n_clean) for noisy in simbias.results.noisy_cells(store)]
        [(3.0, 250.0)]
    """
    _, rows = store.query(
        """
        SELECT n.cell, n.seed, any_value(n.test_accuracy), max(t.select_accuracy)
        FROM networks n JOIN traces t USING (cell, seed)
        WHERE n.test_accuracy IS NOT NULL GROUP BY ALL ORDER BY n.seed
        """
    )
    accuracies: dict[str, list[tuple[int, float, float]]] = {}
    for name, *accuracy in rows:
        accuracies.setdefault(name, []).append(tuple(accuracy))
    cells = []
    for ended in trained(store, cell):
        own = [row for row in accuracies.get(ended.cell.name, []) if not ended.faults.get(row[0])]
        if own:
            seeds, last, best = zip(*own, strict=True)
            cells.append(NoisyCell(ended.cell, tuple(seeds), np.array(last), np.array(best)))
    return cells if any(noisy.cell.label_noise for noisy in cells) else []


def needed(
    cells: Sequence[NoisyCell],
    size: str,
    *,
    target: float = TARGET,
    check: str = "best",
    confidence: float = CONFIDENCE,
) -> list[Needed]:
    """What an accuracy asks for at each alpha of uniform noise.

    Args:
        cells: from ``noisy_cells``. Those of labels that are drawn once tell the ``n_clean``
            needed, those of labels drawn for each batch the ``batch``; others are left aside.
        size: ``"n_clean"`` or ``"batch"``.
        target: accuracy.
        check: ``"best"``, or ``"last"``.
        confidence: of the exponent's interval.

    Returns:
        An entry for each group of cells that differ in nothing but alpha and the size, if it has at
        least two alphas above 0 with at least two sizes each.

    Raises:
        ValueError: another ``size`` or ``check``, or a target outside (0, 1).

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> task, net, method = simbias.tasks.get("mixture"), simbias.MLP(8), simbias.sgd()
        >>> cells = []
        >>> for alpha in (1, 3):
        ...     noise = simbias.tasks.LabelNoise(alpha=alpha)
        ...     for n_clean, right in ((100 * (1 + alpha), 0.8), (200 * (1 + alpha), 0.9)):
        ...         n_train = n_clean * (1 + alpha)
        ...         cell = simbias.training.Cell(task, net, method, n_train, label_noise=noise)
        ...         both = [np.array([right])] * 2
        ...         cells.append(simbias.results.NoisyCell(cell, (0,), *both))
        >>> (law,) = simbias.results.needed(cells, "n_clean", target=0.85)
        >>> round(float(law.law.exponent.value), 6)
        1.0
    """
    known("size", size, _SIZES)
    known("check", check, CHECKS)
    real("target", target, 0, 1, open_low=True, open_high=True)
    form, expected = _SIZES[size]
    laws = []
    for group in _alike(cells, size, form):
        by_alpha: dict[float, list[NoisyCell]] = {}
        for noisy in sorted(group, key=lambda noisy: noisy.alpha):
            by_alpha.setdefault(noisy.alpha, []).append(noisy)
        by_alpha = {
            alpha: own
            for alpha, own in by_alpha.items()
            if len({_size(noisy, size) for noisy in own}) > 1
        }
        if len(by_alpha) > 1:
            alphas, sizes = np.array(list(by_alpha)), _sizes(by_alpha, size, target, check)
            law = power_law(1 + alphas, sizes, confidence)
            learner = group[0].cell.network.label
            laws.append(Needed(size, target, check, learner, alphas, sizes, law, expected))
    return laws


def gradient_batches(
    cells: Sequence[NoisyCell], *, confidence: float = CONFIDENCE
) -> list[GradientBatch]:
    """The batch that the gradient asks for, by each learner whose labels are drawn for each batch.

    It is the other meaning of an effective batch: that of ``needed`` reaches an accuracy.

    Args:
        cells: from ``noisy_cells``; of uniform noise that is drawn anew, others are left aside.
        confidence: of the exponent's interval.

    Returns:
        An entry for each group of cells that differ in nothing but alpha and the batch, if it has
        at least two of each, alphas above 0.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, cells = simbias.MLP(8), simbias.sgd(), []
        >>> for alpha, batch in ((1, 100), (3, 400)):
        ...     noise = simbias.tasks.LabelNoise(alpha=alpha, form="fresh")
        ...     cell = simbias.training.Cell(task, net, method, 1000, batch, label_noise=noise)
        ...     cells.append(simbias.results.NoisyCell(cell, (0, 1), *[np.array([0.9, 0.9])] * 2))
        >>> (batch,) = simbias.results.gradient_batches(cells)
        >>> batch.whole.shape, bool(1.5 < batch.law.exponent.value < 2.5)
        ((2, 2), True)
    """
    batches = []
    for group in _alike(cells, "batch", "fresh"):
        cell = min(group, key=lambda noisy: noisy.cell.batch).cell
        seeds = sorted(set.intersection(*(set(noisy.seeds) for noisy in group)))
        alphas = sorted({noisy.alpha for noisy in group})
        sizes = {noisy.cell.batch for noisy in group}
        if len(alphas) > 1 and len(sizes) > 1 and seeds:
            noises = [LabelNoise(alpha=alpha) for alpha in alphas]
            whole, labels = (
                initial_noise_scale(cell, seeds, noises, part=part).T
                for part in ("whole", "labels")
            )
            law = power_law(1 + np.array(alphas), labels, confidence)
            batches.append(GradientBatch(cell.network.label, np.array(alphas), whole, labels, law))
    return batches


def _alike(cells: Sequence[NoisyCell], size: str, form: str) -> list[list[NoisyCell]]:
    """Cells of uniform noise of a form, in groups that differ in alpha and the size alone."""
    groups: dict[str, list[NoisyCell]] = {}
    for noisy in each("cells", cells, NoisyCell):
        if noisy.noise.form == form and is_uniform(noisy.noise) and noisy.alpha > 0:
            groups.setdefault(_but(noisy.cell, size), []).append(noisy)
    return list(groups.values())


def _sizes(
    by_alpha: Mapping[float, Sequence[NoisyCell]], size: str, target: float, check: str
) -> Float[np.ndarray, "alphas seeds"]:
    """What each seed needs at each alpha; of seeds that are in all cells."""
    cells = [noisy for own in by_alpha.values() for noisy in own]
    seeds = sorted(set.intersection(*(set(noisy.seeds) for noisy in cells)))
    rows = []
    for own in by_alpha.values():
        places = np.array([_size(noisy, size) for noisy in own])
        accuracies = [
            noisy.accuracy(check)[[noisy.seeds.index(seed) for seed in seeds]] for noisy in own
        ]
        rows.append(needed_size(places, np.array(accuracies), target))
    return np.array(rows)


def _size(noisy: NoisyCell, size: str) -> float:
    return noisy.n_clean if size == "n_clean" else float(noisy.cell.batch)


def _but(cell: Cell, size: str) -> str:
    """The settings of a cell but for alpha and the size."""
    settings = cell.settings
    del settings["n_train" if size == "n_clean" else "batch"]
    settings["label_noise"] = {k: v for k, v in settings["label_noise"].items() if k != "alpha"}
    return canonical(settings)


def is_uniform(noise: LabelNoise) -> bool:
    """Whether noisy labels are uniform over the classes."""
    return noise.matrix is None and noise.concentration == 0
