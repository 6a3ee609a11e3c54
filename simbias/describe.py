"""What the command line says of a name: a task, a bound, a claim, whatever is registered.

Imports that start JAX are made by the functions that need them.
"""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from simbias._checks import known
from simbias.registry import REGISTRIES

if TYPE_CHECKING:
    from simbias.claims import Claim


def describe(kind: str, name: str) -> None:
    """What is known of a name of a kind."""
    own: dict[str, Callable[[str], None]] = {
        "tasks": describe_task,
        "suites": describe_suite,
        "quantities": describe_quantity,
        "bounds": describe_bound,
        "estimators": describe_estimator,
        "experiments": describe_experiment,
        "tests": describe_test,
        "units": describe_unit,
        "claims": describe_claim,
    }
    own.get(kind, partial(describe_factory, kind))(name)


def describe_task(name: str) -> None:
    """What is known of a task."""
    from simbias import tasks
    from simbias.tasks import oracle
    from simbias.training.words import plain, value_words

    task = tasks.get(name)
    print(f"{name}: {REGISTRIES['tasks'].entries()[name].summary}")
    settings = plain(task.settings).items()
    print(f"settings: {', '.join(f'{key} = {value_words(value)}' for key, value in settings)}")
    if not isinstance(task, tasks.BlockTask):
        print(f"shape of an input: {list(task.shape)}; classes: {task.classes}")
        for what, risk in zip(
            ("risk of the simple rule", "achievable risk"), task.truth, strict=True
        ):
            print(f"{what}: {'not known' if risk is None else f'{risk:.6g}'}")
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
            pieces = "  ".join(f"[{p.low:.4g}, {p.high:.4g}]: {p.mass:.4g}" for p in law)
            print(f"  {label}: {pieces or 'standard normal'}")


def describe_suite(name: str) -> None:
    """What a suite holds."""
    from simbias import suites

    suite = suites.load(name)
    print(f"{name}: {suite.summary}\nsource: {suite.source}")
    for preset in suite.presets.values():
        cells, seeds = len(preset.cells), preset.seeds
        print(f"  --preset {preset.name}: {preset.summary} ({cells} cells, {seeds} seeds)")


def describe_bound(name: str) -> None:
    """What a bound claims."""
    made = REGISTRIES["bounds"].factory(name)
    print(f"{name}: {made.summary}")
    print(f"family: {made.family}; kind: {made.kind}; certifies: {made.certifies}")
    print(f"constants: {made.constants or 'not proved'}")
    module = REGISTRIES["bounds"].entries()[name].reference.split(":")[0]
    print(f"\n{(import_module(module).__doc__ or '').strip()}")


def describe_quantity(name: str) -> None:
    """What a quantity means, and what follows from its declaration."""
    from simbias.quantities import NEEDS, declared

    made = declared()[known("quantity", name, declared())]
    unit = f", {made.unit}" * bool(made.unit)
    print(f"{made.call}: {made.summary}")
    print(f"of a {made.of}, in [{made.low:g}, {made.high:g}]{unit}")
    print(f"interval: {made.interval or 'none, it is known without error'}")
    print(f"needs: {'; '.join(NEEDS[need].allowed for need in made.needs) or 'nothing more'}")
    ends = [f"{name}_low", f"{name}_high"] * (made.column == "interval")
    kept = [] if made.column == "none" else [name, *ends]
    print(f"columns: {', '.join(kept) or 'none'}; in tables: {made.heading or 'not shown'}")


def describe_claim(name: str) -> None:
    """What a claim says, and how it would be judged."""
    from simbias.claims import get

    _print_claim(get(name))


def describe_file(name: str) -> None:
    """What the suite or the claims of a file say."""
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
        proportion = (
            "" if premise.proportion == 1 else f", in {premise.proportion:g} of the {claim.unit}s"
        )
        print(f"premise: {premise}{proportion}")
    for name, cell in claim.populations.items():
        print(f"population{f' {name}' * bool(name)}: {cell.name}")
        for part, value in cell.settings.items():
            print(f"  {phrases(value) if isinstance(value, dict) else phrase(part, value)}")
    print(f"unit: a {claim.unit}, redrawing {', '.join(claim.redraws)}; at most {claim.units}")
    print(f"measured on {claim.n_certify} fresh points, with confidence {claim.confidence:g}")
    corrected = f", {claim.correction} over {claim.family_size}" if claim.family_size > 1 else ""
    print(f"test: {claim.criterion.test}, alpha {claim.criterion.alpha:g}", end="")
    print(f", family {claim.family}{corrected}")
    print(f"first version: level {claim.judging.alpha:g}")
    print(f"hash: {claim.hash}")


def describe_factory(kind: str, name: str) -> None:
    """The signature and docstring of anything else."""
    from inspect import cleandoc, signature

    factory = REGISTRIES[kind].factory(name)
    print(f"{name}{signature(factory)}\n\n{cleandoc(factory.__doc__ or '')}")


def describe_experiment(name: str) -> None:
    """A kind of experiment: what its cells say, and the table that it fills."""
    from simbias.experiments import experiments

    made = experiments()[known("experiment", name, experiments())]
    print(f"{name}: {made.summary}")
    print(f"a cell says: task, {', '.join(made.keys)}; it must say: {', '.join(made.needed)}")
    print(f"table: {made.table.name}, of {len(made.table.columns)} columns")


def describe_test(name: str) -> None:
    """What a test of claims answers, what it assumes, and where it is from."""
    from simbias.claims import declared_tests

    made = declared_tests()[known("test", name, declared_tests())]
    when = "after every unit" if made.sequential else "once all units are there"
    print(f"{name}: {made.summary}\nsource: {made.source}")
    print(f"answers: {', '.join(made.quantifiers)}; may be looked at {when}")
    print(f"needs a range: {'yes' if made.ranged else 'no'}; assumes: {made.assumes or 'nothing'}")


def describe_unit(name: str) -> None:
    """What counts once in a claim."""
    from simbias.quantities import unit_named

    made = unit_named(name)
    print(f"{name}: {made.summary}\nredraws: {', '.join(made.redraws)}; seeds: {made.seeds}")


def describe_estimator(name: str) -> None:
    """A learner of another library: what it is, and where its settings are explained."""
    factory = REGISTRIES["estimators"].factory(name)
    print(f"{name}: {REGISTRIES['estimators'].entries()[name].summary}")
    if isinstance(factory, partial):
        print(f"settings: the arguments of {'.'.join(factory.args[-1].split(':'))}")
    print(f'simbias.train(task, simbias.estimator("{name}"), n_train=4_000, seeds=4)')
