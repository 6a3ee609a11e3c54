"""The files of a directory of claims: registrations, measurements and verdicts.

Claims are registered in ``DIR/said`` (``registrations.py``). ``DIR/measured/KEY-PART.parquet``
holds measurements, ``DIR/verdicts/ID.parquet`` a verdict and ``DIR/evidence/ID.parquet`` the units
behind it; those of earlier versions are kept beside them, as ``ID.VERSION.old``. Networks are kept
as in any run.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime

import numpy as np

from simbias._types import TableRow
from simbias.claims.claim import Claim
from simbias.claims.inference import outcomes
from simbias.claims.networks import Key, Triple
from simbias.claims.verdict import Verdict, intervals
from simbias.experiments import device, versions
from simbias.quantities import declared, unit_named
from simbias.results.schema import EVIDENCE_COLUMNS, MEASURED_COLUMNS, VERDICTS_COLUMNS
from simbias.results.store import Store
from simbias.results.trained import weights_of


def retire_version(store: Store, claim: Claim) -> None:
    """Rename the verdict and evidence of another version of a claim to ``ID.VERSION.old``."""
    for kind, columns in (("verdicts", VERDICTS_COLUMNS), ("evidence", EVIDENCE_COLUMNS)):
        path = store.directory / kind / f"{claim.id}.parquet"
        rows = store.read_rows(path, columns)
        if rows and rows[0]["version"] != claim.version:
            path.replace(path.with_name(f"{claim.id}.{rows[0]['version']}.old"))


def measured_stem(key: Key) -> str:
    """The beginning of the file names of a measurement."""
    version = declared()[key.reference.quantity].version
    words = [key.cell.identity, str(key.reference), key.n_certify, key.confidence]
    words += [version] if version > 1 else []
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()[:16]


def _key_columns(key: Key) -> TableRow:
    """The columns that identify a measurement."""
    return {
        "reference": str(key.reference),
        "cell": key.cell.identity,
        "n_certify": key.n_certify,
        "confidence": key.confidence,
    }


def _weights_hash(store: Store, key: Key, unit: int) -> str | None:
    """A hash of the weights of the networks behind a unit; None where one is missing."""
    seeds = unit_named(declared()[key.reference.quantity].of).behind(unit)
    return weights_of(store, key.cell, seeds)


def write_measured(store: Store, key: Key, measured: Mapping[int, Triple]) -> None:
    """Write measurements by unit, with the hash of their weights; raises StoreError."""
    common = _key_columns(key) | {"versions": json.dumps(versions())}
    rows = [
        common
        | {"unit": unit, "value": value, "low": low, "high": high}
        | {"weights": _weights_hash(store, key, unit)}
        for unit, (value, low, high) in measured.items()
    ]
    part = hashlib.sha256(json.dumps(sorted(measured)).encode()).hexdigest()[:8]
    name = f"{measured_stem(key)}-{part}.parquet"
    store.write_rows(store.directory / "measured" / name, MEASURED_COLUMNS, rows)


def read_measured(store: Store, key: Key) -> dict[int, Triple]:
    """The stored measurements of the same networks, by the same versions, by unit.

    Those that cannot be read, or do not match, are left out, and so measured again.
    """
    common = _key_columns(key) | {"versions": json.dumps(versions())}
    measured: dict[int, Triple] = {}
    for path in sorted((store.directory / "measured").glob(f"{measured_stem(key)}-*.parquet")):
        for row in store.read_rows(path, MEASURED_COLUMNS) or []:
            if any(row[name] != value for name, value in common.items()):
                continue  # of other versions, or another measurement's file under this one's name
            if row["weights"] is None or row["weights"] != _weights_hash(store, key, row["unit"]):
                continue
            ends = (row["value"], row["low"], row["high"])
            value, low, high = (np.nan if end is None else float(end) for end in ends)
            measured[row["unit"]] = (value, low, high)
    return measured


def write_verdict(store: Store, verdict: Verdict) -> None:
    """Write a verdict and its evidence; raises StoreError."""
    claim = verdict.claim
    path = store.directory / "evidence" / f"{claim.id}.parquet"
    if verdict.units is not None:
        store.write_rows(path, EVIDENCE_COLUMNS, evidence_rows(verdict))
    path = store.directory / "verdicts" / f"{claim.id}.parquet"
    store.write_rows(path, VERDICTS_COLUMNS, [verdict_row(verdict)])


def read_verdicts(store: Store) -> list[TableRow]:
    """The verdicts of a directory, a row each; files that cannot be read are reported."""
    return [row for rows in store.read_table("verdicts") for row in rows]


def read_evidence(store: Store) -> dict[str, list[TableRow]]:
    """The units behind the verdicts of a directory, by claim."""
    return {rows[0]["id"]: rows for rows in store.read_table("evidence")}


def verdict_row(verdict: Verdict) -> TableRow:
    """The columns of a verdict."""
    claim, criterion, finding, units = (
        verdict.claim,
        verdict.claim.criterion,
        verdict.finding,
        verdict.units,
    )
    row = {
        "id": claim.id,
        "hash": claim.hash,
        "version": claim.version,
        "title": claim.title,
        "source": claim.source,
        "verdict": verdict.verdict,
        "reason": verdict.reason,
        "says": claim.says,
        "quantity": claim.quantity.text,
        "op": criterion.op,
        "value": criterion.value,
        "margin": criterion.margin,
        "quantifier": criterion.quantifier,
        "threshold": criterion.value if criterion.at_least is None else criterion.at_least,
        "units": 0 if units is None else len(units.seeds),
        "missing": 0 if units is None else sum(map(bool, units.missing)),
        "more": verdict.more,
        "most_units": claim.units,
        "unit": claim.unit_word,
        "test": criterion.test,
        "alpha": criterion.alpha,
        "level": claim.judging.alpha,
        "family": claim.family,
        "correction": claim.correction,
        "premises": json.dumps([str(premise) for premise in verdict.premises]),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": device(),
        "versions": json.dumps(versions()),
    }
    if finding is not None:
        row |= asdict(finding)
    return row


def evidence_rows(verdict: Verdict) -> list[TableRow]:
    """The units of a verdict, a row each; points with equal numbers and outcome share a row."""
    units, claim = verdict.units, verdict.claim
    if units is None:
        return []
    ends = intervals(claim, units)
    reached, points = outcomes(claim.criterion, *ends), unit_named(claim.unit).points
    counts: Counter[tuple[object, ...]] = Counter()
    for i, seeds in enumerate(units.seeds):
        numbers = tuple(None if np.isnan(part[i]) else float(part[i]) for part in units.quantity)
        outcome = "missing" if units.missing[i] else reached[i]
        own = "" if points else seeds
        counts[(own, *numbers, outcome, units.missing[i])] += 1
    names = ("seeds", "value", "low", "high", "outcome", "missing")
    common = {"id": claim.id, "hash": claim.hash, "version": claim.version}
    return [
        common | dict(zip(names, key, strict=True)) | {"count": count}
        for key, count in counts.items()
    ]
