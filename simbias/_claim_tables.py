"""Claim files as tables: where they are, their keys, placeholders filled in.

Nothing is resolved here, so that claims can be listed at once. A file holds one claim, or several
as ``[[claim]]`` tables over defaults: what stands outside of them holds for each, tables merged one
level deep. ``[each]`` makes a claim of every value of a placeholder.
"""

import re
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import NamedTuple

from simbias._checks import fail, known
from simbias._files import read_text, read_toml
from simbias._plain import Settings
from simbias._registry import Entry, resource
from simbias.registry import CLAIMS

_MOST_CLAIMS = 1000  # of a file
_MOST_TEXTS = 20_000  # expressions of a file: quantities, premises, and the definitions of each
_MOST_LETTERS = 200  # of a placeholder's value


class Listed(NamedTuple):
    """What is said of a claim where none is resolved."""

    title: str
    family: str


_LISTED: dict[tuple[str, str], dict[str, Listed]] = {}  # of files by what they hold

REQUIRED = {
    "id": str, "title": str, "source": str, "quantity": str, "unit": dict, "predicate": dict,
    "quantifier": dict, "effort": dict, "inference": dict,
}  # fmt: skip
OPTIONAL = {
    "population": dict, "populations": dict, "requires": list, "definitions": dict, "each": dict,
}  # fmt: skip


def sources() -> Iterator[Traversable]:
    """The claim files of this package."""
    directory = files("simbias").joinpath("claims", "builtin")
    for file in sorted(directory.iterdir(), key=lambda file: file.name):
        if file.name.endswith(".toml"):
            yield file


def listed() -> tuple[dict[str, Listed], list[str]]:
    """The claims that are installed by id, and a line for each file that is left out."""
    claims: dict[str, Listed] = {}
    left_out = []
    origins: list[tuple[str, Traversable | Entry]] = [(source.name, source) for source in sources()]
    origins += [(f"plug-in {name!r}", entry) for name, entry in CLAIMS.entries().items()]
    for name, source in origins:
        try:
            file = resource(source.reference) if isinstance(source, Entry) else source
            claims |= _listed(file)
        except ValueError as error:
            left_out.append(f"claims: {name} is left out: {error}")
    return claims, left_out


def _listed(source: Traversable) -> dict[str, Listed]:
    """The claims of a file by id; worked out again once it holds another text."""
    key = str(source), read_text(f"claims: {source}", source)
    if key not in _LISTED:
        _LISTED[key] = {
            str(claim.get("id")): Listed(str(claim.get("title")), _family(claim))
            for _, claim in tables(source)
        }
    return _LISTED[key]


def _family(claim: Settings) -> str:
    inference = claim.get("inference")
    return str(inference.get("family")) if isinstance(inference, dict) else ""


def tables(source: Traversable) -> list[tuple[str, Settings]]:
    """The claims of a file as tables, each with its place for messages.

    Raises:
        ValueError: a file that cannot be read, unknown keys, or more than can be read at once.
    """
    table = read_toml(f"claims: {source}", source)
    claims = []
    texts = 0
    for place, claim in _tables(source.name, table):
        claims.append((place, claim))
        parts = [claim.get(key) for key in ("requires", "definitions")]
        requires, definitions = (
            len(part) if isinstance(part, list | dict) else 0 for part in parts
        )
        texts += (1 + requires) * (1 + definitions)
        if len(claims) > _MOST_CLAIMS or texts > _MOST_TEXTS:
            words = f"at most {_MOST_CLAIMS} claims, with {_MOST_TEXTS} expressions in all"
            raise ValueError(f"claims: {source}: got more, allowed: {words}")
    return claims


def _tables(file: str, table: Settings) -> Iterator[tuple[str, Settings]]:
    for key in table:
        known(f"{file}: key", key, [*REQUIRED, *OPTIONAL, "claim"])
    several = table.pop("claim", None)
    if several is not None and (not isinstance(several, list) or not several):
        raise fail(f"{file}: claim", several, "[[claim]] tables, at least one")
    for i, claim_table in enumerate([{}] if several is None else several):
        place = file if several is None else f"{file}: claim[{i}]"
        if not isinstance(claim_table, dict):
            raise fail(place, claim_table, "a table")
        merged = dict(table)
        for kind, other in (("population", "populations"), ("populations", "population")):
            if kind in claim_table and other not in claim_table:
                merged.pop(other, None)
        for key, value in claim_table.items():
            are_tables = isinstance(value, dict) and isinstance(merged.get(key), dict)
            merged[key] = merged[key] | value if are_tables else value
        alone = several is None and "each" not in merged
        for claim in _expanded(place, merged):
            named = not alone and is_name(claim.get("id"))
            yield f"{file}: {claim['id']}" if named else place, claim


def _expanded(place: str, table: Settings) -> list[Settings]:
    """One table for each value of the placeholder, if there is one."""
    placeholders = table.pop("each", None)
    if placeholders is None:
        return [table]
    place = f"{place}: each"
    if not isinstance(placeholders, dict) or len(placeholders) != 1:
        raise fail(place, placeholders, "a table of one placeholder with its values")
    ((name, values),) = placeholders.items()
    if not name.isidentifier():
        raise fail(place, name, "a name of letters, digits and _")
    if not isinstance(values, list) or not values:
        raise fail(f"{place}: {name}", values, "an array of at least one value")
    for value in values:
        if not isinstance(value, str | int | float) or isinstance(value, bool):
            raise fail(f"{place}: {name}", value, "strings and numbers")
        if len(str(value)) > _MOST_LETTERS:
            raise fail(f"{place}: {name}", value, f"at most {_MOST_LETTERS} characters")
    if len(values) > _MOST_CLAIMS:
        raise fail(f"{place}: {name}", f"{len(values)} values", f"at most {_MOST_CLAIMS}")
    expanded = [
        {key: _replaced(part, f"{{{name}}}", value) for key, part in table.items()}
        for value in values
    ]
    if expanded[0] == table:
        raise fail(place, name, f'a placeholder that a string uses as "{{{name}}}"')
    return expanded


def _replaced(part: object, placeholder: str, value: str | int | float) -> object:
    """A part of a table with the placeholder filled in; alone in a string, it is the value."""
    if isinstance(part, dict):
        return {key: _replaced(member, placeholder, value) for key, member in part.items()}
    if isinstance(part, list):
        return [_replaced(member, placeholder, value) for member in part]
    if part == placeholder:
        return value
    return part.replace(placeholder, str(value)) if isinstance(part, str) else part


def is_name(name: object) -> bool:
    """Whether a thing may name a claim: letters, digits, - and _."""
    return isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9_-]+", name) is not None
