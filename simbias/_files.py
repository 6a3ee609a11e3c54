"""Writes files whole or not at all; reads those that people write, or that may be damaged.

Errors of reading are one line. A file that is no regular one could be read for ever; a large or
deep one takes minutes, or more frames than the interpreter has.
"""

import json
import os
import re
import time
import tomllib
from collections.abc import Callable, Mapping
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TypeGuard, TypeVar

from simbias._plain import Settings

Parsed = TypeVar("Parsed")

MOST_BYTES = 1_000_000  # of a file written by hand
_DEPTH = 20
_PLACE = 300  # characters of a message
_DOTS = 250  # in a key: the parser's time grows with their square


def write_whole(path: Path, content: Callable[[Path], object]) -> None:
    """Write under a temporary name, sync, rename: a reader never meets half a file.

    Args:
        path: the file; on failure it stays as it was, and nothing is left beside it.
        content: writes it to the path that it is given.

    Raises:
        OSError: it could not be written; or what ``content`` raises.
    """
    temporary = temporary_beside(path)
    try:
        content(temporary)
        sync(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_new_files(argument: str, texts: Mapping[Path, str]) -> None:
    """Write text files that are not there yet, and the folders that they lie in.

    Args:
        argument: that names them, for the message.
        texts: by path.

    Raises:
        ValueError: one is there, and then nothing is written; or one cannot be written.
    """
    for path in texts:
        top = path if len(path.parts) == 1 else Path(path.parts[0])
        if os.path.lexists(top):
            raise ValueError(f"{argument}: got {str(top)!r}, which is there already")
    try:
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        raise ValueError(f"{argument}: {path} cannot be written: {error.strerror}") from None


def temporary_beside(path: Path) -> Path:
    """A name in the same folder that no other process and no other call has."""
    return path.parent / f".{os.getpid()}.{time.time_ns()}.tmp"


def sync(path: Path) -> None:
    """Wait until a file, or the listing of a folder, is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_toml(place: str, source: Path | Traversable, most: int = MOST_BYTES) -> Settings:
    """The table of a TOML file (UTF-8, with or without a byte-order mark).

    Args:
        place: what the message begins with, such as ``"suite: my.toml"``.
        source: the file.
        most: bytes that it may have.

    Raises:
        ValueError: in one line, why it cannot be read.
    """
    return _parsed(place, read_text(place, source, most), parse_toml)


def read_json(place: str, source: Path, most: int = MOST_BYTES) -> object:
    """The content of a JSON file; as ``read_toml``."""
    return _parsed(place, read_text(place, source, most), json.loads)


def read_text(place: str, source: Path | Traversable, most: int = MOST_BYTES) -> str:
    """A text file; as ``read_toml``."""
    place = place if len(place) <= _PLACE else f"{place[: _PLACE - 3]}..."
    try:
        if not source.is_file():
            exists = source.exists() if isinstance(source, Path) else source.is_dir()
            raise ValueError("not a file" if exists else "no such file")
        with source.open("rb") as handle:
            content = handle.read(most + 1)
        if len(content) > most:
            raise ValueError(f"larger than {most} bytes")
        return content.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else None
        raise ValueError(f"{place} cannot be read: {why or error}") from None


def parse_toml(text: str) -> Settings:
    """The table of a text; raises ValueError."""
    if any(part.count(".") > _DOTS for part in re.split(r"[=,{\[]", text)):
        raise ValueError(f"a key of more than {_DOTS} parts")
    return tomllib.loads(text)


def _parsed(place: str, text: str, parse: Callable[[str], Parsed]) -> Parsed:
    try:
        content = parse(text)
        if _is_deep(content):
            raise RecursionError
        return content
    except RecursionError:
        raise ValueError(f"{place} cannot be read: nested more than {_DEPTH} deep") from None
    except ValueError as error:
        words = " ".join(str(error).split())
        raise ValueError(f"{place} cannot be read: {words}") from None


def _is_deep(content: object) -> bool:
    level: list[dict[str, object] | list[object]] = [content] if _holds(content) else []
    for _ in range(_DEPTH + 1):
        level = [
            part
            for parent in level
            for part in (parent.values() if isinstance(parent, dict) else parent)
            if _holds(part)
        ]
        if not level:
            return False
    return True


def _holds(part: object) -> TypeGuard[dict[str, object] | list[object]]:
    """Whether a part has parts of its own."""
    return isinstance(part, dict | list)
