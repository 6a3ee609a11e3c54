"""Networks as generators: weights of points, decoding, exact likelihoods, controls, bad input."""

import itertools
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from simbias import MLP, tasks
from simbias._keys import seed_key
from simbias.experiments import Replica, generations
from simbias.generations import GENERATORS, Decoding, LineageCell, lineages, moments, regime
from simbias.generations.descent import descend, trained
from simbias.generations.generator import weighted
from simbias.generations.regimes import GenerationKeys
from simbias.generations.sequences import sequences
from simbias.generations.transformer import _scores, by_beams, decode, initial, log_probabilities
from simbias.tasks.oracle import achievable_rule, explicit_network, simple_rule

CHAIN = {"states": 3, "personas": 2, "length": 3}


# sets that grow


def weighing():
    """A generator that draws rows of one number, the generation that wrote them."""
    return replace(
        GENERATORS["mixture"]({}, {}), name="rows", real=lambda key, rows: jnp.zeros((rows, 2))
    )


@pytest.mark.parametrize(
    "name, expected", [("accumulate", [[0, 9, 9], [0, 1, 9], [0, 1, 2]]), ("repeat", [1, 2, 3])]
)
def test_a_set_that_grows_holds_all_before_it_or_copies_of_the_first(name, expected):
    rule, generator = regime({"name": name}), weighing()
    keys = GenerationKeys(*[seed_key(0)] * 4)
    statistics, carried = rule.begin(generator, 2, keys, 3)
    seen = [statistics]
    for k in (1, 2):
        statistics, carried = rule.later(
            generator, 2, lambda key, rows, k=k: jnp.full((rows, 2), float(k)), carried, keys
        )
        seen.append(statistics)
    if name == "repeat":
        assert [set(np.asarray(s["weight"])) for s in seen] == [{copies} for copies in expected]
        assert all(not np.asarray(s["points"]).any() for s in seen)
        return
    for own, rows in zip(seen, expected, strict=True):
        weight = np.repeat(np.array(rows) != 9, 2)
        np.testing.assert_array_equal(own["weight"], weight)
        np.testing.assert_array_equal(
            np.asarray(own["points"])[weight, 0], np.repeat([row for row in rows if row != 9], 2)
        )


def test_descent_reads_rows_by_their_weight_and_counts_epochs_of_it():
    points = {"x": jnp.array([jnp.nan, 1.0, jnp.nan, 2.0, jnp.nan])}
    statistics = weighted(points, jnp.array([0.0, 3.0, 0.0, 1.0, 0.0]))

    def loss(params, points, key):  # its gradient is what the optimiser adds
        return (params["sum"] * points["x"]).mean() + params["updates"]

    start = {"sum": jnp.float32(0), "updates": jnp.float32(0)}
    model = descend(loss, start, optax.sgd(1.0), statistics, seed_key(0), epochs=1000.0, batch=40)
    assert float(model["points"]) == 4 and float(model["params"]["updates"]) == -100
    assert float(model["params"]["sum"]) / -100 == pytest.approx(1.25, abs=0.03)
    assert bool(trained(model)) and not bool(trained(model | {"points": jnp.float32(0)}))


# a network that labels


def test_the_rules_themselves_have_their_exact_risks_and_exceptions():
    generator = GENERATORS["classifier"]({"name": "noisy-lms-5", "dim": 4}, {"width": 8})
    task, network = tasks.get("noisy-lms-5", dim=4), MLP(8)
    rotation = task.law(seed_key(0)).rotation
    best, simple = (
        {
            "params": network.from_layers(explicit_network(rule(task), rotation, width=8, depth=1)),
            "points": np.float32(1),
        }
        for rule in (achievable_rule, simple_rule)
    )

    @jax.jit
    def measured(model, first):
        return {**generator.measure(model), **generator.compare(model, first)}

    has, has_not = ({k: float(v) for k, v in measured(m, best).items()} for m in (best, simple))
    assert has == {m: 1 for m in ("correct", "exceptions", "escaped", "agreement", "still_escaped")}
    assert has_not["correct"] == pytest.approx(1 - task.truth.simple_risk, abs=0.01)
    assert has_not["exceptions"] == has_not["escaped"] == has_not["still_escaped"] == 0
    assert np.isnan(float(measured(best, simple)["still_escaped"]))  # it had not


# decoding


def test_beams_find_the_likeliest_row_where_greed_does_not():
    def scores(past, rows, i):  # after 1 comes 0 for certain, after 0 and 2 anything
        first = jnp.log(jnp.array([0.5, 0.4, 0.1]))
        later = jnp.log(jnp.array([[0.34, 0.33, 0.33], [0.98, 0.01, 0.01], [0.4, 0.3, 0.3]]))
        cold = jnp.where(i == 0, first[None, :], later[rows[:, 0]])
        return 30 * cold, past  # candidates are the likeliest ones

    rows = by_beams(seed_key(0), 5, 2, scores, (), 3, 3)
    np.testing.assert_array_equal(rows, [[1, 0]] * 5)


@pytest.mark.slow
def test_a_penalty_keeps_rows_from_repeating_and_a_low_temperature_from_chance():
    params = initial(seed_key(0), 5, 4, 4, 1)
    params = params | {"out": jax.random.normal(seed_key(1), (4, 5))}
    draw = jax.jit(decode, static_argnums=(2, 3))
    cold = np.asarray(draw(params, seed_key(2), 20, Decoding(temperature=0.01)))
    assert (cold == cold[0]).all()
    so_far = jnp.array([[1, 3, 0, 0]])  # of which two tokens are there
    logits = jnp.array([[0.5, 2.0, -1.0, -3.0, 1.0]])
    penalised = _scores(logits, so_far, 2, Decoding(repetition_penalty=2.0))
    expected = jax.nn.log_softmax(jnp.array([[0.5, 1.0, -1.0, -6.0, 1.0]]))
    np.testing.assert_allclose(penalised, expected, rtol=1e-6)
    rows = jnp.array(list(itertools.product(range(5), repeat=4)), jnp.int32)
    total = np.exp(np.asarray(jax.jit(log_probabilities)(params, rows)).sum(axis=1)).sum()
    assert total == pytest.approx(1, abs=1e-5)  # so no token sees itself or a later one


# sequences


@pytest.mark.parametrize("first", [0.5, 0.8])
@pytest.mark.thorough
def test_densities_of_rows_sum_to_one_and_their_mean_is_that_of_the_chain(first):
    source = sequences(CHAIN | {"first": first})
    rows = jnp.array(list(itertools.product(range(3), repeat=3)), jnp.int32)
    density = np.exp(np.asarray(source.log_density(rows)))
    assert density.sum() == pytest.approx(1, abs=1e-5)
    # the law of pairs is that of neighbours, wherever they stand
    pairs = np.zeros((3, 3))
    np.add.at(pairs, tuple(np.asarray(rows)[:, :2].T), density)
    np.testing.assert_allclose(pairs, source.pairs, atol=1e-6)


@pytest.mark.thorough
def test_rows_are_told_to_be_of_the_persona_that_wrote_them():
    shape = {"states": 6, "length": 16}
    three = sequences(shape | {"personas": 3, "first": 0.4})
    persona = jax.jit(three.persona)
    written = persona(three.real(seed_key(0), 3000))
    np.testing.assert_allclose(written.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(written.mean(axis=0), [0.4, 0.3, 0.3], atol=0.04)
    assert float(persona(sequences(shape).real(seed_key(1), 3000))[:, 0].mean()) > 0.9


# bad input


@pytest.mark.parametrize(
    "source, generator, message",
    [
        (
            {"name": "xor"},
            {"name": "classifier"},
            "got 'xor', allowed: a task of blocks",
        ),
        ({"name": "noisy-lms-8"}, {"name": "classifier"}, "nearest: noisy-lms-7"),
        ({"name": "lms-5"}, {"name": "classifier", "width": 0}, "generator: width: got 0, allowed"),
        ({"name": "lms-5"}, {"name": "classifier", "epochs": 0}, "generator: epochs: got 0, allow"),
        ({"name": "lms-5"}, {"name": "gaussian"}, "got 'lms-5', allowed: normal, for this genera"),
        ({"name": "chain"}, {"name": "transformer", "width": 5}, "width: got 5, allowed: an even"),
        ({"name": "chain"}, {"name": "transformer", "beams": 0}, "beams: got 0, allowed: an int"),
        ({"name": "chain"}, {"name": "transformer", "temperature": 0}, "temperature: got 0, allow"),
        ({"name": "digits", "dim": 3}, {"name": "autoencoder"}, "task: key: unknown name 'dim'"),
        (
            {"name": "chain", "first": 0.4},
            {"name": "bigrams"},
            "task: first: got 0.4, allowed: 1 fo",
        ),
        ({"name": "text", "path": "nowhere"}, {"name": "transformer"}, "path: got 'nowhere', allo"),
    ],
)
def test_bad_settings_of_networks_are_one_line(source, generator, message):
    with pytest.raises(ValueError, match=message) as caught:
        LineageCell.of(source, generator, {"name": "replace"}, points=20)
    assert "\n" not in str(caught.value)


# lineages


class Quiet:
    n_certify, saved = 1000, {}

    def advanced(self, moved):
        pass

    def measuring(self, replicas):
        pass


def cell(source, generator, rule="replace", points=1000, **sizes):
    sizes = {"generations": 3, "lineages": 4} | sizes
    return LineageCell.of(source, generator, {"name": rule}, points=points, **sizes)


SLABS = {"name": "noisy-lms-7", "dim": 4}


@pytest.mark.slow
def test_exceptions_vanish_where_they_were_memorised_and_stay_where_the_rule_was_found():
    stuck = moments(lineages(cell(SLABS, {"name": "classifier", "epochs": 60}, points=4000), 0))
    assert stuck["exceptions"].mean[0] < 0.5
    for name in ("exceptions", "correct"):
        assert (np.diff(stuck[name].mean) < 0).all()
    assert stuck["agreement"].mean[0] == 1 and "still_escaped" in stuck
    assert stuck["still_escaped"].counted[0] == 0


@pytest.mark.slow
def test_latent_deviations_of_autoencoders_shrink():
    pytest.importorskip("sklearn")
    own = moments(lineages(cell({"name": "digits"}, {"name": "autoencoder"}), 0))
    assert (np.diff(own["latent"].mean) < 0).all()


@pytest.mark.slow
def test_a_transformer_loses_likelihood_of_real_text_unless_sets_accumulate():
    source = {"name": "chain", "states": 12, "length": 16}
    own, pool = (
        moments(lineages(cell(source, {"name": "transformer"}, rule, points=512), 0))
        for rule in ("replace", "accumulate")
    )
    assert (np.diff(own["perplexity"].mean) > 0).all()
    assert pool["perplexity"].mean[-1] < own["perplexity"].mean[-1]


@pytest.mark.slow
def test_networks_of_which_no_point_is_accepted_end_with_a_reason():
    made_of = LineageCell.of(
        {"name": "noisy-lms-5", "dim": 4},
        {"name": "classifier", "width": 4, "epochs": 1},
        {"name": "verify", "right": 0.0, "wrong": 0.0},
        points=20, generations=1, lineages=1,
    )  # fmt: skip
    (ended,) = generations.run([Replica(made_of, 0)], Quiet())
    assert ended.status == "diverged"
    assert "1 of 1 lineages ended, the first at generation 1: no point was acc" in ended.reason
