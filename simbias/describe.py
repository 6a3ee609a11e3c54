"""Prints what is known of a name: a task, a bound, a claim, whatever is registered.

Imports that start JAX are made by the functions that need them.
"""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from simbias._checks import known
from simbias._numbers import interval, number
from simbias.registry import REGISTRIES

if TYPE_CHECKING:
    from simbias.claims import Claim


def describe(kind: str, name: str) -> None:
    """Print what is known of a name of a kind."""
    describers: dict[str, Callable[[str], None]] = {
        "tasks": describe_task,
        "suites": describe_suite,
        "quantities": describe_quantity,
        "bounds": describe_bound,
        "methods": describe_method,
        "estimators": describe_estimator,
        "experiments": describe_experiment,
        "tests": describe_test,
        "units": describe_unit,
        "claims": describe_claim,
    }
    describers.get(kind, partial(describe_factory, kind))(name)


def describe_task(name: str) -> None:
    """Print the settings, the truth and the blocks of a task."""
    from simbias import tasks
    from simbias.tasks import oracle
    from simbias.training.words import plain, value_words

    print(f"{name}: {REGISTRIES['tasks'].entries()[name].summary}")
    try:
        task = tasks.get(name)
    except ValueError as error:  # files, or another package, that are not here
        print(f"needs more: {error}")
        return
    settings = plain(task.settings).items()
    print(f"settings: {', '.join(f'{key} = {value_words(value)}' for key, value in settings)}")
    if not isinstance(task, tasks.BlockTask):
        print(f"shape of an input: {list(task.shape)}; classes: {task.classes}")
        for label, risk in zip(
            ("risk of the simple rule", "achievable risk"), task.truth, strict=True
        ):
            print(f"{label}: {'not known' if risk is None else f'{risk:.6g}'}")
        return
    print(f"simple set: {list(task.simple_set) or 'none'}")
    simple = oracle.simple_risk(task)
    print(f"risk of the simple rule: {'no simple rule' if simple is None else f'{simple:.6g}'}")
    print(f"achievable risk: {oracle.achievable_risk(task):.6g}")
    for block in dict.fromkeys(task.blocks):
        count = task.blocks.count(block)
        curve = ", ".join(f"{accuracy:.6g}" for accuracy in oracle.cut_curve(block))
        print(
            f"{count} x {block.kind}, margin {block.margin:g}; accuracy by number of cuts: {curve}"
        )
        for label, law in zip(("negative", "positive"), block.laws, strict=True):
            pieces = "  ".join(f"{interval(p.low, p.high)}: {number(p.mass)}" for p in law)
            print(f"  {label}: {pieces or 'standard normal'}")


def describe_suite(name: str) -> None:
    """Print the source and the presets of a suite."""
    from simbias import suites

    suite = suites.load(name)
    print(f"{name}: {suite.summary}\nsource: {suite.source}")
    for preset in suite.presets.values():
        cells, seeds = len(preset.cells), preset.seeds
        print(f"  --preset {preset.name}: {preset.summary} ({cells} cells, {seeds} seeds)")


def describe_bound(name: str) -> None:
    """Print what a bound claims, and the docstring of its module."""
    bound = REGISTRIES["bounds"].factory(name)
    print(f"{name}: {bound.summary}")
    print(f"family: {bound.family}; kind: {bound.kind}; certifies: {bound.certifies}")
    print(f"constants: {bound.constants or 'not proved'}")
    module = REGISTRIES["bounds"].entries()[name].reference.split(":")[0]
    print(f"\n{(import_module(module).__doc__ or '').strip()}")


def describe_quantity(name: str) -> None:
    """Print the declaration of a quantity."""
    from simbias.quantities import NEEDS, declared

    quantity = declared()[known("quantity", name, declared())]
    unit = f", {quantity.unit}" * bool(quantity.unit)
    print(f"{quantity.call}: {quantity.summary}")
    print(f"of a {quantity.of}, in [{quantity.low:g}, {quantity.high:g}]{unit}")
    print(f"interval: {quantity.interval or 'none, it is known without error'}")
    print(f"needs: {'; '.join(NEEDS[need].allowed for need in quantity.needs) or 'nothing more'}")
    ends = [f"{name}_low", f"{name}_high"] * (quantity.column == "interval")
    columns = [] if quantity.column == "none" else [name, *ends]
    print(f"columns: {', '.join(columns) or 'none'}; in tables: {quantity.heading or 'not shown'}")


def describe_claim(name: str) -> None:
    """Print a claim, and how it would be judged."""
    from simbias.claims import get

    _print_claim(get(name))


def describe_file(name: str) -> None:
    """Print the suite or the claims of a file."""
    from simbias._files import read_toml

    if "presets" in read_toml(f"name: {name}", Path(name)):
        describe_suite(name)
        return
    from simbias.claims import load

    for i, claim in enumerate(load(name)):
        print("\n" * (i > 0), end="")
        _print_claim(claim)


def _print_claim(claim: "Claim") -> None:
    from simbias.training.words import phrase, phrases

    print(f"{claim.id}: {claim.title}\nsource: {claim.source}\nclaims: {claim.says}")
    for premise in claim.premises:
        part = f", in {premise.proportion:g} of the {claim.unit_word}s"
        print(f"premise: {premise}{part * (premise.proportion != 1)}")
    for name, cell in claim.populations.items():
        print(f"population{f' {name}' * bool(name)}: {cell.name}")
        for part, value in cell.settings.items():
            print(f"  {phrases(value) if isinstance(value, dict) else phrase(part, value)}")
    print(f"unit: a {claim.unit_word}, redrawing {', '.join(claim.redraws)}; at most {claim.units}")
    print(f"measured on {claim.n_certify} fresh points, with confidence {claim.confidence:g}")
    corrected = f", {claim.correction} over {claim.family_size}" if claim.family_size > 1 else ""
    print(f"test: {claim.criterion.test}, alpha {claim.criterion.alpha:g}", end="")
    print(f", family {claim.family}{corrected}")
    print(f"first version: level {claim.judging.alpha:g}")
    print(f"hash: {claim.hash}")


def describe_factory(kind: str, name: str) -> None:
    """Print the signature and the docstring of a factory."""
    from inspect import cleandoc, signature

    factory = REGISTRIES[kind].factory(name)
    print(f"{name}{signature(factory)}\n\n{cleandoc(factory.__doc__ or '')}")


def describe_method(name: str) -> None:
    """Print the signature and the docstring of a method, what it costs and what it uses."""
    words = told_of_method(name)
    describe_factory("methods", name)
    print(f"\nby default: {words}")


def told_of_method(name: str) -> str:
    """What an update of a method costs and uses, at default settings."""
    from simbias.training.method import USES

    method = REGISTRIES["methods"].make(name, {})
    cost = method.cost(dict(method.settings))
    used = "".join(f"; uses {USES[use]}" for use in sorted(method.uses))
    return f"{cost} gradient evaluation{'s' * (cost > 1)} an update{used}"


def describe_experiment(name: str) -> None:
    """Print the keys of an experiment's cells, and the table that it fills."""
    from simbias.experiments import experiments

    experiment = experiments()[known("experiment", name, experiments())]
    print(f"{name}: {experiment.summary}")
    keys, needed = ", ".join(experiment.keys), ", ".join(experiment.needed)
    print(f"a cell says: task, {keys}; it must say: {needed}")
    print(f"table: {experiment.table.name}, of {len(experiment.table.columns)} columns")


def describe_test(name: str) -> None:
    """Print the quantifiers of a test of claims, its assumptions and its source."""
    from simbias.claims import declared_tests

    test = declared_tests()[known("test", name, declared_tests())]
    when = "after every unit" if test.sequential else "once all units are there"
    print(f"{name}: {test.summary}\nsource: {test.source}")
    print(f"answers: {', '.join(test.quantifiers)}; may be looked at {when}")
    print(f"needs a range: {'yes' if test.ranged else 'no'}; assumes: {test.assumes or 'nothing'}")


def describe_unit(name: str) -> None:
    """Print what a unit of claims redraws."""
    from simbias.quantities import unit_named

    unit = unit_named(name)
    print(f"{name}: {unit.summary}\nredraws: {', '.join(unit.redraws)}; seeds: {unit.seeds}")


def describe_estimator(name: str) -> None:
    """Print a learner of another library, and where its settings are explained."""
    factory = REGISTRIES["estimators"].factory(name)
    print(f"{name}: {REGISTRIES['estimators'].entries()[name].summary}")
    if isinstance(factory, partial):
        print(f"settings: the arguments of {'.'.join(factory.args[-1].split(':'))}")
    print(f'simbias.train(task, simbias.estimator("{name}"), n_train=4_000, seeds=4)')
