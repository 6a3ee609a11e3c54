"""The verbs that hold theory against runs: bounds, claims."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from simbias._checks import fail, known
from simbias._defaults import DELTA, N_CERTIFY
from simbias._process import DONE, FAILED, print_error
from simbias.cli.results import draw_computed
from simbias.cli.shared import (
    Cluster,
    Directory,
    Several,
    Words,
    check_cluster,
    compute,
    each,
    open_store,
    start_jax,
)
from simbias.console import make_console, print_table, print_text

if TYPE_CHECKING:
    from rich.console import Console

    from simbias.results.store import Store


def bounds(
    directory: Directory,
    /,
    cell: str | None = None,
    delta: float = DELTA,
    bounds: Several = (),
    n_certify: int = N_CERTIFY,
    masks: int = 0,
    retrained: int = 0,
    cores: int | None = None,
) -> int:
    """Hold bounds on a run's networks against the exact risk: table, figure, DIR/bounds/*.parquet.

    Of estimators too, for which held-out certificates have a value. Where there are several cells
    of networks, say also which numbers tell networks that generalise from those
    that do not; where there are achievable solutions, or networks of a cell that learned beside
    stuck ones, which of the two each number prefers. A rerun reads what the same settings gave;
    delete DIR/bounds to compute it anew.

    Args:
        directory: a run directory.
        cell: name of a cell, or the beginning of some; default: all that have networks.
        delta: probability, over the sample, with which each bound may fail, in (0, 1).
        bounds: names that `simbias list bounds` shows; default: all.
        n_certify: fresh points on which each risk is measured.
        masks: how many networks to train on masks of a supersample for each network of the run,
            for the estimate f-cmi; 0: none.
        retrained: how many networks to train anew for each network of the run, with one point
            replaced, for replace-one, and on coin flips, for rademacher-floor; 0: none.
        cores: CPU cores to compute on; default: all that the process may use.
    """
    chosen = each("--bounds", bounds)
    store = open_store(directory)
    start_jax(cores)
    from simbias.bounds import bound_names, certifying
    from simbias.bounds.discrimination import discriminate
    from simbias.bounds.evaluation import check_effort
    from simbias.bounds.preference import prefer
    from simbias.experiments import experiment_of
    from simbias.plots.run import Chosen
    from simbias.results import bounds as kept
    from simbias.results.preference import network_pairs
    from simbias.results.summary import cell_settings
    from simbias.results.trained import learned
    from simbias.tables.bounds import bounds_table
    from simbias.tables.certify import certify_table
    from simbias.tables.discrimination import discrimination_table
    from simbias.tables.preference import preference_table
    from simbias.training.words import phrases

    console = make_console()
    evaluated = []
    check_effort(delta, n_certify, masks, retrained)
    names = tuple(bound_names(chosen or None))
    settings = cell_settings(store)
    held = []
    for own_cell, networks in learned(store, cell):
        effort = delta, n_certify, masks, retrained
        request = kept.Request(own_cell, tuple(networks), names, *effort)
        evaluations = kept.hold(store, request)
        table = experiment_of(own_cell).table.name
        held += [(own_cell, evaluations)] if table == "networks" else []
        evaluated.append((own_cell, evaluations))
        words = phrases({"delta": delta} | settings.get(own_cell.name, {}))
        print_text(
            console, f"{own_cell.name}, {words}, {len(networks)} {table}: {request.path(store)}"
        )
        print_table(console, bounds_table(evaluations))
        for seed, reason in kept.seeds_without_values(evaluations).items():
            print_text(console, f"left out: {own_cell.name} seed {seed}: {reason}")
        of_cell = Chosen(store, own_cell.name, bounds=[(own_cell, evaluations)])
        print_paths(console, draw_computed(console, "bounds", of_cell))
    if len(held) > 1:
        try:
            scores = discriminate(*kept.comparable(held))
        except ValueError as error:
            print_text(console, f"which numbers tell networks apart cannot be said: {error}")
        else:
            print_table(console, discrimination_table(scores))
            of_cells = Chosen(store, bounds=held)
            print_paths(console, draw_computed(console, "discrimination", of_cells))
        if entries := certifying(held):
            print_table(console, certify_table(entries))
            of_sizes = Chosen(store, bounds=held)
            print_paths(console, draw_computed(console, "certify", of_sizes))
    try:
        pairs, kinds = network_pairs(evaluated)
    except ValueError as error:
        print_text(console, f"which networks numbers prefer cannot be said: {error}")
        return DONE
    if pairs:
        print_table(console, preference_table(prefer(pairs, kinds)))
        of_cells = Chosen(store, bounds=evaluated)
        print_paths(console, draw_computed(console, "preference", of_cells))
    return DONE


def claims(
    words: Words = (),
    /,
    out: Path | None = None,
    cores: int | None = None,
    cluster: Cluster = None,
) -> int:
    """List claims, judge them, check a file of your own, or show the verdicts of a directory.

    claims; claims run [ID or family or FILE ...] --out DIR; claims check FILE; claims DIR; claims
    vocabulary. A rerun on the same directory resumes; a claim that says something else starts over
    as its next version, at a smaller level.

    Args:
        words: nothing; run and what to judge (default: all built-in claims); check and a file
            ending in .toml; a directory that holds verdicts; or vocabulary, for the quantities
            that a claim may be about.
        out: directory of run; default runs/claims.
        cores: CPU cores to train and measure on; default: all that the process may use, and one of
            a worker. A cluster trains; what is measured is measured here.
    """
    first, rest = (words[0], words[1:]) if words else ("list", ())
    for name, given in (("out", out), ("cluster", cluster)):
        if given is not None and first != "run":
            raise ValueError(f"{name}: got {str(given)!r}, allowed: with claims run only")
    if first == "run":
        return _claims_run(rest, out or Path("runs") / "claims", cores, cluster)
    if first not in ("check", "list", "vocabulary"):
        if rest or not Path(first).is_dir():
            known("claims: word", first, ["run", "check", "vocabulary", "a directory of claims"])
        _print_verdicts(make_console(), open_store(Path(first)))
        return DONE
    files = first == "check"
    if len(rest) != files:
        allowed = "one file" if files else "none"
        raise ValueError(f"claims {first}: got {len(rest)} words after it, allowed: {allowed}")
    if first == "vocabulary":
        from simbias.tables.claims import vocabulary_table

        print_table(make_console(), vocabulary_table())
        return DONE
    from simbias.claims import builtin, feasible, load
    from simbias.tables.claims import claims_table

    chosen = load(rest[0]) if rest else list(builtin().values())
    if rest:
        feasible(chosen)
    print_table(make_console(), claims_table(chosen))
    return DONE


def _claims_run(
    words: Sequence[str], directory: Path, cores: int | None, cluster: str | None
) -> int:
    check_cluster(cluster)
    start_jax(cores, cluster)
    from simbias.claims import choose

    chosen = choose(words)
    from simbias.plots.run import Chosen
    from simbias.runner import claims as runner
    from simbias.runner.progress import ConsoleReporter

    console = make_console()
    store = runner.open_store(directory, print_error)
    verdicts, statuses = runner.run(
        chosen,
        store,
        reporter=lambda: ConsoleReporter(console),
        note=lambda text: print_text(console, text),
        computed=lambda plan, store, reporter: compute(plan, store, reporter, cluster, cores),
    )
    for verdict in verdicts:
        claim = verdict.claim
        print_text(console, f"\n{claim.id}, version {claim.version}: {claim.title}")
        print_text(console, f"  {verdict.verdict}: {verdict.reason}")
        for premise in verdict.premises:
            print_text(console, f"  premise {premise}")
    print_text(console, "")
    _print_verdicts(console, store)
    print_paths(console, draw_computed(console, "claims", Chosen(store)))
    return FAILED if {"error", "diverged"} & statuses else DONE


def print_paths(console: "Console", paths: Sequence[Path]) -> None:
    for path in paths:
        print_text(console, str(path))


def _print_verdicts(console: "Console", store: "Store") -> None:
    """Print the verdicts of a directory; ValueError where it has none."""
    from simbias.results.claims import read_verdicts
    from simbias.tables.verdicts import verdicts_table

    rows = read_verdicts(store)
    if not rows:
        raise fail("DIR", f"{store.directory}, which has no verdicts", "a directory that has some")
    print_table(console, verdicts_table(rows))
