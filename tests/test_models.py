"""Any classifier goes where a trained network goes: validated, drawn, shifted, on grids."""

import sys
from dataclasses import replace

import jax
import numpy as np
import pytest

import simbias
from simbias import plots, tasks, validate
from simbias.bounds import BoundValue, bound, evaluate
from simbias.models import classifier, edited, ensemble, panel, quantised
from simbias.tasks.oracle import achievable_rule, simple_rule
from simbias.tasks.shifts import shifted
from simbias.validation import measure_grids, measure_islands

FIRST, COUNTS = [-0.484836, -0.706457, -0.009454, 0.064117], (54, 6)
TASK = tasks.get("noisy-lms-7", dim=4)
N = 20_000  # a whole chunk: a part of one would be compiled apart
GRID = {"resolution": 21, "contexts": 4, "planes": 1, "coordinates": [2]}


@pytest.fixture(scope="module")
def data():
    return simbias.data(TASK, n_train=600, seed=3)


def rule_of(data, rule, answer):
    """A callable that knows the truth: a rule on unrotated points."""
    return lambda x: answer(rule(np.asarray(x, np.float64) @ np.float64(data.rotation).T))


def column(labels):
    return (labels - 0.5)[:, None]


def two(labels):
    return np.stack([-labels, labels], axis=1)


# data


def test_a_data_set_is_drawn_from_the_law_and_turned(data):
    plain = data.x @ data.rotation.T
    np.testing.assert_allclose(data.rotation @ data.rotation.T, np.eye(4), atol=1e-5)
    assert data.x.dtype == np.float32 and data.x.shape == (600, 4) and data.y.shape == (600,)
    assert np.array_equal(achievable_rule(TASK)(plain), data.y)
    assert np.array_equal(simple_rule(TASK)(plain) != data.y, data.exception)
    assert 10 < data.exception.sum() < 60


def test_a_data_set_hangs_from_task_and_seed_alone(data):
    again, other = (simbias.data(TASK, n_train=600, seed=seed) for seed in (3, 4))
    assert np.array_equal(again.x, data.x) and not np.array_equal(again.x, other.x)
    noisier = simbias.data(tasks.get("noisy-lms-7", dim=4, noise=0.2), n_train=600, seed=3)
    assert not np.array_equal(noisier.rotation, data.rotation)


def test_draws_of_a_fixed_data_set_are_the_recorded_ones(data):
    assert data.x[0].tolist() == pytest.approx(FIRST, abs=1e-5)
    assert (int(data.y[:100].sum()), int(data.exception[:100].sum())) == COUNTS


# callables


@pytest.mark.parametrize("answer", [np.asarray, column, two, lambda y: column(y)[:, 0]])
def test_a_callable_that_knows_the_rule_is_the_positive_control(data, answer):
    report = validate(rule_of(data, achievable_rule(TASK), answer), data, n_certify=N)
    assert report.seeds == (3,) and report.faults == ("",)
    assert report.risk.value == 0 and report.train_accuracy == 1
    assert report.achievable_agreement.value == 1 and report.exceptions.fitted.value == 1
    assert report.reliance.s_accuracy.value == 1 and 0.48 < report.reliance.sc_accuracy.value < 0.52
    assert report.exceptions.memorised.value == 0


def test_a_callable_that_follows_the_simple_rule_has_its_risk_and_memorises_nothing(data):
    report = validate(rule_of(data, simple_rule(TASK), column), data, n_certify=N)
    assert report.risk.low < 0.05 < report.risk.high and report.simple_agreement.value == 1
    assert report.exceptions.fitted.value == report.exceptions.fresh.value == 0
    assert report.exceptions.counts == data.exception.sum()
    assert report.train_accuracy == 1 - data.exception.mean()


def test_labels_have_no_auc_and_no_loss_and_the_report_says_why(data):
    report = validate(rule_of(data, simple_rule(TASK), np.asarray), data, n_certify=N)
    assert np.isnan(report.reliance.s_auc.value) and np.isnan(report.train_loss)
    assert report.unmeasured["s_auc"] == "labels have no order"
    assert report.unmeasured["train_loss"] == "labels are neither logits nor probabilities"
    scored = validate(rule_of(data, simple_rule(TASK), column), data, n_certify=N)
    assert scored.unmeasured.keys() == {"train_loss"} and scored.reliance.sc_auc.value > 0.9


def test_probabilities_have_the_cross_entropy_of_what_they_give_the_label(data):
    def sure(labels):
        return np.stack([0.9 - 0.8 * labels, 0.1 + 0.8 * labels], axis=1)

    model = classifier(rule_of(data, simple_rule(TASK), sure), kind="probabilities")
    wrong = data.exception.mean()
    expected = -(1 - wrong) * np.log(0.9) - wrong * np.log(0.1)
    assert validate(model, data, n_certify=N).train_loss == pytest.approx(expected)


def test_scores_that_are_not_finite_are_a_fault(data):
    report = validate(lambda x: np.where(x[:, 0] > 0, np.nan, 1.0), data, n_certify=N)
    (fault,) = report.faults
    assert fault.startswith("scores not finite on ") and fault.endswith(" of 600 training points")
    assert np.isnan(report.risk.value) and np.isnan(report.train_accuracy)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("forest", "^classifier: got 'forest', allowed: a callable"),
        (lambda x: x, "^classifier: got 'scores of 4 classes', allowed: 2 classes"),
        (lambda x: np.full(len(x), 2), "^classifier: got 'labels such as 2'"),
        (lambda x: np.zeros(3), "^classifier: got 'float64 of shape \\(3,\\)'"),
        (lambda x: np.full(len(x), "a"), "^classifier: got '<U1 of shape"),
    ],
)
def test_what_is_no_classifier_is_refused_in_one_line(data, model, words):
    with pytest.raises(ValueError, match=words) as error:
        validate(model, data, n_certify=N)
    assert "\n" not in str(error.value)


def test_a_classifier_needs_data_and_a_stack_takes_no_other(trained, data):
    with pytest.raises(ValueError, match="allowed: a Stack, or a classifier and its data$"):
        validate(lambda x: x[:, 0])
    with pytest.raises(ValueError, match="^data: got '1 data sets, of seeds \\[3\\]', allowed: t"):
        validate(trained, data)
    with pytest.raises(ValueError, match="^data: got '4 data sets, .*', allowed: those that the"):
        validate(trained, [simbias.data(trained.cell.task, 3999, seed) for seed in range(4)])


def test_a_stack_was_trained_on_the_data_sets_that_anyone_is_given(trained):
    sets = [simbias.data(trained.cell.task, 4000, seed) for seed in trained.seeds]
    for own, data_set in zip(panel(trained).data, sets, strict=True):
        np.testing.assert_array_equal(own.x, data_set.x)
        np.testing.assert_array_equal(own.y, data_set.y)
        np.testing.assert_array_equal(own.rotation, data_set.rotation)
    assert panel(trained, sets).seeds == trained.seeds


# stacks


@pytest.mark.thorough
def test_a_member_that_answers_for_itself_meets_the_points_of_the_compiled_program(trained):
    own = panel(trained)
    asked = [lambda x, member=member: member.scores(x) for member in own.members]
    compiled, host = validate(trained, n_certify=N), validate(asked, own.data, n_certify=N)
    for name in ("risk", "simple_agreement", "achievable_agreement"):
        member, other = (getattr(report, name).value for report in (compiled, host))
        np.testing.assert_allclose(member, other, atol=2 / N)  # sums may round otherwise
    np.testing.assert_allclose(compiled.reliance.s_auc.value, host.reliance.s_auc.value, atol=1e-4)
    assert np.array_equal(compiled.exceptions.counts, host.exceptions.counts)
    grids = [
        measure_grids(member, sets, **GRID) for member, sets in ((trained, None), (asked, own.data))
    ]
    np.testing.assert_allclose(grids[0].given, grids[1].given, atol=0.51)
    assert np.mean(grids[0].given != grids[1].given) < 1e-3
    assert np.isnan(grids[1].counts).all() and not np.isnan(grids[0].counts).any()


@pytest.mark.thorough
def test_a_stack_is_asked_about_its_own_data_whichever_way(trained):
    own = panel(trained).data
    whole, other = validate(trained, n_certify=N), validate(trained, own, n_certify=N)
    assert np.array_equal(whole.risk.value, other.risk.value)


@pytest.mark.slow
def test_a_stack_moved_to_another_task_is_refused(trained):
    cell = trained.cell
    moved = replace(trained, cell=replace(cell, task=shifted(cell.task, "margin")))
    for ask in (validate, measure_grids, plots.boundary, evaluate, measure_islands):
        with pytest.raises(ValueError, match="seed 0: its training set cannot be drawn again"):
            ask(moved)


def test_under_a_shift_only_the_achievable_rule_is_right(data):
    simple, best = (rule_of(data, rule(TASK), column) for rule in (simple_rule, achievable_rule))
    assert validate(best, data, shift="margin", n_certify=N).risk.value == 0
    report = validate(simple, data, shift="margin", n_certify=N)
    assert report.risk.low < 0.5 < report.risk.high and report.train_accuracy > 0.9
    assert report.simple_agreement.value == 1  # the rule stays that of the task
    with pytest.raises(ValueError, match="^shift: unknown name"):
        validate(simple, data, shift="sideways")


# other tasks


@pytest.mark.thorough
def test_three_classes_of_points_of_ones_own_are_told_by_any_learner():
    random = np.random.default_rng(0)
    y = random.integers(0, 3, 4000)
    centres = 3 * np.eye(3)[:, :2]
    task = tasks.ArrayTask("blobs", random.normal(size=(4000, 2)) + centres[y], y)

    def nearest(x):
        return -((x[:, None] - centres) ** 2).sum(axis=2) / 2

    own = simbias.data(task, n_train=600, seed=0)
    model = classifier(nearest, kind="logits", classes=3)
    report, labels = (
        validate(learner, own) for learner in (model, lambda x: nearest(x).argmax(axis=1))
    )
    rows = task.draw(task.law(jax.random.key(0)), jax.random.key(1), "certify", 10**6)
    wrong = np.mean(nearest(np.asarray(rows.x)).argmax(axis=1) != rows.y)
    assert report.risk.value == labels.risk.value and report.risk.value[0] == pytest.approx(wrong)
    assert report.n_certify == len(rows.y) == 800 and 0.05 < wrong < 0.2
    proportions = np.exp(nearest(own.x.astype(float)))
    proportions /= proportions.sum(axis=1, keepdims=True)
    assert report.train_loss[0] == pytest.approx(-np.log(proportions[np.arange(600), own.y]).mean())
    (held,) = evaluate(model, own, bounds=["clopper-pearson"])
    assert held.valid and wrong < held.record.value < wrong + 0.1
    with pytest.raises(ValueError, match="^n_train: got 2401, allowed: at most 2400, the points"):
        simbias.data(task, n_train=2401)


# copies


@pytest.mark.thorough
def test_an_ensemble_asks_each_network_in_its_own_frame(trained):
    votes = ensemble(trained, seed=2)
    report, alone = (validate(data_set, n_certify=N) for data_set in (votes, trained))
    assert report.seeds == (2,) and report.risk.value < alone.risk.value.max()
    assert 0 < report.train_loss < 1
    (member,), (data_set,) = votes.members, votes.data
    x, own = data_set.x[:50], panel(trained)
    parts = [
        m.scores(x @ data_set.rotation.T @ d.rotation)
        for m, d in zip(own.members, own.data, strict=True)
    ]
    powers = np.exp(np.array(parts, np.float64))
    expected = (powers / powers.sum(axis=2, keepdims=True)).mean(axis=0)
    np.testing.assert_allclose(member.scores(x), expected, atol=1e-4)
    host = ensemble([classifier(m.scores, kind="logits") for m in own.members], own.data, seed=2)
    np.testing.assert_allclose(host.members[0].scores(x), expected, atol=1e-4)


@pytest.mark.thorough
def test_a_quantised_copy_of_many_bits_is_the_network_and_one_of_few_is_not(trained):
    risks = [validate(quantised(trained, bits=bits), n_certify=N).risk.value for bits in (16, 1)]
    np.testing.assert_allclose(risks[0], validate(trained, n_certify=N).risk.value, atol=2e-3)
    assert np.all(risks[1] > risks[0])
    values = panel(quantised(trained, bits=2)).members[0].params["layers"][0]["kernel"]
    assert len(np.unique(values)) == 4


@pytest.mark.thorough
def test_activations_that_are_cut_leave_the_last_bias(trained):
    cut = edited(trained, lambda h: 0 * h)
    last = [member.params["layers"][1]["bias"] for member in cut.members]
    labels = [bias[1] > bias[0] for bias in last]
    report = validate(cut, n_certify=N)
    y = [data_set.y.mean() for data_set in cut.data]
    np.testing.assert_allclose(report.train_accuracy, np.where(labels, y, 1 - np.array(y)))
    same = validate(edited(trained, lambda h: h), n_certify=N)
    assert np.array_equal(same.risk.value, validate(trained, n_certify=N).risk.value)


def test_copies_that_cannot_be_made_are_refused(trained, data):
    model = classifier(lambda x: x[:, 0])
    with pytest.raises(ValueError, match="^classifier: got '<lambda>', allowed: networks, which"):
        quantised(model, data)
    with pytest.raises(ValueError, match="^classifier: got 'scores of <lambda>'"):
        ensemble(model, data)
    with pytest.raises(ValueError, match="^layer: got 1, allowed: an integer in \\[0, 0\\]$"):
        edited(trained, abs, layer=1)


# figures


def test_a_callable_is_drawn_with_its_training_set_on_top(data):
    model = classifier(rule_of(data, simple_rule(TASK), column), label="simple rule")
    shown = plots.boundary(model, data, resolution=45, contexts=8)
    assert shown.name.endswith("classifier simple rule, seed 3") and shown.what == "training points"
    assert shown.agreement("simple") > 0.98 and len(shown.points.label) == 600
    assert "0% of" in shown.finding and len(shown.learned) == 1
    shown.plot()
    assert "the classifier says +" in [ax.get_ylabel() for ax in shown.figure_.axes][1]


# other libraries


class Fitted:
    """A fitted estimator of another library, by its methods alone."""

    classes_ = np.array([1, 0])

    def predict_proba(self, x):
        p = 1 / (1 + np.exp(-x[:, :1]))
        return np.concatenate([p, 1 - p], axis=1)


def test_columns_of_an_estimator_are_its_classes():
    x = np.linspace(-1, 1, 20, dtype=np.float32)[:, None]
    for model in (Fitted(), Fitted().predict_proba):
        member = classifier(model)
        assert (member.kind, member.label) == ("probabilities", "Fitted")
        assert np.array_equal(member.scores(x).argmax(axis=1), (x[:, 0] > 0).astype(int))
    fitted = Fitted()
    fitted.classes_, fitted.predict_proba = np.array([0]), lambda x: np.ones((len(x), 1))
    assert not classifier(fitted).scores(x).argmax(axis=1).any()  # it has seen label 0 alone
    fitted.classes_ = np.array([0, 2])
    with pytest.raises(ValueError, match=r"^classes: got \[0, 2\], allowed: labels in \[0, 1\]$"):
        classifier(fitted)


def test_a_random_forest_is_a_classifier(data):
    ensemble_ = pytest.importorskip("sklearn.ensemble")
    forest = ensemble_.RandomForestClassifier(30, random_state=0).fit(data.x, data.y)
    report = validate(forest.predict_proba, data, n_certify=N)
    assert report.train_accuracy > 0.99 and 0.01 < report.risk.value < 0.2
    assert np.isfinite(report.train_loss) and report.exceptions.memorised.value > 0.3
    assert np.array_equal(validate(forest, data, n_certify=N).risk.value, report.risk.value)
    assert measure_grids(forest, data, **GRID).simple_agreement.value[0, 0, 0] > 0.8
    shown = plots.boundary(forest, data, resolution=12, contexts=8)
    assert "RandomForestClassifier" in shown.name and shown.points.fitted.mean() > 0.99


def test_a_torch_module_is_asked_in_evaluation_mode_and_left_as_it_was(data):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    layers = [torch.nn.Linear(4, 50), torch.nn.ReLU(), torch.nn.Dropout(0.5)]
    module = torch.nn.Sequential(*layers, torch.nn.Linear(50, 2))
    optimiser = torch.optim.Adam(module.parameters(), 0.01)
    x, y = torch.tensor(data.x), torch.tensor(data.y).long()
    for _ in range(100):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(module(x), y).backward()
        optimiser.step()
    layers[1].eval()  # frozen by its user
    report = validate(module, data, n_certify=2000)
    assert report.risk.value < 0.15 and 0 < report.train_loss < 0.4
    again = validate(module, data, n_certify=2000)
    assert np.array_equal(report.risk.value, again.risk.value)  # dropout is off
    assert module.training and not layers[1].training and not report.faults[0]
    assert plots.boundary(module, data, resolution=12, contexts=8).points.fitted.mean() > 0.85


def test_no_library_is_imported_for_a_classifier_that_is_not_of_it(data, monkeypatch):
    for name in ("sklearn", "torch", "pandas"):
        monkeypatch.setitem(sys.modules, name, None)
    assert validate([lambda x: x[:, 0]], data, n_certify=N).faults == ("",)
    assert classifier(Fitted()).kind == "probabilities"


# bounds


@pytest.mark.thorough
def test_a_bound_of_another_package_is_compared_with_the_copy_that_it_returns(trained, monkeypatch):
    class Coin:
        label, kind, stochastic = "coin", "labels", True

        def scores(self, x, key):
            heads = np.asarray(jax.random.bernoulli(key, shape=(len(x),)))
            return np.stack([~heads, heads], axis=1).astype(float)

    @bound("coin", family="toy", certifies="a stochastic network", constants="none needed")
    def coin(observed, delta):
        """Half of all points."""
        return BoundValue(0.5, {}, classifier=Coin())

    monkeypatch.setattr("simbias.bounds.evaluation.registered_bound", lambda name: coin)
    first, other = evaluate(trained.some([0, 1]), bounds=["occam"], n_certify=N)
    assert 0.48 < first.risk < 0.52 and first.risk_low < 0.5 < first.risk_high and first.valid
    assert first.risk != other.risk and not first.own_risk


@pytest.mark.thorough
def test_an_ensemble_a_quantised_copy_and_a_callable_are_certified(trained, data):
    for subject, own in (
        (ensemble(trained), None),
        (quantised(trained.some([1]), bits=6), None),
        (rule_of(data, simple_rule(TASK), column), data),
    ):
        (evaluation,) = evaluate(subject, own, bounds=["beta-binomial"], n_certify=N)
        held = evaluation.record.assumptions[0].detail
        assert evaluation.valid and evaluation.risk < evaluation.record.value < 0.3, held
