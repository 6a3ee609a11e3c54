"""Classifiers of other libraries and of users: callables, estimators, torch modules.

Nothing is imported for them: whoever has an object of a library has imported the library.
"""

import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, TypeAlias, TypeGuard

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from simbias._checks import fail, known
from simbias._types import AnyArray
from simbias.models.classifier import KINDS, Classifier

_ROWS = 2**15  # rows of one call
_KIND_OF = {"predict_proba": "probabilities", "decision_function": "scores", "predict": "labels"}
SCORED_BY = tuple(_KIND_OF)
_ALLOWED = (
    "an array with a row for each point: a number for each class, one number (> 0: label 1), or"
    " labels"
)


_TorchModule: TypeAlias = Any  # torch need not be installed


class Foreign:
    """A classifier that is called from Python, in blocks of rows.

    Args:
        ask: maps inputs (rows, dim), float32, to a number for each class (rows, classes), to one
            number for each row, positive for label 1, or to labels, integers or booleans.
        kind: what its answers are, one of ``KINDS``; default: labels where they are integers, else
            scores.
        label: short name for figures.
        columns: the class of each column of its answers; default: 0, 1, ...
        classes: number of classes.

    Raises:
        ValueError: an unknown kind, or columns that are not classes.
    """

    stochastic = False

    def __init__(
        self,
        ask: Callable[[np.ndarray], ArrayLike],
        *,
        kind: str | None = None,
        label: str = "classifier",
        columns: Sequence[int] | None = None,
        classes: int = 2,
    ) -> None:
        self.label, self._ask, self._classes = label, ask, classes
        self._kind = None if kind is None else known("kind", kind, KINDS)
        self._columns = None if columns is None else np.asarray(columns)
        if columns is not None and not np.isin(columns, range(classes)).all():
            raise fail("classes", list(columns), f"labels in [0, {classes - 1}]")

    @property
    def kind(self) -> str:
        """The kind given, or the one inferred from its first answer."""
        return self._kind or "scores"

    def scores(self, x: Float[AnyArray, "rows *shape"]) -> Float[np.ndarray, "rows classes"]:
        """Its answers as a score for each class, computed in blocks of rows.

        Raises:
            ValueError: an answer of another shape or type.
        """
        x = np.asarray(x)
        parts = [self._read(x[i : i + _ROWS]) for i in range(0, len(x), _ROWS)]
        return np.concatenate(parts) if parts else np.zeros((0, self._classes))

    def _read(self, x: np.ndarray) -> np.ndarray:
        answer = np.asarray(self._ask(x))
        if answer.ndim not in (1, 2) or len(answer) != len(x) or answer.dtype.kind not in "fiub":
            raise fail("classifier", f"{answer.dtype} of shape {answer.shape}", _ALLOWED)
        are_labels = answer.ndim == 1 and answer.dtype.kind in "iub"
        if self._kind is None:
            self._kind = "labels" if are_labels else "scores"
        if are_labels or (self._kind == "labels" and answer.ndim == 1):
            return _one_hot(answer, self._classes)
        columns = answer.reshape(len(answer), -1).astype(np.result_type(answer, np.float32))
        if self._columns is not None and len(self._columns) == columns.shape[1]:
            scores = np.zeros((len(columns), self._classes), columns.dtype)
            scores[:, self._columns] = columns
            return scores
        if columns.shape[1] == 1 and self._classes == 2:
            return np.concatenate([np.zeros_like(columns), columns], axis=1)
        if columns.shape[1] != self._classes:
            arrived = f"scores of {columns.shape[1]} classes"
            raise fail("classifier", arrived, f"{self._classes} classes")
        return columns


def _one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    is_class = labels[:, None] == np.arange(classes)[None]
    if not is_class.any(axis=1).all():
        bad = labels[~is_class.any(axis=1)][0]
        raise fail("classifier", f"labels such as {bad}", f"labels in [0, {classes - 1}]")
    scores: np.ndarray = is_class.astype(np.float32)
    return scores


def classifier(
    model: object, *, kind: str | None = None, label: str | None = None, classes: int = 2
) -> Classifier:
    """Anything that scores inputs, as a classifier.

    Args:
        model: a classifier, which is returned as it is; a fitted estimator with ``predict_proba``,
            ``decision_function`` or ``predict``, in this order, or one of these methods; a torch
            module, which is called in evaluation mode and without gradients; or a callable.
        kind: what its scores are, one of ``KINDS``; default: as the name of its method says, logits
            for a torch module, otherwise inferred from its answers.
        label: short name; default: that of its class or function.
        classes: number of classes.

    Raises:
        ValueError: a model of any other type.

    Examples:
        >>> import simbias
        >>> rule = simbias.models.classifier(lambda x: (x[:, 0] > 0).astype(int), kind="labels")
        >>> rule.label, rule.kind
        ('<lambda>', 'labels')
        >>> data = simbias.data(simbias.tasks.get("noisy-lms-5", dim=4), n_train=1000)
        >>> rule.scores(data.x).shape
        (1000, 2)
    """
    if isinstance(model, Classifier):
        return model
    owner = getattr(model, "__self__", None)
    if label is None:
        origin = owner if hasattr(owner, "classes_") else model
        label = getattr(origin, "__name__", type(origin).__name__)
    if _is_torch(model):
        return Foreign(_torch_answers(model), kind=kind or "logits", label=label, classes=classes)
    if callable(model) and hasattr(owner, "classes_"):  # a method of an estimator
        return _of_estimator(owner, model, getattr(model, "__name__", ""), kind, label, classes)
    for name in _KIND_OF:
        if hasattr(model, name):
            return _of_estimator(model, getattr(model, name), name, kind, label, classes)
    if callable(model):
        return Foreign(model, kind=kind, label=label, classes=classes)
    raise fail(
        "classifier", model, "a callable, an estimator that is fitted, a torch module, a Classifier"
    )


def _of_estimator(
    model: object,
    ask: Callable[..., ArrayLike],
    name: str,
    kind: str | None,
    label: str,
    classes: int,
) -> Foreign:
    columns = getattr(model, "classes_", None)
    if columns is not None:
        columns = [int(value) if float(value).is_integer() else -1 for value in columns]
    kind = kind or _KIND_OF.get(name)
    one_column = kind == "scores" and columns is not None and len(columns) == 2
    columns = None if one_column else columns
    return Foreign(ask, kind=kind, label=label, columns=columns, classes=classes)


def _is_torch(model: object) -> TypeGuard[_TorchModule]:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(model, torch.nn.Module)


def _torch_answers(model: _TorchModule) -> Callable[[np.ndarray], np.ndarray]:
    """A torch module as a function of NumPy arrays, on its own device; its modes are restored."""
    torch = sys.modules["torch"]

    def ask(x: np.ndarray) -> np.ndarray:
        modes = [(part, part.training) for part in model.modules()]
        with ExitStack() as on_exit:
            for part, mode in modes:
                on_exit.callback(setattr, part, "training", mode)
            on_exit.enter_context(torch.no_grad())
            model.eval()
            parameter = next(model.parameters(), None)
            inputs = torch.from_numpy(np.array(x))
            inputs = inputs if parameter is None else inputs.to(parameter.device, parameter.dtype)
            answers: np.ndarray = model(inputs).detach().cpu().numpy()
            return answers

    return ask
