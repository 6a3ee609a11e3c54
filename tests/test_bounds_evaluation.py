"""Bounds beside the exact risk of the classifier that each certifies, and how a run keeps them.

Longer than 400 lines because one evaluation of a trained stack, which takes seconds, serves all of
it.
"""

import json
import shutil
from dataclasses import replace

import duckdb
import jax
import numpy as np
import pytest
import streams
from stores import put, stored

from simbias import MLP, losses, sgd, tasks, validate
from simbias.bounds import BOUNDS, Evaluation, Record, evaluate, observe, posterior
from simbias.bounds.compression import compress
from simbias.cli import main
from simbias.experiments import arrays, row_name
from simbias.results import Store
from simbias.results import bounds as kept
from simbias.tables.bounds import bounds_table
from simbias.training import Cell
from simbias.training.jobs import Job
from simbias.training.stop import End
from simbias.validation import control

pytestmark = pytest.mark.thorough

PAC_BAYES = ("pac-bayes-kl", "pac-bayes-disintegrated")
FEW = ("clopper-pearson", "vc-relative", "compression", *PAC_BAYES, "stability", "l2-norm")
POINTS = 20_000


@pytest.fixture(scope="module", autouse=True)
def few_steps():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(posterior, "STEPS", 500)
        patch.setattr(posterior, "PAIRS", 50_000)
        yield


@pytest.fixture(scope="module")
def evaluations(trained):
    return evaluate(trained, bounds=FEW, n_certify=POINTS)


def by_name(evaluations, name):
    return [each for each in evaluations if each.record.bound == name]


def evaluation(value, risk, *, kind="bound", certifies="this network"):
    constants = "" if kind == "measure" else "proved"
    reason = "" if value is not None else "unmet"
    log10 = None if value is None else float(np.log10(value))
    record = Record("b", "f", certifies, kind, constants, 0.05, value, log10, {}, (), reason)
    return Evaluation(record, 0, *risk)


def test_every_network_has_every_record_in_order(trained, evaluations):
    expected = [(seed, name) for seed in trained.seeds for name in FEW]
    assert [(each.seed, each.record.bound) for each in evaluations] == expected


def test_the_risk_of_the_network_is_the_validators(trained, evaluations):
    risk = validate(trained, n_certify=POINTS).risk
    for name in ("clopper-pearson", "vc-relative", "stability", "l2-norm"):
        own = by_name(evaluations, name)
        np.testing.assert_array_equal([each.risk for each in own], risk.value)
        np.testing.assert_array_equal([each.risk_low for each in own], risk.low)
        np.testing.assert_array_equal([each.risk_high for each in own], risk.high)


def test_a_compressed_network_is_compared_with_its_own_risk(trained, evaluations, forward):
    each = by_name(evaluations, "compression")[2]
    bits = int(each.record.terms["bits a weight"])
    codebook = "k-means" if each.record.terms["k-means"] else "uniform"
    layers = compress(observe(trained, 2).layers, bits, codebook).layers
    x, y = streams.points(trained.cell.task, trained.seeds[2], 50_000, "context")
    params = {"layers": {i: dict(kernel=w, bias=b) for i, (w, b) in enumerate(layers)}}
    logits = forward(params, np.asarray(x) @ trained.rotation[2])
    wrong = np.mean((logits[:, 1] > logits[:, 0]) != (np.asarray(y) == 1))
    assert each.risk == pytest.approx(wrong, abs=0.01)
    assert each.risk != by_name(evaluations, "vc-relative")[2].risk


def test_a_stochastic_network_is_compared_with_its_own_risk(evaluations):
    for each in by_name(evaluations, "pac-bayes-kl"):
        trained_error = each.record.terms["training error"]  # few parameters moved: no gap to see
        assert each.risk == pytest.approx(trained_error, abs=0.03)
        assert each.risk_low < each.risk < each.risk_high < each.record.value


def test_a_drawn_network_is_compared_with_its_own_risk(trained, evaluations, forward):
    each = by_name(evaluations, "pac-bayes-disintegrated")[2]
    copy = each.record.classifier
    x, y = streams.points(trained.cell.task, trained.seeds[2], 50_000, "context")
    logits = forward(copy.params, np.asarray(x) @ trained.rotation[2])
    wrong = np.mean((logits[:, 1] > logits[:, 0]) != (np.asarray(y) == 1))
    assert each.risk == pytest.approx(wrong, abs=0.01)
    assert each.risk not in (by_name(evaluations, name)[2].risk for name in FEW[1:4])
    assert not each.own_risk and each.risk_low < each.risk < each.risk_high < each.record.value


def test_no_bound_on_a_trained_network_is_refuted(evaluations):
    for each in evaluations:
        claims = each.record.kind != "measure" and each.record.applicable
        assert each.valid is (True if claims else None)


def test_answers_by_hand():
    risk = (0.1, 0.08, 0.125)
    good = evaluation(0.25, risk)
    assert (good.valid, good.vacuous) == (True, False)
    assert good.gap == pytest.approx(0.15) and good.tightness == pytest.approx(2)
    assert evaluation(0.5, risk).vacuous and evaluation(3.0, risk).valid
    # planted: a constant halved
    assert evaluation(0.05 * 1.4, risk).valid is False
    assert evaluation(0.09, risk).valid is True  # inside the interval: not refuted
    for nothing in (
        evaluation(3.0, risk, kind="measure", certifies="nothing"),
        evaluation(None, risk),
    ):
        assert (nothing.valid, nothing.vacuous, nothing.gap, nothing.tightness) == (None,) * 4
        assert nothing.risk == 0.1
    unknown = evaluation(0.2, (None,) * 3, certifies="a compressed network")
    assert unknown.valid is None and unknown.gap is None and unknown.vacuous is False
    assert evaluation(0.01, risk, certifies="an expectation").valid is None


def test_test_points_reused_for_training_are_caught():
    # the training error passed off as held out, on networks fitted to labels that are coin flips
    cell = Cell(tasks.get("ms-7", dim=40), MLP(50, 1), sgd(), n_train=30, batch=10)
    stack = control(cell, "achievable")
    observed = observe(stack, 0)
    weight = np.linalg.lstsq(observed.x, 2.0 * observed.y - 1, rcond=None)[0]
    kernel = np.zeros((1, 40, 50), np.float32)
    kernel[0, :, 0], kernel[0, :, 1] = weight, -weight
    last = np.zeros((1, 50, 2), np.float32)
    last[0, 0, 1], last[0, 1, 1] = 1, -1
    zeros = np.zeros((1, 50), np.float32), np.zeros((1, 2), np.float32)
    layers = {0: dict(kernel=kernel, bias=zeros[0]), 1: dict(kernel=last, bias=zeros[1])}
    stack = replace(stack, params={"layers": layers})
    honest = evaluate(stack, bounds=["clopper-pearson"], n_certify=POINTS)[0]
    assert honest.valid and honest.risk == pytest.approx(0.5, abs=0.02)
    observed = observe(stack, 0)
    assert observed.train_error == 0
    reused = replace(observed, held_out=type(observed.held_out)(0, 30))
    record = BOUNDS.factory("clopper-pearson")(reused)
    assert replace(honest, record=record).valid is False


def poisoned(trained):
    params = jax.tree.map(np.copy, trained.params)
    params["layers"][0]["kernel"][2, 0, :3] = np.nan
    return replace(trained, params=params)


@pytest.mark.parametrize(
    "change, message",
    (
        (dict(delta=0), r"^delta: got 0, allowed: a number in \(0, 1\)$"),
        (dict(delta=1.5), r"^delta: got 1.5, allowed: a number in \(0, 1\)$"),
        (dict(n_certify=0), "^n_certify: got 0, allowed: an integer >= 1$"),
        (dict(confidence=1), "^confidence: got 1"),
        (dict(bounds=["vc-additve"]), "^bound: unknown name 'vc-additve', nearest: vc-additive"),
        (dict(bounds="occam"), "^bounds: got 'occam', allowed: a list, each a str$"),
        (dict(bounds=[]), "^bounds: got "),
    ),
)
def test_bad_settings_are_refused_in_one_line(trained, change, message):
    with pytest.raises(ValueError, match=message):
        evaluate(trained, **change)


def test_what_is_no_stack_is_refused_in_one_line():
    with pytest.raises(ValueError, match="^learned: got 'run', allowed: a Stack, or a cl"):
        evaluate("run", bounds=["occam"], n_certify=100)


def test_a_network_of_bad_weights_is_inapplicable_and_the_others_are_as_without_it(
    trained, evaluations
):
    bad = replace(poisoned(trained), end=np.array([End.BUDGET, End.LOST, End.BUDGET, End.BUDGET]))
    names = [name for name in FEW if name not in PAC_BAYES]  # whose networks are apart elsewhere
    evaluations = [each for each in evaluations if each.record.bound in names]
    evaluated = evaluate(bad, bounds=names, n_certify=POINTS)
    assert [each.seed for each in evaluated] == [each.seed for each in evaluations]
    for each, before in zip(evaluated, evaluations, strict=True):
        if each.seed in (0, 3):
            assert each == before
    why = {
        2: "3 of 5302 weights not finite",
        1: "diverged: train loss over 100 times that of a guess",
    }
    for seed, reason in why.items():
        own = [each for each in evaluated if each.seed == seed]
        assert [each.record.bound for each in own] == names
        for each in own:
            assert each.record.reason.startswith(f"the network is a classifier: {reason}")
            assert each.record.value is each.risk is each.risk_low is each.risk_high is None
    assert kept.seeds_without_values(evaluated).keys() == {1, 2}
    alone = [each for each in evaluated if each.seed in (0, 3)]
    assert bounds_table(evaluated) == bounds_table(alone)
    networks, _ = kept.comparable([(trained.cell, evaluated)])
    assert [network.seed for network in networks] == [0, 3]


def test_without_initialisation_only_the_bounds_that_refer_to_it_are_inapplicable(
    trained, evaluations
):
    evaluated = evaluate(replace(trained, initial=None), bounds=FEW, n_certify=POINTS)
    for each, before in zip(evaluated, evaluations, strict=True):
        if each.record.bound in PAC_BAYES:
            assert each.record.reason == "the initialisation is stored: none given"
        else:
            assert each == before


def test_a_task_without_exact_risk_is_inapplicable():
    lsn = control(Cell(tasks.get("lsn"), MLP(8, 1), sgd(), n_train=100, batch=10), "simple")
    (each,) = evaluate(lsn, bounds=["occam"], n_certify=100)
    assert each.record.reason == "the risk is exact: lsn has 48 normal coordinates"
    assert each.risk is None and kept.seeds_without_values([each]) == {0: each.record.reason}


def test_another_architecture_is_inapplicable_beside_its_risk(trained):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("simbias.bounds.observed.MLP", Store)  # as if the stack's were none
        evaluated = evaluate(trained.some([1]), bounds=["occam", "hoeffding"], n_certify=POINTS)
    each, held_out = evaluated
    assert each.record.reason == "the network is an MLP: no layers"
    assert held_out.valid and held_out.record.value > each.risk
    assert each.risk == validate(trained, n_certify=POINTS).risk.value[1]
    assert kept.seeds_without_values([each]) == {}


def test_a_bound_that_fails_on_one_network_says_why_and_leaves_the_others(trained, monkeypatch):
    def fragile(observed, *, delta):
        if observed.held_out.errors == errors:
            raise ArithmeticError("beyond\n  float64")
        return BOUNDS.factory("clopper-pearson")(observed, delta=delta)

    errors = observe(trained, 2).held_out.errors
    others = [observe(trained, i).held_out.errors for i in (0, 1, 3)]
    assert errors not in others
    for name, value in vars(BOUNDS.factory("occam")).items():
        monkeypatch.setattr(fragile, name, value, raising=False)
    monkeypatch.setattr(fragile, "_record", BOUNDS.factory("occam")._record, raising=False)
    monkeypatch.setattr("simbias.bounds.evaluation.registered_bound", lambda name: fragile)
    evaluated = evaluate(trained, bounds=["occam"], n_certify=POINTS)
    assert [each.record.applicable for each in evaluated] == [True, True, False, True]
    assert evaluated[2].record.reason == "the value can be computed: beyond float64"
    assert evaluated[2].risk is not None


# -- in a run directory ---------------------------------------------------------------------


@pytest.fixture
def store(trained, tmp_path):
    return stored(trained, tmp_path / "run")


def test_a_row_for_every_network_and_bound_is_kept(trained, evaluations, store):
    request = kept.Request(trained.cell, trained.seeds, FEW, 0.05, POINTS, 0)
    path = request.path(store)
    assert path.parent == store.directory / "bounds"
    assert request._replace(delta=0.1).path(store) != path
    assert kept.read_bounds(store, request) is None
    kept.write_bounds(store, request, evaluations)
    assert kept.read_bounds(store, request) == evaluations
    assert not list(store.directory.rglob("*.tmp"))
    answer = duckdb.execute("SELECT * FROM read_parquet(?)", [str(path)])
    names = [column[0] for column in answer.description]
    assert names == [column.name for column in kept.COLUMNS]
    rows = [dict(zip(names, row, strict=True)) for row in answer.fetchall()]
    assert len(rows) == len(evaluations)
    for row, each in zip(rows, evaluations, strict=True):
        assert (row["seed"], row["bound"], row["value"]) == (
            each.seed,
            each.record.bound,
            each.record.value,
        )
        assert (row["risk"], row["valid"], row["gap"]) == (each.risk, each.valid, each.gap)
        assert json.loads(row["terms"]) == pytest.approx(dict(each.record.terms))
        assert len(json.loads(row["premises"])) == len(each.record.assumptions)
        assert (row["reason"] != "") == (row["value"] is None) == (row["bound"] == "stability")


def test_what_was_found_on_other_networks_or_by_other_versions_is_not_read(
    trained, evaluations, store, monkeypatch
):
    request = kept.Request(trained.cell, trained.seeds, FEW, 0.05, POINTS, 0)
    kept.write_bounds(store, request, evaluations)
    assert kept.read_bounds(store, request) == evaluations
    for name, value in (("EDITION", kept.EDITION + 1), ("versions", lambda: {"jax": "0"})):
        with monkeypatch.context() as patch:
            patch.setattr(kept, name, value)
            assert kept.read_bounds(store, request) is None
            assert len(kept.read_all(store)) == 1  # a figure may show what another version found
    with monkeypatch.context() as patch:
        patch.setattr(kept, "weights_of", lambda *_: None)
        kept.write_bounds(
            store, request, evaluations
        )  # as files were before the weights were noted
    assert kept.read_bounds(store, request) is None
    assert len(kept.read_all(store)) == 1

    kept.write_bounds(store, request, evaluations)
    tensors = arrays.tensors(trained, 0)
    tensors["seconds"] = np.asarray(tensors["seconds"] + 1)  # trained again, the same
    put(store, trained.cell, 0, tensors)
    assert kept.read_bounds(store, request) == evaluations
    tensors["params.layers.0.bias"] = np.nextafter(tensors["params.layers.0.bias"], np.float32(1))
    put(store, trained.cell, 0, tensors)
    assert kept.read_bounds(store, request) is None
    assert kept.read_all(store) == []


def test_a_network_whose_file_was_broken_is_bounded_once_it_can_be_read(trained, store):
    request = kept.Request(trained.cell, trained.seeds, FEW[:1], 0.05, POINTS, 0)
    path = store.weights_path(row_name(Job(trained.cell, trained.seeds[1])))
    sound = path.read_bytes()
    path.write_bytes(b"foreign")
    for _ in range(2):
        evaluated = kept.hold(store, request)
        assert [each.record.applicable for each in evaluated] == [True, False, True, True]
    path.write_bytes(sound)
    assert all(each.record.applicable for each in kept.hold(store, request))


def test_what_was_found_is_listed_down_to_one_record_and_past_a_file_that_is_no_table(
    trained, evaluations, store
):
    request = kept.Request(trained.cell, trained.seeds[:1], FEW[:1], 0.05, POINTS, 0)
    kept.write_bounds(store, request, evaluations[:1])
    request.path(store).with_name("0.parquet").write_text("no table")
    with pytest.warns(UserWarning, match="0.parquet cannot be used"):
        assert kept.read_all(store) == [(trained.cell, evaluations[:1])]


def test_terms_that_overflow_are_kept_as_text():
    each = evaluation(0.2, (0.1, 0.08, 0.125))
    record = replace(each.record, terms={"complexity": float("inf"), "n": 2.0})
    row = kept.bound_row(replace(each, record=record))
    assert json.loads(row["terms"]) == {"complexity": "inf", "n": 2.0}


def test_the_table_by_hand():
    first = evaluation(0.25, (0.1, 0.08, 0.125))
    lines = bounds_table([first, replace(first, seed=1), evaluation(0.75, (0.2, 0.15, 0.25))]).lines
    assert lines == [
        [
            "b",
            "bound",
            "this network",
            "0.25 (0.25 to 0.75)",
            "0.1 [0.08, 0.25]",
            "0.15",
            "yes",
            "1 of 3",
            "2",
        ]
    ]
    (pair,) = bounds_table([first, evaluation(0.75, (0.2, 0.15, 0.25))]).lines
    assert pair[3] == "0.5 (0.25 to 0.75)"
    (alone,) = bounds_table([first]).lines
    assert alone[3] == "0.25"
    (nothing,) = bounds_table([evaluation(None, (0.1, 0.08, 0.125))]).lines
    assert nothing[3:] == ["inapplicable", "0.1 [0.08, 0.125]", "", "", "", ""]
    (unknown,) = bounds_table([evaluation(None, (None,) * 3)]).lines  # no others: it has a line
    assert unknown[3:] == ["inapplicable", "", "", "", "", ""]


def test_the_verb_prints_a_table_and_writes_rows_and_a_figure(trained, store, capsys):
    few = [
        "--cores",
        "2",
        "--n-certify",
        str(POINTS),
        "--cell",
        "noisy-lms-7",
        "--bounds",
        "clopper-pearson",
        "occam",
    ]
    assert main(["bounds", str(store.directory), *few]) == 0
    out = capsys.readouterr().out
    assert trained.cell.name in out and "clopper-pearson" in out and "tightness" in out
    (path,) = (store.directory / "bounds").glob("*.parquet")
    count = duckdb.execute("SELECT count(*) FROM read_parquet(?)", [str(path)]).fetchone()
    assert count == (2 * len(trained),)
    figures = sorted(path.suffix for path in (store.directory / "figures").glob("bounds-*"))
    assert figures == [".csv", ".pdf", ".png"]
    drawn = {path: path.read_bytes() for path in (store.directory / "figures").iterdir()}
    shutil.rmtree(store.directory / "figures")
    assert main(["plot", str(store.directory), "--kind", "bounds"]) == 0
    assert {path: path.read_bytes() for path in (store.directory / "figures").iterdir()} == drawn


def test_the_verb_answers_bad_input_in_one_line(trained, store, capsys):
    def call(*options):
        code = main(["bounds", str(store.directory), "--cores", "2", *options])
        return code, capsys.readouterr().err

    assert call("--delta", "1.5") == (2, "simbias: delta: got 1.5, allowed: a number in (0, 1)\n")
    code, error = call("--bounds", "vc-additve")
    assert code == 2 and error.startswith("simbias: bound: unknown name 'vc-additve', nearest")
    code, error = call("--cell", "ms-7")
    assert code == 2 and error.startswith("simbias: cell: got 'ms-7', allowed: one of the trained")


def test_one_bad_network_of_a_run_does_not_stop_its_bounds(trained, store, capsys):
    def without(seed, part):
        name = row_name(Job(trained.cell, seed))
        tensors = {key: leaf for key, leaf in store.weights(name).items() if part not in key}
        put(store, trained.cell, seed, tensors)

    without(0, "initial")
    without(1, "params.layers.1.bias")
    names = ["occam", "distance-from-initialisation"]
    line = ["bounds", str(store.directory), "--cores", "2", "--n-certify", str(POINTS), "--bounds"]
    assert main([*line, *names]) == 0
    out = capsys.readouterr().out
    assert (
        f"left out: {trained.cell.name} seed 1: the network can be read: {trained.cell.name}" in out
    )
    assert "seed 1: tensor params.layers.1.bias: not in the file" in out
    _, rows = store.query("SELECT seed, bound, value, reason FROM bounds ORDER BY seed, bound")
    assert [(seed, bound) for seed, bound, _, _ in rows] == [
        (seed, bound) for seed in trained.seeds for bound in sorted(names)
    ]
    valued = {(seed, bound) for seed, bound, value, _ in rows if value is not None}
    assert valued == {(seed, bound) for seed in (2, 3) for bound in names} | {(0, "occam")}
    reasons = {(seed, bound): reason for seed, bound, _, reason in rows}
    assert reasons[0, "distance-from-initialisation"] == "the initialisation is stored: none given"
    # what could not be read is looked at again once it can
    put(store, trained.cell, 1, arrays.tensors(trained, 1))
    assert main([*line, *names]) == 0
    assert "left out" not in capsys.readouterr().out


def test_cells_that_only_their_training_tells_apart_stand_side_by_side(trained, evaluations):
    faster = replace(trained.cell, method=sgd(learning_rate=0.2))
    networks, _ = kept.comparable([(trained.cell, evaluations), (faster, evaluations)])
    assert {network.settings["learning_rate"] for network in networks} == {0.1, 0.2}
    softer = [replace(trained.cell, loss=losses.logistic(smoothing=much)) for much in (0.1, 0.2)]
    networks, _ = kept.comparable([(cell, evaluations) for cell in softer])
    assert {network.settings["loss.smoothing"] for network in networks} == {0.1, 0.2}
    larger = replace(trained.cell, network=MLP(50, 1))
    networks, _ = kept.comparable([(trained.cell, evaluations), (larger, evaluations)])
    assert not any("learning_rate" in network.settings for network in networks)


def test_the_order_in_which_bounds_are_named_is_no_part_of_a_request(trained, store):
    orders = (FEW, FEW[::-1])
    requests = [kept.Request(trained.cell, trained.seeds, f, 0.05, POINTS, 0) for f in orders]
    other = requests[0]._replace(bounds=FEW[:1])
    assert len({request.path(store) for request in requests}) == 1
    assert other.path(store) != requests[0].path(store)


def test_the_risk_that_networks_are_compared_by_is_their_own_not_that_of_a_copy(
    trained, evaluations
):
    copies_first = sorted(evaluations, key=lambda evaluation: evaluation.own_risk)
    assert not copies_first[0].own_risk and copies_first[0].risk is not None
    usual, other = (
        {network.seed: network.risk for network in kept.comparable([(trained.cell, order)])[0]}
        for order in (evaluations, copies_first)
    )
    own = {e.seed: e.risk for e in evaluations if e.record.bound == "clopper-pearson"}
    assert usual == other == own
