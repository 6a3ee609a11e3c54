"""The verbs that make runs and say how far they have come: run, tune, status."""

import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from simbias._defaults import N_CERTIFY
from simbias._numbers import counted
from simbias._process import DONE, FAILED, print_error, program
from simbias.cli.results import draw_computed, print_summary
from simbias.cli.shared import (
    Cluster,
    Directory,
    Several,
    Suite,
    check_cluster,
    compute,
    each,
    open_store,
    start_jax,
)
from simbias.console import make_console, print_table, print_text

if TYPE_CHECKING:
    from rich.console import Console

    from simbias.runner.plan import Plan


_CERTIFY_HELP = (
    "fresh points on which each network is certified; default: the preset's, where it names them,"
    f" otherwise {N_CERTIFY}."
)


def run(
    suite: Suite,
    /,
    preset: str = "standard",
    out: Path | None = None,
    seeds: int | None = None,
    set_: Annotated[Several, tyro.conf.arg(name="set")] = (),
    n_certify: Annotated[int | None, tyro.conf.arg(help=_CERTIFY_HELP)] = None,
    cores: int | None = None,
    cluster: Cluster = None,
    dry_run: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False,
) -> int:
    """Run the experiments of a suite, train networks say; resume where the directory holds some.

    Args:
        suite: a suite's name, or the path of a suite file ending in .toml.
        preset: smoke, standard or full, as the suite has them.
        out: run directory; default runs/SUITE-PRESET.
        seeds: how many of each cell; default: the preset's.
        set_: KEY=VALUE overrides for every cell, e.g. task.dim=20 stop.max_updates=5000.
        cores: CPU cores to train on; default: all that the process may use, or one of a worker.
        dry_run: print cells, compiled groups and an estimate, and write nothing.
    """
    sets = each("--set", set_)
    start_jax(cores if cluster is None else None, cluster)
    from simbias import suites
    from simbias.experiments import experiment_of
    from simbias.runner.execute import prepare
    from simbias.runner.plan import make_plan
    from simbias.runner.progress import ConsoleReporter

    console = make_console()
    plan = make_plan(suites.load(suite), preset, seeds=seeds, n_certify=n_certify, overrides=sets)
    if dry_run:
        _print_plan(console, plan)
        return DONE
    directory = out or Path("runs") / f"{plan.suite}-{plan.preset}"
    check_cluster(cluster)
    store = open_store(directory, create=True)
    prepare(plan, store)
    with ConsoleReporter(console) as reporter:
        statuses = compute(plan, store, reporter, cluster, cores)
    print_summary(console, store)
    makes = [experiment_of(cell) for cell in plan.cells]
    kinds = dict.fromkeys(figure for kind in makes for figure in kind.figures)
    if any(kind.learned and kind.learned.classifies for kind in makes):
        kinds["boundary"] = None
    for name in kinds:
        figures = list((directory / "figures").glob(f"{name}*.png"))
        if reporter.replicas or not figures:
            from simbias.plots.run import Chosen

            drawn = draw_computed(
                console, name, Chosen(store, note=print_error), optional=name != "boundary"
            )
            figures = [path for path in drawn if path.suffix == ".png"] or figures
        if figures:  # the oldest is the one that a run draws itself
            oldest = min(figures, key=lambda path: path.stat().st_mtime)
            print_text(console, f"{name} figure: {oldest}")
    if preset != "full":
        for again in _full_run(suite, out, seeds, sets, n_certify, cores):
            print_text(console, f"the full run: {again}")
    return FAILED if {"error", "diverged"} & set(statuses) else DONE


def tune(
    suite: Suite,
    /,
    preset: str = "standard",
    trials: int = 8,
    seeds: int = 2,
    out: Path | None = None,
    cores: int | None = None,
    cluster: Cluster = None,
    dry_run: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False,
) -> int:
    """Tune a suite's learners by random search, and write a suite with what was found beside it.

    Equally many trials for each method and estimator that the suite gives a space, on seeds of
    their own, judged by select draws alone. The suite that is written holds the preset's learners
    as they were, and tuned: simbias run DIR/tuned.toml --preset PRESET. A rerun resumes.

    Args:
        suite: a registered suite, or a suite file.
        preset: whose learners are tuned.
        trials: random settings for each, beside its own.
        seeds: on which each of them is trained.
        out: the run directory; default: runs/SUITE-tune.
        cores: CPU cores to compute on; default: all that the process may use, or one of a worker.
        dry_run: print cells, compiled groups and an estimate, and write nothing.
    """
    start_jax(cores if cluster is None else None, cluster)
    import tomli_w

    from simbias import suites
    from simbias.runner.execute import prepare
    from simbias.runner.progress import ConsoleReporter
    from simbias.runner.tune import trials_plan, tuned, tuned_suite
    from simbias.tables.tuned import tuned_table

    console = make_console()
    loaded = suites.load(suite)
    plan = trials_plan(loaded, preset, trials=trials, seeds=seeds)
    if dry_run:
        _print_plan(console, plan)
        return DONE
    directory = out or Path("runs") / plan.suite
    check_cluster(cluster)
    store = open_store(directory, create=True)
    prepare(plan, store)
    with ConsoleReporter(console) as reporter:
        compute(plan, store, reporter, cluster, cores)
    learners = tuned(store, loaded, preset, trials=trials)
    print_table(console, tuned_table(learners))
    path = directory / "tuned.toml"
    store.write_text(path, tomli_w.dumps(tuned_suite(loaded, preset, learners)))
    print_text(console, f"simbias run {path} --preset {preset}")
    return DONE


def status(directory: Directory, /) -> int:
    """Show how far a run has come.

    Args:
        directory: a run directory.
    """
    from simbias.results.summary import cell_settings
    from simbias.training.words import phrases

    store = open_store(directory)
    config = store.config() or {}
    counts: dict[str, Counter[str]] = {}
    for row in store.known().values():
        counts.setdefault(row.cell, Counter())[row.status] += 1
    seeds = len(config["seeds"])
    print(f"{config['suite']} --preset {config['preset']}, {seeds} seeds")
    for cell, settings in cell_settings(store).items():
        state_counts = counts.get(cell, Counter())
        missing = seeds - sum(state_counts.values())
        states = [f"{count} {state}" for state, count in sorted(state_counts.items())]
        states += [f"{missing} missing"] * (missing > 0)
        print(f"  {', '.join(filter(None, [cell, phrases(settings)]))}: {', '.join(states)}")
    if unverified := store.unverified():
        print(f"  unverified, kept before there were checksums: {unverified} rows")
    return DONE


def _print_plan(console: "Console", plan: "Plan") -> None:
    """Print cells, compiled groups and an estimate of the time."""
    from simbias.experiments import experiment_of
    from simbias.runner.machine import matmul_gflops
    from simbias.training.words import distinguishing, phrases

    tables = " and ".join(dict.fromkeys(experiment_of(cell).table.name for cell in plan.cells))
    print_text(console, f"{plan.suite} {plan.preset}: {len(plan.replicas)} {tables}")
    settings = distinguishing([cell.settings for cell in plan.cells])
    differing = dict(zip(plan.cells, settings, strict=True))
    for i, group in enumerate(plan.groups, 1):
        print_text(console, f"compiled group {i}")
        for cell in dict.fromkeys(replica.cell for replica in group):
            seeds = sum(replica.cell == cell for replica in group)
            always = dict(experiment_of(cell).effort(cell))
            words = phrases(differing[cell] | always)
            print_text(console, f"  {cell.name}, {words}: {counted(seeds, 'seed')}")
    peak = matmul_gflops()
    minutes = plan.flops / peak / 1e9 / 60
    print_text(
        console,
        f"{plan.flops / 1e12:.1f} TFLOP of updates if every budget is spent: {minutes:.1f} minutes"
        f" at the {peak:.0f} GFLOP/s of matrix products measured here; expect once to three times"
        " that, and a few seconds to compile each group",
    )


def _full_run(
    suite: str,
    out: Path | None,
    seeds: int | None,
    overrides: Sequence[str],
    n_certify: int | None,
    cores: int | None,
) -> list[str]:
    """The command of the suite's full preset with the same options; [] where it would fail."""
    from simbias import suites
    from simbias.results.store import Store
    from simbias.runner.execute import check_same
    from simbias.runner.plan import make_plan

    try:
        loaded = suites.load(suite)
        plan = make_plan(loaded, "full", seeds=seeds, n_certify=n_certify, overrides=overrides)
        directory = Path("runs", f"{plan.suite}-full") if out is None else Path(f"{out}-full")
        check_same(plan, Store(directory, create=True))
    except ValueError:
        return []
    options = {
        "--out": None if out is None else directory,
        "--seeds": seeds,
        "--n-certify": n_certify,
        "--cores": cores,
    }
    words = ["run", suite, "--preset", "full"]
    for option, value in options.items():
        words += [] if value is None else [option, str(value)]
    return [f"{program()} {shlex.join([*words, *(['--set', *overrides] if overrides else [])])}"]
