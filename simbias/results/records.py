"""Between networks and files: rows, traces and tensors of trained networks, and back."""

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import version
from typing import Any, NamedTuple

import jax
import numpy as np

from simbias import __version__, _keys
from simbias._checks import fail, instance, whole
from simbias._pinned import PRODUCTS
from simbias.quantities import Subject
from simbias.results import checksums
from simbias.results.numbers import numbers
from simbias.results.schema import FINAL
from simbias.results.store import Store, StoreError
from simbias.tasks.task import numbers_of
from simbias.training.cell import Cell, cell_from_settings
from simbias.training.draws import DrawsError
from simbias.training.fit import TRACE
from simbias.training.stack import Job, Snapshot, Stack, joined, redraw, stacked, state_shape
from simbias.validation import Report, faults
from simbias.validation.sound import sound_seed


def network_name(job: Job) -> str:
    """The hash under which a network's files are kept."""
    return hashlib.sha256(f"{job.cell.identity}|{job.seed}".encode()).hexdigest()[:16]


def base_row(suite: str, job: Job, status: str, reason: str) -> dict[str, Any]:
    """The columns that are known of a network whatever became of it."""
    cell = job.cell
    return {
        "suite": suite,
        "cell": cell.name,
        "task": cell.task.name,
        "network": cell.network.label,
        "method": cell.method.name,
        "seed": job.seed,
        "n_train": cell.n_train,
        "status": status,
        "reason": reason,
        "dim": numbers_of(cell.task),
        "batch": cell.batch,
        "settings": cell.identity,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": device(),
        "versions": json.dumps(versions()),
    }


def rows(
    suite: str, stack: Stack, report: Report | None, validate_seconds: float
) -> list[dict[str, Any]]:
    """A row of results for every network of a stack; without numbers where there is no report."""
    measured = [] if report is None else numbers(Subject.validated(stack, report))
    found = []
    for i, seed in enumerate(stack.seeds):
        status, reason = stack.outcome(i)
        row = base_row(suite, Job(stack.cell, seed), status, reason)
        row |= {"updates": stack.updates[i], "train_seconds": stack.seconds[i]}
        if report is None:
            row["reason"] += "; not validated"
        else:
            row |= measured[i].columns | {"n_certify": report.n_certify}
            row |= {"validate_seconds": validate_seconds / len(stack)}
            if report.faults[i]:
                row |= {"status": "diverged", "reason": f"{reason}; {report.faults[i]}"}
            else:
                row["reason"] = "; ".join([reason, *measured[i].reasons])
        found.append(row)
    return found


def trace_rows(suite: str, stack: Stack, i: int) -> list[dict[str, Any]]:
    """The trace of network ``i``, a row a check."""
    identity = {"suite": suite, "cell": stack.cell.name, "seed": stack.seeds[i]}
    return [
        identity | dict(zip(TRACE, map(float, check), strict=True)) for check in stack.traces[i]
    ]


def tensors(stack: Stack, i: int) -> dict[str, np.ndarray]:
    """What is kept of network ``i`` in its weights file."""
    kept = {
        "params": jax.tree.map(lambda leaf: leaf[i], stack.params),
        "initial": jax.tree.map(lambda leaf: leaf[i], stack.initial),
        "rotation": stack.rotation[i],
        "fitted_since": stack.fitted_since[i],
        "updates": stack.updates[i],
        "end": stack.end[i],
        "seconds": stack.seconds[i],
    }
    return flat(kept) | _draws_tensor(stack.draws[i])


class Trained(NamedTuple):
    """A cell of a run, and why each of its networks that ended is no classifier, empty: it is."""

    cell: Cell
    faults: dict[int, str]


def trained(store: Store, cell: str | None = None) -> list[Trained]:
    """The cells of a run that have networks that ended, in the suite's order.

    Args:
        store: the run directory.
        cell: a name, or the beginning of some; default: all.

    Raises:
        ValueError: no such cell.
        StoreError: no network of the run has ended, with the reasons that are known.
    """
    _, rows = store.query(
        "SELECT cell, seed, settings, status, reason FROM networks"
        f" WHERE status IN {FINAL} ORDER BY seed"
    )
    if not rows:
        raise _nothing(store)
    by_cell: dict[str, list[tuple]] = {}
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
        found.append(Trained(cell_from_settings(json.loads(by_cell[name][0][1])), faults))
    return found


def _nothing(store: Store) -> StoreError:
    """The error of a run without a network that ended."""
    _, rows = store.query(
        "SELECT count(*), status, reason FROM networks GROUP BY ALL ORDER BY 1 DESC, 2, 3"
    )
    words = [f"{count} {status} ({reason})" for count, status, reason in rows]
    said = f": {'; '.join(words[:3])}{'; ...' * (len(words) > 3)}" if words else ""
    return StoreError(f"{store.directory} has no trained networks{said}")


def load_stack(store: Store, cell: str | None = None, *, seed: int | None = None) -> Stack:
    """The stack of one cell of a run.

    Args:
        store: the run directory.
        cell: its name, or the beginning of one; default: the suite's first that has networks.
        seed: the only network to load; default: all of them.

    Raises:
        ValueError: no such cell or seed, or draws that cannot be repeated here (``DrawsError``).
        StoreError: no network has ended, or a file cannot be read.
    """
    instance("store", store, Store)
    if cell is not None:
        instance("cell", cell, str)
    if seed is not None:
        whole("seed", seed, least=0, most=2**63 - 1)
    found = trained(store, cell)
    if cell is not None and len(found) > 1:
        names = ", ".join(one.cell.name for one in found)
        raise fail("cell", cell, f"the beginning of one cell, not of {names}")
    made, faults = found[0]
    if seed is not None and seed not in faults:
        raise fail("seed", seed, f"one of {list(faults)}")
    return load_networks(store, made, list(faults) if seed is None else [seed])


def load_networks(store: Store, cell: Cell, seeds: Sequence[int]) -> Stack:
    """The stack of networks of a cell.

    Raises:
        StoreError: one that is broken, with cell, seed and file.
        DrawsError: the training set of one cannot be drawn again.
    """
    found = []
    for seed in seeds:
        name = network_name(Job(cell, seed))
        try:
            kept, trace = store.weights(name), store.trace(name, TRACE)
            found.append(stack_from_tensors(cell, {seed: kept}, [trace]))
        except DrawsError:
            raise
        except (StoreError, ValueError) as error:
            where = "" if isinstance(error, StoreError) else f" {store.weights_path(name)}"
            raise StoreError(f"{cell.name} seed {seed}: {error}{where}") from None
    return joined(found)


def load_sound(
    store: Store, cell: str | None = None, *, seed: int | None = None, first: bool = False
) -> tuple[Stack, dict[Job, str]]:
    """The networks of one cell that are classifiers, and why others were left out.

    Args:
        store: the run directory.
        cell: its name, or the beginning of one; default: the suite's first that has a classifier.
        seed: the only network to load; default: all of them.
        first: load the first that there is.

    Raises:
        ValueError: no such cell or seed, or a seed that is no classifier.
        StoreError: no network has ended, none is a classifier, or a file cannot be read.
        DrawsError: no training set can be drawn again.
    """
    if seed is not None:
        stack = load_stack(store, cell, seed=seed)
        sound_seed(stack, seed)
        return stack, {}
    left_out: dict[Job, str] = {}
    other_draws: list[DrawsError] = []
    for made, known in trained(store, cell):
        sound: list[Stack] = []
        for own, fault in known.items():
            if first and sound:
                break
            if not fault:
                try:
                    one = load_networks(store, made, [own])
                    (fault,) = faults(one)
                except DrawsError as error:
                    other_draws.append(error)
                    fault = str(error)
                except StoreError as error:
                    fault = str(error)
            if fault:
                left_out[Job(made, own)] = fault
            else:
                sound.append(one)
        if sound:
            return joined(sound), left_out
    if other_draws:
        raise other_draws[0]
    said = "; ".join(f"{job.cell.name} seed {job.seed} {why}" for job, why in left_out.items())
    raise StoreError(f"no network with finite logits in {store.directory}: {said}")


def weights_of(store: Store, cell: Cell, seeds: Sequence[int]) -> str | None:
    """What numbers about networks are of: a hash of their tensors; None where one is not whole."""
    rows, found = store.networks(), []
    for seed in sorted(seeds):
        name = network_name(Job(cell, seed))
        if name not in rows or not store.weights_path(name).is_file():
            return None
        try:
            own = rows[name].weights_checksum or checksums.of_tensors(store.weights(name))
        except StoreError:
            return None
        found.append(own)
    return checksums.of_bytes(" ".join(found).encode())


def stack_from_tensors(
    cell: Cell, kept: Mapping[int, Mapping[str, np.ndarray]], traces: Sequence[np.ndarray]
) -> Stack:
    """The stack whose networks are kept as ``tensors`` gives them, by seed.

    Raises:
        ValueError: a tensor that is missing or of another shape; without any of its initialisation
            a network is taken to have none, if no other has.
        DrawsError: the training set of a network cannot be drawn again.
    """
    shape = state_shape(cell)
    stored = any(name.startswith("initial.") for arrays in kept.values() for name in arrays)
    like = {
        "params": shape.params,
        "initial": shape.params if stored else None,
        **dict.fromkeys(("rotation", "fitted_since", "updates", "end", "seconds"), 0),
    }
    whole = stacked([unflat(arrays, like) for arrays in kept.values()])
    draws = tuple(map(_draws, kept.values()))
    stack = Stack(cell=cell, seeds=tuple(kept), traces=tuple(traces), draws=draws, **whole)
    for i in range(len(stack)):
        redraw(stack, i)
    return stack


def snapshot_tensors(snapshot: Snapshot) -> dict[str, np.ndarray]:
    """A checkpoint's tensors."""
    kept = {"state": snapshot.state, "trace": snapshot.trace, "seconds": snapshot.seconds}
    return flat(kept) | _draws_tensor(snapshot.draws)


def snapshot_from_tensors(cell: Cell, saved: Mapping[str, np.ndarray]) -> Snapshot:
    """The inverse of ``snapshot_tensors``; raises ValueError where tensors are missing."""
    like = {"state": state_shape(cell), "trace": 0, "seconds": 0.0}
    whole = unflat(saved, like)
    return Snapshot(whole["state"], whole["trace"], float(whole["seconds"]), _draws(saved))


def _draws_tensor(draws: str) -> dict[str, np.ndarray]:
    """A fingerprint of draws as bytes, under its name; nothing where there is none."""
    return {"draws": np.frombuffer(bytes.fromhex(draws), np.uint8)} if draws else {}


def _draws(arrays: Mapping[str, np.ndarray]) -> str:
    """The fingerprint among a network's tensors; "" where it was kept without one."""
    return arrays["draws"].tobytes().hex() if "draws" in arrays else ""


def flat(tree: Any) -> dict[str, np.ndarray]:
    """The leaves of a pytree by their path, as contiguous arrays."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {
        _path(path): np.ascontiguousarray(leaf).reshape(np.shape(leaf)) for path, leaf in leaves
    }


def unflat(arrays: Mapping[str, np.ndarray], like: Any) -> Any:
    """The pytree with the structure of ``like`` and leaves by path; raises ValueError."""
    leaves, structure = jax.tree_util.tree_flatten_with_path(like)
    names = [_path(path) for path, _ in leaves]
    for name, (_, leaf) in zip(names, leaves, strict=True):
        if name not in arrays:
            raise ValueError(f"tensor {name}: not in the file")
        if hasattr(leaf, "shape") and leaf.shape != arrays[name].shape:
            raise fail(f"tensor {name}", arrays[name].shape, f"shape {leaf.shape}")
    return jax.tree_util.tree_unflatten(structure, [arrays[name] for name in names])


def _path(path: Any) -> str:
    return jax.tree_util.keystr(path, simple=True, separator=".")


@lru_cache
def versions() -> dict[str, str]:
    """Versions of what produced a result."""
    libraries = ("jax", "jaxlib", "flax", "optax", "numpy", "scipy")
    found = {"python": platform.python_version(), "keys": str(_keys.VERSION)}
    found["simbias"] = __version__  # of the code that runs, wherever another copy is installed
    return found | {name: version(name) for name in libraries}


def device() -> str:
    """What networks run on, in words."""
    first = jax.devices()[0]
    if first.platform == "cpu":
        return f"{len(jax.devices())} x cpu ({platform.machine()})"
    return f"{len(jax.devices())} x {first.platform} ({first.device_kind}), {PRODUCTS} products"
