"""Every built-in claim, with what was concluded in the recorded runs."""

import tarfile
import tempfile
from pathlib import Path

from simbias import claims
from simbias._numbers import number
from simbias.results import Store

RECORDED = Path(__file__).parents[2] / "figures" / "recorded"
TOP = """# Every claim

Every built-in claim by its family, from the files that state them, and the last verdict that the
recorded runs (`figures/recorded/`) hold of it. *Of an earlier version* marks a claim that has
been restated since; where nothing is recorded, a dash. [How to read a verdict](verdicts.md)
explains the columns; `simbias info ID` prints the population, the test and the premises.
"""
COLUMNS = (
    "id, hash, verdict, holding, failing, ambiguous, units, unit, estimate, low, high, quantifier"
)


def page() -> tuple[str, dict[str, bytes]]:
    """The page, without pictures."""
    found = {
        row[0]: (name, dict(zip(COLUMNS.split(", "), row, strict=True)))
        for name, row in _recorded()
    }
    families: dict[str, list[claims.Claim]] = {}
    for claim in claims.builtin().values():
        families.setdefault(claim.family, []).append(claim)
    lines = [TOP]
    for family, members in families.items():
        lines += [
            f"## {family}\n",
            f"Sources: {'; '.join(dict.fromkeys(c.source for c in members))}\n",
        ]
        lines += ["| claim | says | verdict | found | recorded in |", "|---|---|---|---|---|"]
        for claim in members:
            run, row = found.get(claim.id, ("", None))
            told = "- | - | -" if row is None else f"{_verdict(row, claim)} | {_found(row)} | {run}"
            title = claim.title.replace("|", "\\|")
            lines.append(f"| `{claim.id}`<br>{title} | `{claim.says}` | {told} |")
        lines.append("")
    return "\n".join(lines), {}


def _recorded() -> list[tuple[str, tuple[object, ...]]]:
    rows = []
    for path in sorted(RECORDED.glob("claims*.tar.xz")):
        with tempfile.TemporaryDirectory() as folder, tarfile.open(path) as archive:
            archive.extractall(folder, filter="data")
            _, found = Store(folder).query(f"SELECT {COLUMNS} FROM verdicts ORDER BY version")
        rows += [(path.name.split(".")[0], row) for row in found]
    return rows


def _verdict(row: dict[str, object], claim: claims.Claim) -> str:
    return f"**{row['verdict']}**" + ", of an earlier version" * (row["hash"] != claim.hash)


def _found(row: dict[str, object]) -> str:
    if row["units"] in (None, 0):
        return "nothing was measured"
    if row["quantifier"] == "probability":
        return (
            f"of {row['units']} {row['unit']}s {row['holding']} hold, {row['failing']} fail,"
            f" {row['ambiguous']} cannot be told"
        )
    value, low, high = (number(row[end]) for end in ("estimate", "low", "high"))
    return f"{row['quantifier']} {value} [{low}, {high}], {row['units']} {row['unit']}s"
