"""One-coordinate rules inside compiled programs."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from simbias._types import AnyArray
from simbias.tasks.oracle import Rule


class RuleTable(NamedTuple):
    """A rule as arrays; a task without the rule has ``defined`` False."""

    coordinate: Int[AnyArray, ""]
    cuts: Float[AnyArray, " cuts"]
    first: Int[AnyArray, ""]
    defined: Bool[AnyArray, ""]


def rule_table(rule: Rule | None) -> RuleTable:
    """NumPy arrays of a rule, ready to be passed to a compiled program."""
    if rule is None:
        return RuleTable(np.int32(0), np.full(1, np.inf, np.float32), np.int32(0), np.bool_(False))
    cuts = np.array(rule.cuts or [np.inf], np.float32)
    return RuleTable(np.int32(rule.coordinate), cuts, np.int32(rule.first), np.bool_(True))


def follow(table: RuleTable, x: Float[Array, "rows dim"]) -> Int[Array, " rows"]:
    """The rule's labels of unrotated points (the same label everywhere where undefined)."""
    value = jnp.take(x, table.coordinate, axis=1)
    crossed = jnp.sum(value[:, None] >= table.cuts[None, :], axis=1, dtype=jnp.int32)
    labels: Int[Array, " rows"] = (table.first + crossed) % 2
    return labels


def exceptional(
    table: RuleTable, x: Float[Array, "rows dim"], y: Int[Array, " rows"]
) -> Bool[Array, " rows"]:
    """Which unrotated points the rule labels wrongly; none where it is undefined."""
    wrong: Bool[Array, " rows"] = table.defined & (follow(table, x) != y)
    return wrong
