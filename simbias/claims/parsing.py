"""One claim from its table in a file: every key is checked, a missing one has its default."""

import keyword
import math
import re
from collections.abc import Callable
from dataclasses import replace

from simbias._checks import NotInstalled, check_keys, fail, known, real, whole
from simbias._claim_tables import OPTIONAL, REQUIRED, is_name
from simbias._types import Settings
from simbias.claims.claim import Claim, Premise
from simbias.claims.criterion import Criterion
from simbias.claims.expression import Expression, Reference
from simbias.claims.grammar import parse
from simbias.claims.procedures import declared_tests
from simbias.claims.session import GENERATION
from simbias.experiments import cell_of, experiment_of
from simbias.experiments.experiment import OwnCell
from simbias.experiments.registered import KEY
from simbias.quantities import declared, unit_named, units
from simbias.quantities.settings import setting

OPS = ("<=", ">=")
CORRECTIONS = ("holm", "none")
_MOST_POINTS = 2**31 - 1
_INFERENCE = {"test": str, "alpha": float, "units": int, "family": str, "correction": str}


def claim_from(place: str, table: Settings, cells: dict[str, OwnCell] | None = None) -> Claim:
    """A claim from its table; the size of its family is still to be counted.

    Claims of a file ask about few cells: ``cells`` are those that were read, by their settings.
    """
    check_keys(place, table, REQUIRED, OPTIONAL)
    _checked_name(f"{place}: id", table["id"])
    populations = _populations(place, table, {} if cells is None else cells)
    unit = _unit(f"{place}: unit", table["unit"])
    definitions = table.get("definitions", {})

    def read(place: str, text: object) -> Expression:
        expression = parse(
            place,
            text,
            quantities=declared(),
            populations=tuple(populations),
            definitions=definitions,
        )
        settings = {}
        for reference, quantity in expression.quantities.items():
            if quantity.of == "setting":
                try:
                    settings[reference] = setting(
                        populations[reference.population], reference.quantity
                    )
                except ValueError as error:
                    raise ValueError(f"{place}: {error}") from None
            elif quantity.of != unit:
                words = f"quantities of a {unit} (unit: of) and settings; it is of a {quantity.of}"
                raise fail(place, str(reference), words)
        try:
            expression.check_defined(settings)
        except ValueError as error:
            raise ValueError(f"{place}: {error}") from None
        return expression

    quantity = read(f"{place}: quantity", table["quantity"])
    if unit not in quantity.of:
        raise fail(f"{place}: quantity", quantity.text, f"at least one quantity of a {unit}")
    points = unit_named(unit).points
    criterion = _criterion(place, table, quantity)
    if criterion.procedure.paired and not (points and isinstance(quantity.node, Reference)):
        words = f"one quantity of a point, with {criterion.test}"
        raise fail(f"{place}: quantity", quantity.text, words)
    _check_edge(
        f"{place}: predicate: value", quantity, criterion.op, criterion.value, criterion.margin
    )
    premises = tuple(
        _premise(f"{place}: requires[{i}]", premise, read)
        for i, premise in enumerate(table.get("requires", []))
    )
    expressions = [quantity, *(premise.expression for premise in premises)]
    used = {reference.population for part in expressions for reference in part.references}
    inference = table["inference"]
    # those that are counted by their seeds have one generation of them
    most = _MOST_POINTS if points else GENERATION // unit_named(unit).seeds
    n_units = whole(f"{place}: inference: units", inference["units"], most=most)
    n_certify, confidence = _effort(f"{place}: effort", table["effort"])
    if points and n_certify != n_units:
        raise fail(f"{place}: effort: n_certify", n_certify, f"{n_units}, the units: points")
    sampled = len({reference for part in expressions for reference in _sampled(part)})
    try:
        criterion = replace(criterion, miscoverage=sampled * (1 - confidence))
    except ValueError as error:
        name = f"{place}: effort: confidence"
        raise fail(name, confidence, f"closer to 1 ({sampled} intervals a unit; {error})") from None
    return Claim(
        id=table["id"],
        title=table["title"],
        source=table["source"],
        quantity=quantity,
        populations={name: cell for name, cell in populations.items() if name in used},
        unit=unit,
        redraws=unit_named(unit).redraws,
        criterion=criterion,
        units=n_units,
        family=_checked_name(f"{place}: inference: family", inference["family"]),
        correction=known(f"{place}: inference: correction", inference["correction"], CORRECTIONS),
        n_certify=n_certify,
        confidence=confidence,
        premises=premises,
    )


def _sampled(expression: Expression) -> list[Reference]:
    """The references that are known up to an interval, each of which may miss."""
    return [
        reference for reference, quantity in expression.quantities.items() if not quantity.exact
    ]


def _effort(place: str, table: Settings) -> tuple[int, float]:
    """The fresh points of each unit, and the confidence of its own intervals."""
    check_keys(place, table, {"n_certify": int, "confidence": float})
    confidence = table["confidence"]
    return (
        whole(f"{place}: n_certify", table["n_certify"]),
        real(f"{place}: confidence", confidence, 0, 1, open_low=True, open_high=True),
    )


def _premise(place: str, table: Settings, read: Callable[[str, object], Expression]) -> Premise:
    check_keys(place, table, {"quantity": str, "op": str, "value": float}, {"proportion": float})
    expression = read(f"{place}: quantity", table["quantity"])
    op, value = known(f"{place}: op", table["op"], OPS), real(f"{place}: value", table["value"])
    proportion = real(
        f"{place}: proportion", table.get("proportion", Premise.proportion), 0, 1, open_low=True
    )
    if not expression.of:
        raise fail(f"{place}: quantity", expression.text, "at least one quantity")
    if expression.of == {"setting"}:
        if "proportion" in table:
            raise fail(
                f"{place}: proportion", proportion, "none: settings are the same in every unit"
            )
        proportion = 1.0
    _check_edge(f"{place}: value", expression, op, value)
    return Premise(expression, op, value, proportion)


def _populations(place: str, table: Settings, read: dict[str, OwnCell]) -> dict[str, OwnCell]:
    if ("population" in table) == ("populations" in table):
        present = [key for key in ("population", "populations") if key in table]
        raise fail(f"{place}: population", present, "one of population and populations")
    named = {"": table["population"]} if "population" in table else table["populations"]
    if not named:
        raise fail(f"{place}: populations", named, "at least one population")
    cells = {}
    for name, settings in named.items():
        cell_place = f"{place}: populations: {name}" if name else f"{place}: population"
        if "populations" in table and (
            not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) or keyword.iskeyword(name)
        ):
            raise fail(f"{place}: populations", name, "a name of letters, digits and _")
        written = repr(settings)  # in which 1, 1.0 and true differ
        if written not in read:
            read[written] = _cell(cell_place, settings)
        cells[name] = read[written]
    return cells


def _cell(place: str, settings: object) -> OwnCell:
    """A population of any experiment in which something is learned."""
    table = settings if isinstance(settings, dict) else {}
    try:
        experiment = experiment_of(table)
        if experiment.learned is None:
            raise fail(KEY, experiment.name, "one in which something is learned")
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from None
    needed = {"task": dict, **{key: experiment.keys[key] for key in experiment.needed}}
    check_keys(place, settings, needed, {**experiment.keys, KEY: str})
    try:
        return cell_of(table)
    except NotInstalled as error:
        raise NotInstalled(f"{place}: {error}") from None
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from None


def _unit(place: str, table: Settings) -> str:
    check_keys(place, table, {"of": str, "redraws": list})
    of = known(f"{place}: of", table["of"], units())
    redraws = unit_named(of).redraws
    for redraw in table["redraws"]:
        known(f"{place}: redraws", redraw, redraws)
    if sorted(table["redraws"]) != sorted(redraws):
        names = ", ".join(redraws)
        raise fail(f"{place}: redraws", table["redraws"], f"all of {names}: what a {of} redraws")
    return of


def _criterion(place: str, table: Settings, quantity: Expression) -> Criterion:
    predicate, quantifier, inference = (table[k] for k in ("predicate", "quantifier", "inference"))
    check_keys(f"{place}: predicate", predicate, {"op": str, "value": float, "margin": float})
    check_keys(f"{place}: quantifier", quantifier, {"kind": str}, {"at_least": float})
    check_keys(f"{place}: inference", inference, _INFERENCE)
    parts = {"value": "predicate", "margin": "predicate", "alpha": "inference"}
    if "at_least" in quantifier:
        parts["at_least"] = "quantifier"
    # equal criteria must have equal hashes, whether a number is written 1 or 1.0
    numbers = {
        key: real(f"{place}: {part}: {key}", table[part][key]) for key, part in parts.items()
    }
    name, (low, high) = f"{place}: inference: test", quantity.range()
    test = declared_tests()[known(name, inference["test"], declared_tests())]
    bounded = math.isfinite(low) and math.isfinite(high)
    if (test.ranged and not bounded) or (test.assumes and bounded):
        others = declared_tests().items()
        fitting = [name for name, other in others if (other.ranged if bounded else other.assumes)]
        words = f"{' or '.join(fitting)}{', which assumes nothing,' * bounded} for a mean of"
        words += f" {quantity.text}: it lies in [{low:g}, {high:g}]"
        raise fail(name, inference["test"], words)
    try:
        return Criterion(
            op=predicate["op"],
            value=numbers["value"],
            margin=numbers["margin"],
            quantifier=quantifier["kind"],
            at_least=numbers.get("at_least"),
            test=inference["test"],
            alpha=numbers["alpha"],
            low=low,
            high=high,
        )
    except ValueError as error:
        key = str(error).split(":")[0]
        part = parts.get(key, {"op": "predicate", "test": "inference"}.get(key, "quantifier"))
        raise ValueError(f"{place}: {part}: {error}") from None


def _check_edge(
    place: str, expression: Expression, op: str, value: float, margin: float = 0.0
) -> None:
    """Raise ValueError for a predicate that nothing within the range meets, or everything."""
    low, high = expression.range()
    if op == "<=":
        holds, fails = low <= value - margin, high > value and high >= value + margin
    else:
        holds, fails = high >= value + margin, low < value and low <= value - margin
    if not (holds and fails):
        words = f"one that {expression.text} can {'miss' if holds else 'meet'}"
        words += f" by the margin {margin:g}" if margin else ""
        raise fail(place, value, f"{words}: it lies in [{low:g}, {high:g}]")


def _checked_name(place: str, name: str) -> str:
    if not is_name(name):
        raise fail(place, name, "letters, digits, - and _")
    return name
