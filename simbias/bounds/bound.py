"""How a bound is declared: its claim beside the function that computes its value.

    @bound("golowich-path", family="margin", certifies="this network", kind="bound", ...)
    def golowich_path(observed: Observed, delta: float) -> BoundValue: ...

The assumptions are checked first; the function runs only where all of them hold.
"""

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from simbias._checks import instance, known, real
from simbias._defaults import DELTA
from simbias._pinned import pinned
from simbias.bounds.observed import Observed
from simbias.bounds.record import Assumption, Record
from simbias.models.classifier import Classifier

# What a value may be invariant to: the order of hidden units; multiplying what enters a unit by
# c > 0 and dividing what leaves it by c; the same for all units of a layer at once.
INVARIANCES = ("permutation", "unit-rescaling", "layer-rescaling")

_LOG_MOST = math.log(sys.float_info.max)


class BoundValue(NamedTuple):
    """A value with its terms; ``log10`` is given where the value may overflow.

    ``classifier`` is what the bound certifies where that is not the network itself but a copy that
    was made of it: the value is compared with its own risk.

    Examples:
        >>> import simbias
        >>> bounded = simbias.bounds.BoundValue(0.25, {"train error": 0.05, "complexity": 0.2})
        >>> bounded.value, bounded.classifier
        (0.25, None)
    """

    value: float
    terms: Mapping[str, float]
    log10: float | None = None
    classifier: Classifier | None = None


def from_log(log: float, terms: Mapping[str, float]) -> BoundValue:
    """A value given by its natural logarithm."""
    value = math.exp(log) if log < _LOG_MOST else math.inf
    return BoundValue(value, terms, log / math.log(10))


@dataclass(frozen=True)
class Bound:
    """A bound, certificate or measure; call it with an ``Observed`` to get its record.

    Attributes:
        name, family, certifies, kind, constants: as in ``Record``.
        assumptions: functions of ``Observed`` to an assumption, all of which must hold.
        invariant: names from ``INVARIANCES``.
        compute: from ``Observed`` and delta to the value; None where no network of this library can
            meet the assumptions.
        summary: one line.
        prepare: computes what the bound shares with others, for many networks side by side, and
            keeps it; None: nothing to compute.
        layers: whether it reads the network's layers, so that it is inapplicable to a classifier
            without.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> observed = simbias.bounds.observe(stack)
        >>> certificate = simbias.bounds.BOUNDS.factory("clopper-pearson")
        >>> certificate.kind, certificate.certifies
        ('certificate', 'this network')
        >>> certificate(observed, delta=0.01).applicable
        True
    """

    name: str
    family: str
    certifies: str
    kind: str
    constants: str
    assumptions: tuple[Callable[[Observed], Assumption], ...]
    invariant: tuple[str, ...]
    compute: Callable[[Observed, float], BoundValue] | None
    summary: str
    layers: bool = True
    prepare: Callable[[Sequence[Observed]], object] | None = None

    def __post_init__(self) -> None:
        for name in self.invariant:
            known("invariant", name, INVARIANCES)

    @pinned
    def __call__(self, observed: Observed, *, delta: float = DELTA) -> Record:
        """The record of one network.

        Args:
            observed: a network and its sample.
            delta: probability, over the sample, with which the bound may fail, in (0, 1).

        Raises:
            ValueError: delta out of range.
        """
        instance("observed", observed, Observed)
        delta = real("delta", delta, 0, 1, open_low=True, open_high=True)
        if self.layers and not observed.layers:
            return inapplicable(
                self, delta, (Assumption("the network is an MLP", False, "no layers"),)
            )
        assumptions = tuple(assumption(observed) for assumption in self.assumptions)
        unmet = [assumption for assumption in assumptions if not assumption.holds]
        if unmet or self.compute is None:
            return inapplicable(self, delta, assumptions)
        computed = self.compute(observed, delta)
        log10 = computed.log10
        if log10 is None:
            log10 = math.log10(computed.value) if computed.value > 0 else -math.inf
        terms = dict(computed.terms)
        record = self._record(delta, assumptions, computed.value, log10, terms, "")
        return replace(record, classifier=computed.classifier)

    def _record(
        self,
        delta: float,
        assumptions: tuple[Assumption, ...],
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
            assumptions=assumptions,
            reason=reason,
        )


def inapplicable(bound: Bound, delta: float, assumptions: tuple[Assumption, ...]) -> Record:
    """A record without a value, whose reason lists the assumptions that do not hold.

    Examples:
        >>> import simbias
        >>> text = "trained on masks of a supersample"
        >>> assumption = simbias.bounds.Assumption(text, holds=False, detail="none")
        >>> f_cmi = simbias.bounds.BOUNDS.factory("f-cmi")
        >>> record = simbias.bounds.inapplicable(f_cmi, 0.05, (assumption,))
        >>> record.value, record.reason
        (None, 'trained on masks of a supersample: none')
    """
    unmet = [f"{text}: {detail}" for text, holds, detail in assumptions if not holds]
    return bound._record(
        delta,
        assumptions,
        None,
        None,
        {},
        "; ".join(unmet) or "no network here can meet the assumptions",
    )


def bound(
    name: str,
    *,
    family: str,
    certifies: str = "this network",
    kind: str = "bound",
    constants: str = "",
    assumptions: tuple[Callable[[Observed], Assumption], ...] = (),
    invariant: tuple[str, ...] = ("permutation",),
    layers: bool = True,
    prepare: Callable[[Sequence[Observed]], object] | None = None,
) -> Callable[[Callable[[Observed, float], BoundValue]], Bound]:
    """Declare a function as a bound; its docstring's first line is the summary.

    Examples:
        >>> import math
        >>> import simbias
        >>> @simbias.bounds.bound("finite", family="counting", constants="Hoeffding (1963)")
        ... def finite(observed, delta):
        ...     "Hoeffding's inequality and a union over a million networks named in advance."
        ...     width = math.sqrt(math.log(1e6 / delta) / (2 * observed.n))
        ...     return simbias.bounds.BoundValue(observed.train_error + width, {"width": width})
        >>> finite.name, finite.kind
        ('finite', 'bound')
        >>> finite.summary
        "Hoeffding's inequality and a union over a million networks named in advance."
    """

    def declare(compute: Callable[[Observed, float], BoundValue]) -> Bound:
        summary = (compute.__doc__ or "").strip().split("\n")[0]
        claim = (name, family, certifies, kind, constants)
        return Bound(*claim, assumptions, invariant, compute, summary, layers, prepare)

    return declare


def has_initial(observed: Observed) -> Assumption:
    """The initialisation is stored: it is the reference, and does not depend on the sample."""
    stored = observed.initial is not None
    return Assumption("the initialisation is stored", stored, "yes" if stored else "none given")


def has_held_out(observed: Observed) -> Assumption:
    """Errors were counted on held-out points.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> from simbias.bounds.bound import has_held_out
        >>> held = simbias.bounds.HeldOut(errors=3, points=100)
        >>> observed = simbias.bounds.Observed((), np.zeros((5, 2)), np.arange(5), held_out=held)
        >>> has_held_out(observed).detail
        '3 errors in 100 points'
    """
    held = observed.held_out
    detail = "none" if held is None else f"{held.errors} errors in {held.points} points"
    return Assumption("held-out points are there", held is not None, detail)


def independent(observed: Observed) -> Assumption:
    """The training points are independent draws of one law."""
    draws = f"{observed.n} points"
    return Assumption("training points are independent draws", observed.independent, draws)


def is_relu(observed: Observed) -> Assumption:
    """Hidden units are ReLUs: 1-Lipschitz, positively homogeneous, piecewise linear."""
    name = observed.activation
    return Assumption("hidden units are ReLUs", name == "relu", name)
