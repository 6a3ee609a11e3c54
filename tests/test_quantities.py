"""Every word of the vocabulary on tiny networks: its range, its entries, and both controls.

Longer than 400 lines because one small stack, trained once, serves every quantity.
"""

from dataclasses import replace
from itertools import product

import jax
import numpy as np
import pytest
import small_cells
from block_tasks import written
from scipy.stats import binom

from simbias import MLP, Stop, sgd, tasks, validate
from simbias._defaults import DELTA
from simbias.bounds import Observed, evaluate, records
from simbias.bounds.quantities import evaluations
from simbias.claims.grammar import parse
from simbias.experiments.classify import NETWORKS, NUMBERS
from simbias.quantities import Subject, Unit, declared, learned, settings, unit_named, units
from simbias.registry import QUANTITIES
from simbias.stats.held_out import points_to_exclude
from simbias.tasks import LabelNoise, blocks
from simbias.tasks.block_task import BlockTask
from simbias.tasks.oracle import Layer, achievable_risk
from simbias.tasks.shifts import BENIGN, SHIFTS
from simbias.training import Cell
from simbias.training.fit import TRACE
from simbias.training.jobs import Job, train_jobs
from simbias.training.stack import assemble, replay
from simbias.validation import control, stopped, stopping

POINTS, CONFIDENCE, SEEDS = 2000, 0.999, 4
BEST = (100, 50, 100, 50)  # updates of each network's best check, as the traces are made to say
CELL = replace(small_cells.CELL, stop=Stop(max_updates=200, check_every=50))
NAMES = ("clopper-pearson", "occam", "stability", "l2-norm", "sharpness")
ARGUMENTS = {
    "number": [0.01],
    "rule": ["achievable", "simple"],
    "bound": ["clopper-pearson", "occam"],
    "shift": written(BENIGN),
    "edit": ["ablate"],
    "target": ["label"],
    "probe": ["linear"],
    "layer": ["last"],
    "moment": ["initial", "final"],
    "control": ["others"],
    "way": ["none"],
    "comparison": ["cka"],
    "check": ["last"],
    "zone": ["ahead"],
    "answers": ["greedy"],
}


def arguments(quantity):
    """The arguments that a quantity is tried with: each of a kind beside each of the next."""
    kinds = [argument.kind for argument in quantity.arguments]
    if quantity.name == "seed_agreement":
        return [(shift,) for shift in written(SHIFTS)]
    if kinds == ["number"] * 3:
        return [(0.4, 256, 0.1)]
    return list(product(*(ARGUMENTS[kind] for kind in kinds)))


# for one network, see below; of ensembles only, see test_attacks
# of networks that escape, see test_directions_asked
# of lineages only, see test_lineages; of flipped labels only, see test_learning_times
APART = (
    "early_stopping_difference", "island_excess", "ensemble_gain", "lineage_mean",
    "lineage_misfit", "lineage_value", "flips_late", "flips_forgotten",
    "good_answers", "decoded_before",
)  # fmt: skip
EVERY = [
    (name, given)
    for name, quantity in declared().items()
    if name not in APART
    for given in arguments(quantity)
]


def with_select(stack, accuracies):
    """The stack with other accuracies on select draws, a row for each network."""
    traces = []
    for trace, row in zip(stack.traces, accuracies, strict=True):
        traces.append(trace.copy())
        traces[-1][:, TRACE.index("select_accuracy")] = row
    return replace(stack, traces=tuple(traces))


@pytest.fixture(scope="module")
def stack():
    jobs = [Job(CELL, seed) for seed in range(SEEDS)]
    snapshots = train_jobs(jobs)
    trained = assemble(CELL, {job.seed: snapshots[job] for job in jobs})
    updates = trained.traces[0][:, TRACE.index("updates")]
    assert all((trace[:, TRACE.index("updates")] == updates).all() for trace in trained.traces)
    return with_select(trained, [np.where(updates == best, 0.96, 0.95) for best in BEST])


@pytest.fixture(scope="module")
def subject(stack):
    return Subject(stack, n_certify=POINTS, confidence=CONFIDENCE, arguments={"bound": NAMES})


@pytest.fixture(scope="module")
def of_first(stack):
    """What is measured on so many of the networks."""

    def subject(count):
        return Subject(stack.some(range(count)), n_certify=POINTS, confidence=CONFIDENCE)

    return subject


@pytest.fixture(scope="module")
def controls():
    return {
        rule: Subject(control(CELL, rule, seeds=SEEDS), n_certify=POINTS, confidence=CONFIDENCE)
        for rule in ("achievable", "simple")
    }


def measured(subject, name, *given):
    return declared()[name].compute(subject, *given)


def encloses(estimate, truth):
    return ((estimate.low <= truth) & (truth <= estimate.high)).all()


# -- every quantity ---------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "given"), EVERY)
def test_a_quantity_has_an_entry_a_unit_within_its_range_and_its_interval(
    subject, of_first, name, given
):
    quantity = declared()[name]
    entries = SEEDS
    if "noisy labels" in quantity.needs:
        noisy = replace(CELL, label_noise=LabelNoise(alpha=1))
        stack = control(noisy, "achievable", seeds=SEEDS)
        subject = Subject(stack, n_certify=POINTS, confidence=CONFIDENCE)
    if quantity.of != "setting":
        unit = unit_named(quantity.of)
        entries = SEEDS // unit.seeds
        subject = subject if entries * unit.seeds == SEEDS else of_first(entries * unit.seeds)
    computed = quantity.compute(subject, *given)
    assert [part.shape for part in computed] == [(entries,)] * 3
    assert not np.isnan(computed).any()
    for part in computed:
        assert (part >= quantity.low).all() and (part <= quantity.high).all()
    assert (computed.low <= computed.value).all() and (computed.value <= computed.high).all()


@pytest.mark.parametrize("name", units())
def test_a_unit_is_made_of_networks_that_no_other_one_has(name):
    unit = unit_named(name)
    ids = range(0, 4 * unit.seeds, unit.seeds)
    behind = [seed for first in ids for seed in unit.behind(first)]
    assert behind == list(range(4 * unit.seeds)) and unit.summary
    assert unit.count(12, 5) == (5 if unit.points else 12 // unit.seeds)


def test_points_of_several_networks_are_no_unit():
    with pytest.raises(ValueError, match="^seeds: got 2, allowed: 1 for points"):
        Unit("points", "of two networks", seeds=2, points=True)
    with pytest.raises(ValueError, match="^unit: unknown name 'pear', nearest: pair"):
        unit_named("pear")


def test_every_name_of_the_vocabulary_is_that_of_its_quantity():
    assert all(name == quantity.name for name, quantity in declared().items())
    assert {name for name, _ in EVERY} | set(APART) == set(declared())


def test_a_list_says_of_a_quantity_what_its_declaration_says():
    for name, entry in QUANTITIES.entries().items():
        summary = declared()[name].summary
        assert entry.summary.split(" (from ")[0].removesuffix(".") == summary != ""


def test_intervals_are_columns_behind_the_values_but_for_that_of_the_risk():
    names = [column.name for column in NETWORKS]
    values = names[: names.index("flips_fresh") + 1]
    assert [name for name in values if name.endswith(("_low", "_high"))] == [
        "risk_low",
        "risk_high",
    ]
    kept = [name for name, each in NUMBERS.items() if each.column == "interval" and name != "risk"]
    ends = [f"{name}_{end}" for name in kept for end in ("low", "high")]
    assert len(kept) == 10 and names[len(values) : names.index("n_certify")] == ends


def test_settings_are_the_numbers_of_the_cell_whichever_part_has_them(subject):
    cell = replace(CELL, method=sgd(learning_rate=0.2, weight_decay=5e-4))
    expected = {
        "dim": 4,
        "noise": 0.1,
        "n_train": 256,
        "batch": 64,
        "width": 16,
        "depth": 1,
        "learning_rate": 0.2,
        "weight_decay": 5e-4,
    }
    assert set(expected) == {name for name, each in declared().items() if each.of == "setting"}
    for name, number in expected.items():
        assert settings.setting(cell, name) == number
    assert (measured(subject, "learning_rate").value == 0.1).all()


def test_a_setting_that_the_cell_has_not_is_refused():
    cell = replace(CELL, task=tasks.get("ms-7", dim=4))
    with pytest.raises(ValueError, match="^quantity: got 'noise', allowed: a setting of ms-7/"):
        settings.setting(cell, "noise")


def test_gap_and_excess_are_the_risk_from_other_origins(subject, stack):
    risk, fitted = measured(subject, "risk"), (stack.fitted_since >= 0).mean(axis=1)
    np.testing.assert_allclose(measured(subject, "train_accuracy").value, fitted, atol=1 / 256)
    for name, origin in (
        ("gap", 1 - measured(subject, "train_accuracy").value),
        ("excess_risk", 0.0),
    ):
        for part, own in zip(measured(subject, name), risk, strict=True):
            np.testing.assert_allclose(part, own - origin, atol=1e-12)
    accuracy = measured(subject, "test_accuracy")
    np.testing.assert_allclose(accuracy, 1 - np.array([risk.value, risk.high, risk.low]))
    np.testing.assert_allclose(
        measured(subject, "train_error").value, 1 - measured(subject, "train_accuracy").value
    )


def test_memorised_is_what_is_fitted_beyond_fresh_exceptions(subject):
    fitted, fresh = measured(subject, "exceptions_fitted"), measured(subject, "exceptions_fresh")
    np.testing.assert_allclose(measured(subject, "memorised").value, fitted.value - fresh.value)


# -- controls ---------------------------------------------------------------------------------


@pytest.mark.thorough
def test_the_achievable_network_never_errs_whatever_the_benign_shift(controls):
    subject = controls["achievable"]
    assert (measured(subject, "risk").value == 0).all()
    assert (measured(subject, "excess_risk").value == 0).all()
    for kind in written(BENIGN):
        assert (measured(subject, "shifted_accuracy", kind).value == 1).all()
    assert (measured(subject, "corruption_error").value == 0).all()


def test_the_simple_network_owes_half_the_noise_and_all_it_knows_to_the_simple_set(controls):
    subject = controls["simple"]
    assert encloses(measured(subject, "excess_risk"), CELL.task.settings["noise"] / 2)
    assert encloses(measured(subject, "s_randomised_accuracy"), 0.5)
    assert encloses(measured(subject, "s_randomised_auc"), 0.5)
    assert encloses(measured(subject, "corruption_error"), 1)
    assert encloses(measured(subject, "sc_randomised_accuracy"), 0.95)
    assert (measured(subject, "simple_agreement").value == 1).all()
    assert (measured(subject, "exceptions_fitted").value == 0).all()
    assert (measured(subject, "exceptions_fresh").value == 0).all()


def test_in_the_margin_only_the_simple_network_guesses(controls):
    assert encloses(measured(controls["simple"], "shifted_accuracy", "margin"), 0.5)
    assert encloses(measured(controls["simple"], "shifted_accuracy", "even-slabs"), 0.95)


@pytest.mark.parametrize(("rule", "slope", "worst"), [("simple", 0.9, 0), ("achievable", 0, 1)])
def test_only_the_simple_network_loses_where_the_simple_coordinate_misleads(
    controls, rule, slope, worst
):
    assert encloses(measured(controls[rule], "conflict_slope"), slope)
    assert (measured(controls[rule], "worst_group_accuracy").value == worst).all()


@pytest.mark.parametrize("rule", ["achievable", "simple"])
def test_networks_of_one_rule_agree_across_rotations(controls, rule):
    rotations = controls[rule].stack.rotation
    assert not np.allclose(rotations[0], rotations[1])
    alike = measured(controls[rule], "seed_agreement", "none")
    assert alike.value.tolist() == [1, 1] and (alike.high == 1).all() and (alike.low < 1).all()


def test_pairs_are_neighbours_in_the_order_of_the_stack(subject, controls):
    # planted: the achievable network beside the simple one of another seed
    first, other = (controls[rule].stack for rule in ("achievable", "simple"))
    params = jax.tree.map(
        lambda a, b: np.stack([a[0], b[1], a[2], a[3]]), first.params, other.params
    )
    mixed = Subject(replace(first, params=params), n_certify=POINTS, confidence=CONFIDENCE)
    alike = measured(mixed, "seed_agreement", "none")
    assert alike.low[0] <= 0.95 <= alike.high[0] and alike.value[1] == 1


def test_what_the_architecture_could_compute_does_not_depend_on_what_it_learned(subject, controls):
    assert (measured(subject, "control_risk", "achievable").value == 0).all()
    simple = measured(subject, "control_risk", "simple")
    np.testing.assert_array_equal(simple, measured(controls["simple"], "risk"))


@pytest.mark.thorough
def test_islands_are_those_of_what_was_fitted(stack, controls):
    subject = Subject(stack.some([0]), n_certify=POINTS, confidence=CONFIDENCE)
    values = measured(subject, "island_excess")
    assert values.value.shape == (1,) and values.low < values.value < values.high
    # the simple network labels every exception wrongly, so it keeps no label anywhere
    none = Subject(controls["simple"].stack.some([0]), n_certify=POINTS, confidence=CONFIDENCE)
    assert measured(none, "island_excess").value == 0


@pytest.mark.thorough
def test_excess_is_over_what_can_be_achieved_where_nothing_can_be_perfect():
    # the only coordinate that tells anything is noisy: its rule has no excess, though it errs
    laws = (blocks.linear(noise=0.1), blocks.slab(5, noise=1.0))
    task = BlockTask("noisy-linear", {"dim": 2, "noise": 0.1}, laws, (0,))
    assert achievable_risk(task) == pytest.approx(0.05)
    cell = replace(CELL, task=task)
    subject = Subject(control(cell, "simple", seeds=2), n_certify=POINTS, confidence=CONFIDENCE)
    assert encloses(measured(subject, "risk"), 0.05)
    assert encloses(measured(subject, "excess_risk"), 0)
    trace = np.zeros((2, len(TRACE)), np.float32)
    trace[:, TRACE.index("updates")] = 50, 100
    selected = [[0.93, 0.945], [0.93, 0.939]]
    traced = with_select(replace(subject.stack, traces=(trace,) * 2), selected)
    reached = measured(Subject(traced, n_certify=1, confidence=0.9), "transition_updates")
    assert reached.value.tolist() == [100, np.inf]


# -- along training ---------------------------------------------------------------------------


def test_a_transition_is_the_first_check_from_which_on_the_error_stays_low(stack):
    by_hand = with_select(
        stack,
        [
            [0.9, 0.995, 0.995, 1.0],
            [0.995, 0.9, 0.995, 0.995],  # came back once
            [0.995, 0.995, 0.995, 0.985],  # and once at the very end
            [0.9, 0.9, 0.9, 0.995],
        ],
    )
    values = measured(Subject(by_hand, n_certify=1, confidence=0.9), "transition_updates")
    assert values.value.tolist() == [100, 150, np.inf, 200]
    np.testing.assert_array_equal(values.low, values.value)


def test_a_network_without_checks_has_no_transition(controls):
    assert np.isinf(measured(controls["achievable"], "transition_updates").value).all()


def test_the_best_check_is_the_network_as_it_was_there(stack):
    best = stopped(stack)
    for i, (seed, updates) in enumerate(zip(stack.seeds, BEST, strict=True)):
        assert int(stack.traces[i][np.argmax(stack.traces[i][:, 3]), 0]) == updates
        pair = [seed, (seed + 2) % SEEDS]  # two networks a call, as in training
        earlier = replay(CELL, updates, seeds=pair)
        for own, other in zip(
            jax.tree.leaves(best.params), jax.tree.leaves(earlier.params), strict=True
        ):
            np.testing.assert_array_equal(own[i], other[0])
    assert best.seeds == stack.seeds
    np.testing.assert_array_equal(best.rotation, stack.rotation)


def test_of_equally_good_checks_the_first_is_the_best(stack, monkeypatch):
    asked = []

    def earlier(given, updates):
        asked.append(list(updates))
        return given

    monkeypatch.setattr(stopping, "replayed", earlier)
    tied = with_select(
        stack, [[0.9, 0.95, 0.95, 0.9], [0.9] * 4, [0.9, 0.9, 0.9, 1], [0.9, 0.95, 0.9, 0.95]]
    )
    stopped(tied)
    assert asked == [[100, 50, 200, 100]]


def test_early_stopping_gains_what_the_last_check_errs_more(subject, stack):
    gain = measured(subject, "early_stopping_gain")
    # by other points: the two risks, each with its own interval
    last, best = measured(subject, "risk"), validate(stopped(stack), n_certify=POINTS).risk
    assert (last.low - best.high <= gain.value).all() and (gain.value <= last.high - best.low).all()
    points = measured(subject, "early_stopping_difference")
    assert [part.shape for part in points] == [(POINTS,)] * 3
    assert set(np.unique(points.value)) <= {-1, 0, 1}
    np.testing.assert_array_equal(points.low, points.high)
    assert points.value.mean() == pytest.approx(gain.value[0])


def test_a_network_whose_last_check_is_its_best_gains_nothing(stack):
    last = Subject(
        with_select(stack, [[0.9, 0.9, 0.9, 0.95]] * SEEDS), n_certify=POINTS, confidence=0.9
    )
    gain = measured(last, "early_stopping_gain")
    assert (gain.value == 0).all() and encloses(gain, 0)
    assert (measured(last, "early_stopping_difference").value == 0).all()


def test_points_of_a_network_come_in_no_order(stack, controls, monkeypatch):
    # planted: the last check follows the simple rule, the best one the achievable one
    simple, achievable = (controls[rule].stack for rule in ("simple", "achievable"))
    monkeypatch.setattr(learned, "stopped", lambda stack: achievable)
    subject = Subject(simple, n_certify=POINTS, confidence=CONFIDENCE)
    values = measured(subject, "early_stopping_difference").value
    errors = int(values.sum())
    assert errors == np.count_nonzero(values)
    assert abs(errors - 0.05 * POINTS) < 4 * np.sqrt(0.05 * 0.95 * POINTS)
    # in any quarter about a quarter of them: hypergeometric, four standard deviations
    for quarter in values.reshape(4, -1):
        assert abs(quarter.sum() - errors / 4) <= 4 * np.sqrt(errors * 3 / 16)
    np.testing.assert_array_equal(values, measured(subject, "early_stopping_difference").value)


# -- held-out points --------------------------------------------------------------------------


def fewest_by_hand(risk, error, most):
    """The least m at which floor(m risk) errors or more have probability < .05 under the error."""
    m = np.arange(1, most)
    k = np.floor(m * risk + 1e-9)
    return m[np.argmax(binom.sf(k - 1, m, error) < 0.05)]


@pytest.mark.parametrize(
    ("risk", "error"),
    [
        (0.05, 0.01),
        (0.05, 0.02),
        (0.05, 0.04),
        (0.04, 0.01),
        (0.3, 0.1),
        (1 / 3, 0.25),
        (0.011, 0.008),
        (0.5, 0.45),
        (1.0, 0.5),
        (1.0, 0.01),
    ],
)
def test_the_fewest_points_that_exclude_an_error_are_found(risk, error):
    assert points_to_exclude(risk, error) == fewest_by_hand(risk, error, 20_000)


def test_an_error_of_0_is_excluded_by_the_first_error():
    assert points_to_exclude(0.05, 0) == 20 and points_to_exclude(1.0, 0) == 1


@pytest.mark.thorough
def test_no_number_of_points_excludes_an_error_that_is_not_exceeded():
    for risk, error in ((0.01, 0.01), (0.005, 0.01), (0.0, 0.0), (0.05, 0.9)):
        assert points_to_exclude(risk, error) == np.inf
    # the standard error at ten million points is 3e-5
    assert points_to_exclude(0.01 + 1e-6, 0.01) == np.inf


def test_a_larger_risk_needs_fewer_points(subject):
    risk, needed = measured(subject, "risk"), measured(subject, "held_out_points", 0.01)
    for limit, other in (
        (needed.value, risk.value), (needed.low, risk.high), (needed.high, risk.low)
    ):  # fmt: skip
        assert limit.tolist() == [points_to_exclude(r, 0.01) for r in other]
    steps = [points_to_exclude(r, 0.01) for r in np.linspace(0.012, 1, 200)]
    assert (np.diff(steps) <= 0).all()


# -- weights ----------------------------------------------------------------------------------


def with_first_layer(stack, weight):
    """The stack with first-layer weights given by unrotated coordinate, (dim, width)."""
    params = jax.tree.map(np.copy, stack.params)
    for i, turn in enumerate(stack.rotation):
        params["layers"][0]["kernel"][i] = turn.T @ weight
    return replace(stack, params=params)


def test_the_weight_ratio_is_read_before_rotation(controls):
    weight = np.ones((4, 16))
    weight[0] = np.repeat([3.0, 4.0], 8)  # root mean square: sqrt(12.5)
    weight[1:] = [[2.0], [1.0], [0.5]]  # sqrt(5.25 / 3)
    stack = with_first_layer(controls["simple"].stack, weight)
    values = measured(Subject(stack, n_certify=1, confidence=0.9), "log_weight_ratio")
    np.testing.assert_allclose(values.value, 0.5 * np.log(12.5 / 1.75), rtol=1e-5)
    np.testing.assert_array_equal(values.low, values.high)


@pytest.mark.thorough
def test_normal_coordinates_are_no_slabs():
    cell = Cell(tasks.get("lsn", dim=4), MLP(16, 1), sgd(), n_train=20, batch=10)
    weight = np.full((4, 16), 100.0)
    weight[0], weight[1] = 6, 2
    stack = with_first_layer(control(cell, "simple"), weight)
    values = measured(Subject(stack, n_certify=1, confidence=0.9), "log_weight_ratio")
    np.testing.assert_allclose(values.value, np.log(3), rtol=1e-4)


# -- bounds -----------------------------------------------------------------------------------


def test_bounds_are_those_that_are_evaluated(subject, stack):
    every = evaluate(stack, delta=DELTA, bounds=NAMES, n_certify=POINTS, confidence=CONFIDENCE)
    for name in NAMES:
        own = [each for each in every if each.record.bound == name]
        values = [np.nan if each.record.value is None else each.record.value for each in own]
        valid = [np.nan if each.valid is None else float(each.valid) for each in own]
        np.testing.assert_array_equal(measured(subject, "bound_value", name).value, values)
        np.testing.assert_array_equal(measured(subject, "bound_valid", name).value, valid)
    assert (measured(subject, "bound_valid", "clopper-pearson").value == 1).all()


def test_an_inapplicable_bound_has_no_value_and_a_measure_none_to_violate(subject):
    assert np.isnan(measured(subject, "bound_value", "stability")).all()
    assert np.isnan(measured(subject, "bound_valid", "stability")).all()
    assert (measured(subject, "bound_value", "l2-norm").value > 0).all()
    assert np.isnan(measured(subject, "bound_valid", "l2-norm")).all()


def test_a_certificate_below_the_risk_is_violated_and_one_within_its_interval_may_be(
    subject, stack
):
    # planted: a value that the whole interval of the risk exceeds, and values within it
    by_network = dict(evaluations(subject))
    for seed, value in (
        (1, lambda each: (each.risk + each.risk_high) / 2),
        (2, lambda each: each.risk_low * 0.99),
        (3, lambda each: (each.risk_low + each.risk) / 2),
    ):
        each = by_network["occam", seed]
        by_network["occam", seed] = replace(each, record=replace(each.record, value=value(each)))
    planted = Subject(stack, n_certify=POINTS, confidence=CONFIDENCE)
    planted.shared("bounds", lambda: by_network)
    valid = measured(planted, "bound_valid", "occam")
    assert valid.value.tolist() == [1, 1, 0, 0]
    assert valid.low.tolist() == [1, 0, 0, 0] and valid.high.tolist() == [1, 1, 0, 1]


def test_a_bound_certifies_an_excess_risk_up_to_an_error_itself_and_a_measure_none(subject, stack):
    values = dict(evaluations(subject))
    achievable = CELL.task.truth.achievable_risk
    for seed, value in enumerate((achievable + 0.25, achievable + 0.2500001, 0.0, 5.0)):
        each = values["occam", seed]
        values["occam", seed] = replace(each, record=replace(each.record, value=value))
    planted = Subject(stack, n_certify=POINTS, confidence=CONFIDENCE)
    planted.shared("bounds", lambda: values)
    assert measured(planted, "certifies", "occam", 0.25).value.tolist() == [1, 0, 1, 0]
    assert measured(planted, "certifies", "occam", 0).value.tolist() == [0, 0, 1, 0]
    for name in ("stability", "l2-norm"):
        assert np.isnan(measured(subject, "certifies", name, 0.01)).all()


def test_sharpness_may_be_negative():
    # three weights a, b, c of 1 in a row and a bias that spoils them: the loss at the point 1 is
    # nearly 20 - a b c, whose curvature along (1, 1, 1) is -2, and nothing else curves as much
    layers = [Layer(np.ones((1, units)), np.zeros(units)) for units in (1, 1, 2)]
    layers[-1].weight[0, 0], layers[-1].bias[0] = 0, 20
    observed = Observed(layers=tuple(layers), x=np.ones((1, 1)), y=np.ones(1, int))
    (record,) = records(observed, bounds=["sharpness"])
    assert declared()["bound_value"].low <= record.value < -2


# -- where a quantity cannot be measured ------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "given", "change", "words"),
    [
        ("shifted_accuracy", ("margin",), {"task": tasks.get("ms-7", dim=4)}, "simple set"),
        ("seed_agreement", ("gaps",), {"task": tasks.get("lsn", dim=4)}, "gaps"),
        ("control_risk", ("simple",), {"task": tasks.get("ms-7", dim=4)}, "no simple rule"),
        ("control_risk", ("achievable",), {"network": MLP(4, 1)}, "width: got 4"),
        ("control_risk", ("achievable",), {"network": MLP(16, 1, "tanh")}, "MLP of relu units"),
        ("island_excess", (), {"task": tasks.get("ms-7", dim=4)}, "a task with a simple set"),
        ("log_weight_ratio", (), {"network": MLP(16, 1, "tanh")}, "an MLP of relu units"),
        ("bound_value", ("occam",), {"task": tasks.get("lsn", dim=4)}, "slab and linear"),
        ("certifies", ("occam", 0.01), {"task": tasks.get("lsn", dim=4)}, "slab and linear"),
    ],
)
@pytest.mark.thorough
def test_a_cell_on_which_a_quantity_has_no_meaning_is_known_before_training(
    name, given, change, words
):
    suits = declared()[name].suits
    suits(CELL, *given)
    with pytest.raises(ValueError, match=words):
        suits(replace(CELL, **change), *given)


@pytest.mark.parametrize(
    ("task", "unmet"),
    [
        ("noisy-lms-7", ("", "", "")),
        ("lms-5", ("", "", "no exceptions")),
        ("ms-7", ("", "no simple set", "no simple set")),
        ("xor", ("no independent coordinates", "no simple set", "no simple set")),
    ],
)
def test_why_a_column_is_empty_is_the_first_need_that_the_cell_lacks(task, unmet):
    cell = replace(CELL, task=tasks.get(task, dim=4))
    names = ("s_randomised_accuracy", "simple_agreement", "memorised")
    assert tuple(declared()[name].lacking(cell) for name in names) == unmet


@pytest.mark.parametrize("name", ("dim", "n_train", "batch", "width", "depth"))
def test_a_cell_has_at_least_one_of_what_it_counts(name):
    assert parse("q", f"1 / {name}", quantities=declared()).range() == (0, 1)
