"""Compiled programs, kept in the user's cache directory: a second process need not compile them.

A program holds native instructions: there is a folder for each processor and library version, all
safe to delete. JAX never replaces an entry that it cannot read, and would warn of it for ever, so
such entries are removed. In memory they are let go of as a run goes on.
"""

import hashlib
import json
import math
import os
import platform
import stat
import zlib
from collections.abc import Callable, Hashable
from contextlib import suppress
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from simbias._files import write_whole

_KEPT_SECONDS = 0.1  # programs that compile faster are not worth a file
_ENTRY = "-cache"  # how JAX names one
_AT_ONCE = 4  # compiled groups whose programs stay in memory: some 40 MB each
_LIMIT, _MAPS = Path("/proc/sys/vm/max_map_count"), Path("/proc/self/maps")
_READ = "read-by-simbias.json"  # size and time of the entries that were found readable


def keep() -> None:
    """Let JAX keep compiled programs; without a folder that can be used, none are kept."""
    import jax

    if not jax.config.values["jax_enable_compilation_cache"]:
        return
    if jax.config.values["jax_compilation_cache_dir"] is None:
        with suppress(RuntimeError):  # there is no home directory
            jax.config.update("jax_compilation_cache_dir", str(cache_directory()))
            jax.config.update("jax_persistent_cache_min_compile_time_secs", _KEPT_SECONDS)
    folder = jax.config.values["jax_compilation_cache_dir"]
    if folder is None or "://" in folder:
        return
    if not _is_sound(Path(folder)):
        jax.config.update("jax_enable_compilation_cache", False)
    elif not os.access(folder, os.W_OK):
        jax.config.update("jax_persistent_cache_min_compile_time_secs", math.inf)


def kept() -> bool:
    """Whether JAX keeps compiled programs in files."""
    import jax

    enabled = jax.config.values["jax_enable_compilation_cache"]
    folder = jax.config.values["jax_compilation_cache_dir"]
    seconds = jax.config.values["jax_persistent_cache_min_compile_time_secs"]
    return bool(enabled and folder is not None and seconds < math.inf)


_ended: set[Hashable] = set()


def group_ended(group: Hashable) -> None:
    """Let go of the programs in memory, every few groups; the cache has them where needed again.

    Args:
        group: what computations of one program have in common: many work units count once.
    """
    import jax

    _ended.add(group)
    if len(_ended) >= _AT_ONCE:
        _ended.clear()
        jax.clear_caches()


def make_room(limit: Path = _LIMIT, maps: Path = _MAPS) -> None:
    """Let go of the programs in memory before the process may map no more of it.

    A program of training is some 450 maps, and Linux allows a process 65,530: XLA ends it with a
    segmentation fault where they have run out.
    """
    import jax

    try:
        most, held = int(limit.read_text()), maps.read_bytes().count(b"\n")
    except (OSError, ValueError):
        return  # another system
    if held > most / 2:
        jax.clear_caches()


def cache_directory() -> Path:
    """The folder of this machine's compiled programs, in the user's cache directory."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    built = "|".join([platform.machine(), _features(), version("jax"), version("jaxlib")])
    return Path(base, "simbias", "compiled", hashlib.sha256(built.encode()).hexdigest()[:16])


def _features() -> str:
    """The processor's model and instruction sets, where the system tells them."""
    try:
        lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
    except OSError:
        return platform.processor()
    fields = ("model name", "flags", "Features", "CPU implementer", "CPU part")
    return "|".join(line for line in lines if line.startswith(fields))


def _is_sound(folder: Path) -> bool:
    """Whether a folder is there, or can be made, and is without entries that cannot be read."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        entries = [entry for entry in os.scandir(folder) if entry.name.endswith(_ENTRY)]
    except OSError:
        return False
    before = _read_before(folder / _READ)
    readable: dict[str, list[int]] = {}
    unpack = _unpacker()
    for entry in entries:
        with suppress(FileNotFoundError):  # another process was faster
            status = entry.stat(follow_symlinks=False)
            mark = [status.st_size, status.st_mtime_ns]
            if before.get(entry.name) == mark or _reads(Path(entry.path), status.st_mode, unpack):
                readable[entry.name] = mark
            elif not _removed(Path(entry.path)):
                return False
    if readable != before:
        with suppress(OSError):  # entries are read again next time
            write_whole(folder / _READ, lambda path: path.write_text(json.dumps(readable)))
    return True


def _read_before(path: Path) -> dict[str, list[int]]:
    try:
        before = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return before if isinstance(before, dict) else {}


def _reads(path: Path, mode: int, unpack: Callable[[bytes], bytes]) -> bool:
    """Whether an entry can be unpacked, which takes all of it and its checksum."""
    if not stat.S_ISREG(mode):
        return False
    try:
        return bool(unpack(path.read_bytes()))
    except FileNotFoundError:
        raise
    except Exception:  # each library has its own errors, and whatever it is, JAX would meet it too
        return False


def _removed(path: Path) -> bool:
    try:
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
    except OSError:
        return False
    return True


def _unpacker() -> Callable[[bytes], bytes]:
    """The decompression that JAX uses for entries: zstd where it is there, zlib otherwise."""
    unpack: Callable[[bytes], bytes]
    with suppress(ImportError):  # part of Python from 3.14 on
        unpack = import_module("compression.zstd").decompress
        return unpack
    with suppress(ImportError):
        unpack = import_module("zstandard").ZstdDecompressor().decompress
        return unpack
    return zlib.decompress
