"""Registries of names: built-in entries and installed entry points.

An entry is a reference ``"package.module:attribute"`` that is imported when it is asked for, so
that listing names costs nothing. Other packages add entries under the entry-point group
``simbias.<kind>`` (for example ``simbias.tasks``), without a change here. The summary of an
installed object is read from its source: one that cannot be imported must not stop the others.
"""

import warnings
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import entry_points
from importlib.resources.abc import Traversable
from importlib.util import find_spec, resolve_name
from operator import attrgetter
from pathlib import Path
from types import FunctionType
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
        entries: the built-in entries by name; an empty summary is read from the source.
    """

    def __init__(self, kind: str, entries: Mapping[str, Entry]) -> None:
        self.kind = kind
        self.singular = _singular(kind)
        self._builtin = dict(entries)

    def entries(self) -> dict[str, Entry]:
        """All entries by name; a built-in name wins over an installed one."""
        for name, entry in self._builtin.items():
            if not entry.summary:
                line = summary(entry.reference).removesuffix(".")
                self._builtin[name] = entry._replace(summary=line)
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
        entries = {}
        for point in entry_points(group=f"simbias.{self.kind}"):
            origin = f" (from {point.dist.name})" if point.dist else ""
            entries[point.name] = Entry(point.value, f"{summary(point.value)}{origin}".strip())
        return entries

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
            plug_in = f"{self.singular}: plug-in {name!r}, {entries[name].reference}"
            raise ValueError(f"{plug_in}, cannot be imported: {words}") from error

    def loaded(
        self, kind: type[Kind], check: Callable[[str, Kind], None] = lambda place, value: None
    ) -> dict[str, Kind]:
        """Every object by name, of a kind whose entries are objects of one class.

        An installed one that cannot be imported, is no such object, bears another name or is
        refused by ``check`` is left out, with a warning.

        Args:
            kind: the class.
            check: takes the place for messages and the object; raises ValueError for a bad one.
        """
        objects: dict[str, Kind] = {}
        allowed = f"{'an' if kind.__name__[0] in 'AEIOU' else 'a'} {kind.__name__}"
        for name in self.names():
            place = f"{self.singular}: plug-in {name!r}"
            try:
                value = self.factory(name)
                if not isinstance(value, kind) or getattr(value, "name", name) != name:
                    raise fail(place, value, f"{allowed} named {name}")
                check(place, value)
                objects[name] = value
            except ValueError as error:
                warnings.warn(f"left out: {error}", stacklevel=3)
        return objects

    def make(self, name: str, settings: Mapping[str, object]) -> Any:
        """Call the factory with keyword settings; an unknown setting is a one-line ValueError."""
        factory = self.factory(name)
        if not callable(factory):
            raise fail(f"{self.singular}: plug-in {name!r}", factory, "a function")
        is_fixed = isinstance(factory, FunctionType | type)  # as almost all: looked at once
        accepted = _kept(factory) if is_fixed else parameters_of(factory)
        accepted.check(f"{self.singular} {name}: setting", settings)
        return factory(**settings)


class Parameters(NamedTuple):
    """The names of a factory's parameters, and whether it takes others and passes them on."""

    names: tuple[str, ...]
    takes_any: bool

    def check(self, place: str, settings: Iterable[str], beside: Container[str] = ()) -> None:
        """Raise ValueError for a setting that is no parameter, or one that is given ``beside``."""
        allowed = [name for name in self.names if name not in beside]
        for setting in () if self.takes_any else settings:
            known(place, setting, allowed)


def parameters_of(factory: Callable[..., object]) -> Parameters:
    """The parameters that a factory takes by name."""
    from inspect import Parameter, signature

    parameters = signature(factory).parameters.values()
    kinds = {part.kind for part in parameters}
    by_name = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
    names = tuple(part.name for part in parameters if part.kind in by_name)
    return Parameters(names, Parameter.VAR_KEYWORD in kinds)


_kept = lru_cache(maxsize=512)(parameters_of)


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
    """The first line of an object's docstring, or the summary of a TOML file; "" without one."""
    module, _, attribute = reference.partition(":")
    try:
        if attribute.endswith(".toml"):
            text = read_toml(reference, resource(reference)).get("summary", "")
        else:
            text = _docstring(module, attribute)
        return str(text).strip().split("\n")[0]
    except Exception:  # it has no summary that can be read
        return ""


def _spec(module: str) -> ModuleSpec:
    """The spec of a module, found without importing its packages."""
    spec, within = None, None
    parts = module.split(".")
    for i in range(len(parts)):
        name = ".".join(parts[: i + 1])
        spec = PathFinder.find_spec(name, within) if i else find_spec(name)
        if spec is None:
            raise ValueError(f"package: no module named {name!r}")
        within = spec.submodule_search_locations
    assert spec is not None
    return spec


@lru_cache(maxsize=8)
def _parsed(source: bytes) -> Sequence[object]:
    """The statements of a module."""
    import ast

    return ast.parse(source).body


def _docstring(module: str, name: str, hops: int = 5) -> str:
    """The docstring of a name that a module defines or imports, read from the source."""
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
