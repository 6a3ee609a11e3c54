"""Leases of work units: a file each, by which two launchers do not compute the same thing twice.

A lease saves work, and nothing else hangs on it: a replica that is computed twice is one row. Its
file is renewed while the work goes on. It is stale, and can be taken over, once it has not been
renewed for a while by the clock of the file system, or at once where its process was of this host
and is dead.
"""

import json
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from simbias.results import files
from simbias.results.lease import host, lives

FOLDER = "leases"
RENEWED = 15.0  # seconds between renewals
PATIENCE = 90.0  # seconds without one, after which a lease is stale


@contextmanager
def leased(directory: Path, name: str) -> Iterator[bool]:
    """Hold the lease of a work unit; gives False, and holds nothing, where another has it.

    Args:
        directory: of the run.
        name: of the unit.

    Raises:
        StoreError: it cannot be written.

    Examples:
        >>> from pathlib import Path
        >>> from simbias.results.unit_lease import leased
        >>> with leased(Path("run"), "unit") as first, leased(Path("run"), "unit") as second:
        ...     first, second
        (True, False)
        >>> with leased(Path("run"), "unit") as again:
        ...     again
        True
    """
    path = directory / FOLDER / name
    owner = json.dumps({"host": host(), "pid": os.getpid(), "since": time.time_ns()}).encode()
    if not _take(path, owner):
        yield False
        return
    over = threading.Event()
    renewing = threading.Thread(target=_renew, args=(path, owner, over), daemon=True)
    renewing.start()
    try:
        yield True
    finally:
        over.set()
        renewing.join()
        if _read(path) == owner:
            path.unlink(missing_ok=True)


def held(directory: Path, name: str) -> bool:
    """Whether a process that lives has the lease of a work unit."""
    path = directory / FOLDER / name
    owner = _read(path)
    return owner is not None and not _stale(path, owner)


def release(directory: Path, name: str) -> None:
    """Remove the lease that a killed process has left of a unit of which nothing is missing."""
    with suppress(OSError):
        (directory / FOLDER / name).unlink()


def _take(path: Path, owner: bytes) -> bool:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise files.StoreError(f"cannot write {path.parent}: {error.strerror}") from error
    if files.write_new(path, owner):
        return True
    before = _read(path)
    if before is not None and not _stale(path, before):
        return False
    left = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    with suppress(FileNotFoundError):
        os.rename(path, left)  # of several processes that see the same file, one succeeds
        fresh = left.read_bytes() != before  # taken over meanwhile: put it back
        if fresh:
            with suppress(OSError):
                os.link(left, path)
        left.unlink()
        if fresh:
            return False
    return files.write_new(path, owner)


def _renew(path: Path, owner: bytes, over: threading.Event) -> None:
    while not over.wait(RENEWED):
        if _read(path) != owner:
            return
        with suppress(OSError):
            os.utime(path)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _stale(path: Path, owner: bytes) -> bool:
    try:
        holder = json.loads(owner)
        if holder["host"] == host() and not lives(holder["pid"]):
            return True
    except (ValueError, KeyError, TypeError):  # no lease that a live process has written
        return True
    try:
        with tempfile.TemporaryFile(dir=path.parent) as now:  # by the clock of the file system
            return os.fstat(now.fileno()).st_mtime - path.stat().st_mtime > PATIENCE
    except OSError:
        return False
