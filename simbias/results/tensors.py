"""Reading tensors from safetensors files, and checksums of files."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from safetensors import safe_open

from simbias.results import checksums
from simbias.results.files import FAILURES, StoreError, first_lines


def load(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The tensors and the metadata of a file; raises StoreError."""
    with reading(path), safe_open(path, "np") as handle:
        return {name: handle.get_tensor(name) for name in handle.keys()}, handle.metadata() or {}


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn errors of reading into a StoreError that names the file."""
    try:
        yield
    except FAILURES as error:
        why = first_lines(error)
        raise StoreError(f"cannot read {path}: {why}", why) from error


def file_checksum(path: Path) -> tuple[bool, str]:
    """Whether the file exists, and the checksum of its bytes; raises StoreError."""
    with reading(path):
        try:
            return True, checksums.of_bytes(path.read_bytes())
        except FileNotFoundError:
            return False, ""
