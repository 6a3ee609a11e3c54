"""Estimators that are named by where they are: any class with ``fit``, or a torch module.

A path leads to a class that can be fitted, or to what makes and trains a module: nothing else is
called.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from inspect import isclass
from operator import attrgetter
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float, Int

from simbias._checks import fail
from simbias._registry import parameters_of
from simbias._types import AnyArray
from simbias.models.estimators import Estimator, Unfitted, labelled, of_class
from simbias.models.foreign import SCORED_BY, classifier

_TorchModule: TypeAlias = Any  # torch need not be installed
_TorchTensor: TypeAlias = Any
_Imported: TypeAlias = Any  # whatever stands where a path leads
MakeModule = Callable[..., _TorchModule]
TrainModule = Callable[[_TorchModule, _TorchTensor, _TorchTensor, int], _TorchModule | None]


def by_path(*, path: str = "", **settings: object) -> Estimator:
    """Any class with fit(x, y) and scores, by its import path.

    Args:
        path: ``"package.module:class"``; its ``random_state`` comes from the seed.
        **settings: arguments of the class.

    Raises:
        ValueError: a path that leads to no such class, or an argument that it does not have.

    Examples:
        >>> import simbias
        >>> path = "sklearn.ensemble:ExtraTreesClassifier"
        >>> trees = simbias.estimator("import", path=path, n_estimators=50)
        >>> trees.label, list(trees.versions)
        ('ExtraTreesClassifier(n_estimators=50)', ['scikit-learn'])
    """
    place = "estimator import: path"
    estimator_class = _imported(place, path)
    can = [name for name in ("fit", *SCORED_BY) if hasattr(estimator_class, name)]
    is_class = isclass(estimator_class)  # a function could do anything
    if not is_class or "fit" not in can or can == ["fit"]:
        raise fail(place, path, f"a class with fit(x, y) and one of {', '.join(SCORED_BY)}")
    make = of_class("estimator import", estimator_class, settings)
    identity = {"path": path, **dict(sorted(settings.items()))}
    title = labelled(path.rpartition(":")[2], settings)
    return Estimator("import", identity, make, _distribution(path), title=title)


def of_torch(*, module: str = "", train: str = "", **settings: object) -> Estimator:
    """A torch module with a training loop of one's own, both by import path.

    Args:
        module: ``"package.module:name"`` of what makes the module, see ``torch_learner``.
        train: ``"package.module:name"`` of the training loop, likewise.
        **settings: further arguments of what makes the module.

    Raises:
        ValueError: a path that leads to nothing that can be called, a setting that it does not
            take, or torch is not installed.
    """
    paths = {"module": module, "train": train}
    make, loop = (_imported(f"estimator torch: {name}", paths[name]) for name in paths)
    for name, function in (("module", make), ("train", loop)):
        if not callable(function):
            raise fail(f"estimator torch: {name}", paths[name], "a function, or a class")
    accepted = parameters_of(make)
    accepted.check("estimator torch: setting", settings, beside=accepted.names[:2])
    title = labelled(module.rpartition(":")[2], settings)
    return _learner("torch", make, loop, settings, paths, title)


def torch_learner(name: str, make: MakeModule, train: TrainModule, **settings: object) -> Estimator:
    """A torch module with a training loop of one's own, as an estimator.

    Args:
        name: a name of its own.
        make: (inputs, classes, **settings) -> a module from (rows, inputs) to logits
            (rows, classes).
        train: (module, x, y, seed) -> the trained module, or None where it is the same one; the
            tensors x, (rows, inputs), are float32 and y, (rows,), int64. Torch's own generators
            start from the seed before the module is made, and are afterwards as they were.
        **settings: of ``make``, part of its identity.

    Raises:
        ValueError: torch is not installed.

    Examples:
        >>> import importlib.util
        >>> import simbias
        >>> def linear(inputs, classes):
        ...     import torch
        ...
        ...     return torch.nn.Linear(inputs, classes)
        >>> def train(module, x, y, seed):
        ...     import torch
        ...
        ...     optimiser = torch.optim.SGD(module.parameters(), lr=0.5)
        ...     for _ in range(20):
        ...         optimiser.zero_grad()
        ...         torch.nn.functional.cross_entropy(module(x), y).backward()
        ...         optimiser.step()
        >>> if importlib.util.find_spec("torch"):
        ...     rule = simbias.models.torch_learner("linear", linear, train)
        ...     task = simbias.tasks.get("noisy-lms-5", dim=4)
        ...     assert simbias.train(task, rule, n_train=1000).members[0].label == "linear"
    """
    return _learner(name, make, train, settings, {}, "")


def _learner(
    name: str,
    make: MakeModule,
    train: TrainModule,
    settings: Mapping[str, object],
    paths: Mapping[str, str],
    title: str,
) -> Estimator:
    if find_spec("torch") is None:
        message = "needs PyTorch, which is not installed: pip install torch"
        raise ValueError(f"estimator: {name} {message}")
    label = title or labelled(name, settings)

    def unfitted(state: int) -> Unfitted:
        return _TorchLearner(make, train, settings, state, label)

    identity = {**paths, **dict(sorted(settings.items()))}
    return Estimator(name, identity, unfitted, "torch", title=label)


class _TorchLearner:
    """A module that is made and trained when it is fitted, and is then a classifier."""

    kind, stochastic = "logits", False

    def __init__(
        self,
        make: MakeModule,
        train: TrainModule,
        settings: Mapping[str, object],
        state: int,
        label: str,
    ) -> None:
        self._make, self._train, self._settings = make, train, settings
        self._state, self.label = state, label

    def fit(self, x: Float[np.ndarray, "rows *shape"], y: Int[np.ndarray, " rows"]) -> None:
        torch = import_module("torch")
        inputs = torch.tensor(x.reshape(len(x), -1), dtype=torch.float32)
        self._classes = max(int(y.max()) + 1, 2)
        labels = torch.tensor(y, dtype=torch.int64)
        with torch.random.fork_rng():
            torch.manual_seed(self._state)
            module = self._own(
                "module", self._make, inputs.shape[1], self._classes, **self._settings
            )
            if not isinstance(module, torch.nn.Module):
                raise fail("module", module, "a torch module")
            # of another shape it is refused here, in clearer words than a loop's own
            self._own(
                "module", classifier(module, classes=self._classes).scores, inputs[:2].numpy()
            )
            trained = self._own("train", self._train, module, inputs, labels, self._state)
        trained = module if trained is None else trained
        if not isinstance(trained, torch.nn.Module):
            raise fail("train", trained, "the trained module, or None")
        self._module = trained

    @staticmethod
    def _own(
        place: str, function: Callable[..., _TorchModule], *args: object, **settings: object
    ) -> _TorchModule:
        """What a user's function returns; what it raises in one line, as a ValueError."""
        try:
            return function(*args, **settings)
        except ValueError:
            raise
        except Exception as error:
            words = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            raise ValueError(f"{place}: {words}") from error

    def scores(self, x: Float[AnyArray, "rows *shape"]) -> Float[np.ndarray, "rows classes"]:
        flat = np.asarray(x).reshape(len(x), -1)
        return classifier(self._module, classes=self._classes).scores(flat)


def _imported(place: str, path: object) -> _Imported:
    """What stands where a path leads; raises ValueError."""
    module, colon, name = path.partition(":") if isinstance(path, str) else ("", "", "")
    if not module or not colon or not name or module.startswith("."):
        raise fail(place, path, "'package.module:name'")
    try:
        return attrgetter(name)(import_module(module))
    except (Exception, SystemExit) as error:
        words = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise ValueError(f"{place}: {path!r} cannot be imported: {words}") from error


def _distribution(path: str) -> str:
    """The installed package that a path leads into; "" for a module that is in none."""
    package = path.partition(":")[0].partition(".")[0]
    return next(iter(packages_distributions().get(package, [])), "")
