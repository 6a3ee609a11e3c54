"""Judging claims into a directory: networks trained as in any run, resumable."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from simbias._types import AnyStack
from simbias.claims.claim import Claim
from simbias.claims.networks import Key, Triple, measurable
from simbias.claims.session import judge_feasible
from simbias.claims.verdict import Verdict
from simbias.experiments import FINAL, AnyCell, Replica, device, row_name, versions
from simbias.quantities import declared, unit_named
from simbias.results import claims as files
from simbias.results.registrations import register
from simbias.results.store import Store
from simbias.results.trained import load
from simbias.runner.execute import execute
from simbias.runner.group import Reporter
from simbias.runner.plan import Plan

SUITE = "claims"
N_CERTIFY = 20_000  # of the rows of networks, for an overview; claims measure with their own effort

Computed = Callable[[Plan, Store, Reporter], Sequence[str]]


class InStore:
    """Networks and measurements of a directory of claims.

    Args:
        store: made by ``open_store``.
        reporter: makes the reporter of a training.
        computed: computes what a directory lacks of a plan, as ``execute`` does.
    """

    def __init__(
        self,
        store: Store,
        reporter: Callable[[], AbstractContextManager[Reporter]],
        computed: Computed = execute,
    ) -> None:
        self._store, self._reporter, self._computed = store, reporter, computed
        self.statuses: dict[Replica, str] = {}  # of the networks that ``train`` was called for
        self._measured: dict[Key, dict[int, Triple]] = {}

    def train(self, wanted: Mapping[AnyCell, Sequence[int]]) -> None:
        """Train the networks that are missing; cells with the same seeds together."""
        finished = self._store.finished()
        by_seeds: dict[tuple[int, ...], list[AnyCell]] = {}
        for cell, seeds in wanted.items():
            if any(row_name(Replica(cell, seed)) not in finished for seed in seeds):
                by_seeds.setdefault(tuple(seeds), []).append(cell)
        for seeds, cells in by_seeds.items():
            plan = Plan(SUITE, "units", tuple(cells), ({},) * len(cells), seeds, N_CERTIFY)
            with self._reporter() as reporter:
                self._computed(plan, self._store, reporter)
        statuses = self._store.statuses()
        for cell, seeds in wanted.items():
            for replica in (Replica(cell, seed) for seed in seeds):
                self.statuses[replica] = statuses.get(row_name(replica), "error")

    def stack(self, cell: AnyCell, seeds: Sequence[int]) -> AnyStack:
        """The stack of a cell's networks that ended and are classifiers; None without any."""
        statuses = self._store.finished()
        names = {seed: row_name(Replica(cell, seed)) for seed in seeds}
        sound = {
            seed: name
            for seed, name in names.items()
            if statuses.get(name) in FINAL and statuses[name] != "diverged"
        }
        if not sound:
            return None
        return measurable(cell, load(self._store, cell, list(sound)))

    def recall(self, key: Key, seeds: Sequence[int]) -> dict[int, Triple]:
        """The measurements that this directory has, by unit."""
        if key not in self._measured:
            self._measured[key] = files.read_measured(self._store, key)
        known = self._measured[key]
        return {seed: known[seed] for seed in seeds if seed in known}

    def keep(self, key: Key, measured: Mapping[int, Triple]) -> None:
        """Keep measurements, those of points in memory only: they are many, and soon used again."""
        self._measured.setdefault(key, {}).update(measured)
        if measured and not unit_named(declared()[key.reference.quantity].of).points:
            files.write_measured(self._store, key, measured)


def open_store(directory: Path, note: Callable[[str], None] = warnings.warn) -> Store:
    """The store of a directory of claims, which is made where it does not exist.

    Args:
        directory: its path.
        note: as ``Store`` takes it.

    Raises:
        ValueError: a directory that holds another run, or cannot be written.
    """
    store = Store(directory, create=True, note=note)
    config = store.config()
    if config is None:
        words = {"suite": SUITE, "preset": "units", "n_certify": N_CERTIFY}
        environment = {"device": device(), "versions": versions()}
        store.prepare(words | {"cells": [], "seeds": [], "names": []} | environment)
    elif config["suite"] != SUITE:
        raise ValueError(
            f"out: {str(directory)!r} holds a run of {config['suite']}, allowed: a directory of"
            " claims, or another one"
        )
    else:
        store.prepare(config)  # a record has only the folders of what it holds
    store.check_keys()
    return store


def run(
    claims: Sequence[Claim],
    store: Store,
    *,
    reporter: Callable[[], AbstractContextManager[Reporter]],
    note: Callable[[str], None],
    computed: Computed = execute,
) -> tuple[list[Verdict], set[str]]:
    """Judge claims and write the verdicts with their evidence.

    Args:
        claims: from ``choose``.
        store: from ``open_store``.
        reporter: makes the reporter of a training.
        note: called with a line on each step.
        computed: computes what a directory lacks of a plan, as ``execute`` does.

    Returns:
        The verdicts, and the statuses of the networks behind them.

    Raises:
        Interrupted: the user asked to stop; the same call continues.
        StoreError: nothing can be written any more.
    """
    claims, first, notes = register(store, claims)
    for line in (*notes, *store.mend()):
        note(line)
    for claim in claims:
        files.retire_version(store, claim)
    networks = InStore(store, reporter, computed)
    verdicts = judge_feasible(claims, networks, first_seeds=first, note=note)
    for verdict in verdicts:
        files.write_verdict(store, verdict)
    return verdicts, set(networks.statuses.values())
