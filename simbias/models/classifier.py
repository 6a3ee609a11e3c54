"""Classifiers: anything that scores inputs.

Scores are one number for each class, larger where the class is thought likelier; the label is the
class of the largest, the first of several. A classifier answers for itself, in NumPy; one that is
``Traced`` is a pure JAX function of parameters too, and is evaluated inside compiled programs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol, runtime_checkable

import jax
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from simbias._checks import known
from simbias._pinned import pinned
from simbias._types import AnyArray, Params
from simbias.networks.scorer import Scorer
from simbias.training.scores import logits

# What scores are: logits and probabilities have a cross-entropy, labels no order beyond their own.
KINDS = ("logits", "probabilities", "scores", "labels")


@runtime_checkable
class Classifier(Protocol):
    """Anything that scores inputs.

    Attributes:
        label: short name for tables and figures.
        kind: what its scores are, one of ``KINDS``.
        stochastic: whether the scores of a row are random; ``scores`` then takes a JAX random key
            as well.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> class Sign:
        ...     "Label 1 where the first input is positive."
        ...
        ...     label, kind, stochastic = "sign", "labels", False
        ...
        ...     def scores(self, x):
        ...         return np.eye(2)[(x[:, 0] > 0).astype(int)]
        >>> isinstance(Sign(), simbias.models.Classifier)
        True
    """

    @property
    def label(self) -> str: ...

    @property
    def kind(self) -> str: ...

    @property
    def stochastic(self) -> bool: ...

    @property
    def scores(self) -> Callable[..., Float[np.ndarray, "rows classes"]]:
        """From inputs (rows, dim), NumPy float32, to scores."""
        ...


@dataclass(frozen=True, eq=False)
class Traced:
    """A classifier that is a pure JAX function: a network and its parameters.

    Attributes:
        network: the part that is compiled in; classifiers of equal networks share a program.
        params: a pytree of arrays, the function's first argument.
        kind: what its scores are, one of ``KINDS``.
        fault: why its scores are not usable, such as diverged training; "" where they are.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> first = simbias.models.member(stack, 0)
        >>> first.label, first.kind, first.stochastic
        ('(8,1)', 'logits', False)
        >>> first.scores(simbias.data(task, n_train=1000).x).shape
        (1000, 2)
    """

    network: Scorer
    params: Params
    kind: str = "logits"
    fault: str = ""

    def __post_init__(self) -> None:
        known("kind", self.kind, KINDS)

    @property
    def label(self) -> str:
        """That of its network."""
        return self.network.label

    @property
    def stochastic(self) -> bool:
        """Its scores are a function of the inputs."""
        return False

    @pinned
    def scores(self, x: Float[AnyArray, "rows *shape"]) -> Float[np.ndarray, "rows classes"]:
        """Scores (compiled, NumPy), in blocks of rows."""
        return np.asarray(_scores(self.network, self.params, x))


@partial(jax.jit, static_argnums=0)
def _scores(network: Scorer, params: Params, x: Array) -> Array:
    return logits(network, params, x)


def score(
    classifier: Classifier, x: Float[AnyArray, "rows *shape"], key: Key[Array, ""] | None = None
) -> Float[np.ndarray, "rows classes"]:
    """A classifier's scores; ``key`` is passed to one that is stochastic."""
    return classifier.scores(x, key) if classifier.stochastic else classifier.scores(x)


def predicted(scores: Float[np.ndarray, "rows classes"]) -> Int[np.ndarray, " rows"]:
    """The class of the largest score of each row, the first of several."""
    labels: Int[np.ndarray, " rows"] = scores.argmax(axis=1)
    return labels


def difference(scores: Float[np.ndarray, "rows classes"]) -> Float[np.ndarray, " rows"]:
    """The second of two classes' scores less the first, positive where label 1 is predicted."""
    with np.errstate(invalid="ignore"):  # infinities: no finite difference
        ahead: Float[np.ndarray, " rows"] = scores[:, 1] - scores[:, 0]
        return ahead


def finite(scores: Float[np.ndarray, "rows classes"]) -> Bool[np.ndarray, " rows"]:
    """Which rows have scores that can be compared."""
    compared: Bool[np.ndarray, " rows"]
    if scores.shape[1] == 2:
        compared = np.isfinite(difference(scores))
    else:
        compared = np.isfinite(scores).all(axis=1)
    return compared


def labels(
    classifier: Classifier, x: Float[AnyArray, "rows *shape"], key: Key[Array, ""] | None = None
) -> Int[np.ndarray, " rows"]:
    """The labels that a classifier predicts."""
    return predicted(score(classifier, x, key))
