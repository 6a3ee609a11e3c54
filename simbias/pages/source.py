"""A run as a page reads it: each part once, and what could not be read, with the reason."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TypeVar

from simbias._types import Answer, TableRow
from simbias.experiments.experiment import OwnCell
from simbias.plots.run import Bounded
from simbias.results import Standing, Store, StoreError, Summary, leaderboard, parquet, summarise
from simbias.results.bounds import read_all
from simbias.results.claims import read_evidence, read_verdicts
from simbias.results.schema import RowIndex
from simbias.results.store import mentioned
from simbias.results.trained import Trained, trained
from simbias.training.cell import Cell

Part = TypeVar("Part")


class _ReadOnce(Store):
    """A run that stays as it is while a page is made of it: rows are listed, queries run once.

    Its cells are made once, too, and stay: equal tasks are traced once while one is there.
    """

    def __init__(self, directory: Path, note: Callable[[str], None]) -> None:
        super().__init__(directory, note=note)
        self._answers: dict[str, tuple[list[str], list[Answer]]] = {}
        self._cells: dict[str, OwnCell] = {}
        self._tables, self._loaded = parquet.alone(), set[str]()
        self._asking = Lock()  # parts of a page are made beside each other
        self._listed: Mapping[str, RowIndex] | None = None

    def cell(self, settings: str) -> OwnCell:
        """As of any run; each is made once."""
        if settings not in self._cells:
            self._cells[settings] = super().cell(settings)
        return self._cells[settings]

    def known(self) -> Mapping[str, RowIndex]:
        """As of any run, whose folders would be looked at again for each network."""
        if self._listed is None:
            self._listed = super().known()
        return self._listed

    def query(self, sql: str) -> tuple[list[str], list[Answer]]:
        """As of any run, for SQL of our own; each table is read once, and each query run once."""
        with self._asking:
            for table in (name for name in mentioned(sql) if name not in self._loaded):
                self.load(self._tables, table)
                self._loaded.add(table)
            if sql not in self._answers:
                self._answers[sql] = parquet.answer(self._tables, sql)
        names, rows = self._answers[sql]
        return list(names), list(rows)


@dataclass
class PageSource:
    """A run that a page is made of.

    Attributes:
        store: the run directory, whose ``note`` should be that of ``reading``.
        prefix: begins the names of its parts within the page.
        networks: most networks in the boundary explorer.
        replays: checks between the first and the last update at which networks are shown, too.
        notes: what could not be read or drawn, a line each.

    Examples:
        >>> import simbias
        >>> from simbias.pages.source import PageSource
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> PageSource(simbias.runner.keep(stack, "run", n_certify=10_000), "run").networks
        4
    """

    store: Store
    prefix: str
    networks: int = 4
    replays: int = 0
    notes: list[str] = field(default_factory=list)

    @classmethod
    def reading(cls, directory: Path, prefix: str, networks: int, replays: int) -> "PageSource":
        """The run of a directory; raises ValueError where it is none."""
        notes: list[str] = []
        store = _ReadOnce(directory, notes.append)
        return cls(store, prefix, networks, replays, notes)

    @property
    def title(self) -> str:
        """The run in words."""
        config = self.store.config() or {}
        return f"{config.get('suite', 'run')} {config.get('preset', '')}".strip()

    @cached_property
    def cells(self) -> list[Trained[Cell]]:
        """The cells of networks that ended; none where there are none."""
        try:
            return trained(self.store)
        except StoreError:
            return []

    @cached_property
    def summaries(self) -> list[Summary]:
        """Each cell over its seeds."""
        return self._or_none(lambda: summarise(self.store)) or []

    @cached_property
    def evaluations(self) -> Bounded:
        """The latest evaluations of bounds, by cell."""
        _, rows = self.store.query("SELECT count(*) FROM bounds")
        return (self._or_none(lambda: read_all(self.store)) or []) if rows[0][0] else []

    @cached_property
    def verdicts(self) -> list[TableRow]:
        """The verdicts, a row each."""
        return read_verdicts(self.store)

    @cached_property
    def evidence(self) -> dict[str, list[TableRow]]:
        """The units behind each verdict."""
        return read_evidence(self.store)

    @cached_property
    def standings(self) -> list[Standing]:
        """Learners side by side; none where no task has several."""
        if not self.summaries:
            return []
        try:
            standings = leaderboard(self.store)
        except (ValueError, OSError):  # a run without learners is no fault
            return []
        return standings if any(standing.against for standing in standings) else []

    def _or_none(self, read: Callable[[], Part]) -> Part | None:
        """What a reading returns; None where it fails, which is noted."""
        try:
            return read()
        except (ValueError, OSError) as error:
            self.notes.append(" ".join(str(error).split()))
            return None
