"""Reads claim files (TOML): from tables to claims and families, or a ValueError.

The claims of a family stand in one file, so that its size is known.
"""

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib.resources.abc import Traversable
from pathlib import Path

from simbias._checks import NotInstalled, fail, known
from simbias._claim_tables import sources, tables
from simbias._registry import resource
from simbias.claims.claim import Claim
from simbias.claims.inference import fewest
from simbias.claims.parsing import claim_from
from simbias.experiments.experiment import OwnCell
from simbias.registry import CLAIMS


def builtin() -> dict[str, Claim]:
    """The claims of this package and those that installed packages add, by id.

    A file of another package that cannot be read, is at fault, or shares an id or a family with one
    before it is left out, with a warning; so is one of this package with a population that needs a
    library that is not installed.

    Raises:
        ValueError: a file of this package that is at fault.

    Examples:
        >>> import simbias
        >>> claims = simbias.claims.builtin()
        >>> claims["expressible"].title
        'The same architecture holds weights whose risk is 0 (at most .0001)'
        >>> {"conclusion", "shift"} <= {claim.family for claim in claims.values()}
        True
    """
    claims = dict(_own())
    for name, entry in CLAIMS.entries().items():
        try:
            claims |= _disjoint(resource(entry.reference), claims)
        except ValueError as error:
            words = f"claims: plug-in {name!r}, {entry.reference}, is left out: {error}"
            warnings.warn(words, stacklevel=2)
    return claims


@cache
def _own() -> Mapping[str, Claim]:
    """The claims of this package by id: they name nothing that others add, and are read once."""
    claims: dict[str, Claim] = {}
    for source in sources():
        try:
            claims |= _disjoint(source, claims)
        except NotInstalled as error:
            warnings.warn(f"claims: {source.name} is left out: {error}", stacklevel=3)
    return claims


def _disjoint(source: Traversable, others: Mapping[str, Claim]) -> dict[str, Claim]:
    """The claims of a file by id; ValueError where it shares an id or a family with others."""
    families = {claim.family for claim in others.values()}
    claims = load(source)
    for claim in claims:
        if claim.id in others:
            raise fail(f"{source.name}: id", claim.id, "an id that no other file uses")
        if claim.family in families:
            raise fail(f"{source.name}: family", claim.family, "a family of this file alone")
    return {claim.id: claim for claim in claims}


def get(name: str) -> Claim:
    """A built-in or installed claim by its id; raises ValueError with the nearest ids.

    Examples:
        >>> import simbias
        >>> simbias.claims.get("expressible").title
        'The same architecture holds weights whose risk is 0 (at most .0001)'
    """
    claims = builtin()
    return claims[known("claim", name, claims)]


def load(source: str | Traversable) -> list[Claim]:
    """The claims of a file; nothing is trained or measured.

    Args:
        source: a path ending in .toml, or a file inside a package.

    Raises:
        ValueError: in one line, the file, the key, what arrived and what is allowed.

    Examples:
        >>> from importlib.resources import files
        >>> import simbias
        >>> claims = simbias.claims.load(files("simbias.claims") / "builtin" / "solutions.toml")
        >>> [claim.id for claim in claims]
        ['same-solution', 'same-solution-margin', 'same-solution-gaps']
        >>> claims[0].says
        'P(seed_agreement("none") >= 0.99) >= 0.95'
    """
    file = Path(source) if isinstance(source, str) else source
    if not isinstance(file, Traversable) or not file.name.endswith(".toml"):
        raise fail("source", source, "a path ending in .toml")
    cells: dict[str, OwnCell] = {}
    return in_families([(place, claim_from(place, table, cells)) for place, table in tables(file)])


def in_families(placed: Sequence[tuple[str, Claim]]) -> list[Claim]:
    """The claims of a file, each with its place for messages, with the sizes of their families.

    Raises:
        ValueError: an id of two claims, or units that cannot decide a claim in its family.
    """
    ids = Counter(claim.id for _, claim in placed)
    for place, claim in placed:
        if ids[claim.id] > 1:
            raise fail(f"{place}: id", claim.id, "an id for each claim, also of those by [each]")
    return [_in_family(place, claim, [other for _, other in placed]) for place, claim in placed]


def _in_family(place: str, claim: Claim, others: Sequence[Claim]) -> Claim:
    """The claim with the size of its family, if so many units can decide it there."""
    if claim.correction == "holm":
        family = [
            other for other in others if (other.family, other.correction) == (claim.family, "holm")
        ]
        alphas = sorted({other.criterion.alpha for other in family})
        if len(alphas) > 1:
            raise fail(f"{place}: inference: alpha", alphas, f"one for family {claim.family}")
        claim = replace(claim, family_size=len(family))
    check_units(place, claim)
    return claim


def check_units(place: str, claim: Claim) -> None:
    """Raise ValueError where so many units cannot decide a claim in its family and version."""
    criterion = claim.judging
    miscoverage, level = claim.units * criterion.miscoverage, criterion.alpha / claim.family_size
    if criterion.charged and miscoverage > level / 2:
        words = f"at least {1 - level / 2 * (1 - claim.confidence) / miscoverage:.10g}: any of"
        words += f" {claim.units} units may miss, and half of {level:.4g} is left for that"
        raise fail(f"{place}: effort: confidence", claim.confidence, words)
    try:
        least = fewest(criterion, tests_in_family=claim.family_size)
    except ValueError as error:
        raise ValueError(f"{place}: inference: {error}") from None
    if claim.units < least:
        words = f"at least {least} {claim.unit_word}s"
        words += f", in a family of {claim.family_size}" if claim.family_size > 1 else ""
        words += f", at version {claim.version}, which spends {criterion.alpha:.4g}"
        raise fail(f"{place}: inference: units", claim.units, f"{words}; fewer decide nothing")
