"""A claim: a predicate over what is measured, written before measuring; its premises and hash."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any

from simbias.claims.expression import Expression
from simbias.claims.inference import Rule


@dataclass(frozen=True)
class Premise:
    """What must hold for a claim to apply.

    Attributes:
        expression: of the claim's units, or of settings alone.
        op: "<=" or ">=".
        value: beside it.
        share: least share of the units that must meet it, in (0, 1]; 1 for settings.
    """

    expression: Expression
    op: str
    value: float
    share: float

    def __str__(self) -> str:
        return f"{self.expression.text} {self.op} {self.value:.10g}"


@dataclass(frozen=True)
class Claim:
    """A predicate over what is measured, written before measuring.

    Attributes:
        id: letters, digits, - and _.
        title, source: words about it.
        quantity: the expression that the predicate is about.
        populations: cells by name, of any experiment in which something is learned; a single one
            may have the name "".
        unit: what counts once, "network", "pair" (of two seeds) or "point".
        redraws: what differs between units.
        rule: predicate, quantifier and test.
        units: the most units that are measured.
        family: of claims that are corrected together.
        correction: "holm" or "none".
        n_certify: fresh points a unit.
        confidence: of each unit's own interval, in (0, 1).
        premises: all of them; those on settings alone hold or not.
        family_size: declared claims of the family that ask for the correction; 1 without.
    """

    id: str
    title: str
    source: str
    quantity: Expression
    populations: Mapping[str, Any]
    unit: str
    redraws: tuple[str, ...]
    rule: Rule
    units: int
    family: str
    correction: str
    n_certify: int
    confidence: float
    premises: tuple[Premise, ...] = ()
    family_size: int = 1

    @property
    def says(self) -> str:
        """The predicate with its quantifier, in one line."""
        rule = self.rule
        text = f"{self.quantity.text} {rule.op} {rule.value:g}"
        if rule.quantifier == "probability":
            return f"P({text}) >= {rule.at_least:g}"
        return f"{rule.quantifier} {text}"

    @property
    def settings_premises(self) -> tuple[Premise, ...]:
        """The premises that can be judged before training."""
        return tuple(one for one in self.premises if one.expression.of == {"setting"})

    @cached_property
    def identity(self) -> str:
        """Everything that was said, written out in one canonical string."""
        said = {field.name: getattr(self, field.name) for field in fields(self)}
        said["quantity"] = self.quantity.text
        said["populations"] = {name: cell.settings for name, cell in self.populations.items()}
        # the range follows from the quantity
        rule = asdict(self.rule)
        said["rule"] = {key: rule[key] for key in rule if key not in ("low", "high")}
        said["premises"] = [
            {"quantity": one.expression.text, "op": one.op, "value": one.value, "share": one.share}
            for one in self.premises
        ]
        return json.dumps(said, sort_keys=True, separators=(",", ":"))

    @cached_property
    def hash(self) -> str:
        """Sixteen hexadecimal digits that any change of the claim would change."""
        return hashlib.sha256(self.identity.encode()).hexdigest()[:16]
