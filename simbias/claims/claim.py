"""A claim: a predicate over quantities, written before measuring; its premises and hash.

A claim's identity is every field but its words and the version that a directory counts. A
field that has its default is left out, so that one that is added later moves nothing.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property

from simbias._identity import canonical
from simbias._types import Settings
from simbias.claims.criterion import Criterion
from simbias.claims.expression import Expression
from simbias.claims.family import spent
from simbias.experiments import experiment_of
from simbias.experiments.experiment import OwnCell

_WORDS = ("title", "source")  # of a claim: they may be put better
_COUNTED = ("version",)  # by the directory that holds the claim
_DERIVED = ("low", "high")  # of a criterion: the range follows from the quantity
_KEYS = {
    "criterion": "rule",
    "miscoverage": "miss",
    "proportion": "share",
}  # of identities, which last


@dataclass(frozen=True)
class Premise:
    """A condition on its units under which a claim applies.

    Attributes:
        expression: of the claim's units, or of settings alone.
        op: "<=" or ">=".
        value: beside it.
        proportion: least proportion of the units that must meet it, in (0, 1]; 1 for settings.

    Examples:
        >>> from importlib.resources import files
        >>> import simbias
        >>> conclusions = files("simbias.claims") / "builtin" / "conclusion.toml"
        >>> (premise, *_) = simbias.claims.load(conclusions)[0].premises
        >>> [reference.quantity for reference in premise.expression.quantities]
        ['train_accuracy']
        >>> premise.op, premise.value, premise.proportion
        ('>=', 0.99, 0.5)
    """

    expression: Expression
    op: str
    value: float
    proportion: float = 0.5

    def __str__(self) -> str:
        return f"{self.expression.text} {self.op} {self.value:.10g}"


@dataclass(frozen=True)
class Claim:
    """A predicate over quantities, written before measuring.

    Attributes:
        id: letters, digits, - and _.
        title, source: words about it; no part of what it says.
        quantity: the expression that the predicate is about.
        populations: cells by name, of any experiment in which something is learned; a single one
            may have the name "".
        unit: what counts once, by name: "network", "pair" (of two seeds), "point", ...
        redraws: what differs between units.
        criterion: predicate, quantifier and test, with the alpha that all versions share.
        units: the most units that are measured.
        family: of claims that are corrected together.
        correction: "holm" or "none".
        n_certify: fresh points of each unit.
        confidence: of each unit's own interval, in (0, 1).
        premises: all of them; those on settings alone hold or not.
        family_size: declared claims of the family that ask for the correction; 1 without.
        version: 1 + how often another claim stood in its place; no part of what it says.

    Examples:
        >>> from importlib.resources import files
        >>> import simbias
        >>> conclusions = files("simbias.claims") / "builtin" / "conclusion.toml"
        >>> claim = simbias.claims.load(conclusions)[-1]
        >>> claim.says
        'P(excess_risk <= 0.01) >= 0.95'
        >>> claim.unit, claim.units, claim.family, claim.criterion.test
        ('network', 190, 'conclusion', 'beta-binomial')
    """

    id: str
    title: str
    source: str
    quantity: Expression
    populations: Mapping[str, OwnCell]
    unit: str
    redraws: tuple[str, ...]
    criterion: Criterion
    units: int
    family: str
    correction: str
    n_certify: int
    confidence: float
    premises: tuple[Premise, ...] = ()
    family_size: int = 1
    version: int = 1

    @property
    def says(self) -> str:
        """The predicate with its quantifier, in one line."""
        criterion = self.criterion
        text = f"{self.quantity.text} {criterion.op} {criterion.value:g}"
        if criterion.quantifier == "probability":
            return f"P({text}) >= {criterion.at_least:g}"
        return f"{criterion.quantifier} {text}"

    @property
    def unit_word(self) -> str:
        """The unit in words: a network where all populations are of networks, else a replica."""
        learners = {experiment_of(cell).learner for cell in self.populations.values()}
        return "replica" if self.unit == "network" and learners != {"network"} else self.unit

    @property
    def settings_premises(self) -> tuple[Premise, ...]:
        """The premises that can be judged before training."""
        return tuple(premise for premise in self.premises if premise.expression.of == {"setting"})

    @cached_property
    def judging(self) -> Criterion:
        """The criterion at the part of alpha that this version may spend."""
        return replace(self.criterion, alpha=spent(self.criterion.alpha, self.version))

    @cached_property
    def identity(self) -> str:
        """The claim without its wording, written out in one canonical string."""
        return canonical(_fields(self))

    @cached_property
    def hash(self) -> str:
        """Sixteen hexadecimal digits that change with the identity."""
        return hashlib.sha256(self.identity.encode()).hexdigest()[:16]


def _as_data(part: object) -> object:
    """A part of a claim as plain data."""
    if isinstance(part, Expression):
        return part.text
    if isinstance(part, Mapping):  # of populations
        return {name: json.loads(cell.identity) for name, cell in part.items()}
    if isinstance(part, tuple):
        return [_as_data(member) for member in part]
    return _fields(part) if isinstance(part, Claim | Criterion | Premise) else part


def _fields(part: "Claim | Criterion | Premise") -> Settings:
    """The fields as plain data, by name, without wording and those at their default."""
    return {
        _KEYS.get(field.name, field.name): _as_data(value)
        for field in fields(part)
        if field.name not in (*_WORDS, *_COUNTED, *_DERIVED)
        and (value := getattr(part, field.name)) != field.default
    }
