"""Where the rows of a table lie, and how one process at a time moves them, without a lock.

::

    DIR/networks/*.parquet                          settled: many rows in a file, each row once
    DIR/pending/networks/ENTRY-TIME.parquet         written since, with what ended together
    DIR/pending/networks/claim/OWNER/*.parquet      claimed by the process that compacts

Whoever compacts makes ``claim`` appear by a rename, which fails while another has one there. It
moves into its own folder, one rename for each file, what it will write anew; what it has written
becomes settled by a rename out of that same folder. To take over from a process that died, the
whole ``claim`` is renamed away: should the other still live, its folder is gone, and with it
whatever it was about to settle. So of two processes only one can settle a row, whenever either is
stopped, and a row is at every moment in at least one of the three places.
"""

import os
import re
import socket
import time
from contextlib import suppress
from pathlib import Path

from simbias._files import sync
from simbias.results.files import STALE_SECONDS, stamp_of

_CLAIM = "claim"
_SUFFIX = ".parquet"
_PATIENCE = 300.0  # seconds after which a process that compacts is taken for dead
_TRIES = 100
Listing = dict[str, tuple[int, ...]]  # stamps of files by their path below a run directory


class Places:
    """The files of one table of a run directory.

    Args:
        directory: of the run.
        table: the name of the table.
    """

    def __init__(self, directory: Path, table: str) -> None:
        self.directory = directory
        self.settled = directory / table
        self.pending = directory / "pending" / table

    def listing(self) -> Listing:
        """Every file with rows; files that another process moves meanwhile are not missed.

        Rows move from pending to claimed to settled, so places are listed in that order; back to
        claimed goes only what is settled, so that is seen unchanged, or all is listed again.
        """
        before = None
        for _ in range(_TRIES):
            pending = self._scan(self.pending)
            claimed = self._claimed()
            settled = self._scan(self.settled)
            if before == (claimed, settled):
                break
            before = claimed, settled
        return settled | claimed | pending

    def settled_files(self) -> Listing:
        """The settled files."""
        return self._scan(self.settled)

    def unsettled(self) -> bool:
        """Whether some rows are not settled."""
        return bool(self._scan(self.pending) or self._claimed())

    def claim(self) -> "Lease | None":
        """The right to compact; None while another process has it."""
        owner = f"{os.getpid()}.{time.time_ns()}.{host()}"
        self.settled.mkdir(parents=True, exist_ok=True)
        prepared = self.pending / f".{owner}"
        (prepared / owner).mkdir(parents=True)
        for _ in range(2):
            try:
                os.rename(prepared, self.pending / _CLAIM)
                return Lease(self, owner)
            except OSError:  # there is one, with something in it
                if not self._abandoned():
                    break
                with suppress(OSError):
                    os.rename(self.pending / _CLAIM, self.pending / f"left.{owner}")
        _remove(prepared / owner, prepared)
        return None

    def _abandoned(self) -> bool:
        """Whether the process that compacts has died, as far as can be told."""
        for name in _folders(self.pending / _CLAIM):
            owner = re.fullmatch(r"(\d+)\.(\d+)\.(.+)", name)
            if owner is None:
                return True
            if owner[3] == host() and not lives(int(owner[1])):
                return True
            return time.time() - int(owner[2]) / 1e9 > _PATIENCE
        return False

    def _scan(self, folder: Path) -> Listing:
        """The files of a folder; those that are removed meanwhile are left out."""
        stamps, place = {}, folder.relative_to(self.directory).as_posix()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.endswith(_SUFFIX) and not entry.name.startswith("."):
                        with suppress(FileNotFoundError):
                            stamps[f"{place}/{entry.name}"] = stamp_of(entry.stat())
        except (FileNotFoundError, NotADirectoryError):
            return {}
        return stamps

    def _claimed(self) -> Listing:
        stamps: Listing = {}
        for name in _folders(self.pending):
            for owner in _folders(self.pending / name):
                stamps |= self._scan(self.pending / name / owner)
        return stamps


class Lease:
    """The right to move the files of a table, until it is released or taken over.

    After it was taken over, every method fails with FileNotFoundError and changes nothing.

    Examples:
        >>> from pathlib import Path
        >>> from simbias.results.lease import Places
        >>> places = Places(Path("run"), "networks")
        >>> lease = places.claim()
        >>> places.claim() is None  # one process at a time
        True
        >>> lease.release()
        >>> places.claim() is None
        False
    """

    def __init__(self, places: Places, owner: str) -> None:
        self._places = places
        self.folder = places.pending / _CLAIM / owner
        self.written = self.folder / ".written"

    def take_pending(self) -> None:
        """Lease the pending files, and those that dead processes have left behind."""
        for path in self._places.pending.glob(f"*{_SUFFIX}"):
            self.take(path)
        for name in _folders(self._places.pending):
            left = self._places.pending / name
            if name == _CLAIM or (name.startswith(".") and not _is_stale(left)):
                continue
            for owner in _folders(left):
                for path in (left / owner).iterdir():
                    self.take(path) if path.suffix == _SUFFIX else path.unlink(missing_ok=True)
                _remove(left / owner)
            _remove(left)

    def take(self, path: Path) -> None:
        """Lease a file, unless another process was faster."""
        with suppress(FileNotFoundError):
            os.rename(path, self.folder / path.name)

    def held(self) -> list[Path]:
        """The files that are claimed."""
        return sorted(self.folder.glob(f"*{_SUFFIX}"))

    def settle(self, name: str) -> None:
        """Turn the written file into a settled one."""
        os.rename(self.written, self._places.settled / f"{name}{_SUFFIX}")
        sync(self._places.settled)

    def give_back(self) -> None:
        """Move every file back to where it was, and release."""
        with suppress(FileNotFoundError):
            for path in self.held():
                pending = re.search(r"-\d+$", path.stem)
                place = self._places.pending if pending else self._places.settled
                os.rename(path, place / path.name)
        self.release()

    def release(self) -> None:
        """Let other processes compact."""
        with suppress(FileNotFoundError):
            self.written.unlink()
        _remove(self.folder, self.folder.parent)


def _folders(path: Path) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _is_stale(path: Path) -> bool:
    with suppress(FileNotFoundError):
        return time.time() - path.stat().st_mtime > STALE_SECONDS
    return False


def _remove(*folders: Path) -> None:
    """Remove folders that are empty; another process may have been faster, or put something in."""
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()


def lives(pid: int) -> bool:
    """Whether a process of this host lives."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is another user's
        pass
    return True


def host() -> str:
    """The name of this host, as names of files can hold it."""
    return re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname())


def pending_name(entry: str) -> str:
    """The name of a file that is written as pending: later ones sort last."""
    return f"{entry}-{time.time_ns()}{_SUFFIX}"
