"""One way to look things up by name: built-in entries and installed entry points.

An entry is a reference ``"package.module:attribute"`` that is imported when it is asked for, so
that listing names costs nothing. Other packages add entries under the entry-point group
``simbias.<kind>`` (for example ``simbias.tasks``), without a change here. What an installed object
says of itself is read from its source: one that cannot be imported must not stop the others.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import entry_points
from importlib.resources.abc import Traversable
from importlib.util import find_spec, resolve_name
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from simbias._checks import fail, known
from simbias._files import read_toml

Kind = TypeVar("Kind")


class Entry(NamedTuple):
    """A registered name: where the object is, and one line about it."""

    reference: str
    summary: str


class Registry:
    """Names of one kind (tasks, networks, methods, ...) and the factories behind them.

    Args:
        kind: plural word, also the suffix of the entry-point group.
        entries: the built-in entries by name; one without a summary says it in its source.
    """

    def __init__(self, kind: str, entries: Mapping[str, Entry]) -> None:
        self.kind = kind
        self.singular = _singular(kind)
        self._builtin = dict(entries)

    def entries(self) -> dict[str, Entry]:
        """All entries by name; a built-in name wins over an installed one."""
        for name, entry in self._builtin.items():
            if not entry.summary:
                said = summary(entry.reference).removesuffix(".")
                self._builtin[name] = entry._replace(summary=said)
        return self._all

    def names(self) -> list[str]:
        """The built-in names in their order, then those of other packages by name."""
        return [*self._builtin, *sorted(self._installed.keys() - self._builtin.keys())]

    def owns(self, name: str) -> bool:
        """Whether a name is a built-in one."""
        return name in self._builtin

    @property
    def _all(self) -> dict[str, Entry]:
        return self._installed | self._builtin

    @cached_property
    def _installed(self) -> dict[str, Entry]:
        """Entry points, read once: looking through what is installed takes milliseconds."""
        found = {}
        for point in entry_points(group=f"simbias.{self.kind}"):
            origin = f" (from {point.dist.name})" if point.dist else ""
            found[point.name] = Entry(point.value, f"{summary(point.value)}{origin}".strip())
        return found

    def factory(self, name: str) -> Any:
        """The object registered as ``name``, of whatever type its kind has.

        Raises:
            ValueError: an unknown name, with the nearest; an installed one that cannot be imported.
        """
        entries = self._all
        known(self.singular, name, entries)
        module, _, attribute = entries[name].reference.partition(":")
        try:
            return attrgetter(attribute)(import_module(module))
        except (Exception, SystemExit) as error:
            if name in self._builtin:
                raise
            words = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            at = f"{self.singular}: plug-in {name!r}, {entries[name].reference}"
            raise ValueError(f"{at}, cannot be imported: {words}") from error

    def loaded(
        self, kind: type[Kind], check: Callable[[str, Kind], None] = lambda place, made: None
    ) -> dict[str, Kind]:
        """Every object by name, of a kind whose entries are objects of one class.

        An installed one that cannot be imported, is no such object, bears another name or is
        refused by ``check`` is left out, with a warning.

        Args:
            kind: the class.
            check: raises ValueError for a bad one; hears the place to name, and the object.
        """
        found: dict[str, Kind] = {}
        wanted = f"{'an' if kind.__name__[0] in 'AEIOU' else 'a'} {kind.__name__}"
        for name in self.names():
            place = f"{self.singular}: plug-in {name!r}"
            try:
                made = self.factory(name)
                if not isinstance(made, kind) or getattr(made, "name", name) != name:
                    raise fail(place, made, f"{wanted} named {name}")
                check(place, made)
                found[name] = made
            except ValueError as error:
                warnings.warn(f"left out: {error}", stacklevel=3)
        return found

    def make(self, name: str, settings: Mapping[str, object]) -> Any:
        """Call the factory with keyword settings; an unknown setting is a one-line ValueError."""
        from inspect import signature

        factory = self.factory(name)
        if not callable(factory):
            raise fail(f"{self.singular}: plug-in {name!r}", factory, "a function")
        for setting in settings:
            known(f"{self.singular} {name}: setting", setting, signature(factory).parameters)
        return factory(**settings)


def _singular(kind: str) -> str:
    """The word for one of a kind."""
    if kind.endswith("ies"):
        return kind.removesuffix("ies") + "y"
    return kind.removesuffix("es" if kind.endswith("sses") else "s")


def resource(reference: str) -> Traversable:
    """The file that ``"package:path"`` means, without importing the package; raises ValueError."""
    package, _, path = reference.partition(":")
    folder = next(iter(_spec(package).submodule_search_locations or ()), None)
    if folder is None:
        raise fail("package", package, "a package with files")
    return Path(folder, path)


def summary(reference: str) -> str:
    """The first line that a file or an object of another package says about itself, or nothing."""
    module, _, attribute = reference.partition(":")
    try:
        if attribute.endswith(".toml"):
            said = read_toml(reference, resource(reference)).get("summary", "")
        else:
            said = _docstring(module, attribute)
        return str(said).strip().split("\n")[0]
    except Exception:  # it says nothing that can be read
        return ""


def _spec(module: str) -> ModuleSpec:
    """Where a module is, without importing those that it stands in."""
    found, within = None, None
    parts = module.split(".")
    for i in range(len(parts)):
        name = ".".join(parts[: i + 1])
        found = PathFinder.find_spec(name, within) if i else find_spec(name)
        if found is None:
            raise ValueError(f"package: no module named {name!r}")
        within = found.submodule_search_locations
    assert found is not None
    return found


@lru_cache(maxsize=8)
def _parsed(source: bytes) -> Sequence[object]:
    """The statements of a module."""
    import ast

    return ast.parse(source).body


def _docstring(module: str, name: str, hops: int = 5) -> str:
    """The docstring of what a module defines or takes from another, from its source."""
    import ast

    spec = _spec(module)
    if not hops or spec.origin is None:
        return ""
    for node in _parsed(Path(spec.origin).read_bytes()):
        match node:
            case ast.FunctionDef(name=own) | ast.ClassDef(name=own) if own == name:
                return ast.get_docstring(node) or ""
            case ast.Assign(targets=[ast.Name(id=own)], value=ast.Call() as call) if own == name:
                for keyword in call.keywords:
                    if keyword.arg == "summary":
                        return str(ast.literal_eval(keyword.value))
                if call.args and isinstance(call.args[0], ast.Name):  # partial(function, ...)
                    return _docstring(module, call.args[0].id, hops - 1)
            case ast.ImportFrom(module=origin, names=names, level=level):
                for alias in names:
                    if (alias.asname or alias.name) == name:
                        package = module if spec.submodule_search_locations else spec.parent
                        origin = resolve_name("." * level + (origin or ""), package)
                        return _docstring(origin, alias.name, hops - 1)
    return ""


TASKS = Registry(
    "tasks",
    {
        name: Entry(f"simbias.tasks.catalogue:{name.replace('-', '_')}", summary)
        for name, summary in {
            "lms-5": "one linear coordinate and 5-slabs",
            "lms-7": "one linear coordinate and 7-slabs",
            "noisy-lms-5": "one noisy linear coordinate and 5-slabs",
            "noisy-lms-7": "one noisy linear coordinate and 7-slabs",
            "ms-5": "5-slabs only",
            "ms-7": "7-slabs only",
            "ms-5-7": "one 5-slab and 7-slabs",
            "noisy-ms-5-7": "one noisy 5-slab and 7-slabs",
            "lsn": "a linear and a slab coordinate in Gaussian noise",
        }.items()
    }
    | {"xor": Entry("simbias.tasks.xor:XorTask", "exclusive or of two slab coordinates")},
)

NETWORKS = Registry(
    "networks",
    {"mlp": Entry("simbias.networks.mlp:MLP", "fully connected, width x depth hidden layers")},
)

METHODS = Registry(
    "methods",
    {"sgd": Entry("simbias.training.sgd:sgd", "minibatch SGD with momentum and weight decay")},
)

LOSSES = Registry(
    "losses",
    {
        name: Entry(f"simbias.losses.functions:{name.replace('-', '_')}", summary)
        for name, summary in {
            "cross-entropy": "negative log-likelihood under a softmax",
            "hinge": "distance of the label's logit from a margin of 1 over all others",
            "square": "half the squared distance from the label's indicator",
            "logistic": "a binary cross-entropy a class, on labels that may be smoothed",
        }.items()
    },
)

ESTIMATORS = Registry(
    "estimators",
    {
        name: Entry(f"simbias.models.scikit:{name.replace('-', '_')}", summary)
        for name, summary in {
            "random-forest": "averaged trees on resampled points",
            "gradient-boosting": "trees fitted one after the other, on histograms",
            "decision-tree": "one tree, grown to pure leaves",
            "nearest-neighbours": "the label of the nearest training points",
            "logistic-regression": "a linear rule of least cross-entropy",
            "linear-svm": "a linear rule of largest margin",
            "svm": "a rule of largest margin in a kernel's space",
        }.items()
    },
)

# A suite's reference is a package and a TOML file in it.
SUITES = Registry(
    "suites",
    {
        "pitfalls": Entry(
            "simbias.suites:pitfalls.toml", "Table 2 of Shah et al. (2020), with ms-7"
        ),
        "phase": Entry("simbias.suites:phase.toml", "where in d, n and depth a network memorises"),
        "bounds": Entry(
            "simbias.suites:bounds.toml", "learned and memorised networks for bounds to tell apart"
        ),
    },
)

BOUNDS = Registry(
    "bounds",
    {
        name: Entry(f"simbias.bounds.{module}:{name.replace('-', '_')}", summary)
        for module, entries in {
            "certificates": {
                "hoeffding": "held-out points, Hoeffding",
                "empirical-bernstein": "held-out points, sample variance",
                "chernoff-kl": "held-out points, relative entropy",
                "clopper-pearson": "held-out points, exact binomial",
                "beta-binomial": "held-out points, at every number of them at once",
            },
            "capacity": {
                "occam": "bits of the stored network",
                "vc-additive": "growth function, additive deviation",
                "vc-relative": "growth function, relative deviation",
            },
            "margin": {
                "golowich-frobenius": "margins over the product of Frobenius norms",
                "golowich-path": "margins over the l1 path norm",
            },
            "spectral": {
                "bartlett-foster-telgarsky": "margins, spectral norms, distances from the start",
                "neyshabur-spectral": "margins, spectral norms, PAC-Bayes",
            },
            "compression": {"compression": "code length of the quantised network"},
            "stochastic": {
                "pac-bayes-kl": "PAC-Bayes, Maurer and Seeger, prior at the initialisation",
                "pac-bayes-catoni": "PAC-Bayes, Catoni with a union over lambda",
                "pac-bayes-mcallester": "PAC-Bayes, McAllester",
                "pac-bayes-data-prior": "PAC-Bayes, prior learned on half the points",
            },
            "stability": {"stability": "stability of SGD, whose premises never hold here"},
            "convergence": {
                "uniform-convergence": "what no two-sided uniform-convergence bound can be below",
            },
            "f_cmi": {"f-cmi": "what predictions tell of the training set, an estimate"},
            "measures": {
                "frobenius-product": "product of Frobenius norms",
                "spectral-product": "product of spectral norms",
                "path-norm": "l1 norm over paths",
                "l1-norm": "sum of absolute weights",
                "l2-norm": "Euclidean norm of the weights",
                "distance-from-initialisation": "Euclidean distance from the start",
                "inverse-margin": "spectral product over the 10% margin quantile",
                "sharpness": "top Hessian eigenvalue of the training loss",
            },
        }.items()
        for name, summary in entries.items()
    },
)

# All else, the summary too, stands where a quantity is declared; the order is that of columns.
QUANTITIES = Registry(
    "quantities",
    {
        name: Entry(f"simbias.{module}:{name}", "")
        for module, names in {
            "quantities.settings": (
                "dim", "noise", "n_train", "batch", "width", "depth", "learning_rate",
                "weight_decay",
            ),
            "quantities.reported": (
                "updates", "train_loss", "train_accuracy", "train_error", "risk", "test_accuracy",
                "s_randomised_accuracy", "sc_randomised_accuracy", "s_randomised_auc",
                "sc_randomised_auc", "exceptions", "exceptions_fitted", "exceptions_fresh",
                "memorised", "simple_agreement", "achievable_agreement",
            ),
            "quantities.learned": (
                "gap", "excess_risk", "transition_updates", "early_stopping_gain",
                "island_excess", "log_weight_ratio", "shifted_accuracy", "control_risk",
                "early_stopping_difference", "seed_agreement",
            ),
            "bounds.quantities": ("held_out_points", "bound_value", "bound_valid"),
        }.items()
        for name in names
    },
)  # fmt: skip

# Of these three, what they are is said where they are defined.
UNITS = Registry(
    "units",
    {name: Entry(f"simbias.quantities.units:{name}", "") for name in ("network", "pair", "point")},
)

TESTS = Registry(
    "tests",
    {
        n: Entry(f"simbias.claims.procedures:{n.replace('-', '_')}", "")
        for n in "clopper-pearson beta-binomial sign betting permutation bootstrap mcnemar".split()
    },
)

FIGURES = Registry(
    "figures",
    {
        name: Entry(f"simbias.plots.run:{name}_of", "")
        for name in ("boundary", "training", "table", "islands", "phase")
    },
)

EXPERIMENTS = Registry(
    "experiments",
    {
        name: Entry(f"simbias.experiments.{name}:{name}", "")  # said where it is defined
        for name in ("classify", "estimators")
    },
)

# A claim file's reference is a package and a TOML file in it; those of this package are found in
# simbias/claims/builtin.
CLAIMS = Registry("claims", {})

REGISTRIES = {
    registry.kind: registry
    for registry in (
        TASKS, NETWORKS, LOSSES, METHODS, ESTIMATORS, QUANTITIES, UNITS, BOUNDS, TESTS, EXPERIMENTS,
        SUITES, FIGURES,
    )
}  # fmt: skip
