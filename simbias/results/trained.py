"""Loading from a run directory: the cells of a run, their stacks, their estimators."""

from collections import Counter
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Generic, NamedTuple, TypeVar

from simbias._checks import fail, instance, whole
from simbias._numbers import counted
from simbias._types import Answer, AnyStack
from simbias.experiments import (
    FINAL,
    AnyCell,
    Replica,
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

_NAMED = 3  # networks that are left out, in a line


class Trained(NamedTuple, Generic[Cells]):
    """A cell of a run, and why a network that ended is no classifier, by seed; "" if it is one."""

    cell: Cells
    faults: dict[int, str]


def trained(store: Store, cell: str | None = None) -> list[Trained[Cell]]:
    """The cells of a run that have networks that ended, in the suite's order.

    Args:
        store: the run directory.
        cell: a name, or the beginning of some; default: all.

    Raises:
        ValueError: no such cell.
        StoreError: no network of the run has ended, with the reasons.
    """
    return _ended(store, cell, ["networks"])


def learned(store: Store, cell: str | None = None) -> list[Trained[OwnCell]]:
    """As ``trained``, the cells of every experiment that makes classifiers."""
    return _ended(store, cell, _tables(classifiers=True))


def anything(store: Store, cell: str | None = None) -> list[Trained[OwnCell]]:
    """As ``trained``, the cells of every experiment that makes something to measure or to draw."""
    return _ended(store, cell, _tables(classifiers=False))


def _tables(*, classifiers: bool) -> list[str]:
    return [
        experiment.table.name
        for experiment in experiments().values()
        if (experiment.learned is not None and experiment.learned.classifies)
        or (not classifiers and (experiment.learned is not None or experiment.figures))
    ]


def _ended(store: Store, cell: str | None, tables: Sequence[str]) -> list[Trained[OwnCell]]:
    queries = (f"SELECT cell, seed, settings, status, reason FROM {table}" for table in tables)
    _, answers = store.query(" UNION ALL ".join(queries))
    rows = sorted((row for row in answers if row[3] in FINAL), key=itemgetter(1))
    if not rows:
        raise _none_trained(store, tables[0], answers)
    by_cell: dict[str, list[Answer]] = {}
    for name, *rest in rows:
        by_cell.setdefault(name, []).append(tuple(rest))
    names = sorted(by_cell, key=lambda name: (store.order(name), name))
    matching = [name for name in names if cell is None or name.startswith(cell)]
    if not matching:
        raise fail("cell", cell, f"one of the trained cells: {', '.join(names)}")
    cells = []
    for name in matching:
        faults = {
            seed: f"diverged: {reason}" if status == "diverged" else ""
            for seed, _, status, reason in by_cell[name]
        }
        cells.append(Trained(store.cell(by_cell[name][0][1]), faults))
    return cells


def _none_trained(store: Store, table: str, rows: Sequence[Answer]) -> StoreError:
    """The error of a run in which no network, or estimator, has ended."""
    counts = Counter((status, reason) for *_, status, reason in rows)
    ordered = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    words = [f"{count} {status} ({reason})" for (status, reason), count in ordered]
    reasons = f": {'; '.join(words[:3])}{'; ...' * (len(words) > 3)}" if words else ""
    return StoreError(f"{store.directory} has no trained {table}{reasons}")


def _select(
    store: Store, cell: str | None, seed: int | None, table: str
) -> tuple[OwnCell, list[int]]:
    """The chosen cell of a run, and the chosen ones of its seeds that ended."""
    instance("store", store, Store)
    if cell is not None:
        instance("cell", cell, str)
    return _choose(_ended(store, cell, [table]), cell, seed)


def _choose(
    cells: Sequence[Trained[OwnCell]], cell: str | None, seed: int | None
) -> tuple[OwnCell, list[int]]:
    if seed is not None:
        whole("seed", seed, least=0, most=2**63 - 1)
    check_one([entry.cell.name for entry in cells], cell)
    chosen, faults = cells[0]
    if seed is not None and seed not in faults:
        raise fail("seed", seed, f"one of {list(faults)}")
    return chosen, list(faults) if seed is None else [seed]


def check_one(names: Sequence[str], cell: str | None) -> None:
    """Raise ValueError where several cells' names begin with ``cell``."""
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
        >>> store = simbias.runner.keep(stack, "run", n_certify=10_000)
        >>> again = simbias.results.load_stack(store)
        >>> again.cell == stack.cell, again.seeds
        (True, (0, 1))
    """
    return load_networks(store, *_select(store, cell, seed, "networks"))


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
    chosen, seeds = _select(store, cell, seed, "estimators")
    fitted: Fitted = load(store, chosen, seeds)
    return fitted


def load_networks(store: Store, cell: Cell, seeds: Sequence[int]) -> Stack:
    """The stack of networks of a cell.

    Raises:
        StoreError: one that is broken, with cell, seed and file.
        DrawsError: the training set of one cannot be drawn again.
    """
    stack: Stack = load(store, cell, seeds)
    return stack


def load(store: Store, cell: AnyCell, seeds: Sequence[int]) -> AnyStack:
    """The stack, or the estimators, of some seeds of a cell.

    Raises:
        StoreError: one that is broken, with cell, seed and file.
        DrawsError: the training set of one cannot be drawn again.
    """
    store.check_keys()
    experiment = experiment_of(cell)
    assert experiment.learned is not None  # else it would have no classifiers
    columns, parts = [column.name for column in experiment.trace], []
    for seed in seeds:
        replica = Replica(cell, seed)
        name = row_name(replica)
        try:
            arrays, trace = store.weights(name), store.trace(name, columns)
            parts.append(experiment.learned.read(replica, arrays, trace))
        except DrawsError:
            raise
        except (StoreError, ValueError) as error:
            where = "" if isinstance(error, StoreError) else f" {store.weights_path(name)}"
            raise StoreError(f"{cell.name} seed {seed}: {error}{where}") from None
    return joined(cell, parts)


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
        first: load only the first classifier.
        of: lists the cells: ``trained``, or ``learned`` for estimators as well.

    Raises:
        ValueError: no such cell or seed, or a seed that is no classifier.
        StoreError: no network has ended, none is a classifier, or a file cannot be read.
        DrawsError: no training set can be drawn again.
    """
    if seed is not None:
        chosen, seeds = _choose(of(store, cell), cell, seed)
        stack = load(store, chosen, seeds)
        sound_seed(stack, seed)
        return stack, {}
    left_out: dict[Replica, str] = {}
    other_draws: list[DrawsError] = []
    for chosen, faults_by_seed in of(store, cell):
        sound: list[AnyStack] = []
        for own_seed, fault in faults_by_seed.items():
            if first and sound:
                break
            if not fault:
                try:
                    part = load(store, chosen, [own_seed])
                    (fault,) = faults(part)
                except DrawsError as error:
                    other_draws.append(error)
                    fault = str(error)
                except StoreError as error:
                    fault = _why(store, Replica(chosen, own_seed), error)
            if fault:
                left_out[Replica(chosen, own_seed)] = fault
            else:
                sound.append(part)
        if sound:
            return joined(chosen, sound), left_out
    if other_draws:
        raise other_draws[0]
    named = [f"{cell.name} seed {seed} {why}" for (cell, seed), why in left_out.items()]
    if len(named) > _NAMED and len(set(left_out.values())) == 1:
        named = [f"{counted(len(named), 'network')} {next(iter(left_out.values()))}"]
    elif len(named) > _NAMED:
        named[_NAMED:] = [f"and {len(named) - _NAMED} more"]
    raise StoreError(f"no network with finite logits in {store.directory}: {'; '.join(named)}")


def _why(store: Store, replica: Replica, error: StoreError) -> str:
    """Why a network's files cannot be read, without its name."""
    if not store.weights_path(row_name(replica)).exists():
        return "without weights in the directory"
    return str(error).removeprefix(f"{replica.cell.name} seed {replica.seed}: ")


def joined(cell: AnyCell, parts: Sequence[AnyStack]) -> AnyStack:
    """The stacks, or estimators, of several seeds of a cell as one."""
    learned = experiment_of(cell).learned
    assert learned is not None  # else there are no parts
    return learned.join(parts)


def weights_of(store: Store, cell: AnyCell, seeds: Sequence[int]) -> str | None:
    """A hash of the tensors of some networks; None where a network's tensors are not whole."""
    rows, hashes = store.known(), []
    for seed in sorted(seeds):
        name = row_name(Replica(cell, seed))
        if name not in rows:
            return None
        try:
            checksum = rows[name].weights_checksum or checksums.of_tensors(store.weights(name))
        except StoreError:
            return None
        hashes.append(checksum)
    return checksums.of_bytes(" ".join(hashes).encode())
