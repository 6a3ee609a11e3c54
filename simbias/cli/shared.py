"""Shared by the verbs: types of their arguments, a run directory, the start of JAX.

Imports that start JAX or matplotlib are made by the functions that need them, here and in the
verbs, so that help and lists answer at once.
"""

import os
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from simbias._process import print_error

if TYPE_CHECKING:
    from simbias.results.store import Store
    from simbias.runner.group import Reporter
    from simbias.runner.plan import Plan

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

Cluster = Annotated[
    str | None,
    tyro.conf.arg(
        help="compute in other processes: processes:N, local:N (Dask here), tcp://HOST:PORT (a Dask"
        " scheduler), slurm:N or submitit:N (at most N jobs); default: in this one."
    ),
]


def each(flag: str, several: Iterable[Sequence[str]]) -> list[str]:
    """The values of an option that may be given several times; raises ValueError."""
    if not all(several):
        raise ValueError(f"{flag}: got nothing, allowed: at least one value")
    return [value for values in several for value in values]


def open_store(directory: Path, *, create: bool = False) -> "Store":
    """A run directory; files that cannot be used are a line each on standard error."""
    from simbias.results.store import Store

    return Store(directory, create=create, note=print_error)


def start_jax(cores: int | None, cluster: str | None = None) -> None:
    """Start JAX on so many cores; on all that the process may use where None.

    Args:
        cores: for what is computed in this process.
        cluster: whose workers may need the memory of the same GPUs.
    """
    from simbias._devices import configure

    if cluster is not None:
        os.environ.setdefault(
            "XLA_PYTHON_CLIENT_PREALLOCATE", "false"
        )  # of what it may need itself
    configure(cores)


def check_cluster(cluster: str | None) -> None:
    """Raise ValueError for words that name no executor, before anything is written."""
    if cluster is not None:
        from simbias.runner.executors import check

        check(cluster)


def compute(
    plan: "Plan", store: "Store", reporter: "Reporter", cluster: str | None, cores: int | None
) -> list[str]:
    """Compute what is missing, here or on a cluster; the statuses of the plan's replicas."""
    if cluster is None:
        from simbias.runner.execute import execute

        return execute(plan, store, reporter)
    from simbias.runner.dispatch import dispatch
    from simbias.runner.executors import open_workers

    opened = partial(open_workers, cluster, store.directory, cores or 1)
    return dispatch(plan, store, reporter, opened, cores=cores or 1)
