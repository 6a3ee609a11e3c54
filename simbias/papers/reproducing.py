"""Reproducing a paper into a directory: networks trained as in any run, resumable, then judged."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import numpy as np

from simbias._checks import known
from simbias._defaults import CONFIDENCE
from simbias.claims.networks import Key
from simbias.claims.session import evaluated
from simbias.experiments import Replica, row_name
from simbias.experiments.experiment import OwnCell
from simbias.papers.judging import Reproduction, judge
from simbias.papers.paper import Exhibit, Paper, PublishedNumber
from simbias.quantities import Subject, declared
from simbias.results.store import Store
from simbias.runner.claims import InStore
from simbias.runner.group import Reporter
from simbias.stats.estimate import Estimate


def reproduce(
    paper: Paper,
    preset: str,
    store: Store,
    *,
    reporter: Callable[[], AbstractContextManager[Reporter]],
    note: Callable[[str], None] = lambda text: None,
) -> list[Reproduction]:
    """Train what a preset lacks, exhibit by exhibit, and hold it against what was published.

    Args:
        paper: from ``load``.
        preset: a name of its presets.
        store: from ``simbias.runner.claims.open_store``.
        reporter: makes the reporter of a training.
        note: called with a line on each step.

    Returns:
        A reproduction for each number of the paper, in its order.

    Raises:
        ValueError: an unknown preset.
        Interrupted: the user asked to stop; the same call continues.
        StoreError: nothing can be written any more.

    Examples:
        A number of the paper, asked of another cell:

        >>> from dataclasses import replace
        >>> from rich.console import Console
        >>> import simbias
        >>> from simbias.runner.claims import open_store
        >>> from simbias.runner.progress import ConsoleReporter
        >>> paper = simbias.papers.load("pitfalls")
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> cell = simbias.training.Cell(task, net, method, n_train=1000, stop=stop)
        >>> exhibit = paper.exhibits[0]
        >>> number = replace(exhibit.numbers[1], populations={"": cell}, seeds={"smoke": 2})
        >>> exhibits = (replace(exhibit, numbers=(number,)),)
        >>> small = replace(paper, n_certify=10_000, exhibits=exhibits)
        >>> (ours,) = simbias.papers.reproduce(
        ...     small,
        ...     "smoke",
        ...     open_store("run"),
        ...     reporter=lambda: ConsoleReporter(Console(quiet=True)),
        ... )
        >>> ours.seeds, ours.number.quantity.text
        (2, 'test_accuracy')
    """
    known("preset", preset, paper.presets)
    for line in store.mend():
        note(line)
    networks = InStore(store, reporter)
    for exhibit in paper.exhibits:
        wanted: dict[OwnCell, list[int]] = {}
        for number in exhibit.numbers:
            for cell in number.populations.values():
                seeds = max(number.seeds.get(preset, 0), len(wanted.get(cell, [])))
                if seeds:
                    wanted[cell] = list(range(seeds))
        if wanted:
            note(f"{exhibit.where}: {exhibit.says}")
            networks.train(wanted)
    return reproductions(paper, preset, store, note=note)


def reproductions(
    paper: Paper,
    preset: str,
    store: Store,
    *,
    note: Callable[[str], None] = lambda text: None,
) -> list[Reproduction]:
    """Hold what a directory has, complete or not, against what was published; trains nothing.

    Args:
        paper, preset, store, note: as of ``reproduce``.

    Raises:
        ValueError: an unknown preset.
        StoreError: a network that cannot be read.

    Examples:
        >>> import simbias
        >>> from simbias.runner.claims import open_store
        >>> paper = simbias.papers.load("pitfalls")
        >>> nothing = simbias.papers.reproductions(paper, "smoke", open_store("run"))
        >>> {entry.outcome for entry in nothing}
        {'not run'}
    """
    known("preset", preset, paper.presets)
    networks = InStore(store, _no_reporter)
    judged = []
    for exhibit in paper.exhibits:
        measure = _Measuring(paper, exhibit, preset, networks, note)
        judged += [
            judge(number, measure.of(number), _statuses(store, number, preset))
            for number in exhibit.numbers
        ]
    return judged


def _no_reporter() -> AbstractContextManager[Reporter]:
    raise AssertionError("nothing is trained")


def _statuses(store: Store, number: PublishedNumber, preset: str) -> list[str]:
    """The status of every network behind a number; "" where it has not ended."""
    statuses = store.statuses()
    return [
        statuses.get(row_name(Replica(cell, seed)), "")
        for cell in number.populations.values()
        for seed in range(number.seeds.get(preset, 0))
    ]


class _Measuring:
    """Measures the numbers of an exhibit; those of one cell share what they can."""

    def __init__(
        self,
        paper: Paper,
        exhibit: Exhibit,
        preset: str,
        networks: InStore,
        note: Callable[[str], None],
    ) -> None:
        self._paper, self._exhibit, self._preset = paper, exhibit, preset
        self._networks, self._note = networks, note
        self._subjects: dict[tuple[OwnCell, tuple[int, ...]], Subject | None] = {}

    def of(self, number: PublishedNumber) -> Estimate:
        """The quantity of a number on each of its seeds; NaN where there is no network."""
        seeds = range(number.seeds.get(self._preset, 0))
        values = {}
        for reference, quantity in number.quantity.quantities.items():
            if quantity.of != "setting":
                cell = number.populations[reference.population]
                key = Key(
                    cell, reference._replace(population=""), self._paper.n_certify, CONFIDENCE
                )
                values[reference] = self._measured(key, seeds)
        return evaluated(number.quantity, values, number.populations, len(seeds))

    def _measured(self, key: Key, seeds: Sequence[int]) -> Estimate:
        missing = tuple(seed for seed in seeds if seed not in self._networks.recall(key, seeds))
        subject = self._subject(key.cell, missing) if missing else None
        if subject is not None:
            self._note(f"{self._exhibit.where}: {key.cell.name}: {key.reference}")
            quantity = declared()[key.reference.quantity]
            estimate = quantity.compute(subject, *key.reference.arguments)
            triples = zip(*(ends.tolist() for ends in estimate), strict=True)
            self._networks.keep(key, dict(zip(subject.stack.seeds, triples, strict=True)))
        recalled = self._networks.recall(key, seeds)
        unmeasured = (np.nan,) * 3
        triples_by_seed = [recalled.get(seed, unmeasured) for seed in seeds]
        return Estimate(*np.array(triples_by_seed, float).reshape(len(seeds), 3).T)

    def _subject(self, cell: OwnCell, seeds: tuple[int, ...]) -> Subject | None:
        """The networks of a cell that are there, to be measured; None without any."""
        if (cell, seeds) not in self._subjects:
            stack = self._networks.stack(cell, seeds)
            self._subjects[cell, seeds] = (
                None
                if stack is None
                else Subject(stack, n_certify=self._paper.n_certify, confidence=CONFIDENCE)
            )
        return self._subjects[cell, seeds]
