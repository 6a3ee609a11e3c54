"""The claims registered in a directory, before anything was trained for them.

``DIR/said/G.json`` is a *batch*: the claims that one call registered, for the first time or in
another version. It is written at once, before the first network is trained for them, and never
again. G counts batches from 1, and is the generation of the seeds of all claims in it: they share
units, for nobody had seen any. A claim that is registered later, of whatever task and learner,
draws its data from seeds that no claim before it has shown. After an interruption a rerun goes on
with its generation.

This holds within a directory. Nothing keeps a claim from being tried in several, under several ids.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from simbias._checks import fail, whole
from simbias._files import read_json
from simbias._types import Settings
from simbias.claims.claim import Claim
from simbias.claims.reading import check_units
from simbias.claims.session import GENERATION
from simbias.experiments.table import CHECKSUM
from simbias.results import checksums, files
from simbias.results.store import Store

_MOST = 1_000_000  # batches and versions
_MOST_BYTES = 64_000_000  # of a batch
_TIME = "said"  # the key of a batch under which its ``registered`` stands
_KEPT = ("id", "hash", "version", "family", "correction", "family_size")  # of a claim


class Registration(NamedTuple):
    """The registration of a version of a claim.

    Attributes:
        id, hash, version, family, correction, family_size: of the claim.
        generation: of its seeds, the number of its batch.
        registered: UTC time of the registration, ``said`` in the file.
    """

    id: str
    hash: str
    version: int
    family: str
    correction: str
    family_size: int
    generation: int
    registered: str


def register(
    store: Store, claims: Sequence[Claim]
) -> tuple[list[Claim], dict[str, int], list[str]]:
    """Register claims, before anything is trained for them.

    A claim that is the same as the last registered under its id keeps that version, whatever title
    and source have become. Any other is registered in the next batch, in the next version: one
    above that of the claim before, and above those that its family had while it was declared with
    another size.

    Args:
        store: of the directory.
        claims: distinct ids.

    Returns:
        The claims in their versions, by id the first seed of their units, and a note on each that
        has changed since it was registered.

    Raises:
        StoreError: nothing can be written.
        ValueError: a file that is not what this function writes, a family that would hold more
            claims than it declares, or a version that its units cannot decide; nothing is written
            then.
    """
    while True:
        before = read(store)
        last = {entry.id: entry for entry in before}
        fresh = []
        for claim in claims:
            _check_family(claim, before)
            if claim.id not in last or last[claim.id].hash != claim.hash:
                fresh.append(replace(claim, version=_next_version(claim, before)))
                check_units(claim.id, fresh[-1])
        generation = 1 + max((entry.generation for entry in before), default=0)
        # where another process was faster, its batch counts as well
        if not fresh or _write_batch(store, generation, fresh):
            break
    generations = {entry.id: entry.generation for entry in before}
    versions = {entry.id: entry.version for entry in before}
    generations |= {claim.id: generation for claim in fresh}
    versions |= {claim.id: claim.version for claim in fresh}
    notes = [
        f"{claim.id} has changed since {last[claim.id].registered}: it starts over as version"
        f" {claim.version}, from seed {generation * GENERATION}"
        for claim in fresh
        if claim.id in last
    ]
    return (
        [replace(claim, version=versions[claim.id]) for claim in claims],
        {claim.id: generations[claim.id] * GENERATION for claim in claims},
        notes,
    )


def read(store: Store) -> list[Registration]:
    """Every registration in a directory, in order.

    Raises:
        ValueError: a file that is not what ``register`` writes.
    """
    entries = [
        entry for path in (store.directory / "said").glob("*.json") for entry in _read_batch(path)
    ]
    return sorted(entries, key=lambda entry: entry.generation)


def _read_batch(path: Path) -> list[Registration]:
    """The registrations of a batch; raises ValueError."""
    batch = read_json(f"{path}, which can be moved away to start over,", path, _MOST_BYTES)
    if (
        not isinstance(batch, dict)
        or not isinstance(claims := batch.get("claims"), list)
        or path.stem != str(batch.get("generation"))
    ):
        raise fail(str(path), batch, "what simbias writes; move it away to start over")
    if batch.pop(CHECKSUM.name, None) != checksums.of_json(batch):
        raise ValueError(f"{path}: {checksums.CHANGED}; move it away to start over")
    common = {"generation": batch.get("generation"), "registered": batch.get(_TIME)}
    entries = []
    for claim in claims:
        fields: Settings = dict.fromkeys(_KEPT) | common
        fields |= {name: claim[name] for name in _KEPT if isinstance(claim, dict) and name in claim}
        for name, kind in Registration.__annotations__.items():
            place = f"{path}: {_TIME if name == 'registered' else name}"
            if kind is int:
                whole(place, fields[name], most=_MOST)
            elif not isinstance(fields[name], kind):
                raise fail(place, fields[name], "what simbias writes")
        entries.append(Registration(**fields))
    return entries


def _write_batch(store: Store, generation: int, claims: Sequence[Claim]) -> bool:
    """Write a batch; returns False where there is one of that number."""
    batch: Settings = {
        "generation": generation,
        _TIME: datetime.now(UTC).isoformat(timespec="seconds"),
        "claims": [
            {name: getattr(claim, name) for name in _KEPT} | {"claim": json.loads(claim.identity)}
            for claim in claims
        ],
    }
    batch[CHECKSUM.name] = checksums.of_json(batch)
    folder = store.directory / "said"
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(batch, indent=1) + "\n"
    return files.write_new(folder / f"{generation}.json", text.encode())


def _next_version(claim: Claim, before: Sequence[Registration]) -> int:
    """The version in which a claim is registered next."""
    return 1 + max(
        (
            entry.version
            for entry in before
            if entry.id == claim.id
            or (_corrected_together(claim, entry) and entry.family_size != claim.family_size)
        ),
        default=0,
    )


def _check_family(claim: Claim, before: Sequence[Registration]) -> None:
    """Raise ValueError where a family would have held more claims than it declares."""
    last = {entry.id: entry for entry in before}
    others = {
        entry.id
        for entry in before
        if _corrected_together(claim, entry)
        and (entry.family_size == claim.family_size or entry is last[entry.id])
    } - {claim.id}
    if len(others) >= claim.family_size and claim.correction == "holm":
        arrived = f"{claim.family}, of which the directory has {', '.join(sorted(others))}"
        raise fail(f"{claim.id}: family", arrived, "one file with all of a family, or another name")


def _corrected_together(claim: Claim, entry: Registration) -> bool:
    """Whether two claims are corrected together."""
    return claim.correction == entry.correction == "holm" and claim.family == entry.family
