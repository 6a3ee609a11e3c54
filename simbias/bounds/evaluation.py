"""Bounds held against the exact risk of the classifier that each of them certifies.

The risk comes from each network's certify stream, which neither training nor any bound has seen:
of the network itself, or of the copy of it that the bound has made and returned, such as a
quantised one or one that draws its weights for every point, each with its exact interval.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from simbias._checks import each, fail, known, real, whole
from simbias._defaults import CONFIDENCE, DELTA
from simbias._frames import RowList
from simbias._pinned import pinned
from simbias.bounds.altered import coin_flip_errors, replaced_points
from simbias.bounds.bound import Bound, inapplicable
from simbias.bounds.f_cmi import masked_predictions
from simbias.bounds.observed import Observed, observe
from simbias.bounds.record import Assumption, Record, violated
from simbias.models.data import DataSet
from simbias.models.panel import Panel, panel
from simbias.registry import BOUNDS
from simbias.tasks.task import Task
from simbias.training.cell import Cell
from simbias.training.stack import Stack
from simbias.validation import N_CERTIFY, Estimate, faults
from simbias.validation.risk import errors

GUESSING = 0.5
# what is certified in place of a network
COPIES = ("a compressed network", "a stochastic network", "a drawn network")
LOADED = "the network can be read"  # the assumption of one whose files are broken


@dataclass(frozen=True)
class Evaluation:
    """A record beside the risk of the classifier that it certifies.

    Attributes:
        record: the outcome of the bound.
        seed: of the network.
        risk, risk_low, risk_high: the risk with its interval: of the stochastic, drawn or
            quantised network where the record certifies that one, of the network itself otherwise;
            None where the certified classifier is not known here.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> names = ["clopper-pearson"]
        >>> (evaluation, *_) = simbias.bounds.evaluate(stack, bounds=names, n_certify=10_000)
        >>> evaluation.seed, evaluation.own_risk, evaluation.valid, evaluation.vacuous
        (0, True, True, False)
        >>> evaluation.risk < evaluation.record.value < 0.1
        True
    """

    record: Record
    seed: int
    risk: float | None
    risk_low: float | None
    risk_high: float | None

    @property
    def own_risk(self) -> bool:
        """Whether the risk is that of the network itself, not of a copy of it."""
        return not (self.record.applicable and self.record.certifies in COPIES)

    @property
    def gap(self) -> float | None:
        """Value - risk; None where nothing is claimed."""
        return None if self._claim is None or self.risk is None else self._claim - self.risk

    @property
    def valid(self) -> bool | None:
        """Whether the interval of the risk does not lie above the value; None: no claim."""
        if self.risk_low is None or self.record.certifies == "an expectation":
            return None
        refuted = violated(self.record, self.risk_low)
        return None if refuted is None else not refuted

    @property
    def vacuous(self) -> bool | None:
        """Whether the value is no better than guessing, 1/2; None where nothing is claimed."""
        return None if self._claim is None else self._claim >= GUESSING

    @property
    def tightness(self) -> float | None:
        """Value over the upper limit of the risk, at best 1; None where nothing is claimed."""
        if self._claim is None or self.risk_high is None:
            return None
        return self._claim / self.risk_high

    @property
    def _claim(self) -> float | None:
        """The value where it bounds a risk."""
        return None if self.record.kind == "measure" else self.record.value


@pinned
def evaluate(
    learned: object,
    data: DataSet | Sequence[DataSet] | None = None,
    *,
    delta: float = DELTA,
    bounds: Sequence[str] | None = None,
    n_certify: int = N_CERTIFY,
    confidence: float = CONFIDENCE,
    masks: int = 0,
    retrained: int = 0,
) -> RowList[Evaluation]:
    """Registered bounds on every network of a stack or any classifiers, beside the exact risk.

    One that is no classifier (see ``simbias.validation.faults``), one on a task whose risk is not
    exact, and one on which a computation fails have records without a value that give the reason;
    the others go on. For a classifier that is no MLP, only bounds that do not read layers, such as
    held-out certificates, have a value.

    Args:
        learned: a stack, with its initialisation for the bounds that refer to it, or any
            classifiers, as for ``simbias.validate``.
        data: for a classifier that does not know its training set.
        delta: probability, over the sample, with which each bound may fail, in (0, 1).
        bounds: registered names; default: all.
        n_certify: fresh points on which each risk is measured.
        confidence: coverage of the intervals of the risks, in (0, 1).
        masks: for ``f-cmi``, networks trained on masks of a supersample for each trained network,
            as its cell says; at least 2, or 0: none, and ``f-cmi`` is inapplicable.
        retrained: for ``replace-one`` and ``rademacher-floor``, networks trained anew for each
            trained network, as its cell says but with one point replaced, or on coin flips; 0:
            none, and both are inapplicable.

    Returns:
        An evaluation for each classifier and bound, classifiers in the order given.

    Raises:
        ValueError: an argument out of range, or an unknown name.

    Notes:
        A bound states: with probability 1 - delta over the sample, the risk is at most the value.
        It is counted as violated where even the lower confidence limit of the risk, measured on
        fresh points, lies above the value. The source of each is in ``Record.constants``.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> names = ["clopper-pearson", "vc-relative", "path-norm"]
        >>> for evaluation in simbias.bounds.evaluate(stack, bounds=names, n_certify=10_000):
        ...     print(evaluation.record.bound, evaluation.seed, evaluation.vacuous)
        clopper-pearson 0 False
        vc-relative 0 True
        path-norm 0 None
        clopper-pearson 1 False
        vc-relative 1 True
        path-norm 1 None
    """
    classifiers = panel(learned, data)
    delta, n_certify = check_effort(delta, n_certify, masks, retrained)
    names = bound_names(bounds)
    real("confidence", confidence, 0, 1, open_low=True, open_high=True)
    fault_texts = faults(classifiers)
    unmet = [_unmet(classifiers.task, fault) for fault in fault_texts]
    source = learned if isinstance(learned, Stack) else classifiers
    observations = {
        i: observe(source, i) for i, assumption in enumerate(unmet) if assumption is None
    }
    failures: dict[tuple[int, str], Assumption] = {}
    if isinstance(learned, Stack):
        for i in observations:
            if learned.updates[i]:  # a control was not trained: there is no training to repeat
                anew = partial(_trained_anew, learned.cell, learned.seeds[i], masks, retrained)
                for name in names:
                    try:
                        observations[i] = anew(name, observations[i])
                    except ValueError as error:
                        failures[i, name] = Assumption(_ANEW[name], False, str(error))
    for prepare in dict.fromkeys(registered_bound(name).prepare for name in names):
        if prepare is not None and observations:
            # side by side; a failure is reported by the bound of the network on which it recurs
            with suppress(ValueError, ArithmeticError):
                prepare(list(observations.values()))
    risks = errors(classifiers, n_certify, confidence) if _exact(classifiers.task) else None
    evaluations: list[Evaluation] = []
    for i, assumption in enumerate(unmet):
        risk = None if risks is None or fault_texts[i] else Estimate(*(part[i] for part in risks))
        copy_risks: dict[int, Estimate] = {}  # several bounds may certify one copy
        for name in names:
            unheld = assumption or failures.get((i, name))
            if unheld is not None:
                record = inapplicable(registered_bound(name), delta, (unheld,))
            else:
                record = _record(name, observations[i], delta)
            certified_risk, copy = risk, record.classifier
            if copy is not None:
                if id(copy) not in copy_risks:
                    copy_risk = errors(
                        Panel((copy,), (classifiers.data[i],)), n_certify, confidence
                    )
                    copy_risks[id(copy)] = Estimate(*(part[0] for part in copy_risk))
                certified_risk = copy_risks[id(copy)]
            elif record.applicable and record.certifies in COPIES:
                certified_risk = None
            evaluations.append(_evaluation(record, classifiers.seeds[i], certified_risk))
    return RowList(evaluations, _columns, f"bounds at delta = {delta:g}, beside the exact risk")


def _columns(evaluation: Evaluation) -> dict[str, object]:
    """An evaluation as a row."""
    record = evaluation.record
    own = ("bound", "family", "kind", "certifies", "value", "reason")
    beside = ("risk", "risk_low", "risk_high", "valid", "vacuous", "tightness")
    return {
        "seed": evaluation.seed,
        **{name: getattr(record, name) for name in own},
        **{name: getattr(evaluation, name) for name in beside},
    }


_ANEW = {  # assumptions of those that train networks anew
    "f-cmi": "masked networks are classifiers",
    "replace-one": "networks can be trained with one point replaced",
    "rademacher-floor": "networks can be trained on coin flips",
}


def _trained_anew(
    cell: Cell, seed: int, masks: int, retrained: int, name: str, observed: Observed
) -> Observed:
    """A network with what a bound reads of others that are trained for it; raises ValueError."""
    if name == "f-cmi" and masks and cell.task.classes == 2:
        return replace(observed, masked=masked_predictions(cell, seed, masks=masks))
    if name == "replace-one" and retrained:
        return replace(observed, replacements=replaced_points(cell, seed, points=retrained))
    if name == "rademacher-floor" and retrained:
        return replace(observed, coin_errors=coin_flip_errors(cell, seed, draws=retrained))
    return observed


def check_effort(delta: float, n_certify: int, masks: int, retrained: int = 0) -> tuple[float, int]:
    """``delta`` and ``n_certify`` as numbers; ValueError where ``evaluate`` does not allow them."""
    whole("retrained", retrained, least=0)
    if whole("masks", masks, least=0) == 1:
        raise fail("masks", masks, "0, or an integer >= 2")
    delta = real("delta", delta, 0, 1, open_low=True, open_high=True)
    return delta, whole("n_certify", n_certify)


def left_out(
    seed: int, reason: str, *, delta: float = DELTA, bounds: Sequence[str] | None = None
) -> list[Evaluation]:
    """The evaluations of a network that cannot be read, each with the reason.

    Args:
        seed: of the network.
        reason: in words, one line.
        delta: in (0, 1).
        bounds: registered names; default: all.

    Examples:
        >>> import simbias
        >>> (evaluation,) = simbias.bounds.left_out(3, "diverged", bounds=["occam"])
        >>> evaluation.seed, evaluation.record.reason, evaluation.valid
        (3, 'the network can be read: diverged', None)
    """
    assumption = Assumption(LOADED, False, reason)
    return [
        _evaluation(inapplicable(registered_bound(name), delta, (assumption,)), seed, None)
        for name in bound_names(bounds)
    ]


def _evaluation(record: Record, seed: int, risk: Estimate | None) -> Evaluation:
    """A record beside a risk, which is NaN where the network has no scores."""
    if risk is None or np.isnan(risk.value):
        return Evaluation(record, seed, None, None, None)
    return Evaluation(record, seed, *(float(part) for part in risk))


def _record(name: str, observed: Observed, delta: float) -> Record:
    """The record of one bound, without a value where a computation fails."""
    bound = registered_bound(name)
    try:
        return bound(observed, delta=delta)
    except (ValueError, ArithmeticError) as error:  # weights may be finite and yet overflow
        assumption = Assumption("the value can be computed", False, " ".join(str(error).split()))
        return inapplicable(bound, delta, (assumption,))


def records(
    observed: Observed, *, delta: float = DELTA, bounds: Sequence[str] | None = None
) -> list[Record]:
    """The records of registered bounds on one network; each fails with its own delta.

    Args:
        observed: a network and its sample.
        delta: in (0, 1).
        bounds: registered names; default: all.

    Raises:
        ValueError: delta out of range, or an unknown name.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> observed = simbias.bounds.observe(stack)
        >>> for record in simbias.bounds.records(observed, bounds=["chernoff-kl", "stability"]):
        ...     print(record.bound, record.applicable, record.delta)
        chernoff-kl True 0.05
        stability False 0.05
    """
    return [registered_bound(name)(observed, delta=delta) for name in bound_names(bounds)]


def bound_names(bounds: Sequence[str] | None) -> list[str]:
    """Registered names as given, or all of them; ValueError with the nearest names.

    Examples:
        >>> import simbias
        >>> simbias.bounds.bound_names(None)[:3]
        ['hoeffding', 'empirical-bernstein', 'chernoff-kl']
        >>> simbias.bounds.bound_names(["occams"])
        Traceback (most recent call last):
            ...
        ValueError: bound: unknown name 'occams', nearest: occam
    """
    if bounds is None:
        return list(BOUNDS.entries())  # one that cannot be imported is inapplicable
    names = each("bounds", bounds, str)
    if not names:
        raise fail("bounds", bounds, "a list of names")
    for name in names:
        BOUNDS.factory(name)
    return list(dict.fromkeys(names))


def registered_bound(name: str) -> Bound:
    """A registered bound; one of another package that cannot be imported is inapplicable."""
    try:
        bound: Bound = BOUNDS.factory(known("bound", name, BOUNDS.entries()))
        return bound
    except ValueError as error:
        broken = Assumption("its package can be imported", False, str(error))
        return Bound(name, "", "nothing", "measure", "", (lambda _: broken,), (), None, "")


def _exact(task: Task) -> bool:
    """Whether draws follow the task's law exactly, so that the risk on them is exact."""
    return not any(block.is_normal for block in getattr(task, "blocks", ()))


def _unmet(task: Task, fault: str) -> Assumption | None:
    """The assumption that keeps a classifier from being evaluated, or None."""
    if fault:
        return Assumption("the network is a classifier", False, fault)
    if not _exact(task):
        normal = sum(block.is_normal for block in getattr(task, "blocks", ()))
        return Assumption(
            "the risk is exact", False, f"{task.name} has {normal} normal coordinates"
        )
    return None
