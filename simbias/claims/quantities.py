"""The vocabulary of claims: every quantity that one may be about, its range, how it is measured."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from simbias._checks import known, real
from simbias.bounds import bound_names
from simbias.claims import measure
from simbias.claims.measure import Look
from simbias.registry import BOUNDS as REGISTERED
from simbias.tasks.shifts import BENIGN, SHIFTS, shifted
from simbias.training.cell import Cell
from simbias.validation.controls import RULES, control
from simbias.validation.risk import Estimate


class Quantity(NamedTuple):
    """A word of the vocabulary.

    Attributes:
        name: in expressions.
        summary: one line.
        low, high: the range that it cannot leave, possibly infinite.
        of: ``"setting"`` (known before training), ``"network"``, ``"pair"`` (of two seeds), or
            ``"point"`` (a fresh point on which one network is asked).
        measure: a look at a stack and the argument to an entry a network or pair.
        argument: what the argument is; None where there is none.
        check: raises ValueError for a bad argument; None where there is none.
        suits: raises ValueError for a cell on which it cannot be measured; None: it can on any.
        exact: whether it is known without error once a network is there: its interval is a point.
        never: of an argument, why it has no value on any network; empty where it may have one.
        version: of how it is measured; what was kept of another one is measured again.
    """

    name: str
    summary: str
    low: float
    high: float
    of: str
    measure: Callable[[Look, Any], Estimate]
    argument: str | None = None
    check: Callable[[Any], Any] | None = None
    suits: Callable[[Cell, Any], Any] | None = None
    exact: bool = False
    never: Callable[[Any], str] | None = None
    version: int = 1


def _settings() -> list[Quantity]:
    parts = {
        "dim": ("input coordinates", 1, math.inf),
        "noise": ("probability that the simple coordinate is uninformative", 0, 1),
        "n_train": ("training points", 1, math.inf),
        "batch": ("points an update", 1, math.inf),
        "width": ("units of a hidden layer", 1, math.inf),
        "depth": ("hidden layers", 1, math.inf),
        "learning_rate": ("step size", 0, math.inf),
        "weight_decay": ("weight decay", 0, math.inf),
    }

    def of(name: str) -> Callable[[Look, Any], Estimate]:
        return lambda look, _: look.per_network(measure.setting(look.stack.cell, name))

    return [
        Quantity(name, summary, low, high, "setting", of(name), exact=True)
        for name, (summary, low, high) in parts.items()
    ]


def _reported() -> list[Quantity]:
    """What the validator reports, each a share."""
    parts: tuple[tuple[str, str, Callable[[Look], Any]], ...] = (
        ("train_accuracy", "accuracy on the training set", lambda at: at.report.train_accuracy),
        ("train_error", "1 - train_accuracy", lambda at: 1 - at.report.train_accuracy),
        ("risk", "error on fresh draws", lambda at: at.report.risk),
        ("test_accuracy", "1 - risk", lambda at: measure.shift(at.report.risk, 1, -1)),
        (
            "s_randomised_accuracy",
            "accuracy with the simple set independent of the label",
            lambda at: at.report.reliance.s_accuracy,
        ),
        (
            "sc_randomised_accuracy",
            "accuracy with all but the simple set independent of the label",
            lambda at: at.report.reliance.sc_accuracy,
        ),
        (
            "s_randomised_auc",
            "ROC AUC with the simple set independent of the label",
            lambda at: at.report.reliance.s_auc,
        ),
        (
            "sc_randomised_auc",
            "ROC AUC with all but the simple set independent of the label",
            lambda at: at.report.reliance.sc_auc,
        ),
        (
            "exceptions_fitted",
            "share of the training exceptions labelled correctly",
            lambda at: at.report.exceptions.fitted,
        ),
        (
            "exceptions_fresh",
            "the same on fresh exceptions",
            lambda at: at.report.exceptions.fresh,
        ),
        (
            "simple_agreement",
            "share of fresh points labelled as the simple rule does",
            lambda at: at.report.simple_agreement,
        ),
        (
            "achievable_agreement",
            "share of fresh points labelled as the achievable rule does",
            lambda at: at.report.achievable_agreement,
        ),
    )

    def of(get: Callable[[Look], Any]) -> Callable[[Look, Any], Estimate]:
        def measured(look: Look, _: Any) -> Estimate:
            found = get(look)
            return found if isinstance(found, Estimate) else look.per_network(found)

        return measured

    exact = ("train_accuracy", "train_error", "exceptions_fitted")
    return [
        Quantity(
            name,
            words,
            0,
            1,
            "network",
            of(get),
            suits=_suits_reported(name),
            exact=name in exact,
            version=2 if name.endswith("_auc") else 1,
        )
        for name, words, get in parts
    ]


def _suits_reported(name: str) -> Callable[[Cell, Any], Any] | None:
    if name.startswith("exceptions"):
        return measure.has_exceptions
    return measure.has_simple_set if name.startswith(("s_", "sc_", "simple")) else None


def _measured() -> list[Quantity]:
    most = math.inf

    def one(
        name: str, summary: str, low: float, high: float, function: Any, **more: Any
    ) -> Quantity:
        return Quantity(name, summary, low, high, more.pop("of", "network"), function, **more)

    def bound(name: Any) -> None:
        bound_names([name])

    def of_kind(kinds: Any) -> Callable[[Any], Any]:
        return lambda name: known("argument", name, kinds)

    def move(cell: Cell, kind: Any) -> None:
        shifted(cell.task, kind)

    def build(cell: Cell, rule: Any) -> None:
        control(replace(cell, n_train=1, batch=1), rule)

    def never(name: Any) -> str:
        applies = REGISTERED.factory(name).compute is not None
        return "" if applies else f"{name}: {REGISTERED.entries()[name].summary}"

    named: dict[str, Any] = {"argument": "bound", "check": bound, "suits": measure.is_exact}
    named["never"] = never
    return [
        one("gap", "risk - train_error", -1, 1, measure.gap),
        one("excess_risk", "risk less the achievable risk", -1, 1, measure.excess_risk),
        one(
            "memorised",
            "exceptions_fitted - exceptions_fresh",
            -1,
            1,
            lambda look, _: look.report.exceptions.memorised,
            suits=measure.has_exceptions,
        ),
        one(
            "updates",
            "updates made",
            0,
            most,
            lambda look, _: look.per_network(look.stack.updates),
            exact=True,
        ),
        one(
            "transition_updates",
            "updates until the select error stays within .01 of the achievable; inf: never",
            0,
            most,
            measure.transition_updates,
            exact=True,
        ),
        one(
            "early_stopping_gain",
            "risk at the last check less risk at the best by select accuracy",
            -1,
            1,
            measure.early_stopping_gain,
        ),
        one(
            "island_excess",
            "how much farther labels are kept around training than fresh exceptions, input units",
            -most,
            most,
            measure.island_excess,
            suits=measure.reads_weights,
            version=2,
        ),
        one(
            "log_weight_ratio",
            "log of first-layer weight on simple over slab coordinates",
            -most,
            most,
            measure.log_weight_ratio,
            suits=measure.reads_weights,
            exact=True,
        ),
        one(
            "held_out_points",
            "fewest held-out points whose 95% certificate at the true risk excludes an error",
            1,
            most,
            measure.held_out_points,
            argument="number",
            check=lambda error: real("argument", error, 0, 1, open_high=True),
        ),
        one(
            "shifted_accuracy",
            "accuracy under a shift that keeps every label right",
            0,
            1,
            measure.shifted_accuracy,
            argument="shift",
            check=of_kind(BENIGN),
            suits=move,
        ),
        one(
            "control_risk",
            "risk of the explicit network that computes a rule",
            0,
            1,
            measure.control_risk,
            argument="rule",
            check=of_kind(RULES),
            suits=build,
        ),
        one(
            "early_stopping_difference",
            "error at the last check less error at the best, a point: -1, 0 or 1",
            -1,
            1,
            measure.early_stopping_difference,
            of="point",
            exact=True,
        ),
        # no less than 0 but for sharpness, the curvature that is largest in size
        one(
            "bound_value",
            "a bound at delta .05",
            -most,
            most,
            measure.bound_value,
            exact=True,
            **named,
        ),
        one(
            "bound_valid",
            "1 where the risk is surely at most the bound, 0 where it surely is not",
            0,
            1,
            measure.bound_valid,
            **named,
        ),
        one(
            "seed_agreement",
            "share of points of a shift that two seeds label alike",
            0,
            1,
            measure.seed_agreement,
            of="pair",
            argument="shift",
            check=of_kind(SHIFTS),
            suits=move,
        ),
    ]


BOUNDS = ("bound_value", "bound_valid")  # evaluated together
QUANTITIES = {quantity.name: quantity for quantity in (*_settings(), *_reported(), *_measured())}
