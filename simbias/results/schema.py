"""The columns of the results: one list, from which files are written, checked and explained."""

import warnings
from typing import NamedTuple

from simbias.quantities import Quantity, declared
from simbias.registry import QUANTITIES
from simbias.training.fit import TRACE


class Column(NamedTuple):
    """A column: its name, DuckDB type, meaning with unit, and whether a row is none without it.

    Files of other versions may lack a column that is not needed, or have more.
    """

    name: str
    type: str
    meaning: str
    needed: bool = False


class Table(NamedTuple):
    """A kind of rows, kept in a folder of its name.

    Attributes:
        name: of the folder, and in SQL.
        columns: what its files have.
        entry: SQL of the text that names what a row is of, one row each: files of many rows are
            made of such rows. Without it rows stay in the files in which they were written.
        final: SQL of whether a row stands above one of the same entry that is not.
    """

    name: str
    columns: tuple[Column, ...]
    entry: str = ""
    final: str = "true"


CHECKSUM = Column("checksum", "VARCHAR", "hash of the rows written together; empty: unverified")
STATUSES = ("done", "not-converged", "diverged", "error", "interrupted")
FINAL = ("done", "not-converged", "diverged")  # the others are computed again by a rerun

_BESIDE = ("risk",)  # the ends of its interval stand beside it, of all others behind the values

_FIRST = (
    Column("suite", "VARCHAR", "suite that asked for the network"),
    Column(
        "cell",
        "VARCHAR",
        "cell: task, architecture and six digits of its settings' hash",
        needed=True,
    ),
    Column("task", "VARCHAR", "task name"),
    Column("network", "VARCHAR", "architecture, (width,depth)"),
    Column("method", "VARCHAR", "training algorithm"),
    Column("seed", "BIGINT", "integer seed", needed=True),
    Column("n_train", "BIGINT", "training points"),
    Column("status", "VARCHAR", "done, not-converged, diverged, error or interrupted", needed=True),
    Column("reason", "VARCHAR", "why the status, and why any empty column is empty"),
)
_LAST = (
    Column("n_certify", "BIGINT", "fresh certify draws"),
    Column("dim", "BIGINT", "input coordinates"),
    Column("batch", "BIGINT", "points an update"),
    Column("settings", "VARCHAR", "every setting of the cell, as JSON", needed=True),
    Column("train_seconds", "DOUBLE", "training time, of one core or of its share of a device"),
    Column("validate_seconds", "DOUBLE", "validation time, the stack's divided by its networks"),
    Column("finished", "VARCHAR", "UTC time at which the row was written"),
    Column("device", "VARCHAR", "what it ran on"),
    Column("versions", "VARCHAR", "versions of simbias, Python and its libraries, as JSON"),
    Column("weights_checksum", "VARCHAR", "hash of the network's tensors, without the time taken"),
    Column("trace_checksum", "VARCHAR", "hash of its trace file; empty where there is none"),
    CHECKSUM,
)


def _numbers() -> dict[str, Quantity]:
    """The quantities that are columns; one of another package only under names that are free."""
    taken = {column.name for column in _FIRST + _LAST}
    found = {name: made for name, made in declared().items() if made.column != "none"}
    for name in [name for name in found if name in taken]:
        warnings.warn(f"left out: quantity: plug-in {name!r}, the name of a column", stacklevel=2)
        del found[name]
    return found


NUMBERS = _numbers()
TABLED = {name: made for name, made in NUMBERS.items() if made.heading}  # that tables show


def _value(quantity: Quantity) -> Column:
    meaning = ", ".join(filter(None, [quantity.summary, quantity.unit]))
    return Column(quantity.name, "BIGINT" if quantity.counts else "DOUBLE", meaning)


def _ends(quantity: Quantity) -> list[Column]:
    if quantity.column != "interval":
        return []
    of = f"of its 95% interval{f' ({quantity.interval})' * bool(quantity.interval)}"
    return [
        Column(f"{quantity.name}_{end}", "DOUBLE", f"{word} end {of}")
        for end, word in (("low", "lower"), ("high", "upper"))
    ]


def _number_columns() -> list[Column]:
    """Values of this package, their intervals, then those of other packages."""
    values, ends, added = [], [], []
    for name, quantity in NUMBERS.items():
        both = [_value(quantity), *_ends(quantity)]
        if not QUANTITIES.owns(name):
            added += both
        elif name in _BESIDE:
            values += both
        else:
            values.append(both[0])
            ends += both[1:]
    return values + ends + added


NETWORKS = (*_FIRST, *_number_columns(), *_LAST)

TRACES = (
    Column("suite", "VARCHAR", "suite that asked for the network"),
    Column("cell", "VARCHAR", "cell of the network", needed=True),
    Column("seed", "BIGINT", "integer seed", needed=True),
    *(
        Column(name, *(("BIGINT", meaning, True) if name == "updates" else ("DOUBLE", meaning)))
        for name, meaning in zip(
            TRACE,
            (
                "updates made at the check",
                "mean loss on the training set, nats where it is the cross-entropy",
                "accuracy on the training set",
                "accuracy on fresh select draws",
                "fraction of the training exceptions labelled correctly",
                "the same for the exceptions among the select draws",
            ),
            strict=True,
        )
    ),
)

BOUNDS = (
    Column("cell", "VARCHAR", "cell of the network", needed=True),
    Column("task", "VARCHAR", "task name"),
    Column("network", "VARCHAR", "architecture, (width,depth)"),
    Column("seed", "BIGINT", "integer seed", needed=True),
    Column("n_train", "BIGINT", "training points"),
    Column("bound", "VARCHAR", "registered name", needed=True),
    Column("family", "VARCHAR", "what the bound is derived from"),
    Column("kind", "VARCHAR", "certificate, bound or measure", needed=True),
    Column("certifies", "VARCHAR", "whose error the value bounds", needed=True),
    Column("delta", "DOUBLE", "probability, over the sample, with which the bound may fail"),
    Column("value", "DOUBLE", "unclipped; empty where the premises do not hold"),
    Column("log10", "DOUBLE", "its logarithm, finite where the value overflows"),
    Column("risk", "DOUBLE", "risk of the certified classifier on fresh certify draws"),
    Column("risk_low", "DOUBLE", "lower end of its interval"),
    Column("risk_high", "DOUBLE", "upper end"),
    Column("gap", "DOUBLE", "value - risk"),
    Column("valid", "BOOLEAN", "whether the interval of the risk does not lie above the value"),
    Column("vacuous", "BOOLEAN", "whether the value is 1/2 or more, the error of guessing"),
    Column("tightness", "DOUBLE", "value over the upper end of the risk"),
    Column("reason", "VARCHAR", "why there is no value"),
    Column("constants", "VARCHAR", "where the constants are proved; empty for a measure"),
    Column("terms", "VARCHAR", "what the value is made of, as JSON", needed=True),
    Column(
        "premises",
        "VARCHAR",
        "the assumptions, whether they hold and the numbers, as JSON",
        needed=True,
    ),
    Column("n_certify", "BIGINT", "fresh draws behind each risk"),
    Column("finished", "VARCHAR", "UTC time at which the file was written", needed=True),
    Column("versions", "VARCHAR", "versions of simbias, Python and its libraries, as JSON"),
    Column("weights", "VARCHAR", "hash of the tensors of the cell's networks; empty: not known"),
    CHECKSUM,
)

VERDICTS = (
    Column("id", "VARCHAR", "of the claim", needed=True),
    Column("hash", "VARCHAR", "of the claim as it was said before measuring", needed=True),
    Column("version", "BIGINT", "1 + how often the claim was changed in this directory"),
    Column("title", "VARCHAR", "the claim in words"),
    Column("source", "VARCHAR", "who says so"),
    Column("verdict", "VARCHAR", "supported, refuted, inconclusive or inapplicable", needed=True),
    Column("reason", "VARCHAR", "in one line"),
    Column("says", "VARCHAR", "predicate and quantifier, in one line"),
    Column("quantity", "VARCHAR", "expression"),
    Column("op", "VARCHAR", "of the predicate"),
    Column("value", "DOUBLE", "of the predicate"),
    Column("margin", "DOUBLE", "half-width of the knife's edge"),
    Column("quantifier", "VARCHAR", "probability, mean or median"),
    Column("threshold", "DOUBLE", "of the estimate: at_least, or the predicate's value"),
    Column("estimate", "DOUBLE", "share of units that hold, mean or median"),
    Column("low", "DOUBLE", "lower end of its interval"),
    Column("high", "DOUBLE", "upper end"),
    Column("p_supported", "DOUBLE", "p-value against the claim being false"),
    Column("p_refuted", "DOUBLE", "p-value against the claim being true"),
    Column("units", "BIGINT", "units measured"),
    Column("holding", "BIGINT", "of them surely inside the predicate"),
    Column("failing", "BIGINT", "surely outside"),
    Column("ambiguous", "BIGINT", "neither, missing ones included"),
    Column("missing", "BIGINT", "not measured, or without a premise"),
    Column("more", "BIGINT", "how many more such units would decide"),
    Column("most_units", "BIGINT", "units declared"),
    Column("unit", "VARCHAR", "network, pair or point"),
    Column("test", "VARCHAR", "inference"),
    Column("alpha", "DOUBLE", "most probability of a false verdict"),
    Column("family", "VARCHAR", "claims corrected together"),
    Column("correction", "VARCHAR", "holm or none"),
    Column("premises", "VARCHAR", "how each stands, as JSON", needed=True),
    Column("finished", "VARCHAR", "UTC time at which the row was written"),
    Column("device", "VARCHAR", "what it ran on"),
    Column("versions", "VARCHAR", "versions of simbias, Python and its libraries, as JSON"),
    CHECKSUM,
)

EVIDENCE = (
    Column("id", "VARCHAR", "of the claim", needed=True),
    Column("hash", "VARCHAR", "of the claim", needed=True),
    Column("seeds", "VARCHAR", "of the unit's networks; empty for points"),
    Column("count", "BIGINT", "units that this row stands for"),
    Column("value", "DOUBLE", "the quantity"),
    Column("low", "DOUBLE", "lower end of its interval"),
    Column("high", "DOUBLE", "upper end"),
    Column("outcome", "VARCHAR", "holds, fails, ambiguous or missing", needed=True),
    Column("missing", "VARCHAR", "why it is missing; empty where it is not"),
    CHECKSUM,
)

MEASURED = (
    Column("unit", "BIGINT", "seed of the network, or of the first of a pair", needed=True),
    Column("value", "DOUBLE", "what was measured"),
    Column("low", "DOUBLE", "lower end of its interval"),
    Column("high", "DOUBLE", "upper end"),
    Column("reference", "VARCHAR", "the quantity, with its argument", needed=True),
    Column("cell", "VARCHAR", "every setting of the cell, as JSON", needed=True),
    Column("n_certify", "BIGINT", "fresh points a unit", needed=True),
    Column("confidence", "DOUBLE", "of the interval", needed=True),
    Column("versions", "VARCHAR", "versions of simbias, Python and its libraries, as JSON"),
    Column("weights", "VARCHAR", "hash of the tensors of the networks behind the unit"),
    CHECKSUM,
)

# an entry has the hash of its network (see ``records.network_name``)
NETWORK_ROWS = Table(
    "networks", NETWORKS, "left(sha256(settings || '|' || seed), 16)", f"status IN {FINAL}"
)
TABLES = {
    table.name: table
    for table in (
        NETWORK_ROWS,
        Table("traces", TRACES),
        # tables that other verbs add to a run
        Table("bounds", BOUNDS),
        Table("verdicts", VERDICTS),
        Table("evidence", EVIDENCE),
    )
}
UNASKED = {"measured": Table("measured", MEASURED)}  # kept besides, no part of a question


class Known(NamedTuple):
    """What is kept in memory of the row of a network."""

    cell: str
    seed: int
    status: str
    weights_checksum: str | None
    trace_checksum: str | None
    checksum: str | None


UNKNOWN = Known("", 0, "", None, None, None)  # known of a network without a row
