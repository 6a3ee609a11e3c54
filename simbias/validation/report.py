"""What ``validate`` finds: risk, reliance, exceptions and agreement on fresh draws."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from simbias._checks import real, whole
from simbias._frames import DataFrame, frame
from simbias._pinned import pinned
from simbias.models.data import DataSet
from simbias.models.panel import Panel, panel
from simbias.stats.binomial import clopper_pearson
from simbias.stats.estimate import Estimate
from simbias.tasks import BlockTask
from simbias.validation.exceptions import Ledger, ledger, train_fit
from simbias.validation.reliance import AucSum, Randomised, Reliance
from simbias.validation.risk import count, fresh_points, has_rule
from simbias.validation.sound import score_fault, weight_fault

N_CERTIFY = 200_000
Counted = Int[np.ndarray, " seeds"]


@dataclass(frozen=True)
class Report:
    """What ``validate`` found; every estimate has one entry a classifier.

    One that cannot be judged, because it diverged or its weights or scores are not finite, has NaN
    for every number but the count of its training exceptions.

    Attributes:
        seeds: of the data set of each.
        faults: for each why it is no classifier; empty where it is one.
        unmeasured: what is NaN for all of them, by name, with the reason.
        n_certify: fresh points a classifier.
        confidence: coverage of each interval.
        train_loss, train_accuracy: mean cross-entropy (nats) and accuracy on the training set.
        risk: 1 - accuracy on fresh draws.
        reliance: accuracy and AUC on randomised inputs.
        exceptions: the ledger of the points that the simple rule labels wrongly.
        simple_agreement: proportion of fresh points on which the classifier says what the simple
            rule says; NaN where the task has no simple set.
        achievable_agreement: the same for the achievable rule.

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

    def to_frame(self) -> DataFrame:
        """A pandas data frame, a row a classifier; raises ValueError where there is no pandas."""
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
    confidence: float = 0.95,
) -> Report:
    """Measure what classifiers learned, on fresh draws.

    The draws come from each data set's own certify stream: independent of its training set and of
    the points that traces were evaluated on.

    Args:
        learned: a stack, what ``simbias.train`` made of an estimator, or any classifier: a callable
            that scores inputs, a fitted estimator, a torch module (``simbias.models.classifier``);
            or a list of such, one a data set.
        data: what ``simbias.data`` gave, for a classifier that does not know its training set.
        shift: draw from the shifted task (``simbias.tasks.shifts``); rules stay those of the task.
        n_certify: fresh points a classifier, at most those that there are; memory does not depend
            on it.
        confidence: coverage of each two-sided interval, in (0, 1).

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

        Any function that scores inputs can be asked, such as the simple rule on its coordinate:

        >>> data = simbias.data(task, n_train=1000, seed=0)
        >>> report = simbias.validate(lambda x: (x @ data.rotation.T)[:, 0], data, n_certify=10_000)
        >>> report.risk.value.round(2), report.exceptions.fitted.value
        (array([0.05]), array([0.]))
    """
    asked = panel(learned, data).under(shift)
    n_certify = fresh_points(asked, whole("n_certify", n_certify))
    real("confidence", confidence, 0, 1, open_low=True, open_high=True)
    randomised = Randomised()
    counts = count(asked, n_certify, randomised if isinstance(asked.task, BlockTask) else None)
    trained = train_fit(asked)
    unmeasured = _unmeasured(asked)  # what answers are shows with the first of them
    found = tuple(
        weight_fault(asked, i)
        or score_fault(asked, i, trained.unscored[i], asked.n_train, "training")
        or score_fault(asked, i, counts.unscored[i], n_certify, "fresh")
        for i in range(len(asked))
    )
    left_out = np.array([bool(fault) for fault in found])
    counts = counts.without(left_out)
    loss, accuracy = (np.where(left_out, np.nan, part) for part in trained[:2])
    trained = trained._replace(loss=loss, accuracy=accuracy)

    def proportion(successes: Counted, trials: Counted = counts.points) -> Estimate:
        return clopper_pearson(successes, trials, confidence)

    def among(name: str) -> Counted:
        trials: Counted = 0 * counts.points if name in unmeasured else counts.points
        return trials

    def area(name: str, sums: AucSum) -> Estimate:
        if name in unmeasured:
            return Estimate(*np.full((3, len(asked)), np.nan))
        no_order = [one.kind == "labels" for one in asked.members]
        return Estimate(
            *(np.where(left_out | no_order, np.nan, part) for part in sums.estimate(confidence))
        )

    return Report(
        seeds=asked.seeds,
        faults=found,
        unmeasured=unmeasured,
        n_certify=n_certify,
        confidence=confidence,
        train_loss=trained.loss,
        train_accuracy=trained.accuracy,
        risk=proportion(counts.points - counts.correct),
        reliance=Reliance(
            proportion(counts.s_correct, among("s_accuracy")),
            proportion(counts.sc_correct, among("sc_accuracy")),
            area("s_auc", randomised.s_auc),
            area("sc_auc", randomised.sc_auc),
        ),
        exceptions=ledger(asked, trained, counts, confidence),
        simple_agreement=proportion(counts.simple_agreed, among("simple_agreement")),
        achievable_agreement=proportion(counts.achievable_agreed, among("achievable_agreement")),
    )


def _unmeasured(asked: Panel) -> dict[str, str]:
    """What nothing is known of any classifier, with the reason."""
    found: dict[str, str] = {}
    kinds, task = {one.kind for one in asked.members}, asked.task
    if kinds == {"labels"}:
        found |= dict.fromkeys(("s_auc", "sc_auc"), "labels have no order")
    if not kinds & {"logits", "probabilities"}:
        (kind, *_) = sorted(kinds)
        found["train_loss"] = f"{kind} are neither logits nor probabilities"
    if task.truth.simple_risk is None:
        found["simple_agreement"] = "the task has no simple rule"
    if not isinstance(task, BlockTask):
        names = ("s_accuracy", "sc_accuracy", "s_auc", "sc_auc")
        found |= dict.fromkeys(names, "the task has no independent coordinates")
    if not has_rule(task):
        found["achievable_agreement"] = "no achievable rule is known"
    return found
