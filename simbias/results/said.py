"""What was said in a directory of claims, before anything was trained for them.

``DIR/said/G.json`` is a *batch*: the claims that one call said for the first time, or said anew. It
is written at once, before the first network is trained for them, and never again. G counts batches
from 1, and is the generation of the seeds of all claims in it: they share units, for nobody had
seen any. A claim that is said later, of whatever task and learner, draws its data from seeds that
no claim before it has shown. Whatever is interrupted, a rerun goes on with its generation.

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
_KEPT = ("id", "hash", "version", "family", "correction", "family_size")  # of a claim


class Said(NamedTuple):
    """That a claim was said.

    Attributes:
        id, hash, version, family, correction, family_size: of the claim.
        generation: of its seeds, the number of its batch.
        said: UTC time.
    """

    id: str
    hash: str
    version: int
    family: str
    correction: str
    family_size: int
    generation: int
    said: str


def register(
    store: Store, claims: Sequence[Claim]
) -> tuple[list[Claim], dict[str, int], list[str]]:
    """Say claims, before anything is trained for them.

    What is the last word of a claim in its directory stays it, whatever title and source have
    become. Anything else is said in the next batch, in the next version: one above that of the
    claim before, and above those that its family had while it was declared with another size.

    Args:
        store: of the directory.
        claims: distinct ids.

    Returns:
        The claims in their versions, by id the seed from which on their units are counted, and a
        note on each that was said otherwise before.

    Raises:
        StoreError: nothing can be written.
        ValueError: a file that is not what this function writes, a family that would hold more
            claims than it declares, or a version that its units cannot decide; nothing is written
            then.
    """
    while True:
        before = read(store)
        last = {one.id: one for one in before}
        fresh = []
        for claim in claims:
            _check_family(claim, before)
            if claim.id not in last or last[claim.id].hash != claim.hash:
                fresh.append(replace(claim, version=_version(claim, before)))
                check_units(claim.id, fresh[-1])
        generation = 1 + max((one.generation for one in before), default=0)
        # where another process was faster, what it said counts as well
        if not fresh or _write(store, generation, fresh):
            break
    generations = {one.id: one.generation for one in before}
    versions = {one.id: one.version for one in before}
    generations |= {claim.id: generation for claim in fresh}
    versions |= {claim.id: claim.version for claim in fresh}
    notes = [
        f"{claim.id} has changed since {last[claim.id].said}: it starts over as version"
        f" {claim.version}, from seed {generation * GENERATION}"
        for claim in fresh
        if claim.id in last
    ]
    return (
        [replace(claim, version=versions[claim.id]) for claim in claims],
        {claim.id: generations[claim.id] * GENERATION for claim in claims},
        notes,
    )


def read(store: Store) -> list[Said]:
    """Everything that was said in a directory, in that order.

    Raises:
        ValueError: a file that is not what ``register`` writes.
    """
    found = [one for path in (store.directory / "said").glob("*.json") for one in _batch(path)]
    return sorted(found, key=lambda one: one.generation)


def _batch(path: Path) -> list[Said]:
    """What a batch says."""
    record = read_json(f"{path}, which can be moved away to start over,", path, _MOST_BYTES)
    if (
        not isinstance(record, dict)
        or not isinstance(claims := record.get("claims"), list)
        or path.stem != str(record.get("generation"))
    ):
        raise fail(str(path), record, "what simbias writes; move it away to start over")
    if record.pop(CHECKSUM.name, None) != checksums.of_record(record):
        raise ValueError(f"{path}: {checksums.CHANGED}; move it away to start over")
    common = {name: record.get(name) for name in ("generation", "said")}
    found = []
    for one in claims:
        said: Settings = dict.fromkeys(_KEPT) | common
        said |= {name: one[name] for name in _KEPT if isinstance(one, dict) and name in one}
        for name, kind in Said.__annotations__.items():
            if kind is int:
                whole(f"{path}: {name}", said[name], most=_MOST)
            elif not isinstance(said[name], kind):
                raise fail(f"{path}: {name}", said[name], "what simbias writes")
        found.append(Said(**said))
    return found


def _write(store: Store, generation: int, claims: Sequence[Claim]) -> bool:
    """Write a batch; False where there is one of that number."""
    record: Settings = {
        "generation": generation,
        "said": datetime.now(UTC).isoformat(timespec="seconds"),
        "claims": [
            {name: getattr(claim, name) for name in _KEPT} | {"claim": json.loads(claim.identity)}
            for claim in claims
        ],
    }
    record[CHECKSUM.name] = checksums.of_record(record)
    folder = store.directory / "said"
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record, indent=1) + "\n"
    return files.write_new(folder / f"{generation}.json", text.encode())


def _version(claim: Claim, before: Sequence[Said]) -> int:
    """The version in which a claim is said next."""
    return 1 + max(
        (
            one.version
            for one in before
            if one.id == claim.id
            or (_together(claim, one) and one.family_size != claim.family_size)
        ),
        default=0,
    )


def _check_family(claim: Claim, before: Sequence[Said]) -> None:
    """Raise ValueError where a family would have held more claims than it declares."""
    last = {one.id: one for one in before}
    others = {
        one.id
        for one in before
        if _together(claim, one) and (one.family_size == claim.family_size or one is last[one.id])
    } - {claim.id}
    if len(others) >= claim.family_size and claim.correction == "holm":
        arrived = f"{claim.family}, of which the directory has {', '.join(sorted(others))}"
        raise fail(f"{claim.id}: family", arrived, "one file with all of a family, or another name")


def _together(claim: Claim, other: Said) -> bool:
    """Whether two claims are corrected together."""
    both = (claim.correction, other.correction, other.family)
    return both == ("holm", "holm", claim.family)
