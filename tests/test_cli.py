"""The command line: exit codes, one-line errors, nothing written on bad input."""

import os
import shlex
import subprocess
import sys
from importlib.resources import files

import pytest
from command_line import call

from simbias import suites
from simbias._registry import Entry
from simbias.cli import main
from simbias.cli.parser import parse
from simbias.cli.program import VERBS
from simbias.cli.runs import _full_run
from simbias.registry import FIGURES
from simbias.results import Store, StoreError
from simbias.runner.execute import prepare
from simbias.runner.plan import make_plan

SMALL = (
    "n_train=500", "network.width=10", "network.depth=1", "stop.max_updates=100",
)  # fmt: skip


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    out = tmp_path_factory.mktemp("cli") / "run"
    code = main(
        ["run", "pitfalls", "--preset", "smoke", "--seeds", "1", "--out", str(out)]
        + ["--n-certify", "2000", "--set", *SMALL]
    )
    assert code == 0
    return out


def test_run_ends_with_the_table_the_figure_and_the_next_command(directory):
    options = ["--seeds", "1", "--n-certify", "2000", "--set", *SMALL]
    code, out, err = call("run", "pitfalls", "--preset", "smoke", "--out", directory, *options)
    assert code == 0 and not err
    assert "0 networks to compute" in out and "noisy-lms-7" in out
    figure = next(line for line in out.splitlines() if line.startswith("boundary figure: "))
    assert (directory / "figures" / figure.split("/")[-1]).is_file()
    (hint,) = [line for line in out.splitlines() if line.startswith("the full run: ")]
    words = shlex.split(hint.removeprefix("the full run: "))
    code, planned, _ = call(*words[words.index("run") :], "--dry-run")
    assert code == 0 and planned.startswith("pitfalls full: 2 networks\n")
    given = [f"--out={directory}-full", "--seeds=1", "--n-certify=2000"]
    pairs = [f"{word}={value}" for word, value in zip(words, words[1:], strict=False)]
    assert set(given) <= set(pairs) and words[words.index("--set") + 1 :] == list(SMALL)


@pytest.mark.thorough
def test_the_full_run_is_offered_only_where_it_would_start(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["my tools/simbias"])
    text = files("simbias.suites").joinpath("pitfalls.toml").read_text()
    (tmp_path / "a b.toml").write_text(text)
    (tmp_path / "small.toml").write_text(text.split("[presets.full]")[0])

    def hint(suite, out=None, *overrides):
        return _full_run(suite, out, None, overrides, None, None)

    assert hint("a b.toml") == ["'my tools/simbias' run 'a b.toml' --preset full"]
    assert hint("small.toml") == []  # no such preset
    assert hint("pitfalls", None, "n_train=10") == []  # fewer points than a batch
    (tmp_path / "run-full").write_text("")
    assert hint("pitfalls", tmp_path / "run") == []  # a file stands there
    plan = make_plan(suites.load("pitfalls"), "full", overrides=["task.dim=20"])
    prepare(plan, Store(tmp_path / "runs/pitfalls-full", create=True))
    assert hint("pitfalls") == []  # another run stands there
    assert len(hint("pitfalls", None, "task.dim=20")) == 1


def test_status_table_query_and_export_read_the_run(directory):
    code, out, _ = call("status", directory)
    assert code == 0 and out.count(": 1 ") == 2
    code, out, _ = call("table", directory)
    assert code == 0 and "test" in out and "95%" in out
    code, out, _ = call("query", directory, "select count(*) as networks from networks")
    assert code == 0 and out.split() == ["networks", "2"]
    for kind, head in [("csv", "suite,cell"), ("latex", "% mean"), ("parquet", "PAR1")]:
        code, out, _ = call("export", directory, "--format", kind)
        assert code == 0
        with open(out.strip(), "rb") as handle:
            assert handle.read(len(head)).decode() == head


@pytest.mark.thorough
def test_plot_writes_every_kind_with_its_data(directory):
    code, out, err = call("plot", directory)
    assert (code, err) == (0, "")  # nothing of figures that it cannot be of
    names = [line.split("/")[-1] for line in out.splitlines()]
    assert {"boundary", "training", "table"} <= set(FIGURES.names())
    # which this run has nothing for
    absent = {
        "phase", "bounds", "discrimination", "certify", "preference", "claims", "leaderboard",
        "reproduction", "lineages", "tails", "threshold", "degradation", "noise", "compute",
        "personas", "doses", "effects", "decoded", "alike", "seeds",
    }  # fmt: skip
    for kind in set(FIGURES.names()) - {"islands", "visibility", *absent}:
        for suffix in (".png", ".pdf", ".csv"):
            assert any(name.startswith(kind) and name.endswith(suffix) for name in names), kind
    for kind in absent:
        code, out, err = call("plot", directory, "--kind", kind)
        assert (code, out, err.count("\n")) == (2, "", 1) and f"{directory}, which has no" in err


@pytest.mark.thorough
def test_a_figure_of_another_package_that_is_at_fault_is_left_out_alone(directory, monkeypatch):
    entries = {"lost": Entry("no_such_module:lost", "")}
    monkeypatch.setitem(FIGURES.__dict__, "_installed", entries)
    code, out, err = call("plot", directory)
    assert code == 0 and "boundary" in out and "no lost figure: figure: plug-in 'lost'" in err
    code, _, err = call("plot", directory, "--kind", "lost")
    assert code == 2 and "cannot be imported" in err
    code, _, err = call("plot", directory, "--kind", "boundry")
    assert code == 2 and "kind: unknown name 'boundry', nearest: boundary" in err


def test_list_and_info_know_every_registered_name():
    from simbias.registry import REGISTRIES

    code, out, _ = call("list")
    names = [name for registry in REGISTRIES.values() for name in registry.entries()]
    names += ["conclusion-4", "theorem-1"]
    assert code == 0 and all(f"  {name} " in out for name in names)
    for name in names:
        code, out, _ = call("info", name)
        assert code == 0 and name in out


def test_a_list_of_methods_has_what_each_costs_and_uses(monkeypatch):
    from simbias._registry import Entry
    from simbias.registry import METHODS

    monkeypatch.setitem(METHODS._builtin, "unwell", Entry("no_such_library:unwell", "is not well"))
    code, out, err = call("list", "methods")
    lines = {" ".join(line.split()) for line in out.splitlines()}
    summary = METHODS.entries()["sgd"].summary
    assert code == 0 and f"sgd {summary}; 1 gradient evaluation an update" in lines
    assert "unwell is not well" in lines and "no_such_library" in err


def test_a_list_of_claims_has_every_claim_with_its_title():
    from simbias.claims import builtin

    code, out, _ = call("list", "claims")
    lines = {" ".join(line.split()) for line in out.splitlines()}
    assert code == 0 and lines == {"claims", *(f"{c.id} {c.title}" for c in builtin().values())}


def test_info_shows_claims_and_the_files_of_suites_and_claims(tmp_path):
    _, out, _ = call("info", "conclusion-4")
    for words in (
        "claims: P(excess_risk <= 0.01) >= 0.95",
        "at most 190",
        "holm over 4",
        "level 0.025",
    ):
        assert words in out
    for name, words in [
        ("claims/builtin/shift.toml", "shift-margin-lms-5"),
        ("suites/phase.toml", "full"),
    ]:
        path = tmp_path / name.split("/")[-1]
        path.write_text(files("simbias").joinpath(name).read_text())
        code, out, _ = call("info", path)
        assert code == 0 and words in out
    code, _, err = call("info", tmp_path / "absent.toml")
    assert code == 2 and "absent.toml cannot be read: no such file" in err


def test_info_shows_the_exact_ground_truth():
    _, out, _ = call("info", "noisy-lms-7")
    assert "risk of the simple rule: 0.05\n" in out and "achievable risk: 0\n" in out
    assert "0.5, 0.625, 0.75, 0.84375, 0.9375, 0.96875, 1\n" in out


def test_info_shows_what_is_known_of_a_task_without_blocks():
    code, out, _ = call("info", "xor")
    assert code == 0
    assert out == (
        "xor: exclusive or of two slab coordinates\n"
        "settings: dim = 10, slabs = 2, margin = .1, noise = 0\n"
        "shape of an input: [10]; classes: 2\n"
        "risk of the simple rule: not known\n"
        "achievable risk: 0\n"
    )


@pytest.mark.parametrize("words", [("run", "pitfalls"), ("tune", "mitigation")])
@pytest.mark.thorough
def test_dry_run_prints_the_plan_and_writes_nothing(words, tmp_path):
    code, out, _ = call(*words, "--preset", "smoke", "--out", tmp_path / "x", "--dry-run")
    assert code == 0 and "compiled group 2" in out and "minutes" in out
    assert not (tmp_path / "x").exists()


def test_plan_and_status_tell_cells_apart_in_words(tmp_path):
    changes = ["task.slabs=5", "task.margin=0.05"]
    plan = make_plan(suites.load("phase"), "smoke", overrides=changes)
    prepare(plan, Store(tmp_path / "run", create=True))
    _, status, _ = call("status", tmp_path / "run")
    code, planned, _ = call("run", "phase", "--preset", "smoke", "--dry-run", "--set", *changes)
    for cell, dim in zip(plan.cells, (5, 50), strict=True):
        assert f"  {cell.name}, margin .05, slabs 5, d {dim}: 4 missing\n" in status
        words = f"margin .05, slabs 5, d {dim}, n 40k, budget 20k"
        assert f"  {cell.name}, {words}: 4 seeds\n" in planned


def test_info_shows_settings_without_tables():
    _, out, _ = call("info", "noisy-lms-7")
    assert "settings: dim = 50, margin = .1, noise = .1, slabs = 7\n" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["frobnicate"], "command"),
        (["list", "task"], "nearest: tasks"),
        (["info", "noisy-lms-77"], "nearest: noisy-lms-7"),
        (["run", "pitfals"], "nearest: pitfalls"),
        (["run", "pitfalls", "--preset", "nosuch"], "preset"),
        (["run", "pitfalls", "--seeds", "0"], "seeds: got 0"),
        (["run", "pitfalls", "--seeds", "-3"], "seeds: got -3"),
        (["run", "pitfalls", "--n-certify", "0"], "n_certify: got 0"),
        (["run", "pitfalls", "--cores", "0"], "cores: got 0"),
        (["run", "pitfalls", "--set", "task.dmi=3"], "nearest: dim"),
        (["run", "nosuch.toml"], "cannot be read"),
        (["run", "pitfalls", "--seeds", "1.5"], "--seeds"),
        (["run", "pitfalls", "--preset"], "--preset"),
        (["run"], "SUITE"),
        (["export", "none", "--format", "xml"], "'xml'"),
        (["table", "none"], "DIR: got 'none'"),
        (["status", "none"], "DIR: got 'none'"),
        (["plot", "none"], "DIR: got 'none'"),
        (["query", "none", "select 1"], "DIR: got 'none'"),
        (["export", "none", "--format", "csv"], "DIR: got 'none'"),
        (["run", "pitfalls", "--seeds", "1", "--seeds", "2"], "--seeds: given 2 times"),
        (["run", "pitfalls", "--n-certify=1", "--n_certify", "1"], "--n-certify: given 2 times"),
        (["run", "pitfalls", "--set", "batch=8", "--set", "batch=9"], "batch given 2 times"),
        (["run", "pitfalls", "--out", ""], "--out"),
        (["run", "pitfalls", "--out="], "--out"),
        (["claims", "run", "--out", ""], "--out"),
        (["export", "none", "--format", "csv", "--out", ""], "--out"),
        (["table", ""], "DIR"),
        (["run", ""], "SUITE"),
    ],
)
def test_bad_input_is_one_line_with_exit_code_2(tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    code, out, err = call(*arguments)
    assert code == 2 and not out
    assert err.startswith("simbias: ") and err.count("\n") == 1 and words in err
    assert not list(tmp_path.iterdir())


def test_an_output_path_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("kept")
    code, _, err = call("run", "pitfalls", "--out", tmp_path / "file")
    assert code == 2 and "out: got" in err and (tmp_path / "file").read_text() == "kept"


def test_bad_sql_and_an_unknown_cell_are_one_line(directory):
    code, _, err = call("query", directory, "select rsk from networks")
    assert code == 2 and '"risk"' in err and err.count("\n") == 1
    code, _, err = call("plot", directory, "--cell", "nosuch")
    assert code == 2 and "cell: got 'nosuch'" in err and err.count("\n") == 1
    code, _, err = call("plot", directory, "--seed", "7", "--kind", "boundary")
    assert code == 2 and "seed: got 7" in err


def test_options_of_several_values_add_up_however_they_are_given():
    def given(flag, *words):
        (bound,) = [parse(VERBS, [*words]).keywords[flag.strip("-")]]
        return [value for values in bound for value in values]

    run, bounds = ("run", "pitfalls"), ("bounds", "some")
    for words in (["a=1", "--set", "b=2"], ["a=1", "b=2"], ["a=1", "--seeds", "3", "--set=b=2"]):
        assert given("set_", *run, "--set", *words) == ["a=1", "b=2"]
    for words in (["occam", "--bounds", "stability"], ["occam", "stability"]):
        assert given("bounds", *bounds, "--bounds", *words) == ["occam", "stability"]


def test_docs_opens_the_copy_of_the_installation_or_says_how_to_build_one(tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda uri: opened.append(uri) or True)
    monkeypatch.setattr("simbias.cli.docs.files", lambda package: tmp_path)
    code, out, err = call("docs")
    assert (code, out, err.count("\n")) == (1, "", 1) and "mkdocs build --strict" in err
    page = tmp_path / "site" / "index.html"
    page.parent.mkdir()
    page.touch()
    assert call("docs") == (0, "", "") and opened == [page.as_uri()]
    assert call("docs", "--path") == (0, f"{page}\n", "") and len(opened) == 1


def test_an_error_that_nobody_foresaw_is_one_line(monkeypatch):
    def failing(*_, **__):
        raise MemoryError("planted\nfailure")

    monkeypatch.setattr("simbias.suites.load", failing)
    code, _, err = call("run", "pitfalls")
    assert code == 1 and err == "simbias: MemoryError: planted failure (--debug shows where)\n"


def test_debug_shows_the_traceback():
    with pytest.raises(ValueError, match="command"):
        main(["frobnicate", "--debug"])


def test_help_and_lists_do_not_start_jax():
    code = (
        "import sys\nfrom simbias.cli import main\n"
        "main(['list'])\n"
        "assert not {'jax', 'matplotlib', 'duckdb'} & set(sys.modules)\n"
    )
    before = os.times()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    # of the processor, which a machine that does other work too lends in small pieces
    assert os.times().children_user - before.children_user < 3


def test_ctrl_c_says_how_to_go_on(monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("simbias.suites.load", interrupted)
    code, _, err = call("run", "pitfalls", "--seeds", "1", "--out", "a b")
    assert code == 1 and err.count("\n") == 1 and "run pitfalls --seeds 1 --out 'a b'" in err


@pytest.mark.parametrize(
    "words, line",
    [
        (("report", "x", "--replays", "x"), "--replays: got 'x', allowed: an integer"),
        (("run", "pitfalls", "--seeds", "1.5"), "--seeds: got '1.5', allowed: an integer"),
        (("run", "pitfalls", "--cores", "many"), "--cores: got 'many', allowed: an integer"),
    ],
)
def test_what_is_no_number_is_named_with_what_is_allowed(words, line):
    assert call(*words) == (2, "", f"simbias: {line}\n")


def test_a_file_that_cannot_be_written_is_named_without_the_temporary_one(tmp_path):
    store = Store(tmp_path / "run", create=True)
    path = tmp_path / "gone" / "page.html"
    with pytest.raises(StoreError) as error:
        store.write_text(path, "text")
    assert str(error.value) == f"cannot write {path}: No such file or directory"
