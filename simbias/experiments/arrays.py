"""Between networks and named arrays: the files of a stack and of a network in training."""

from collections.abc import Mapping, Sequence

import jax
import numpy as np

from simbias._checks import fail
from simbias._types import PyTree
from simbias.parallel import stacked
from simbias.training.cell import Cell
from simbias.training.jobs import Snapshot, state_shape
from simbias.training.stack import Stack, redraw


def tensors(stack: Stack, i: int) -> dict[str, np.ndarray]:
    """The tensors of network ``i``, for its weights file."""
    tree = {
        "params": jax.tree.map(lambda leaf: leaf[i], stack.params),
        "initial": jax.tree.map(lambda leaf: leaf[i], stack.initial),
        "rotation": stack.rotation[i],
        "fitted_since": stack.fitted_since[i],
        "updates": stack.updates[i],
        "end": stack.end[i],
        "seconds": stack.seconds[i],
    }
    return flat(tree) | _draws_tensor(stack.draws[i])


def stack_from_tensors(
    cell: Cell, kept: Mapping[int, Mapping[str, np.ndarray]], traces: Sequence[np.ndarray]
) -> Stack:
    """The stack of networks from the tensors of each, by seed: the inverse of ``tensors``.

    Networks without any tensor of their initialisation make a stack without it.

    Raises:
        ValueError: a tensor that is missing or of another shape, also where only some networks have
            their initialisation.
        DrawsError: the training set of a network cannot be drawn again.
    """
    shape = state_shape(cell)
    stored = any(name.startswith("initial.") for arrays in kept.values() for name in arrays)
    template = {
        "params": shape.params,
        "initial": shape.params if stored else None,
        **dict.fromkeys(("rotation", "fitted_since", "updates", "end", "seconds"), 0),
    }
    fields = stacked([unflat(arrays, template) for arrays in kept.values()])
    draws = tuple(map(_draws, kept.values()))
    stack = Stack(cell=cell, seeds=tuple(kept), traces=tuple(traces), draws=draws, **fields)
    for i in range(len(stack)):
        redraw(stack, i)
    return stack


def snapshot_tensors(snapshot: Snapshot) -> dict[str, np.ndarray]:
    """A checkpoint's tensors."""
    tree = {"state": snapshot.state, "trace": snapshot.trace, "seconds": snapshot.seconds}
    return flat(tree) | _draws_tensor(snapshot.draws)


def snapshot_from_tensors(cell: Cell, saved: Mapping[str, np.ndarray]) -> Snapshot:
    """The inverse of ``snapshot_tensors``; raises ValueError where tensors are missing."""
    template = {"state": state_shape(cell), "trace": 0, "seconds": 0.0}
    fields = unflat(saved, template)
    return Snapshot(fields["state"], fields["trace"], float(fields["seconds"]), _draws(saved))


def _draws_tensor(draws: str) -> dict[str, np.ndarray]:
    """The fingerprint of draws as a tensor of bytes; no tensor where it is empty."""
    return {"draws": np.frombuffer(bytes.fromhex(draws), np.uint8)} if draws else {}


def _draws(arrays: Mapping[str, np.ndarray]) -> str:
    """The fingerprint of draws among a network's tensors; "" where there is none."""
    return arrays["draws"].tobytes().hex() if "draws" in arrays else ""


def flat(tree: PyTree) -> dict[str, np.ndarray]:
    """The leaves of a pytree by their path, as contiguous arrays."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {
        _path(path): np.ascontiguousarray(leaf).reshape(np.shape(leaf)) for path, leaf in leaves
    }


def unflat(arrays: Mapping[str, np.ndarray], like: PyTree) -> PyTree:
    """The pytree with the structure of ``like`` and leaves by path; raises ValueError."""
    leaves, structure = jax.tree_util.tree_flatten_with_path(like)
    names = [_path(path) for path, _ in leaves]
    for name, (_, leaf) in zip(names, leaves, strict=True):
        if name not in arrays:
            raise ValueError(f"tensor {name}: not in the file")
        if hasattr(leaf, "shape") and leaf.shape != arrays[name].shape:
            raise fail(f"tensor {name}", arrays[name].shape, f"shape {leaf.shape}")
    return jax.tree_util.tree_unflatten(structure, [arrays[name] for name in names])


def _path(path: tuple[object, ...]) -> str:
    return jax.tree_util.keystr(path, simple=True, separator=".")
