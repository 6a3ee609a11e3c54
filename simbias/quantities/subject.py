"""What a quantity is measured on."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar

from simbias._types import AnyStack
from simbias.models import Fitted
from simbias.training.stack import Stack
from simbias.validation import Report, validate

Shared = TypeVar("Shared")


class Subject:
    """Trained networks, the effort spent on them, and what quantities share.

    Args:
        stack: trained networks, or fitted estimators, of which only what needs no network is asked.
        n_certify: fresh points a network or pair.
        confidence: of each network's own interval, in (0, 1).
        arguments: that will be asked for, by their kind, so that they can be worked on together.

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
        self._shared: dict[str, Any] = {}  # of whatever type each name's is

    @classmethod
    def validated(cls, stack: Stack | Fitted, report: Report) -> "Subject":
        """Networks or estimators, with what the validator has said of them."""
        found = cls(stack, n_certify=report.n_certify, confidence=report.confidence)
        found.report = report
        return found

    @cached_property
    def report(self) -> Report:
        """What the validator says."""
        return validate(self.stack, n_certify=self.n_certify, confidence=self.confidence)

    def shared(self, name: str, make: Callable[[], Shared]) -> Shared:
        """What several quantities use, made for the first that asks for it by this name."""
        if name not in self._shared:
            self._shared[name] = make()
        made: Shared = self._shared[name]
        return made
