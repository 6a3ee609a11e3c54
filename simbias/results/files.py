"""Files of a run directory: written at once or not at all, and the errors of those that fail."""

import os
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import duckdb
from safetensors import SafetensorError

from simbias._files import sync, temporary_beside, write_whole

STALE_SECONDS = 3600  # after which what a process prepared counts as left by a killed one
FAILURES = (OSError, duckdb.Error, SafetensorError)  # of reading and writing


class StoreError(OSError):
    """Something could not be written or read; the message is one line that names it.

    Args:
        message: the line.
        why: its part without the file's name.

    Examples:
        >>> import simbias
        >>> error = simbias.results.StoreError("run/run.toml: the disk is full", "the disk is full")
        >>> str(error), error.why
        ('run/run.toml: the disk is full', 'the disk is full')
    """

    def __init__(self, message: str, why: str = "") -> None:
        super().__init__(message)
        self.why = why or message


class Fault(NamedTuple):
    """A file that cannot be used, in all or in part, and why, in one line."""

    path: Path
    why: str


def write(path: Path, content: Callable[[Path], object]) -> None:
    """``write_whole``, with the errors of a run directory.

    Args:
        path: the file.
        content: writes it to the path that it is given.

    Raises:
        StoreError: it could not be written.
    """
    try:
        write_whole(path, content)
    except FAILURES as error:
        raise StoreError(f"cannot write {path}: {_why(error)}") from error


def write_new(path: Path, content: bytes) -> bool:
    """Write a new file at once; returns False, and changes nothing, where the path exists.

    Raises:
        StoreError: it could not be written.
    """
    temporary = temporary_beside(path)
    try:
        temporary.write_bytes(content)
        sync(temporary)
        os.link(temporary, path)  # of several processes, one succeeds
        sync(path.parent)
    except FileExistsError:
        return False
    except OSError as error:
        raise StoreError(f"cannot write {path}: {_why(error)}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return True


def clear(directory: Path) -> None:
    """Remove the temporary files of killed processes."""
    for path in directory.rglob(".*.tmp"):
        with suppress(FileNotFoundError):  # its writer has renamed it
            if time.time() - path.stat().st_mtime > STALE_SECONDS:
                path.unlink()


def set_aside(directory: Path, kind: str, path: Path) -> Path:
    """Move a damaged file of a run to ``DIR/set-aside/KIND``; returns its new path."""
    target = directory / "set-aside" / kind / f"{path.name}.{time.time_ns()}"
    target.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):  # missing, or another process was faster
        os.replace(path, target)
    return target


def stamp(path: Path) -> tuple[int, ...]:
    """Time, size and inode of a file, which differ once it is rewritten; empty without a file."""
    try:
        return stamp_of(path.stat())
    except OSError:
        return ()


def stamp_of(status: os.stat_result) -> tuple[int, ...]:
    """The stamp of a file with this status."""
    return status.st_mtime_ns, status.st_size, status.st_ino


def first_lines(error: BaseException) -> str:
    """An error's message in one line, without the query it came from."""
    lines = [line.strip() for line in str(error).split("LINE 1:")[0].splitlines() if line.strip()]
    return " ".join(lines)


def unusable(path: Path, why: str) -> StoreError:
    """The error of a file that cannot be used."""
    return StoreError(f"{path} cannot be used ({why})", why)


def check_writable(directory: Path) -> None:
    """Raise ValueError unless a run directory can be made or written there; leaves no trace."""
    folder = directory.absolute()
    while not folder.parent.exists():
        folder = folder.parent
    try:  # permissions do not tell (root, read-only and virtual file systems): try it
        if folder.exists():
            with tempfile.TemporaryFile(dir=folder):
                pass
        else:
            folder.mkdir()
            folder.rmdir()
    except OSError as error:
        raise ValueError(
            f"out: got {str(directory)!r} ({error.strerror}), allowed: a directory that can be"
            " written or made"
        ) from None


def _why(error: Exception) -> str:
    """The reason alone: the path in an error of the system is that of a temporary file."""
    reason = error.strerror if isinstance(error, OSError) else None
    return reason or first_lines(error)
