"""Examples in docstrings: each public callable has one, and all of them run as they are written.

Public is what rooms re-export, the functions of statistics and of the oracle, and what the pages
name.
"""

import doctest
import inspect
import pkgutil
import re
from importlib import import_module
from pathlib import Path

import pytest

import simbias
from simbias import stats
from simbias.tasks import oracle

HOME = Path(__file__).parent.parent
PAGES = "".join(
    path.read_text()
    for path in (HOME / "README.md", HOME / "CONTRIBUTING.md", *sorted(HOME.glob("docs/**/*.md")))
)


def _exported():
    """What simbias and its rooms re-export."""
    rooms = [room.name for room in pkgutil.iter_modules(simbias.__path__) if room.ispkg]
    for place in ["simbias", *(f"simbias.{room}" for room in rooms)]:
        yield from ((place, name) for name in getattr(import_module(place), "__all__", ()))


def _own():
    """The functions that the modules of statistics and the oracle define."""
    modules = [f"{stats.__name__}.{module.name}" for module in pkgutil.iter_modules(stats.__path__)]
    for place in [*modules, oracle.__name__]:
        for name, thing in vars(import_module(place)).items():
            if inspect.isfunction(thing) and thing.__module__ == place and name[0] != "_":
                yield place, name


def _named():
    """What the pages import, and what they name in a room's module."""
    for place, names in re.findall(r"^from (simbias[\w.]*) import (.+)$", PAGES, re.MULTILINE):
        yield from ((place, name) for name in names.split(", "))
    rooms = "|".join(room.name for room in pkgutil.iter_modules(simbias.__path__) if room.ispkg)
    for place, name in re.findall(rf"`(?:simbias\.)?((?:{rooms})\.\w+)\.([A-Za-z]\w*)`", PAGES):
        yield f"simbias.{place}", name


# whose example takes some second of a processor, most of it to compile
LONG = (
    "bounds.certifying", "bounds.Certifying", "bounds.cheapest", "bounds.coin_flip_errors",
    "bounds.Evaluation", "bounds.masked_predictions", "bounds.prediction_sets",
    "bounds.PredictionSets", "bounds.replaced_points", "bounds.Selective", "bounds.selective",
    "bounds.weighted", "claims.argument", "claims.Finding", "directions.compare_seeds",
    "directions.decodability", "directions.Decoded", "directions.DoseResponse",
    "directions.PairQuality", "directions.probes.Problem", "directions.refit_last_layer",
    "directions.SeedsCompared", "generations.bigrams", "generations.mixture",
    "generations.Sequences", "networks.Ensemble", "networks.Module", "pages.page",
    "papers.reproduce", "plots.certify", "plots.CertifyDisplay", "plots.IslandsDisplay",
    "plots.threshold", "results.compute_courses", "results.compute_optima",
    "results.noisy_cells", "Stack", "tasks.LabelNoise", "train", "training.method.Batch",
    "validate", "validation.Flips", "validation.forgetting_auc", "validation.forgetting_times",
    "validation.measure_corruption", "validation.measure_personas",
    "validation.measure_visibility", "validation.Visibility",
)  # fmt: skip


def _public():
    """What can be called, by the first name that it has."""
    by_thing = {}
    for place, name in [*_exported(), *_own(), *_named()]:
        thing = getattr(import_module(place), name)
        if callable(thing) and not inspect.ismodule(thing):
            by_thing.setdefault(thing, f"{place}.{name}")
    assert {f"simbias.{name}" for name in LONG} <= set(by_thing.values())
    return [
        pytest.param(
            thing,
            id=name,
            marks=[pytest.mark.thorough] if name.removeprefix("simbias.") in LONG else [],
        )
        for thing, name in by_thing.items()
    ]


def run(text, name):
    """Run the examples of a docstring; returns how many there are, and what went otherwise."""
    test = doctest.DocTestParser().get_doctest(text, {"__name__": name}, name, None, None)
    output = []
    doctest.DocTestRunner().run(test, out=output.append)
    return len(test.examples), "".join(output)


@pytest.mark.parametrize("public", _public())
def test_a_public_callable_has_an_example_that_runs_as_it_is_written(public, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where examples write
    text = inspect.cleandoc(public.__doc__ or "")
    assert "\nExamples:\n" in text, "no Examples"
    examples, failed = run(text.split("\nExamples:\n")[1], public.__name__)
    assert examples and not failed, failed


def test_an_example_that_says_another_number_is_told():
    examples, failed = run(">>> 1 + 1\n3\n", "sum")
    assert examples == 1 and "Expected:" in failed
