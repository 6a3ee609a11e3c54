"""The verb that holds networks trained here against the numbers of a paper."""

from pathlib import Path
from typing import Annotated

import tyro

from simbias._process import DONE, FAILED, print_error
from simbias.cli.results import draw_computed
from simbias.cli.shared import start_jax
from simbias.cli.theory import print_paths
from simbias.console import make_console, print_table, print_text


def reproduce(
    paper: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NAME")],
    /,
    preset: str = "standard",
    out: Path | None = None,
    cores: int | None = None,
) -> int:
    """Reproduce the numbers of a paper: train, measure, hold each against what was published.

    Writes the page of it, DIR/paper.md, and the figure. A rerun on the same directory resumes.

    Args:
        paper: pitfalls, massive-noise, massive-noise-mixture, or the path of a file of published
            numbers ending in .toml.
        preset: smoke, standard or full, as the paper's file has them.
        out: directory of the networks and the page; default runs/reproduce-NAME-PRESET.
        cores: CPU cores to train on; default: all that the process may use.
    """
    start_jax(cores)
    from simbias import papers
    from simbias._checks import known
    from simbias.papers.judging import NOT_RUN
    from simbias.plots.run import Chosen
    from simbias.runner.claims import open_store
    from simbias.runner.progress import ConsoleReporter
    from simbias.tables.reproduction import counts, reproduction_page, reproduction_table

    console = make_console()
    chosen = papers.load(paper)
    known("preset", preset, chosen.presets)
    directory = out or Path("runs") / f"reproduce-{chosen.name}-{preset}"
    store = open_store(directory, print_error)
    reproductions = papers.reproduce(
        chosen,
        preset,
        store,
        reporter=lambda: ConsoleReporter(console),
        note=lambda text: print_text(console, text),
    )
    print_table(console, reproduction_table(chosen, reproductions))
    print_text(console, counts(reproductions))
    command = f"simbias reproduce {paper} --preset {preset}"
    path = directory / "paper.md"
    store.write_text(path, reproduction_page(chosen, preset, reproductions, command))
    print_text(console, str(path))
    drawn = Chosen(store, reproduced=(chosen, reproductions))
    print_paths(console, draw_computed(console, "reproduction", drawn))
    missing = any(
        entry.outcome == NOT_RUN and preset in entry.number.seeds for entry in reproductions
    )
    return FAILED if missing else DONE
