"""Answers drawn from a classifier's probabilities, in place of the likeliest one."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import numpy as np
from jaxtyping import Array, Float, Key

from simbias._checks import fail
from simbias._pinned import pinned
from simbias._types import AnyArray
from simbias.models.classifier import Classifier


@dataclass(frozen=True, eq=False)
class Sampled:
    """A classifier that answers each label with the probability that another one gives it.

    Args:
        classifier: one whose scores are logits, of a softmax, or probabilities.

    Raises:
        ValueError: scores of another kind.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> sampled = simbias.models.Sampled(simbias.models.member(stack, 0))
        >>> sampled.label, sampled.stochastic
        ('sampled (8,1)', True)
    """

    classifier: Classifier
    kind: str = "labels"
    stochastic: bool = True

    def __post_init__(self) -> None:
        if self.classifier.kind not in ("logits", "probabilities"):
            raise fail("classifier", self.classifier.kind, "logits or probabilities")

    @property
    def label(self) -> str:
        """That of the classifier, and that its answers are drawn."""
        return f"sampled {self.classifier.label}"

    @property
    def scores(self) -> Callable[..., Float[np.ndarray, "rows classes"]]:
        """From inputs and a key to 1 for the label that was drawn."""
        return self._drawn

    @pinned
    def _drawn(
        self, x: Float[AnyArray, "rows *shape"], key: Key[Array, ""]
    ) -> Float[np.ndarray, "rows classes"]:
        scores = np.asarray(self.classifier.scores(x), np.float64)
        if self.classifier.kind == "probabilities":
            with np.errstate(divide="ignore"):
                scores = np.log(scores)
        # the greatest of logits with Gumbel noise has the law of the softmax
        noisy = scores + np.asarray(jax.random.gumbel(key, scores.shape))
        drawn: Float[np.ndarray, "rows classes"] = np.eye(scores.shape[1])[noisy.argmax(axis=1)]
        return np.where(np.isfinite(scores).any(axis=1, keepdims=True), drawn, np.nan)
