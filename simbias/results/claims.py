"""What a directory of claims keeps: what was said, what was measured, and the verdicts.

``DIR/said/ID.json`` is written before the first network is trained: the claim with its hash, and
the seed from which on its units are counted. ``DIR/measured/KEY-PART.parquet`` holds measurements,
``DIR/verdicts/ID.parquet`` a verdict and ``DIR/evidence/ID.parquet`` the units behind it. Networks
are kept as in any run.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from simbias._checks import fail, whole
from simbias._files import read_json
from simbias.claims.claim import Claim
from simbias.claims.inference import outcomes
from simbias.claims.session import GENERATION, Key, Triple
from simbias.claims.verdict import Verdict, intervals
from simbias.experiments import device, versions
from simbias.experiments.table import CHECKSUM
from simbias.quantities import declared
from simbias.results import checksums
from simbias.results.records import weights_of
from simbias.results.schema import EVIDENCE, MEASURED, VERDICTS
from simbias.results.store import Store

HEAD = ("claim", "verdict", "estimate", "interval", "asked", "units", "hold/fail/amb.", "premises")
CAPTION = (
    "hold/fail/amb.: units surely inside and outside of what is claimed, and neither, missing ones"
    " included; interval: two-sided, of confidence 1 - alpha, misses of the units' own intervals"
    " included, and approximate where the test assumes a law (permutation, bootstrap); verdicts:"
    " one-sided tests at alpha,"
    " corrected within families"
)
_MOST_VERSIONS = 1_000_000  # each has a million seeds of its own


def check_family(store: Store, claim: Claim) -> None:
    """Raise ValueError where a directory would hold more claims of a family than it declares."""
    family = [
        said["id"] for said in _current(store.directory / "said") if said["family"] == claim.family
    ]
    others = sorted(set(family) - {claim.id})
    if claim.correction == "holm" and len(others) >= claim.family_size:
        arrived = f"{claim.family}, of which the directory has {', '.join(others)}"
        raise fail(f"{claim.id}: family", arrived, "one file with all of a family, or another name")


def say(store: Store, claim: Claim) -> tuple[int, str]:
    """Write down what a claim says before anything is trained for it.

    A claim that has changed since, if only in a word, starts over as its next version, on seeds
    that no earlier one has seen; what was said before is kept beside it, with its verdict. This
    holds within a directory: nothing keeps a claim from being tried in several, under several ids.

    Returns:
        The seed from which on its units are counted, and a note where the claim has changed.

    Raises:
        StoreError: nothing can be written.
        ValueError: a file that is not what this function writes.
    """
    folder = store.directory / "said"
    path = folder / f"{claim.id}.json"
    version, note = 1, ""
    if path.exists():
        before = _said(path)
        if before["hash"] == claim.hash:
            return before["version"] * GENERATION, ""
        version = before["version"] + 1
        old = f"{claim.id}.{before['version']}.old"
        store.write_text(folder / f"{old}.json", path.read_text(encoding="utf-8"))
        for kind in ("verdicts", "evidence"):
            concluded = store.directory / kind / f"{claim.id}.parquet"
            if concluded.exists():
                concluded.replace(concluded.with_name(old))
        first = version * GENERATION
        note = f"{claim.id} has changed since {before['said']}: it starts over, from seed {first}"
    folder.mkdir(parents=True, exist_ok=True)
    record = {
        "id": claim.id,
        "hash": claim.hash,
        "version": version,
        "family": claim.family,
        "said": datetime.now(UTC).isoformat(timespec="seconds"),
        "claim": json.loads(claim.identity),
    }
    record[CHECKSUM.name] = checksums.of_record(record)
    store.write_text(path, json.dumps(record, indent=1) + "\n")
    return version * GENERATION, note


def _current(folder: Path) -> list[dict[str, Any]]:
    """What claims say, without what earlier versions said."""
    return [_said(path) for path in sorted(folder.glob("*.json")) if not path.stem.endswith(".old")]


def _said(path: Path) -> dict[str, Any]:
    record = read_json(f"{path}, which can be moved away to start over,", path)
    words = ("id", "hash", "family", "said")
    if not isinstance(record, dict) or not all(isinstance(record.get(key), str) for key in words):
        raise fail(str(path), record, "what simbias writes; move it away to start over")
    seal = record.pop(CHECKSUM.name, None)
    if seal not in (None, checksums.of_record(record)):
        raise ValueError(f"{path}: {checksums.CHANGED}; move it away to start over")
    version = whole(f"{path}: version", record.get("version"), most=_MOST_VERSIONS)
    return {key: record[key] for key in words} | {"version": version}


def measured_stem(key: Key) -> str:
    """What the file names of a measurement begin with."""
    version = declared()[key.reference.quantity].version
    words = [key.cell.identity, str(key.reference), key.n_certify, key.confidence]
    words += [version] if version > 1 else []
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()[:16]


def _common(key: Key) -> dict[str, Any]:
    """The columns that say what was measured."""
    return {
        "reference": str(key.reference),
        "cell": key.cell.identity,
        "n_certify": key.n_certify,
        "confidence": key.confidence,
    }


def _behind(store: Store, key: Key, unit: int) -> str | None:
    """A hash of the weights of the networks behind a unit; None where they are not there."""
    pair = declared()[key.reference.quantity].of == "pair"
    return weights_of(store, key.cell, (unit, unit + 1) if pair else (unit,))


def write_measured(store: Store, key: Key, found: Mapping[int, Triple]) -> None:
    """Keep measurements, with what they hang on; raises StoreError."""
    common = _common(key) | {"versions": json.dumps(versions())}
    rows = [
        common
        | {"unit": unit, "value": value, "low": low, "high": high}
        | {"weights": _behind(store, key, unit)}
        for unit, (value, low, high) in found.items()
    ]
    part = hashlib.sha256(json.dumps(sorted(found)).encode()).hexdigest()[:8]
    name = f"{measured_stem(key)}-{part}.parquet"
    store.write_rows(store.directory / "measured" / name, MEASURED, rows)


def read_measured(store: Store, key: Key) -> dict[int, Triple]:
    """What was measured before of the same networks, by the same versions.

    What cannot be read, or was measured otherwise, is measured again.
    """
    common = _common(key) | {"versions": json.dumps(versions())}
    found: dict[int, Triple] = {}
    for path in sorted((store.directory / "measured").glob(f"{measured_stem(key)}-*.parquet")):
        for row in store.read_rows(path, MEASURED) or []:
            if any(row[name] != value for name, value in common.items()):
                continue  # of other versions, or another measurement's file under this one's name
            if row["weights"] is None or row["weights"] != _behind(store, key, row["unit"]):
                continue
            ends = (row["value"], row["low"], row["high"])
            value, low, high = (np.nan if end is None else float(end) for end in ends)
            found[row["unit"]] = (value, low, high)
    return found


def write_verdict(store: Store, verdict: Verdict, version: int) -> None:
    """Keep a verdict and its evidence; raises StoreError."""
    claim = verdict.claim
    path = store.directory / "evidence" / f"{claim.id}.parquet"
    if verdict.units is not None:
        store.write_rows(path, EVIDENCE, evidence_rows(verdict))
    path = store.directory / "verdicts" / f"{claim.id}.parquet"
    store.write_rows(path, VERDICTS, [verdict_row(verdict) | {"version": version}])


def read_verdicts(store: Store) -> list[dict[str, Any]]:
    """The verdicts of a directory, a row each; those that cannot be read are told."""
    return [row for rows in store.read_table("verdicts") for row in rows]


def verdict_row(verdict: Verdict) -> dict[str, Any]:
    """The columns of a verdict."""
    claim, rule, finding, units = verdict.claim, verdict.claim.rule, verdict.finding, verdict.units
    row = {
        "id": claim.id,
        "hash": claim.hash,
        "title": claim.title,
        "source": claim.source,
        "verdict": verdict.verdict,
        "reason": verdict.reason,
        "says": claim.says,
        "quantity": claim.quantity.text,
        "op": rule.op,
        "value": rule.value,
        "margin": rule.margin,
        "quantifier": rule.quantifier,
        "threshold": rule.value if rule.at_least is None else rule.at_least,
        "units": 0 if units is None else len(units.seeds),
        "missing": 0 if units is None else sum(map(bool, units.missing)),
        "more": verdict.more,
        "most_units": claim.units,
        "unit": claim.unit,
        "test": rule.test,
        "alpha": rule.alpha,
        "family": claim.family,
        "correction": claim.correction,
        "premises": json.dumps([str(one) for one in verdict.premises]),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": device(),
        "versions": json.dumps(versions()),
    }
    if finding is not None:
        row |= asdict(finding)
    return row


def evidence_rows(verdict: Verdict) -> list[dict[str, Any]]:
    """The units of a verdict, a row each; points that came out alike share a row."""
    units, claim = verdict.units, verdict.claim
    if units is None:
        return []
    ends = intervals(claim, units)
    judged = outcomes(claim.rule, *ends)
    alike: Counter[tuple] = Counter()
    for i, seeds in enumerate(units.seeds):
        numbers = tuple(None if np.isnan(part[i]) else float(part[i]) for part in units.quantity)
        outcome = "missing" if units.missing[i] else judged[i]
        own = "" if claim.unit == "point" else seeds
        alike[(own, *numbers, outcome, units.missing[i])] += 1
    names = ("seeds", "value", "low", "high", "outcome", "missing")
    common = {"id": claim.id, "hash": claim.hash}
    return [
        common | dict(zip(names, key, strict=True)) | {"count": count}
        for key, count in alike.items()
    ]


def verdict_lines(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """The table of verdicts under ``HEAD``, a line a claim."""
    found = []
    for row in rows:
        estimate, interval, counts = "", "", ""
        if row["estimate"] is not None:
            estimate = f"{row['estimate']:.4g}"
            counts = f"{row['holding']}/{row['failing']}/{row['ambiguous']}"
        if row["low"] is not None and row["high"] is not None:
            interval = f"[{row['low']:.4g}, {row['high']:.4g}]"
        premises = "; ".join(json.loads(row["premises"]))
        if row["verdict"] == "inapplicable":
            premises = row["reason"]
        units = f"{row['units']} {row['unit']}s" if row["units"] else ""
        if row["more"]:
            units += f", {row['more']} more would decide"
        found.append(
            [row["id"], row["verdict"], estimate, interval, row["says"], units, counts, premises]
        )
    return found
