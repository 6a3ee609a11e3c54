"""Shared by the verbs: types of their arguments, a run directory, the start of JAX.

Imports that start JAX or matplotlib are made by the functions that need them, here and in the
verbs, so that help and lists answer at once.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from simbias._process import print_error

if TYPE_CHECKING:
    from simbias.results.store import Store

Suite = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="SUITE")]
Name = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NAME")]
Directory = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DIR")]
Directories = Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="DIR")]
Sql = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="SQL")]
Words = Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="WORD")]
NewKind = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="KIND")]
Kind = Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="KIND")]
# Values after one flag, and flags: whichever way they are given, all of them count.
Several = Annotated[tuple[tuple[str, ...], ...], tyro.conf.UseAppendAction]


def each(flag: str, several: Iterable[Sequence[str]]) -> list[str]:
    """The values of an option that may be given several times; raises ValueError."""
    if not all(several):
        raise ValueError(f"{flag}: got nothing, allowed: at least one value")
    return [value for values in several for value in values]


def open_store(directory: Path, *, create: bool = False) -> "Store":
    """A run directory; files that cannot be used are a line each on standard error."""
    from simbias.results.store import Store

    return Store(directory, create=create, note=print_error)


def start_jax(cores: int | None) -> None:
    """Start JAX on so many cores; on all that the process may use where None."""
    from simbias._devices import configure

    configure(cores)
