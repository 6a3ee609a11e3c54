"""Bounds held against the exact risk of the classifier that each of them certifies.

The risk comes from each network's certify stream, which neither training nor any bound has seen:
of the network itself, of its quantised copy, or of the stochastic network that draws its weights
for every point, each with its exact interval.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array

from simbias._checks import each, fail, instance, known, real, whole
from simbias._keys import key_of, stream
from simbias._pinned import pinned
from simbias.bounds.bound import Bound, inapplicable
from simbias.bounds.compression import CODEBOOKS, compress
from simbias.bounds.evidence import Evidence, evidence_from
from simbias.bounds.f_cmi import masked_predictions
from simbias.bounds.posterior import Posterior, posterior, posteriors, stochastic_errors
from simbias.bounds.record import Premise, Record, violated
from simbias.bounds.stochastic import PRIOR_OF
from simbias.networks import MLP
from simbias.registry import BOUNDS
from simbias.tasks.block_task import draw
from simbias.tasks.task import Task
from simbias.training import fit
from simbias.training.stack import Stack, stacked
from simbias.validation import N_CERTIFY, Estimate, faults
from simbias.validation.risk import CHUNK, clopper_pearson, count

GUESSING = 0.5
LOADED = "the network can be read"  # the premise of one whose files are broken


@dataclass(frozen=True)
class Judged:
    """A record beside the risk of the classifier that it certifies.

    Attributes:
        record: what the bound said.
        seed: of the network.
        risk, risk_low, risk_high: the risk with its interval: of the stochastic or quantised
            network where the record certifies that one, of the network itself otherwise; None
            where the certified classifier is not known here.
    """

    record: Record
    seed: int
    risk: float | None
    risk_low: float | None
    risk_high: float | None

    @property
    def own_risk(self) -> bool:
        """Whether the risk is that of the network itself, not of a copy of it."""
        copies = ("a compressed network", "a stochastic network")
        return not (self.record.applicable and self.record.certifies in copies)

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
        """Value over the upper limit of the risk: 1 is as tight as can be told; None: no claim."""
        if self._claim is None or self.risk_high is None:
            return None
        return self._claim / self.risk_high

    @property
    def _claim(self) -> float | None:
        """The value where it bounds a risk."""
        return None if self.record.kind == "measure" else self.record.value


class _Effort(NamedTuple):
    """What risks are measured with: points, and the coverage of intervals."""

    n_certify: int
    confidence: float


@pinned
def evaluate(
    stack: Stack,
    *,
    delta: float = 0.05,
    bounds: Sequence[str] | None = None,
    n_certify: int = N_CERTIFY,
    confidence: float = 0.95,
    masks: int = 0,
) -> list[Judged]:
    """Registered bounds on every network of a stack, each beside the exact risk.

    A network that is no classifier (see ``simbias.validation.faults``) or no MLP, one on a task
    whose risk is not exact, and one on which a computation fails have records without a value that
    give the reason; the others go on.

    Args:
        stack: trained networks, with their initialisation for the bounds that refer to it.
        delta: probability, over the sample, with which each bound may fail, in (0, 1).
        bounds: registered names; default: all.
        n_certify: fresh points on which each risk is measured.
        confidence: coverage of the intervals of the risks, in (0, 1).
        masks: for ``f-cmi``, networks trained on masks of a supersample for each trained network,
            as its cell says; at least 2, or 0: none, and ``f-cmi`` is inapplicable.

    Returns:
        One a network and bound, networks in the stack's order.

    Raises:
        ValueError: an argument out of range, or an unknown name.
    """
    instance("stack", stack, Stack)
    delta, n_certify = check_effort(delta, n_certify, masks)
    names = bound_names(bounds)
    real("confidence", confidence, 0, 1, open_low=True, open_high=True)
    effort = _Effort(n_certify, confidence)
    found = faults(stack)
    unmet = [_unmet(stack, fault) for fault in found]
    evidences = {i: evidence_from(stack, i) for i, premise in enumerate(unmet) if premise is None}
    spoiled: dict[int, Premise] = {}
    if masks and "f-cmi" in names:
        for i in evidences:
            if stack.updates[i]:  # a control was not trained: there is no training to repeat
                try:
                    masked = masked_predictions(stack.cell, stack.seeds[i], masks=masks)
                    evidences[i] = replace(evidences[i], masked=masked)
                except ValueError as error:
                    spoiled[i] = Premise("masked networks are classifiers", False, str(error))
    for prior in dict.fromkeys(PRIOR_OF[name] for name in names if name in PRIOR_OF):
        if stack.cell.n_train >= 2 and evidences:
            # side by side: the bounds find them made, and say on which network that failed
            with suppress(ValueError, ArithmeticError):
                posteriors(list(evidences.values()), prior)
    own = _risk(stack, n_certify, confidence) if _exact(stack.cell.task) else None
    judged: list[Judged] = []
    for i, premise in enumerate(unmet):
        risk = None if own is None or found[i] else Estimate(*(part[i] for part in own))
        if premise is not None:
            judged += [
                _beside(inapplicable(made_bound(name), delta, (premise,)), stack.seeds[i], risk)
                for name in names
            ]
            continue
        of_prior: dict[str, Estimate] = {}
        for name in names:
            if name == "f-cmi" and i in spoiled:
                record = inapplicable(made_bound(name), delta, (spoiled[i],))
            else:
                record = _record(name, evidences[i], delta)
            certified = risk
            if record.applicable and record.certifies == "a compressed network":
                certified = _compressed_risk(stack, i, evidences[i], record, effort)
            elif record.applicable and record.certifies == "a stochastic network":
                prior_of = PRIOR_OF.get(name)
                if prior_of is not None and prior_of not in of_prior:
                    made = posterior(evidences[i], prior_of)
                    of_prior[prior_of] = _stochastic_risk(stack, i, made, effort)
                certified = None if prior_of is None else of_prior[prior_of]
            judged.append(_beside(record, stack.seeds[i], certified))
    return judged


def check_effort(delta: float, n_certify: int, masks: int) -> tuple[float, int]:
    """``delta`` and ``n_certify`` as numbers; ValueError for what ``evaluate`` does not allow."""
    if whole("masks", masks, least=0) == 1:
        raise fail("masks", masks, "0, or an integer >= 2")
    delta = real("delta", delta, 0, 1, open_low=True, open_high=True)
    return delta, whole("n_certify", n_certify)


def left_out(
    seed: int, reason: str, *, delta: float = 0.05, bounds: Sequence[str] | None = None
) -> list[Judged]:
    """The records of a network that cannot be looked at, each with the reason.

    Args:
        seed: of the network.
        reason: in words, one line.
        delta: in (0, 1).
        bounds: registered names; default: all.
    """
    premise = Premise(LOADED, False, reason)
    return [
        _beside(inapplicable(made_bound(name), delta, (premise,)), seed, None)
        for name in bound_names(bounds)
    ]


def _beside(record: Record, seed: int, risk: Estimate | None) -> Judged:
    """A record with a risk, which is NaN where the network could not be asked."""
    if risk is None or np.isnan(risk.value):
        return Judged(record, seed, None, None, None)
    return Judged(record, seed, *(float(part) for part in risk))


def _record(name: str, evidence: Evidence, delta: float) -> Record:
    """The record of one bound; where a computation fails, without a value."""
    made = made_bound(name)
    try:
        return made(evidence, delta=delta)
    except (ValueError, ArithmeticError) as error:  # weights may be finite and yet overflow
        premise = Premise("the value can be computed", False, " ".join(str(error).split()))
        return inapplicable(made, delta, (premise,))


def records(
    evidence: Evidence, *, delta: float = 0.05, bounds: Sequence[str] | None = None
) -> list[Record]:
    """The records of registered bounds on one network; each fails with its own delta.

    Args:
        evidence: what there is to look at.
        delta: in (0, 1).
        bounds: registered names; default: all.

    Raises:
        ValueError: delta out of range, or an unknown name.
    """
    return [made_bound(name)(evidence, delta=delta) for name in bound_names(bounds)]


def bound_names(bounds: Sequence[str] | None) -> list[str]:
    """Registered names as given, or all of them; ValueError with the nearest names."""
    if bounds is None:
        return list(BOUNDS.entries())  # those that cannot be imported say so
    names = each("bounds", bounds, str)
    if not names:
        raise fail("bounds", bounds, "a list of names")
    for name in names:
        BOUNDS.factory(name)
    return list(dict.fromkeys(names))


def made_bound(name: str) -> Bound:
    """A registered bound; one of another package that cannot be imported is inapplicable."""
    try:
        return BOUNDS.factory(known("bound", name, BOUNDS.entries()))
    except ValueError as error:
        broken = Premise("its package can be imported", False, str(error))
        return Bound(name, "", "nothing", "measure", "", (lambda _: broken,), (), None, "")


def _exact(task: Task) -> bool:
    """Whether draws follow the task's law exactly, so that the risk on them is exact."""
    return not any(block.is_normal for block in getattr(task, "blocks", ()))


def _unmet(stack: Stack, fault: str) -> Premise | None:
    """What keeps a network of a stack from being looked at; None: nothing."""
    task, network = stack.cell.task, stack.cell.network
    if fault:
        return Premise("the network is a classifier", False, fault)
    if not isinstance(network, MLP):
        return Premise("the network is an MLP", False, network.label)
    if task.classes != 2:
        return Premise("there are two classes", False, f"{task.name} has {task.classes}")
    if not _exact(task):
        normal = sum(block.is_normal for block in getattr(task, "blocks", ()))
        return Premise("the risk is exact", False, f"{task.name} has {normal} normal coordinates")
    return None


def _risk(stack: Stack, n_certify: int, confidence: float) -> Estimate:
    counts = count(stack, n_certify)
    return clopper_pearson(counts.points - counts.correct, counts.points, confidence)


def _compressed_risk(
    stack: Stack, i: int, evidence: Evidence, record: Record, effort: _Effort
) -> Estimate | None:
    """The risk of the quantised network that a record is about."""
    if record.bound != "compression":
        return None
    bits, codebook = int(record.terms["bits a weight"]), CODEBOOKS[int(not record.terms["k-means"])]
    layers = compress(evidence.layers, bits, codebook).layers
    network = stack.cell.network
    assert isinstance(network, MLP)
    one = replace(stack.some([stack.seeds[i]]), params=stacked([network.from_layers(layers)]))
    return Estimate(*(part[0] for part in _risk(one, effort.n_certify, effort.confidence)))


def _stochastic_risk(stack: Stack, i: int, made: Posterior, effort: _Effort) -> Estimate:
    """The mean error over weights drawn anew for every fresh point: independent, so exact."""
    problem = fit.problem(stack.cell, stack.seeds[i])
    wrong = 0
    for start in range(0, effort.n_certify, CHUNK):
        rows = min(CHUNK, effort.n_certify - start)
        x, y, key = _fresh(rows, problem, np.uint32(start // CHUNK))
        wrong += stochastic_errors(made, x, y, key)
    return clopper_pearson(np.array(wrong), np.array(effort.n_certify), effort.confidence)


@partial(jax.jit, static_argnums=0)
def _fresh(rows: int, problem: fit.Problem, chunk: Any) -> tuple[Array, Array, Array]:
    """The points on which the network's own risk is measured, and a key for the weights."""
    certify = stream(key_of(problem.key), "certify")
    key, key_weights = jax.random.split(jax.random.fold_in(certify, chunk))
    x, y = draw(problem.law.tables, key, rows)
    return x @ problem.law.rotation, y, key_weights
