"""What JAX, NumPy and the environment are set to changes no number; what would is told apart.

Longer than 400 lines because it lists an entrance to everything public.
"""

import dataclasses
import importlib
import inspect
import json
import os
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import stores
from small_cells import CELL, RISK, WRITTEN

import simbias
from simbias import (
    _keys,
    _pinned,
    bounds,
    claims,
    directions,
    generations,
    methods,
    models,
    plots,
    runner,
    training,
    validation,
)
from simbias.claims import session
from simbias.claims.networks import InMemory
from simbias.cli import main
from simbias.experiments import arrays, row_name
from simbias.results import Store, load_stack
from simbias.results import claims as kept
from simbias.runner.group import checkpoints
from simbias.runner.plan import Plan
from simbias.training import draws
from simbias.training.jobs import N_SELECT, Job, train_jobs
from simbias.training.problem import Keys, problem_of, training_set
from simbias.training.stack import redraw
from simbias.validation import paired
from simbias.validation.geometry import layers_of

# Each as another library, or the environment, might set it.
SETTINGS = {
    "jax_enable_x64": True,
    "jax_default_prng_impl": "rbg",
    "jax_threefry_partitionable": False,
    "jax_default_matmul_precision": "bfloat16",
    "jax_softmax_custom_jvp": True,
    "jax_disable_jit": True,
    "jax_debug_nans": True,
    "jax_debug_infs": True,
    "jax_debug_key_reuse": True,
    "jax_transfer_guard_host_to_device": "disallow",
    "jax_transfer_guard_device_to_host": "disallow",
    "jax_enable_custom_prng": True,
    "jax_legacy_prng_key": "error",
}
TASK = CELL.task
LINEAGES = generations.LineageCell.of(
    {"name": "normal"}, {"name": "gaussian"}, {"name": "replace"}, points=20, generations=2
)
BOUNDS = ("clopper-pearson", "bartlett-foster-telgarsky", "compression", "sharpness", "f-cmi")
EFFORT = """
effort = { n_certify = 500, confidence = 0.99 }
inference = { test = "clopper-pearson", alpha = 0.4, units = 3, family = "f", correction = "none" }
"""
CLAIM = f'{RISK}{EFFORT}{WRITTEN}\n[[claim]]\nid = "learns"\ntitle = "Networks learn something"\n'


class Given(NamedTuple):
    """What there is to call an entrance with."""

    stack: training.Stack
    store: Store
    key: Any
    x: Any
    rotation: Any


# Every public function that computes with JAX: a user may call any of them first.
# that take more than three seconds of a processor
LONG = (
    "bounds.cheapest", "bounds.coin_flip_errors", "bounds.evaluate", "bounds.replaced_points",
    "validation.forgetting_times", "validation.measure_personas", "validation.measure_visibility",
)  # fmt: skip
ENTRANCES = {
    "training.train": lambda given: trained(),
    "training.replay": lambda given: training.replay(CELL, 50, seeds=2, n_select=N_SELECT),
    "training.train_from": lambda given: training.train_from(given.stack, n_select=N_SELECT),
    "validation.validate": lambda given: validated(given.stack),
    "validation.faults": lambda given: validation.faults(given.stack),
    "validation.control": lambda given: validation.control(CELL, "achievable", seeds=2),
    "validation.measure_conflicts": lambda given: validation.measure_conflicts(
        given.stack, n_certify=500
    ),
    "validation.measure_corruption": lambda given: validation.measure_corruption(
        given.stack, shifts=["margin"], n_certify=500
    ),
    "validation.measure_visibility": lambda given: validation.measure_visibility(
        given.stack, shifts=["margin"], sizes=[20], repetitions=2, n_certify=500
    ),
    "validation.measure_grids": lambda given: validation.measure_grids(
        given.stack, resolution=20, contexts=8, coordinates=[1]
    ),
    "validation.learning_auc": lambda given: validation.learning_auc(given.stack),
    "validation.forgetting_times": lambda given: validation.forgetting_times(given.stack),
    "validation.forgetting_auc": lambda given: validation.forgetting_auc(
        given.stack, "exceptions", "others"
    ),
    "validation.measure_personas": lambda given: validation.measure_personas(
        of_personas(), n_certify=500
    ),
    "validation.stopped": lambda given: validation.stopped(given.stack, "none"),
    "validation.noise_scale": lambda given: validation.noise_scale(given.stack),
    "validation.initial_noise_scale": lambda given: validation.initial_noise_scale(CELL, [0]),
    "validation.measure_islands": lambda given: validation.measure_islands(
        given.stack, sample=2, directions=2
    ),
    "validation.paired.paired": lambda given: paired.paired(given.stack, given.stack, points=300),
    "bounds.cheapest": lambda given: bounds.cheapest(CELL, "path-norm"),
    "bounds.evaluate": lambda given: bounds.evaluate(
        given.stack, bounds=BOUNDS, n_certify=500, masks=2
    ),
    "bounds.observe": lambda given: observed(given.stack),
    "bounds.records": lambda given: bounds.records(observed(given.stack), bounds=["sharpness"]),
    "bounds.selective": lambda given: bounds.selective(
        given.stack, 0.4, held_out=[50, 300], n_select=300, n_certify=300
    ),
    "bounds.prediction_sets": lambda given: bounds.prediction_sets(
        given.stack, 0.1, held_out=[50, 300], n_certify=300
    ),
    "bounds.weighted": lambda given: bounds.weighted(
        given.stack, "even-slabs", held_out=[50, 300], n_simulated=500, n_certify=300
    ),
    "bounds.masked_predictions": lambda given: bounds.masked_predictions(CELL, 0, masks=2),
    "bounds.replaced_points": lambda given: bounds.replaced_points(CELL, 0, points=2, n_fresh=300),
    "bounds.coin_flip_errors": lambda given: bounds.coin_flip_errors(CELL, 0, draws=2),
    "models.data": lambda given: models.data(TASK, 256, seed=1).x,
    "models.ensemble": lambda given: validated(models.ensemble(given.stack)),
    "models.train": lambda given: fitted(given.x),
    "directions.activities": lambda given: [
        activity.hidden for activity in directions.activities(given.stack, points=300)
    ],
    "directions.decodability": lambda given: directions.decodability(given.stack, points=300),
    "directions.measure_effect": lambda given: directions.measure_effect(
        given.stack, models.edited(given.stack, abs), points=300
    ),
    "directions.measure_projection": lambda given: directions.measure_projection(
        given.stack,
        models.panel(given.stack),
        directions.find(given.stack, points=300),
        points=300,
    ),
    "directions.others_decoded": lambda given: directions.others_decoded(given.stack, points=300),
    "directions.refit_last_layer": lambda given: [
        member.params for member in directions.refit_last_layer(given.stack, points=300).members
    ],
    "directions.compare_seeds": lambda given: directions.compare_seeds(
        given.stack, given.stack, points=100
    ),
    "directions.dose_response": lambda given: vars(
        directions.dose_response(
            given.stack, directions.find(given.stack, points=300), doses=(0, 1), points=300
        )
    ),
    "directions.quality_of_pairs": lambda given: vars(
        directions.quality_of_pairs(given.stack, pairs=(2,), points=300)
    ),
    "directions.find": lambda given: directions.find(given.stack, points=300).vectors,
    "directions.patch": lambda given: (
        directions.patch(directions.find(given.stack, points=300), given.stack, given.x).arrays
    ),
    "directions.resample": lambda given: (
        directions.resample(
            directions.find(given.stack, points=300), given.stack, points=300
        ).arrays
    ),
    "models.quantised": lambda given: models.quantised(given.stack, bits=4).members[0].params,
    "plots.boundary": lambda given: boundary(given.stack),
    "plots.training": lambda given: plots.training(given.stack).tables(),
    "plots.islands": lambda given: plots.islands(given.stack, sample=2, directions=2).tables(),
    "claims.judge": lambda given: claims.judge(
        claims.load(given.store.directory / "claim.toml"), InMemory()
    ),
    "claims.check": lambda given: claims.check(str(given.store.directory / "claim.toml")),
    "results.load_stack": lambda given: load_stack(given.store),
    "runner.keep": lambda given: run_of(given.stack),
    "tasks.BlockTask.sample": lambda given: TASK.sample(given.key, 20),
    "tasks.BlockTask.rotation": lambda given: TASK.rotation(given.key),
    "tasks.BlockTask.rotate": lambda given: TASK.rotate(given.x, given.rotation),
    "networks.MLP.init": lambda given: CELL.network.init(given.key, (4,)),
    "generations.lineages": lambda given: generations.lineages(LINEAGES, 0).values,
    "generations.states": lambda given: next(generations.states(LINEAGES, 0)),
    "networks.MLP.from_layers": lambda given: CELL.network.from_layers(layers_of(given.stack, 0)),
}
# Public functions that look up, read or draw figures of what was computed.
OTHERS = {
    "bounds": {
        "bound",
        "bound_names",
        "certifying",
        "inapplicable",
        "left_out",
        "points_to_reveal",
        "violated",
    },
    "claims": {"argument", "builtin", "choose", "feasible", "get", "load"},
    "directions": {
        "alignment",
        "cka",
        "procrustes",
        "ablate",
        "ablate_to_mean",
        "add",
        "control",
        "counterfactual",
        "directions_of",
        "discriminant",
        "equivalent",
        "erase",
        "get",
        "gradient",
        "intervene",
        "label_gap",
        "leace",
        "mean_difference",
        "names",
        "principal_component",
        "probe",
        "residual_of_ablation",
        "residual_of_addition",
        "steer",
        "unit",
    },
    "generations": {
        "agreement",
        "autoencoder",
        "bigrams",
        "classifier",
        "critic_threshold",
        "expectations",
        "gaussian",
        "histogram",
        "kept",
        "labeller",
        "least_squares",
        "mixture",
        "moments",
        "pooled",
        "regime",
        "transformer",
    },
    "losses": {"cross_entropy", "get", "hinge", "logistic", "names", "square"},
    "models": {"classifier", "edited", "estimator", "member", "panel", "torch_learner"},
    "networks": {"get"},
    "papers": {"judge", "load", "names", "reproduce", "reproductions"},
    "pages": {"page"},
    "plots": {
        "alike",
        "decoded",
        "doses",
        "effects",
        "seeds",
        "bounds",
        "certify",
        "claims",
        "comparison",
        "compute",
        "degradation",
        "discrimination",
        "leaderboard",
        "lineages",
        "noise",
        "personas",
        "phase",
        "preference",
        "reproduction",
        "tails",
        "threshold",
        "visibility",
    },
    "methods": set(methods.__all__),  # settings are checked, nothing is computed
    "quantities": {"quantity", "unit_named"},
    "results": {
        "compute_courses",
        "compute_optima",
        "gradient_batches",
        "leaderboard",
        "load_fitted",
        "needed",
        "noisy_cells",
        "summarise",
    },
    "runner": set(),
    "suites": {"load"},
    "tasks": {"described", "get", "identifying", "identity", "names"},
    "training": {"cell_from_settings"},
    "validation": {"exact_risk"},
}


def trained():
    options = {"n_train": 256, "batch": 64, "stop": CELL.stop, "n_select": N_SELECT}
    return simbias.train(TASK, CELL.network, CELL.method, seeds=2, **options)


def of_personas():
    task = simbias.tasks.get("personas", dim=4, personas=3, proportion=0.4)
    options = {"n_train": 256, "batch": 64, "stop": CELL.stop, "n_select": N_SELECT}
    return simbias.training.train(task, CELL.network, CELL.method, seeds=2, **options)


def fitted(x):
    """Scores of an estimator that guesses the proportion of ones."""

    class Proportion:
        def fit(self, x, y):
            self.ones = y.mean()

        def __call__(self, x):
            return np.full(len(x), self.ones - 0.5)

    stack = models.train(
        TASK, models.Estimator("proportion", {}, lambda state: Proportion()), n_train=50
    )
    return stack.members[0].scores(x)


def validated(stack):
    report = validation.validate(stack, n_certify=500)
    return report, report.exceptions.rows(0)


def run_of(stack):
    with TemporaryDirectory() as folder:
        store = runner.keep(stack, Path(folder, "run"), n_certify=500)
        return store.query("SELECT seed, risk FROM networks")


def observed(stack):
    return bounds.observe(stack, 0, held_out=100)


def boundary(stack):
    display = plots.boundary(stack, resolution=8, contexts=8)
    return display.tables(), display.finding


def leaves(result, path=""):
    """What a result is made of, by path; times are left out."""
    if isinstance(result, dict):
        parts = result.items()
    elif dataclasses.is_dataclass(result):
        parts = [(field.name, getattr(result, field.name)) for field in dataclasses.fields(result)]
    elif isinstance(result, list | tuple):
        parts = enumerate(result)
    elif isinstance(result, partial):
        parts = enumerate([result.func, *result.args])
    else:
        return {path: result}
    kept = [(name, part) for name, part in parts if name not in ("seconds", "_panel", "cell")]
    return {k: v for name, part in kept for k, v in leaves(part, f"{path}.{name}").items()}


def assert_same(first, other):
    """Equal to the last bit, and of the same types."""
    first, other = leaves(first), leaves(other)
    assert first.keys() == other.keys()
    for path, part in first.items():
        if hasattr(part, "dtype"):
            assert part.dtype == other[path].dtype, path
            np.testing.assert_array_equal(part, other[path], err_msg=path)
        else:
            assert part == other[path] or part != part, path


@pytest.fixture
def surrounded():
    """Sets JAX up for the process, and back at the end of the test."""
    before = {}

    def set_up(**settings):
        for name, value in settings.items():
            before.setdefault(name, jax.config.values[name])
            jax.config.update(name, value)

    yield set_up
    for name, value in before.items():
        jax.config.update(name, value)


@pytest.fixture(scope="module")
def stack():
    """Two small networks on four coordinates."""
    return trained()


@pytest.fixture(scope="module")
def store(stack, tmp_path_factory):
    """A run directory with both, and a file of claims."""
    return stored(stack, tmp_path_factory.mktemp("run"))


def stored(stack, directory, change=lambda tensors: tensors):
    """A run directory with a stack, and a file of claims."""
    store = stores.stored(stack, directory / "run", change)
    store.write_text(store.directory / "claim.toml", CLAIM)
    return store


@pytest.fixture(scope="module")
def given(stack, store):
    x = np.linspace(-1, 1, 80, dtype=np.float32).reshape(20, 4)
    key = _keys.seed_key(3)
    return Given(stack, store, key, x, np.asarray(TASK.rotation(key)))


@pytest.mark.parametrize("name", SETTINGS)
def test_no_setting_changes_a_trained_number(name, stack, surrounded):
    surrounded(**{name: SETTINGS[name]})
    assert_same(trained(), stack)


PLAINLY = """
import json, sys
import jax, numpy as np
import simbias
from simbias.training import cell_from_settings
simbias.configure(2)
cell = cell_from_settings(json.loads(sys.argv[1]))
stack = simbias.train(
    cell.task, cell.network, cell.method, seeds=2, n_train=cell.n_train, batch=cell.batch,
    stop=cell.stop,
)
leaves = jax.tree.leaves([stack.params, stack.traces])
json.dump(np.concatenate([np.ravel(leaf) for leaf in leaves]).tolist(), sys.stdout)
"""


@pytest.mark.thorough
def test_networks_are_those_that_a_process_trains_without_the_flags_of_the_tests(stack):
    flags = ("XLA_FLAGS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")
    environment = {name: value for name, value in os.environ.items() if name not in flags}
    environment["PYTHONPATH"] = str(Path(simbias.__file__).parents[1])
    words = [sys.executable, "-c", PLAINLY, json.dumps(CELL.settings)]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    plain = np.array(json.loads(done.stdout), np.float32)
    own = [np.ravel(leaf) for leaf in jax.tree.leaves([stack.params, stack.traces])]
    # one model of processor has equal bits, others may round
    np.testing.assert_allclose(np.concatenate(own), plain, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] if name in LONG else []) for name in ENTRANCES],
)
@pytest.mark.thorough
def test_every_entrance_gives_the_same_when_everything_around_it_is_set_otherwise(
    name, given, surrounded, monkeypatch
):
    plain = ENTRANCES[name](given)
    # where no execution is allowed, whatever is not entered through the pinned settings fails
    monkeypatch.setattr(_pinned, "_PINNED", [*_pinned._PINNED, (jax.no_execution, False)])
    surrounded(**SETTINGS)
    mesh = jax.make_mesh((2,), ("x",))
    with np.errstate(all="raise"), jax.no_execution(True), jax.set_mesh(mesh):
        result = ENTRANCES[name](given)
    assert_same(result, plain)


def test_no_public_function_is_left_out_of_the_entrances():
    for room in simbias._ROOMS:
        module = importlib.import_module(f"simbias.{room}")
        public = {name for name in module.__all__ if inspect.isfunction(getattr(module, name))}
        called = {name.split(".")[1] for name in ENTRANCES if name.startswith(f"{room}.")}
        assert public - called == OTHERS.get(room, set()), room


def test_seeds_are_taken_as_they_are_and_by_one_function_only(surrounded):
    names = ((CELL.identity, 3), ("another", 2**40))
    words = [np.asarray(jax.random.key_data(_keys.identity_key(*name))) for name in names]
    surrounded(jax_random_seed_offset=7)
    for name, before in zip(names, words, strict=True):
        assert_same(np.asarray(jax.random.key_data(_keys.identity_key(*name))), before)
    for path in Path(simbias.__file__).parent.rglob("*.py"):
        lines = path.read_text().splitlines()
        examples = (">>> ", "... ")
        code = "\n".join(line for line in lines if not line.strip().startswith(examples))
        for call in ("random.key(", "PRNGKey(", "RandomState", "np.random.seed"):
            assert call not in code, path


def test_settings_are_as_before_outside(surrounded):
    surrounded(jax_enable_x64=True)
    TASK.sample(_keys.seed_key(0), 20)
    assert jnp.zeros(1).dtype == np.float64
    with pytest.raises(ValueError, match="^rows: got 0"):
        TASK.sample(_keys.seed_key(0), 0)
    assert jnp.zeros(1).dtype == np.float64


def test_a_key_of_rbg_draws_what_its_seed_draws_without_rbg(surrounded):
    plain = TASK.sample(jax.random.split(jax.random.fold_in(jax.random.key(5), 2))[1], 20)
    raw = TASK.sample(jax.random.key_data(jax.random.split(jax.random.key(5))[0]), 20)
    surrounded(jax_default_prng_impl="rbg")
    assert_same(
        TASK.sample(jax.random.split(jax.random.fold_in(jax.random.key(5), 2))[1], 20), plain
    )
    assert_same(TASK.sample(jax.random.key_data(jax.random.split(jax.random.key(5))[0]), 20), raw)


@pytest.mark.parametrize(
    "key", (lambda: jax.random.key(0, impl="unsafe_rbg"), lambda: 3, lambda: np.zeros(3, np.uint32))
)
def test_a_key_of_another_generator_is_refused_by_name(key):
    with pytest.raises(ValueError, match="^key: got .*threefry2x32 .*jax_default_prng_impl"):
        TASK.sample(key(), 2)


@pytest.mark.parametrize(
    "flag",
    (
        "--xla_cpu_enable_fast_math=true",
        "--xla_cpu_enable_fast_math",
        "--xla_backend_optimization_level=0",
    ),
)
def test_flags_of_xla_that_change_numbers_are_refused_by_name(flag, monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", f"--xla_a=1 {flag}")
    with pytest.raises(ValueError, match=f"^XLA_FLAGS: got '{flag}', allowed: "):
        trained()


def test_flags_of_xla_that_change_none_are_let_through(monkeypatch):
    same = ("--xla_cpu_enable_fast_math=false", "--xla_backend_optimization_level=3")
    monkeypatch.setenv("XLA_FLAGS", " ".join(same))
    with _pinned.settings():
        pass


def test_a_setting_that_cannot_be_set_aside_is_refused_by_name(surrounded):
    surrounded(jax_disable_most_optimizations=True)
    with pytest.raises(ValueError, match="^jax_disable_most_optimizations: got True, allowed: F"):
        trained()


def test_products_are_of_float32_on_accelerators_whatever_is_asked(monkeypatch, surrounded):
    surrounded(jax_default_matmul_precision="bfloat16")
    with _pinned.settings():
        assert jax.default_matmul_precision.value is None
    monkeypatch.setattr(_pinned, "platform", lambda: "gpu")
    with _pinned.settings():
        assert jax.default_matmul_precision.value == "float32"


# -- fingerprints ---------------------------------------------------------------------------


def otherwise(monkeypatch, surrounded):
    """As if the generator were not pinned: every draw is another one."""
    kept = [pair for pair in _pinned._PINNED if pair[0] is not jax.threefry_partitionable]
    monkeypatch.setattr(_pinned, "_PINNED", kept)
    surrounded(jax_threefry_partitionable=False)


@pytest.mark.parametrize(
    "name",
    (
        "validation.validate",
        "validation.measure_islands",
        "bounds.evaluate",
        "plots.boundary",
        "results.load_stack",
    ),
)
@pytest.mark.thorough
def test_a_training_set_that_comes_out_otherwise_is_never_measured(
    name, given, monkeypatch, surrounded
):
    otherwise(monkeypatch, surrounded)
    named = f"^{CELL.name.replace('(', '.').replace(')', '.')} seed 0: its training set cannot be"
    with pytest.raises(draws.DrawsError, match=named) as caught:
        ENTRANCES[name](given)
    words = str(caught.value)
    assert "\n" not in words
    assert all(name in words for name in list(SETTINGS)[:3])


def test_commands_that_read_refuse_in_one_line_and_keep_nothing(
    stack, tmp_path, monkeypatch, surrounded, capsys
):
    store = stored(stack, tmp_path)
    before = {path: path.read_bytes() for path in store.directory.rglob("*") if path.is_file()}
    otherwise(monkeypatch, surrounded)
    few = ["--cores", "2", "--bounds", "clopper-pearson", "--n-certify", "500"]
    for words in (["bounds", *few], ["plot", "--kind", "boundary"]):
        assert main([words[0], str(store.directory), *words[1:]]) == 2
        out, err = capsys.readouterr()
        assert err.startswith(
            f"simbias: {CELL.name} seed 0: its training set cannot be drawn again"
        )
        assert err.count("\n") == 1 and out == ""
    assert before == {
        path: path.read_bytes() for path in store.directory.rglob("*") if path.is_file()
    }


def test_the_fingerprint_hangs_on_every_label_exception_and_stream(stack, monkeypatch):
    problem = problem_of(CELL, 0)
    data = training_set(CELL, problem)
    assert stack.draws[0] == draws.fingerprint(problem, data)
    assert len({*stack.draws, draws.fingerprint(problem_of(CELL, 2), data)}) == 3
    for i in (0, 128, 255):
        flipped = data.y.at[i].set(1 - data.y[i]), data.exception.at[i].set(~data.exception[i])
        for changed in (data._replace(y=flipped[0]), data._replace(exception=flipped[1])):
            assert draws.fingerprint(problem, changed) != stack.draws[0]
    bits = np.asarray(draws._first_bits(problem.keys))
    named = [(key, name) for key in Keys._fields for name in draws._STREAMS[key]]
    assert len(named) == len(bits) == 9
    for i, (own, name) in enumerate(named):
        key = _keys.stream(_keys.key_of(getattr(problem.keys, own)), name)
        np.testing.assert_array_equal(bits[i], jax.random.bits(key, bits[i].shape))
        other = bits.copy()
        other[i, -1] ^= 1
        with monkeypatch.context() as patch:
            patch.setattr(draws, "_first_bits", lambda words, other=other: other)
            assert draws.fingerprint(problem, data) != stack.draws[0]


def test_networks_kept_without_a_fingerprint_are_read_unless_their_rotation_is_another(
    stack, tmp_path
):
    def unknown(tensors):
        return {name: part for name, part in tensors.items() if name != "draws"}

    def turned(by):
        return lambda tensors: unknown(tensors) | {"rotation": tensors["rotation"] + np.float32(by)}

    read = load_stack(stored(stack, tmp_path / "unknown", unknown))
    assert read.draws == ("", "")
    assert_same(replace(read, draws=stack.draws, traces=stack.traces), stack)
    load_stack(stored(stack, tmp_path / "near", turned(5e-5)))
    with pytest.raises(draws.DrawsError, match="another rotation"):
        load_stack(stored(stack, tmp_path / "far", turned(2e-4)))


def test_training_does_not_go_on_with_another_training_set(stack, tmp_path, monkeypatch):
    snapshots = train_jobs([Job(CELL, 0), Job(CELL, 1)], n_select=N_SELECT, until=50)
    (job, snapshot), *_ = snapshots.items()
    begun = replace(snapshot, state=snapshot.state._replace(end=np.int32(0)))
    whole = arrays.snapshot_from_tensors(CELL, arrays.snapshot_tensors(begun))
    assert whole.draws == begun.draws == stack.draws[0]
    other = replace(begun, draws="0" * 16)
    with pytest.raises(draws.DrawsError, match="fingerprint .*, not 0000000000000000"):
        train_jobs([job], saved={job: other}, n_select=N_SELECT)

    plan = Plan("s", "p", (CELL,), ({},), (0,), 500)
    store = stored(stack, tmp_path)
    notes = []

    class Reporter:
        note = staticmethod(notes.append)

    for state, used in ((begun, 1), (other, 0), (replace(begun, draws=""), 1)):
        store.write_checkpoint(row_name(job), arrays.snapshot_tensors(state))
        assert len(checkpoints(plan.replicas, store, Reporter())) == used
    (note,) = notes
    assert note.startswith(f"checkpoint of {CELL.name} seed 0 not used: {CELL.name} seed 0: its")


def test_a_fingerprint_travels_with_its_network(stack, store):
    assert len(set(stack.draws)) == 2
    assert stack.some([1, 0]).draws == stack.draws[::-1]
    assert load_stack(store).draws == stack.draws
    assert validation.control(CELL, "simple", seeds=2).draws == stack.draws
    np.testing.assert_array_equal(redraw(stack, 1).y, redraw(stack.some([1]), 0).y)


# -- caches ---------------------------------------------------------------------------------


@pytest.mark.parametrize("quantity", ("risk", 'seed_agreement("none")'))
def test_measurements_of_other_networks_or_by_other_versions_are_not_recalled(
    quantity, stack, tmp_path, monkeypatch
):
    store = stored(stack, tmp_path)
    name, *given = quantity.removesuffix('")').split('("')
    reference = session.Reference("", name, tuple(given))
    key = session.Key(CELL, reference, 500, 0.9)
    measured = {0: (0.1, 0.05, 0.2)}
    kept.write_measured(store, key, measured)
    assert kept.read_measured(store, key) == measured
    with monkeypatch.context() as patch:
        patch.setattr(kept, "versions", lambda: {"jax": "0"})
        assert kept.read_measured(store, key) == {}

    def changed(tensors):
        return tensors | {"params.layers.0.bias": tensors["params.layers.0.bias"] + 1}

    other = replace(stack, seconds=stack.seconds + 1)
    stored(other.some([1]), tmp_path, changed)
    assert kept.read_measured(store, key) == (measured if quantity == "risk" else {})
    stored(other, tmp_path)
    assert kept.read_measured(store, key) == measured
    stored(stack.some([0]), tmp_path, changed)
    assert kept.read_measured(store, key) == {}
