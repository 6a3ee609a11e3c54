"""From files back to what was trained: the cells of a run, their stacks, their estimators."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Generic, NamedTuple, TypeVar

from simbias._checks import fail, instance, whole
from simbias._types import Answer, AnyStack
from simbias.experiments import (
    FINAL,
    AnyCell,
    Replica,
    cell_of,
    experiment_of,
    experiments,
    row_name,
)
from simbias.experiments.experiment import OwnCell
from simbias.models import Fitted
from simbias.results import checksums
from simbias.results.files import StoreError
from simbias.results.store import Store
from simbias.training.cell import Cell
from simbias.training.draws import DrawsError
from simbias.training.stack import Stack
from simbias.validation import faults
from simbias.validation.sound import sound_seed

Cells = TypeVar("Cells")


class Trained(NamedTuple, Generic[Cells]):
    """A cell of a run, and why each of its networks that ended is no classifier, empty: it is."""

    cell: Cells
    faults: dict[int, str]


def trained(store: Store, cell: str | None = None) -> list[Trained[Cell]]:
    """The cells of a run that have networks that ended, in the suite's order.

    Args:
        store: the run directory.
        cell: a name, or the beginning of some; default: all.

    Raises:
        ValueError: no such cell.
        StoreError: no network of the run has ended, with the reasons that are known.
    """
    return _ended(store, cell, ["networks"])


def learned(store: Store, cell: str | None = None) -> list[Trained[OwnCell]]:
    """As ``trained``, the cells of every experiment in which something is learned."""
    made = [one.table.name for one in experiments().values() if one.learned is not None]
    return _ended(store, cell, made)


def _ended(store: Store, cell: str | None, tables: Sequence[str]) -> list[Trained[OwnCell]]:
    asked = (f"SELECT cell, seed, settings, status, reason FROM {table}" for table in tables)
    _, every = store.query(" UNION ALL ".join(asked))
    rows = sorted((row for row in every if row[3] in FINAL), key=itemgetter(1))
    if not rows:
        raise _nothing(store, tables[0], every)
    by_cell: dict[str, list[Answer]] = {}
    for name, *rest in rows:
        by_cell.setdefault(name, []).append(tuple(rest))
    names = sorted(by_cell, key=lambda name: (store.order(name), name))
    matching = [name for name in names if cell is None or name.startswith(cell)]
    if not matching:
        raise fail("cell", cell, f"one of the trained cells: {', '.join(names)}")
    found = []
    for name in matching:
        faults = {
            seed: f"diverged: {reason}" if status == "diverged" else ""
            for seed, _, status, reason in by_cell[name]
        }
        found.append(Trained(cell_of(json.loads(by_cell[name][0][1])), faults))
    return found


def _nothing(store: Store, table: str, rows: Sequence[Answer]) -> StoreError:
    """The error of a run without a network, or an estimator, that ended."""
    counts = Counter((status, reason) for *_, status, reason in rows)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    words = [f"{count} {status} ({reason})" for (status, reason), count in ordered]
    said = f": {'; '.join(words[:3])}{'; ...' * (len(words) > 3)}" if words else ""
    return StoreError(f"{store.directory} has no trained {table}{said}")


def _asked(
    store: Store, cell: str | None, seed: int | None, table: str
) -> tuple[OwnCell, list[int]]:
    """One cell of a run, and which of its seeds that ended are asked for."""
    instance("store", store, Store)
    if cell is not None:
        instance("cell", cell, str)
    return _chosen(_ended(store, cell, [table]), cell, seed)


def _chosen(
    found: Sequence[Trained[OwnCell]], cell: str | None, seed: int | None
) -> tuple[OwnCell, list[int]]:
    if seed is not None:
        whole("seed", seed, least=0, most=2**63 - 1)
    check_one([one.cell.name for one in found], cell)
    made, faults = found[0]
    if seed is not None and seed not in faults:
        raise fail("seed", seed, f"one of {list(faults)}")
    return made, list(faults) if seed is None else [seed]


def check_one(names: Sequence[str], cell: str | None) -> None:
    """Raise ValueError for the beginning of several cells' names."""
    if cell is not None and len(names) > 1:
        raise fail("cell", cell, f"the beginning of one cell, not of {', '.join(names)}")


def load_stack(store: Store, cell: str | None = None, *, seed: int | None = None) -> Stack:
    """The stack of one cell of a run.

    Args:
        store: the run directory.
        cell: its name, or the beginning of one; default: the suite's first that has networks.
        seed: the only network to load; default: all of them.

    Raises:
        ValueError: no such cell or seed, or draws that cannot be repeated here (``DrawsError``).
        StoreError: no network has ended, or a file cannot be read.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> from simbias.experiments import classify, row, row_name, trace_rows
        >>> from simbias.runner.execute import prepare
        >>> from simbias.runner.plan import Plan
        >>> store = simbias.results.Store("run", create=True)
        >>> prepare(Plan("mine", "only", (stack.cell,), ({},), stack.seeds, 10_000), store)
        >>> for ended in classify.outcomes(stack, simbias.validate(stack, n_certify=10_000)):
        ...     rows = row("mine", ended), trace_rows("mine", ended)
        ...     store.write("networks", row_name(ended.replica), *rows, ended.tensors)
        >>> again = simbias.results.load_stack(store)
        >>> again.cell == stack.cell, again.seeds
        (True, (0, 1))
    """
    return load_networks(store, *_asked(store, cell, seed, "networks"))


def load_fitted(store: Store, cell: str | None = None, *, seed: int | None = None) -> Fitted:
    """The estimators of one cell of a run, fitted again.

    Args:
        store: the run directory.
        cell: its name, or the beginning of one; default: the suite's first that has estimators.
        seed: the only one to fit; default: all of them.

    Raises:
        ValueError: no such cell or seed.
        StoreError: no estimator has ended, a file cannot be read, or what is fitted is not what was
            fitted before: by another version of its library, say.

    Examples:
        >>> import simbias
        >>> from simbias.experiments import Ended, Replica, cell_of, row, row_name
        >>> from simbias.experiments.estimators import tensors
        >>> from simbias.runner.execute import prepare
        >>> from simbias.runner.plan import Plan
        >>> task, tree = {"name": "noisy-lms-5", "dim": 4}, {"name": "decision-tree"}
        >>> kind = {"experiment": "estimators"}
        >>> cell = cell_of({**kind, "task": task, "estimator": tree, "n_train": 1000})
        >>> fitted = simbias.train(cell.task, cell.estimator, n_train=1000)
        >>> store = simbias.results.Store("run", create=True)
        >>> prepare(Plan("mine", "only", (cell,), ({},), (0,), 10_000), store)
        >>> ended = Ended(Replica(cell, 0), "done", "fitted", tensors=tensors(fitted, 0))
        >>> name = row_name(ended.replica)
        >>> store.write("estimators", name, row("mine", ended), (), ended.tensors)
        >>> simbias.results.load_fitted(store).seeds
        (0,)
    """
    made, seeds = _asked(store, cell, seed, "estimators")
    found: Fitted = load(store, made, seeds)
    return found


def load_networks(store: Store, cell: Cell, seeds: Sequence[int]) -> Stack:
    """The stack of networks of a cell.

    Raises:
        StoreError: one that is broken, with cell, seed and file.
        DrawsError: the training set of one cannot be drawn again.
    """
    found: Stack = load(store, cell, seeds)
    return found


def load(store: Store, cell: AnyCell, seeds: Sequence[int]) -> AnyStack:
    """What was learned at some seeds of a cell, whatever learns: a stack, say.

    Raises:
        StoreError: one that is broken, with cell, seed and file.
        DrawsError: the training set of one cannot be drawn again.
    """
    store.check_keys()
    made = experiment_of(cell)
    assert made.learned is not None  # else it has no classifiers
    columns, found = [column.name for column in made.trace], []
    for seed in seeds:
        replica = Replica(cell, seed)
        name = row_name(replica)
        try:
            kept, trace = store.weights(name), store.trace(name, columns)
            found.append(made.learned.read(replica, kept, trace))
        except DrawsError:
            raise
        except (StoreError, ValueError) as error:
            where = "" if isinstance(error, StoreError) else f" {store.weights_path(name)}"
            raise StoreError(f"{cell.name} seed {seed}: {error}{where}") from None
    return joined(cell, found)


def load_sound(
    store: Store,
    cell: str | None = None,
    *,
    seed: int | None = None,
    first: bool = False,
    of: Callable[[Store, str | None], list[Trained[OwnCell]]] = trained,
) -> tuple[AnyStack, dict[Replica, str]]:
    """The networks of one cell that are classifiers, and why others were left out.

    Args:
        store: the run directory.
        cell: its name, or the beginning of one; default: the suite's first that has a classifier.
        seed: the only network to load; default: all of them.
        first: load the first that there is.
        of: which cells there are: ``trained``, or ``learned`` for estimators as well.

    Raises:
        ValueError: no such cell or seed, or a seed that is no classifier.
        StoreError: no network has ended, none is a classifier, or a file cannot be read.
        DrawsError: no training set can be drawn again.
    """
    if seed is not None:
        made, seeds = _chosen(of(store, cell), cell, seed)
        stack = load(store, made, seeds)
        sound_seed(stack, seed)
        return stack, {}
    left_out: dict[Replica, str] = {}
    other_draws: list[DrawsError] = []
    for made, known in of(store, cell):
        sound: list[AnyStack] = []
        for own, fault in known.items():
            if first and sound:
                break
            if not fault:
                try:
                    one = load(store, made, [own])
                    (fault,) = faults(one)
                except DrawsError as error:
                    other_draws.append(error)
                    fault = str(error)
                except StoreError as error:
                    fault = str(error)
            if fault:
                left_out[Replica(made, own)] = fault
            else:
                sound.append(one)
        if sound:
            return joined(made, sound), left_out
    if other_draws:
        raise other_draws[0]
    said = "; ".join(f"{one.cell.name} seed {one.seed} {why}" for one, why in left_out.items())
    raise StoreError(f"no network with finite logits in {store.directory}: {said}")


def joined(cell: AnyCell, parts: Sequence[AnyStack]) -> AnyStack:
    """What was learned at several seeds of a cell as one."""
    learned = experiment_of(cell).learned
    assert learned is not None  # else there are no parts
    return learned.join(parts)


def weights_of(store: Store, cell: AnyCell, seeds: Sequence[int]) -> str | None:
    """What numbers about networks are of: a hash of their tensors; None where one is not whole."""
    rows, found = store.known(), []
    for seed in sorted(seeds):
        name = row_name(Replica(cell, seed))
        if name not in rows:
            return None
        try:
            own = rows[name].weights_checksum or checksums.of_tensors(store.weights(name))
        except StoreError:
            return None
        found.append(own)
    return checksums.of_bytes(" ".join(found).encode())
