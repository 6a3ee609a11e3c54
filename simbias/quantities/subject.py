"""The subject of a measurement: networks and the effort spent on them."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar

from simbias._types import AnyStack
from simbias.models import Fitted
from simbias.training.stack import Stack
from simbias.validation import Report, validate

Shared = TypeVar("Shared")


class Subject:
    """Trained networks, the effort spent on them, and the values that quantities share.

    Args:
        stack: trained networks, or fitted estimators, for quantities that need no network.
        n_certify: fresh points for each network or pair.
        confidence: of each network's own interval, in (0, 1).
        arguments: of the quantities to be measured, by kind, so that they are computed together.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> subject = simbias.quantities.Subject(stack, n_certify=10_000, confidence=0.95)
        >>> subject.report.seeds, subject.report.n_certify
        ((0, 1), 10000)
    """

    def __init__(
        self,
        stack: Stack | Fitted,
        *,
        n_certify: int,
        confidence: float,
        arguments: Mapping[str, Sequence[str | float]] | None = None,
    ) -> None:
        self.stack: AnyStack = stack
        self.n_certify, self.confidence = n_certify, confidence
        self.arguments = dict(arguments or {})
        self._shared: dict[str, Any] = {}  # each name has its own type

    @classmethod
    def validated(cls, stack: Stack | Fitted, report: Report) -> "Subject":
        """Networks or estimators, with their report."""
        subject = cls(stack, n_certify=report.n_certify, confidence=report.confidence)
        subject.report = report
        return subject

    @cached_property
    def report(self) -> Report:
        """The validator's report."""
        return validate(self.stack, n_certify=self.n_certify, confidence=self.confidence)

    def shared(self, name: str, make: Callable[[], Shared]) -> Shared:
        """A value that several quantities use, made at the first call with its name."""
        if name not in self._shared:
            self._shared[name] = make()
        value: Shared = self._shared[name]
        return value
