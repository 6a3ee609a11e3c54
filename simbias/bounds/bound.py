"""How a bound is declared: what it claims beside the function that computes it.

    @bound("golowich-path", family="margin", certifies="this network", kind="bound", ...)
    def golowich_path(evidence: Evidence, delta: float) -> Found: ...

The premises are checked first; the function runs only where all of them hold.
"""

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from simbias._checks import instance, known, real
from simbias._pinned import pinned
from simbias.bounds.evidence import Evidence
from simbias.bounds.record import Premise, Record
from simbias.models.classifier import Classifier

# What a value may be invariant to: the order of hidden units; multiplying what enters a unit by
# c > 0 and dividing what leaves it by c; the same for all units of a layer at once.
INVARIANCES = ("permutation", "unit-rescaling", "layer-rescaling")

_LOG_MOST = math.log(sys.float_info.max)


class Found(NamedTuple):
    """A value with its terms; ``log10`` is given where the value may overflow.

    ``classifier`` is what the bound certifies where that is not the network itself but a copy that
    was made of it: it is judged by its own risk.

    Examples:
        >>> import simbias
        >>> found = simbias.bounds.Found(0.25, {"train error": 0.05, "complexity": 0.2})
        >>> found.value, found.classifier
        (0.25, None)
    """

    value: float
    terms: Mapping[str, float]
    log10: float | None = None
    classifier: Classifier | None = None


def from_log(log: float, terms: Mapping[str, float]) -> Found:
    """A value given by its natural logarithm."""
    value = math.exp(log) if log < _LOG_MOST else math.inf
    return Found(value, terms, log / math.log(10))


@dataclass(frozen=True)
class Bound:
    """A bound, certificate or measure; call it with evidence to get its record.

    Attributes:
        name, family, certifies, kind, constants: as in ``Record``.
        premises: functions from evidence to a premise, all of which must hold.
        invariant: names from ``INVARIANCES``.
        compute: evidence and delta to the value; None where no network of this library can meet
            the premises.
        summary: one line.
        prepare: makes what the bound shares with others, for many networks side by side, and keeps
            it; None: nothing to make.
        layers: whether it reads the network's layers, so that it is inapplicable to a classifier
            without.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> evidence = simbias.bounds.evidence_from(stack)
        >>> certificate = simbias.bounds.BOUNDS.factory("clopper-pearson")
        >>> certificate.kind, certificate.certifies
        ('certificate', 'this network')
        >>> certificate(evidence, delta=0.01).applicable
        True
    """

    name: str
    family: str
    certifies: str
    kind: str
    constants: str
    premises: tuple[Callable[[Evidence], Premise], ...]
    invariant: tuple[str, ...]
    compute: Callable[[Evidence, float], Found] | None
    summary: str
    layers: bool = True
    prepare: Callable[[Sequence[Evidence]], object] | None = None

    def __post_init__(self) -> None:
        for name in self.invariant:
            known("invariant", name, INVARIANCES)

    @pinned
    def __call__(self, evidence: Evidence, *, delta: float = 0.05) -> Record:
        """The record of one network.

        Args:
            evidence: what there is to look at.
            delta: probability, over the sample, with which the bound may fail, in (0, 1).

        Raises:
            ValueError: delta out of range.
        """
        instance("evidence", evidence, Evidence)
        delta = real("delta", delta, 0, 1, open_low=True, open_high=True)
        if self.layers and not evidence.layers:
            return inapplicable(
                self, delta, (Premise("the network is an MLP", False, "no layers"),)
            )
        premises = tuple(premise(evidence) for premise in self.premises)
        unmet = [premise for premise in premises if not premise.holds]
        if unmet or self.compute is None:
            return inapplicable(self, delta, premises)
        found = self.compute(evidence, delta)
        log10 = found.log10
        if log10 is None:
            log10 = math.log10(found.value) if found.value > 0 else -math.inf
        made = self._record(delta, premises, found.value, log10, dict(found.terms), "")
        return replace(made, classifier=found.classifier)

    def _record(
        self,
        delta: float,
        premises: tuple[Premise, ...],
        value: float | None,
        log10: float | None,
        terms: Mapping[str, float],
        reason: str,
    ) -> Record:
        return Record(
            bound=self.name,
            family=self.family,
            certifies=self.certifies,
            kind=self.kind,
            constants=self.constants,
            delta=delta,
            value=None if value is None else float(value),
            log10=None if log10 is None else float(log10),
            terms=terms,
            premises=premises,
            reason=reason,
        )


def inapplicable(made: Bound, delta: float, premises: tuple[Premise, ...]) -> Record:
    """A record without a value, whose reason lists the premises that do not hold.

    Examples:
        >>> import simbias
        >>> premise = simbias.bounds.Premise("trained on masks of a supersample", False, "none")
        >>> made = simbias.bounds.BOUNDS.factory("f-cmi")
        >>> record = simbias.bounds.inapplicable(made, 0.05, (premise,))
        >>> record.value, record.reason
        (None, 'trained on masks of a supersample: none')
    """
    unmet = [f"{text}: {detail}" for text, holds, detail in premises if not holds]
    return made._record(
        delta, premises, None, None, {}, "; ".join(unmet) or "no network here can meet the premises"
    )


def bound(
    name: str,
    *,
    family: str,
    certifies: str = "this network",
    kind: str = "bound",
    constants: str = "",
    premises: tuple[Callable[[Evidence], Premise], ...] = (),
    invariant: tuple[str, ...] = ("permutation",),
    layers: bool = True,
    prepare: Callable[[Sequence[Evidence]], object] | None = None,
) -> Callable[[Callable[[Evidence, float], Found]], Bound]:
    """Declare a function as a bound; its docstring's first line is the summary.

    Examples:
        >>> import math
        >>> import simbias
        >>> @simbias.bounds.bound("finite", family="counting", constants="Hoeffding (1963)")
        ... def finite(evidence, delta):
        ...     "Hoeffding's inequality and a union over a million networks named in advance."
        ...     width = math.sqrt(math.log(1e6 / delta) / (2 * evidence.n))
        ...     return simbias.bounds.Found(evidence.train_error + width, {"width": width})
        >>> finite.name, finite.kind
        ('finite', 'bound')
        >>> finite.summary
        "Hoeffding's inequality and a union over a million networks named in advance."
    """

    def declare(compute: Callable[[Evidence, float], Found]) -> Bound:
        summary = (compute.__doc__ or "").strip().split("\n")[0]
        claim = (name, family, certifies, kind, constants)
        return Bound(*claim, premises, invariant, compute, summary, layers, prepare)

    return declare


def has_initial(evidence: Evidence) -> Premise:
    """The initialisation is stored: it is the reference, and does not depend on the sample."""
    stored = evidence.initial is not None
    return Premise("the initialisation is stored", stored, "yes" if stored else "none given")


def has_held_out(evidence: Evidence) -> Premise:
    """Errors were counted on held-out points."""
    held = evidence.held_out
    detail = "none" if held is None else f"{held.errors} errors in {held.points} points"
    return Premise("held-out points are there", held is not None, detail)


def independent(evidence: Evidence) -> Premise:
    """The training points are independent draws of one law."""
    draws = f"{evidence.n} points"
    return Premise("training points are independent draws", evidence.independent, draws)


def is_relu(evidence: Evidence) -> Premise:
    """Hidden units are ReLUs: 1-Lipschitz, positively homogeneous, piecewise linear."""
    name = evidence.activation
    return Premise("hidden units are ReLUs", name == "relu", name)
