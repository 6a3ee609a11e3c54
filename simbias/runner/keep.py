"""A stack that was trained outside of a run, kept as one."""

from pathlib import Path

from simbias._checks import instance, place, whole
from simbias._pinned import pinned
from simbias.experiments import experiment_of, row, row_name, trace_rows
from simbias.experiments.classify import outcomes
from simbias.results.store import Outcome, Store
from simbias.runner.execute import prepare
from simbias.runner.plan import Plan
from simbias.training.stack import Stack
from simbias.validation import N_CERTIFY, validate

_SUITE, _PRESET = "stack", "kept"


@pinned
def keep(stack: Stack, directory: str | Path, *, n_certify: int = N_CERTIFY) -> Store:
    """Validate a stack and keep it in a run directory, as if it were a suite of one cell.

    Whatever reads runs then reads it: ``simbias table``, ``plot``, ``bounds``, ``query``,
    ``simbias.results.load_stack``. Networks that are there already are left as they are.

    Args:
        stack: networks that ``simbias.train`` returned.
        directory: made if it is not there.
        n_certify: fresh points on which each network is measured.

    Returns:
        The store of the directory.

    Raises:
        ValueError: no stack, a directory that holds another run, or n_certify < 1.
        StoreError: a file that cannot be written.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> store = simbias.runner.keep(stack, "run", n_certify=10_000)
        >>> sorted(store.statuses().values())
        ['done', 'done']
    """
    instance("stack", stack, Stack)
    directory, n_certify = place("directory", directory), whole("n_certify", n_certify)
    plan = Plan(_SUITE, _PRESET, (stack.cell,), ({},), tuple(stack.seeds), n_certify)
    store = Store(directory, create=True)
    prepare(plan, store, argument="directory")
    there = store.statuses()
    missing = {
        row_name(ended.replica): Outcome(
            row(_SUITE, ended), trace_rows(_SUITE, ended), ended.tensors
        )
        for ended in outcomes(stack, validate(stack, n_certify=n_certify))
        if row_name(ended.replica) not in there
    }
    store.write_together(experiment_of(stack.cell).table.name, missing)
    return store
