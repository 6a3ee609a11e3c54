"""The verb that goes through the argument from bounds to alignment, step by step."""

from pathlib import Path
from typing import TYPE_CHECKING

from simbias._defaults import DELTA, N_CERTIFY
from simbias._process import DONE, FAILED, print_error
from simbias.cli.results import draw_computed
from simbias.cli.shared import Name, open_store, start_jax
from simbias.cli.theory import print_paths
from simbias.console import make_console, print_table, print_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simbias.bounds import Evaluation
    from simbias.claims import Step
    from simbias.results.store import Store
    from simbias.training import Cell

_SHOWN = 4  # networks whose bounds are in the table and the figure


def argue(
    task: Name,
    /,
    out: Path | None = None,
    dim: int | None = None,
    width: int = 50,
    depth: int = 1,
    n_train: int = 10_000,
    learning_rate: float = 0.1,
    cores: int | None = None,
) -> int:
    """Go through the argument from bounds to alignment on a task: which of its steps hold.

    We label by f, train on (x, f(x)), have bounds on the distribution: does the network match f
    there, and answer what we could answer? All claims are registered together before anything is
    trained; figures go to DIR/figures. A rerun reads what is stored.

    Args:
        task: a name that `simbias list tasks` shows.
        out: directory of the claims, the networks and the figures; default runs/argue-TASK.
        dim: input dimensions of the task; default: the task's own.
        width: hidden units of a layer.
        depth: hidden layers.
        n_train: training points.
        learning_rate: of SGD with momentum .9.
        cores: CPU cores to train on; default: all that the process may use.
    """
    start_jax(cores)
    from simbias import MLP, Stop, sgd, tasks
    from simbias.claims import argument
    from simbias.results.claims import read_verdicts
    from simbias.training import Cell

    settings = {} if dim is None else {"dim": dim}
    cell = Cell(
        tasks.get(task, **settings),
        MLP(width, depth),
        sgd(learning_rate=learning_rate, momentum=0.9, weight_decay=5e-5),
        n_train=n_train,
        stop=Stop(train_accuracy=0.998, max_updates=40_000),
    )
    steps = argument(cell)
    directory = out or Path("runs") / f"argue-{task}"
    hashes = {claim.id: claim.hash for step in steps for claim in step.claims}
    known = {}
    if directory.is_dir():
        known = {row["id"]: row["hash"] for row in read_verdicts(open_store(directory))}
    failed = False
    if not hashes.items() <= known.items():
        failed = _judge(steps, cell, directory)
    _print_page(steps, cell, open_store(directory))
    return FAILED if failed else DONE


def _judge(steps: "Sequence[Step]", cell: "Cell", directory: Path) -> bool:
    """Judge the claims of all steps, and draw the figures; whether any network failed."""
    from simbias.plots.run import Chosen
    from simbias.runner import claims as runner
    from simbias.runner.progress import ConsoleReporter

    console = make_console()
    store = runner.open_store(directory, print_error)
    _, statuses = runner.run(
        [claim for step in steps for claim in step.claims],
        store,
        reporter=lambda: ConsoleReporter(console),
        note=lambda text: print_text(console, text),
    )
    evaluations = _bounds(store, cell)
    drawn = Chosen(store, cell.name, bounds=[(cell, evaluations)])
    for kind in ("boundary", "bounds", "claims"):
        draw_computed(console, kind, drawn)
    return bool({"error", "diverged"} & statuses)


def _bounds(store: "Store", cell: "Cell") -> "list[Evaluation]":
    """Every bound on the first networks of the cell."""
    from simbias.bounds import bound_names
    from simbias.results.bounds import Request, hold
    from simbias.results.trained import learned

    (networks,) = (trained.faults for trained in learned(store) if trained.cell == cell)
    seeds = tuple(sorted(networks))[:_SHOWN]
    return hold(store, Request(cell, seeds, tuple(bound_names(None)), DELTA, N_CERTIFY, 0))


def _print_page(steps: "Sequence[Step]", cell: "Cell", store: "Store") -> None:
    """The argument, step by step, from what is stored."""
    from simbias.results.claims import read_evidence, read_verdicts
    from simbias.tables.argument import comes_to, step_table
    from simbias.tables.bounds import bounds_table
    from simbias.training.words import phrases, task_words

    console = make_console()
    verdicts = {row["id"]: row for row in read_verdicts(store)}
    evidence = read_evidence(store)
    words = phrases({"n_train": cell.n_train})
    print_text(console, f"The argument on {task_words(cell.task)}, {cell.network.label}, {words}")
    for step in steps:
        conclusion = step.conclusion({name: row["verdict"] for name, row in verdicts.items()})
        print_text(console, f"\n{step.name}. {step.says} [{conclusion}]")
        print_table(console, step_table(step, verdicts, evidence))
    print_text(console, f"\nBounds on {_SHOWN} of the networks")
    print_table(console, bounds_table(_bounds(store, cell)))
    print_text(console, f"\n{comes_to(steps, verdicts)}")
    print_paths(console, sorted((store.directory / "figures").glob("*.png")))
