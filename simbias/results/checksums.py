"""Checksums by content: the same numbers have the same checksum in any file."""

import hashlib
import json
from collections.abc import Iterable, Mapping

import numpy as np

CHANGED = "changed since it was written: its checksum differs"
_TIMING = "seconds"  # differs between two runs that give the same network


def of_bytes(content: bytes) -> str:
    """The checksum of a file's bytes."""
    return hashlib.sha256(content).hexdigest()[:32]


def of_rows(rows: Iterable[Mapping[str, object]]) -> str:
    """The checksum of rows in any order, without empty cells: other versions may lack them."""
    texts = (
        json.dumps(
            {name: value for name, value in row.items() if value is not None},
            sort_keys=True,
            default=str,
        )
        for row in rows
    )
    return of_bytes("\n".join(sorted(texts)).encode())


def of_tensors(tensors: Mapping[str, np.ndarray]) -> str:
    """The checksum of a network's tensors, without its training time."""
    digest = hashlib.sha256()
    for name in sorted(set(tensors) - {_TIMING}):
        array = np.ascontiguousarray(tensors[name])
        digest.update(f"{name} {array.dtype.str} {np.shape(tensors[name])}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()[:32]


def of_json(content: Mapping[str, object]) -> str:
    """The checksum of the content of a JSON file."""
    return of_bytes(json.dumps(content, sort_keys=True).encode())
