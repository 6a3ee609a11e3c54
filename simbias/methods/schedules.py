"""Learning-rate schedules: by what an update multiplies the learning rate, one setting of a method.

``"constant"``: 1. ``"cosine"``: half a period of a cosine, from 1 at the start to ``final`` at the
end of the budget: I. Loshchilov, F. Hutter, "SGDR: stochastic gradient descent with warm restarts",
ICLR 2017, without restarts. ``"step"``: times ``factor`` after every ``every`` updates. Each comes
after a linear rise over the first ``warmup`` updates: P. Goyal et al., "Accurate, large minibatch
SGD", 2017. A name alone leaves options at their defaults; a table holds name and options.
"""

from collections.abc import Mapping
from typing import TypeAlias

import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from simbias._checks import check_keys, fail, known, real, whole
from simbias._types import Settings
from simbias.training.method import Batch, Hyper

Schedule: TypeAlias = str | Mapping[str, object]
_DEFAULTS: dict[str, Settings] = {  # the options of each, but for those that have no default
    "constant": {"warmup": 0},
    "cosine": {"warmup": 0, "final": 0.0},
    "step": {"warmup": 0, "factor": 0.1},
}


def checked_schedule(schedule: Schedule) -> Schedule:
    """A schedule as a setting: its name, or a table with the options that are not at default.

    Args:
        schedule: a name, or a table of ``name`` and options: ``warmup``, updates of the rise; of a
            cosine ``final``, the proportion of the learning rate at the end, in [0, 1]; of a step
            ``every``, updates from one to the next, and ``factor``, in (0, 1].

    Raises:
        ValueError: another name, or an option that is unknown, missing or out of range.

    Examples:
        >>> from simbias.methods.schedules import checked_schedule
        >>> checked_schedule({"name": "cosine", "final": 0})
        'cosine'
        >>> checked_schedule({"name": "step", "every": 1000})
        {'name': 'step', 'every': 1000}
    """
    table = {"name": schedule} if isinstance(schedule, str) else schedule
    if not isinstance(table, Mapping):
        raise fail("schedule", schedule, "a name, or a table with a name")
    given = dict(table)
    name = known("schedule", given.get("name"), _DEFAULTS)
    required = {"name": str} | ({"every": int} if name == "step" else {})
    check_keys("schedule", given, required, dict.fromkeys(_DEFAULTS[name]))
    options = _DEFAULTS[name] | given
    checked: Settings = {"name": name}
    if name == "step":
        checked["every"] = whole("schedule: every", options["every"])
        checked["factor"] = real("schedule: factor", options["factor"], 0, 1, open_low=True)
    if name == "cosine":
        checked["final"] = real("schedule: final", options["final"], 0, 1)
    checked["warmup"] = whole("schedule: warmup", options["warmup"], least=0)
    departing = {key: value for key, value in checked.items() if _DEFAULTS[name].get(key) != value}
    return departing if len(departing) > 1 else name


def uses_budget(schedule: Schedule) -> bool:
    """Whether a checked schedule depends on the budget."""
    return str(_options(schedule)["name"]) == "cosine"


def scheduled(hyper: Hyper, batch: Batch) -> Hyper:
    """A method's settings with the learning rate that its ``schedule``, if any, gives an update."""
    if "schedule" not in hyper:
        return hyper
    factor = proportion(hyper["schedule"], batch)
    return {
        name: value * factor if name.endswith("learning_rate") else value
        for name, value in hyper.items()
    }


def proportion(schedule: Schedule, batch: Batch) -> Float[Array, ""]:
    """By what a checked schedule multiplies the learning rate in an update.

    Args:
        schedule: as ``checked_schedule`` returns it.
        batch: of the update; its number is read, and of a cosine the budget.
    """
    options = _options(schedule)
    warmup = options["warmup"]
    after = jnp.maximum(batch.update - warmup, 0)
    factor: Float[Array, ""] = jnp.ones(())
    if options["name"] == "cosine":
        assert batch.budget is not None
        share = after / jnp.maximum(batch.budget - warmup, 1)
        factor = optax.schedules.cosine_decay_schedule(1.0, 1, options["final"])(share)
    if options["name"] == "step":
        every, by = options["every"], options["factor"]
        factor = optax.schedules.exponential_decay(1.0, every, by, staircase=True)(after)
    if warmup:  # the first update is not wasted on a rate of 0
        factor = factor * optax.schedules.linear_schedule(0.0, 1.0, warmup)(batch.update + 1)
    return factor


def _options(schedule: Schedule) -> Settings:
    table = {"name": schedule} if isinstance(schedule, str) else dict(schedule)
    return _DEFAULTS[str(table["name"])] | table
