"""``validate``: risk, reliance, exceptions and agreement on fresh draws."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from simbias._checks import real, whole
from simbias._defaults import CONFIDENCE, N_CERTIFY
from simbias._escape import html_text
from simbias._frames import DataFrame, frame
from simbias._numbers import counted, interval
from simbias._pinned import pinned
from simbias._progress import end_line, overwrite_line
from simbias.models.data import DataSet
from simbias.models.panel import Panel, panel
from simbias.stats.binomial import clopper_pearson
from simbias.stats.estimate import Estimate
from simbias.tasks import BlockTask
from simbias.validation.exceptions import Ledger, ledger, train_fit
from simbias.validation.flips import Flips, flip_ledger
from simbias.validation.reliance import Randomised, Reliance, estimates
from simbias.validation.risk import Counts, count, fresh_points, has_rule
from simbias.validation.sound import score_fault, weight_fault

_FEW = 4  # risks in a short description
Counted = Int[np.ndarray, " seeds"]


@dataclass(frozen=True)
class Report:
    """The measurements of ``validate``; every estimate has one entry for each classifier.

    A classifier with a fault, because it diverged or its weights or scores are not finite, has NaN
    for every number but the count of its training exceptions.

    Attributes:
        seeds: the seed of each data set.
        faults: for each why it is not a usable classifier; empty where it is one.
        unmeasured: the names of what is NaN for all of them, with the reason.
        n_certify: fresh points for each classifier.
        confidence: coverage of each interval.
        train_loss, train_accuracy: mean cross-entropy (nats) and accuracy on the training set.
        risk: 1 - accuracy on fresh draws.
        reliance: accuracy and AUC on randomised inputs.
        exceptions: the ledger of the points that the simple rule labels wrongly.
        simple_agreement: proportion of fresh points that the classifier labels as the simple rule
            does; NaN where the task has no simple set.
        achievable_agreement: proportion that it labels as the achievable rule does.
        flips: what becomes of training labels that noise has changed; None where there are none.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> report = simbias.validate(stack, n_certify=10_000)
        >>> report.seeds, report.faults, report.n_certify
        ((0, 1), ('', ''), 10000)
        >>> report.risk.value.round(2)
        array([0.05, 0.05])
        >>> report.unmeasured
        {}
    """

    seeds: tuple[int, ...]
    faults: tuple[str, ...]
    unmeasured: Mapping[str, str]
    n_certify: int
    confidence: float
    train_loss: Float[np.ndarray, " seeds"]
    train_accuracy: Float[np.ndarray, " seeds"]
    risk: Estimate
    reliance: Reliance
    exceptions: Ledger
    simple_agreement: Estimate
    achievable_agreement: Estimate
    flips: Flips | None = None

    def __repr__(self) -> str:
        risks = ", ".join(f"{risk:.4g}" for risk in self.risk.value[:_FEW])
        more = ", ..." if len(self.seeds) > _FEW else ""
        return f"Report({counted(len(self.seeds), 'classifier')}, risk {risks}{more})"

    def _repr_html_(self) -> str:
        """A row for each classifier, as a notebook shows it."""
        estimates = {
            "risk": self.risk,
            "S-randomised accuracy": self.reliance.s_accuracy,
            "S^c-randomised accuracy": self.reliance.sc_accuracy,
            "exceptions fitted": self.exceptions.fitted,
            "memorised": self.exceptions.memorised,
        }
        rows = [
            [
                seed,
                self.faults[i] or "sound",
                f"{self.train_accuracy[i]:.4g}",
                *(
                    f"{value[i]:.4g} {interval(low[i], high[i])}"
                    for value, low, high in estimates.values()
                ),
            ]
            for i, seed in enumerate(self.seeds)
        ]
        caption = f"{self.n_certify:,} fresh points each, {self.confidence:.0%} intervals"
        return html_text(caption, ["seed", "fault", "train accuracy", *estimates], rows)

    def to_frame(self) -> DataFrame:
        """A pandas data frame, a row for each classifier; raises ValueError without pandas."""
        columns: dict[str, Iterable[object]] = {
            "seed": self.seeds,
            "fault": self.faults,
            "n_certify": [self.n_certify] * len(self.seeds),
            "train_loss": self.train_loss,
            "train_accuracy": self.train_accuracy,
            "exceptions": self.exceptions.counts,
        }
        estimates = {
            "risk": self.risk,
            "s_randomised_accuracy": self.reliance.s_accuracy,
            "sc_randomised_accuracy": self.reliance.sc_accuracy,
            "s_randomised_auc": self.reliance.s_auc,
            "sc_randomised_auc": self.reliance.sc_auc,
            "exceptions_fitted": self.exceptions.fitted,
            "exceptions_fresh": self.exceptions.fresh,
            "memorised": self.exceptions.memorised,
            "simple_agreement": self.simple_agreement,
            "achievable_agreement": self.achievable_agreement,
        }
        if self.flips is not None:
            columns["flips"] = self.flips.counts
            parts = (self.flips.fitted, self.flips.possible, self.flips.fresh)
            estimates |= dict(
                zip(("flips_fitted", "flips_possible", "flips_fresh"), parts, strict=True)
            )
        for name, (value, low, high) in estimates.items():
            columns |= {name: value, f"{name}_low": low, f"{name}_high": high}
        return frame(columns)


@pinned
def validate(
    learned: object,
    data: DataSet | Sequence[DataSet] | None = None,
    *,
    shift: str = "none",
    n_certify: int = N_CERTIFY,
    confidence: float = CONFIDENCE,
    progress: bool = False,
) -> Report:
    """Measure what classifiers learned, on fresh draws.

    The draws come from each data set's own certify stream: independent of its training set and of
    the points that traces were evaluated on.

    Args:
        learned: a stack, the estimators that ``simbias.train`` fitted, or any classifier: a
            callable that scores inputs, a fitted estimator, a torch module
            (``simbias.models.classifier``); or a list of these, one for each data set.
        data: from ``simbias.data``, for a classifier that does not know its training set.
        shift: draw from the shifted task (``simbias.tasks.shifts``); rules stay those of the task.
        n_certify: fresh points for each classifier, at most those that the task has; memory does
            not depend on it.
        confidence: coverage of each two-sided interval, in (0, 1).
        progress: say on standard error how far it is.

    Raises:
        ValueError: an argument out of range, or data that a stack was not trained on.

    Notes:
        Intervals of proportions are those of Clopper and Pearson, exact for every law; that of
        ``memorised``, a difference of two proportions, is Newcombe's hybrid.

    References:
        H. Shah, K. Tamuly, A. Raghunathan, P. Jain, P. Netrapalli, "The pitfalls of simplicity
        bias in neural networks", NeurIPS 2020.
        C. Clopper, E. Pearson, "The use of confidence or fiducial limits illustrated in the case
        of the binomial", Biometrika 1934.
        R. Newcombe, "Interval estimation for the difference between independent proportions",
        Statistics in Medicine 1998, method 10.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> report = simbias.validate(stack, n_certify=10_000)
        >>> report.risk.value.round(2)
        array([0.05, 0.05])

        Any function that scores inputs is a classifier, such as the simple rule on its coordinate:

        >>> data = simbias.data(task, n_train=1000, seed=0)
        >>> report = simbias.validate(lambda x: (x @ data.rotation.T)[:, 0], data, n_certify=10_000)
        >>> report.risk.value.round(2), report.exceptions.fitted.value
        (array([0.05]), array([0.]))
    """
    classifiers = panel(learned, data).under(shift)
    n_certify = fresh_points(classifiers, whole("n_certify", n_certify))
    real("confidence", confidence, 0, 1, open_low=True, open_high=True)
    randomised = Randomised()

    def tell(counts: Counts) -> None:
        asked, points = int(np.sum(counts.points)), n_certify * len(classifiers)
        overwrite_line(f"validation: {asked:,} of {points:,} fresh points")

    counts = count(
        classifiers,
        n_certify,
        randomised if isinstance(classifiers.task, BlockTask) else None,
        tell if progress else None,
    )
    if progress:
        end_line()
    trained = train_fit(classifiers)
    unmeasured = _unmeasured(classifiers)  # kinds are known after the first answers
    reasons = tuple(
        weight_fault(classifiers, i)
        or score_fault(classifiers, i, trained.unscored[i], classifiers.n_train, "training")
        or score_fault(classifiers, i, counts.unscored[i], n_certify, "fresh")
        for i in range(len(classifiers))
    )
    left_out = np.array([bool(fault) for fault in reasons])
    counts = counts.without(left_out)
    loss, accuracy = (np.where(left_out, np.nan, part) for part in trained[:2])
    trained = trained._replace(loss=loss, accuracy=accuracy)

    def proportion(successes: Counted, trials: Counted = counts.points) -> Estimate:
        return clopper_pearson(successes, trials, confidence)

    def trials_of(name: str) -> Counted:
        trials: Counted = 0 * counts.points if name in unmeasured else counts.points
        return trials

    none = left_out | np.array([member.kind == "labels" for member in classifiers.members])
    sums = {"s_auc": randomised.s_auc, "sc_auc": randomised.sc_auc}
    sums = {name: sums[name] for name in sums if name not in unmeasured}
    aucs = dict(zip(sums, estimates(list(sums.values()), confidence), strict=True))

    def auc(name: str) -> Estimate:
        unknown = Estimate(*np.full((3, len(classifiers)), np.nan))
        return Estimate(*(np.where(none, np.nan, part) for part in aucs.get(name, unknown)))

    return Report(
        seeds=classifiers.seeds,
        faults=reasons,
        unmeasured=unmeasured,
        n_certify=n_certify,
        confidence=confidence,
        train_loss=trained.loss,
        train_accuracy=trained.accuracy,
        risk=proportion(counts.points - counts.correct),
        reliance=Reliance(
            proportion(counts.s_correct, trials_of("s_accuracy")),
            proportion(counts.sc_correct, trials_of("sc_accuracy")),
            auc("s_auc"),
            auc("sc_auc"),
        ),
        exceptions=ledger(classifiers, trained, counts, confidence),
        simple_agreement=proportion(counts.simple_agreed, trials_of("simple_agreement")),
        achievable_agreement=proportion(
            counts.achievable_agreed, trials_of("achievable_agreement")
        ),
        flips=flip_ledger(
            classifiers,
            trained.flips,
            trained.flips_fitted,
            trained.flips_possible,
            left_out,
            n_certify,
            confidence,
        ),
    )


def _unmeasured(classifiers: Panel) -> dict[str, str]:
    """The names of what cannot be measured for any of the classifiers, with the reason."""
    reasons: dict[str, str] = {}
    kinds, task = {member.kind for member in classifiers.members}, classifiers.task
    if kinds == {"labels"}:
        reasons |= dict.fromkeys(("s_auc", "sc_auc"), "labels have no order")
    if not kinds & {"logits", "probabilities"}:
        (kind, *_) = sorted(kinds)
        reasons["train_loss"] = f"{kind} are neither logits nor probabilities"
    if task.truth.simple_risk is None:
        reasons["simple_agreement"] = "the task has no simple rule"
    elif task.classes > 2:
        reasons["simple_agreement"] = "what the simple rule says of an exception is not known"
    if not isinstance(task, BlockTask):
        names = ("s_accuracy", "sc_accuracy", "s_auc", "sc_auc")
        reasons |= dict.fromkeys(names, "the task has no independent coordinates")
    if not has_rule(task):
        reasons["achievable_agreement"] = "no achievable rule is known"
    return reasons
