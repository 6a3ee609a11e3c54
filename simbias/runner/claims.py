"""Judging claims into a directory: networks trained as in any run, measurements kept, resumable."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from simbias._types import AnyStack
from simbias.claims.claim import Claim
from simbias.claims.networks import Key, Triple, classifiers
from simbias.claims.session import judge_feasible
from simbias.claims.verdict import Verdict
from simbias.experiments import FINAL, AnyCell, Replica, device, row_name, versions
from simbias.quantities import declared, unit_named
from simbias.results import claims as kept
from simbias.results import said
from simbias.results.store import Store
from simbias.results.trained import load
from simbias.runner.execute import Reporter, execute
from simbias.runner.plan import Plan

SUITE = "claims"
N_CERTIFY = 20_000  # of the rows of networks, for an overview; claims measure with their own effort


class InStore:
    """Networks and measurements of a directory of claims.

    Args:
        store: made by ``open_store``.
        reporter: makes what hears how a training goes.
    """

    def __init__(
        self, store: Store, reporter: Callable[[], AbstractContextManager[Reporter]]
    ) -> None:
        self._store, self._reporter = store, reporter
        self.statuses: dict[Replica, str] = {}  # of the networks that were asked for
        self._found: dict[Key, dict[int, Triple]] = {}

    def train(self, wanted: Mapping[AnyCell, Sequence[int]]) -> None:
        """Train what is missing; cells that ask for the same seeds together."""
        finished = self._store.finished()
        together: dict[tuple[int, ...], list[AnyCell]] = {}
        for cell, seeds in wanted.items():
            if any(row_name(Replica(cell, seed)) not in finished for seed in seeds):
                together.setdefault(tuple(seeds), []).append(cell)
        for seeds, cells in together.items():
            plan = Plan(SUITE, "units", tuple(cells), ({},) * len(cells), seeds, N_CERTIFY)
            with self._reporter() as reporter:
                execute(plan, self._store, reporter)
        statuses = self._store.statuses()
        for cell, seeds in wanted.items():
            for one in (Replica(cell, seed) for seed in seeds):
                self.statuses[one] = statuses.get(row_name(one), "error")

    def stack(self, cell: AnyCell, seeds: Sequence[int]) -> AnyStack:
        """What quantities are measured on, of what ended and is a classifier."""
        statuses = self._store.finished()
        names = {seed: row_name(Replica(cell, seed)) for seed in seeds}
        sound = {
            seed: name
            for seed, name in names.items()
            if statuses.get(name) in FINAL and statuses[name] != "diverged"
        }
        if not sound:
            return None
        return classifiers(load(self._store, cell, list(sound)))

    def recall(self, key: Key, seeds: Sequence[int]) -> dict[int, Triple]:
        """What was measured before, in this directory."""
        if key not in self._found:
            self._found[key] = kept.read_measured(self._store, key)
        known = self._found[key]
        return {seed: known[seed] for seed in seeds if seed in known}

    def keep(self, key: Key, found: Mapping[int, Triple]) -> None:
        """Keep measurements; points are many and soon asked again, so not on disk."""
        self._found.setdefault(key, {}).update(found)
        if found and not unit_named(declared()[key.reference.quantity].of).points:
            kept.write_measured(self._store, key, found)


def open_store(directory: Path, note: Callable[[str], None] = warnings.warn) -> Store:
    """The store of a directory of claims, made where there is none.

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
    store.check_keys()
    return store


def run(
    claims: Sequence[Claim],
    store: Store,
    *,
    reporter: Callable[[], AbstractContextManager[Reporter]],
    note: Callable[[str], None],
) -> tuple[list[Verdict], set[str]]:
    """Judge claims and keep verdicts with their evidence.

    Args:
        claims: from ``choose``.
        store: from ``open_store``.
        reporter: makes what hears how a training goes.
        note: hears what is measured.

    Returns:
        The verdicts, and the statuses that the networks behind them have.

    Raises:
        Interrupted: the user asked to stop; the same call goes on.
        StoreError: nothing can be written any more.
    """
    claims, first, notes = said.register(store, claims)
    for line in (*notes, *store.mend()):
        note(line)
    for claim in claims:
        kept.set_apart(store, claim)
    networks = InStore(store, reporter)
    verdicts = judge_feasible(claims, networks, first_seeds=first, note=note)
    for verdict in verdicts:
        kept.write_verdict(store, verdict)
    return verdicts, set(networks.statuses.values())
