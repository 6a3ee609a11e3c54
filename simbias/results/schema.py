"""The tables of a run directory: those of its experiments, and those that other commands add."""

from typing import NamedTuple

from simbias.experiments import Column, Table, experiments
from simbias.experiments.table import CHECKSUM, OF_TRACE

ROWS = {
    experiment.table.name: experiment.table for experiment in experiments().values()
}  # one table for each experiment

# the columns of the checks of all experiments
TRACES = (
    *OF_TRACE,
    *dict.fromkeys(column for experiment in experiments().values() for column in experiment.trace),
)
# the columns of a trace file, by the table of its experiment
TRACE_COLUMNS = {
    experiment.table.name: (*OF_TRACE, *experiment.trace) for experiment in experiments().values()
}

BOUNDS_COLUMNS = (
    Column("cell", "VARCHAR", "cell of the network", needed=True),
    Column("task", "VARCHAR", "task name"),
    Column("network", "VARCHAR", "architecture, (width,depth), or what else learned"),
    Column("seed", "BIGINT", "integer seed", needed=True),
    Column("n_train", "BIGINT", "training points"),
    Column("bound", "VARCHAR", "registered name", needed=True),
    Column("family", "VARCHAR", "what the bound is derived from"),
    Column("kind", "VARCHAR", "certificate, bound or measure", needed=True),
    Column("certifies", "VARCHAR", "whose error the value bounds", needed=True),
    Column("delta", "DOUBLE", "probability, over the sample, with which the bound may fail"),
    Column("value", "DOUBLE", "unclipped; empty where an assumption does not hold"),
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
        "assumptions of the bound, whether they hold and the numbers, as JSON",
        needed=True,
    ),
    Column("n_certify", "BIGINT", "fresh draws behind each risk"),
    Column("finished", "VARCHAR", "UTC time at which the file was written", needed=True),
    Column("versions", "VARCHAR", "versions of simbias, Python and its libraries, as JSON"),
    Column("weights", "VARCHAR", "hash of the tensors of the cell's networks; empty: not known"),
    CHECKSUM,
)

VERDICTS_COLUMNS = (
    Column("id", "VARCHAR", "of the claim", needed=True),
    Column("hash", "VARCHAR", "of the claim as it was registered", needed=True),
    Column("version", "BIGINT", "of the claim in this directory, from 1: each change raises it"),
    Column("title", "VARCHAR", "the claim in words"),
    Column("source", "VARCHAR", "who says so"),
    Column("verdict", "VARCHAR", "supported, refuted, inconclusive or inapplicable", needed=True),
    Column("reason", "VARCHAR", "in one line"),
    Column("says", "VARCHAR", "predicate and quantifier, in one line"),
    Column("quantity", "VARCHAR", "expression"),
    Column("op", "VARCHAR", "of the predicate"),
    Column("value", "DOUBLE", "of the predicate"),
    Column("margin", "DOUBLE", "half-width of the indifference zone"),
    Column("quantifier", "VARCHAR", "probability, mean or median"),
    Column("threshold", "DOUBLE", "of the estimate: at_least, or the predicate's value"),
    Column("estimate", "DOUBLE", "proportion of units that hold, mean or median"),
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
    Column("unit", "VARCHAR", "network, replica, pair or point"),
    Column("test", "VARCHAR", "statistical test"),
    Column("alpha", "DOUBLE", "most probability of a false verdict, all versions together"),
    Column("level", "DOUBLE", "of it, what this version spends: alpha / (version (version + 1))"),
    Column("family", "VARCHAR", "claims corrected together"),
    Column("correction", "VARCHAR", "holm or none"),
    Column("premises", "VARCHAR", "how each stands, as JSON", needed=True),
    Column("finished", "VARCHAR", "UTC time at which the row was written"),
    Column("device", "VARCHAR", "what it ran on"),
    Column("versions", "VARCHAR", "versions of simbias, Python and its libraries, as JSON"),
    CHECKSUM,
)

EVIDENCE_COLUMNS = (
    Column("id", "VARCHAR", "of the claim", needed=True),
    Column("hash", "VARCHAR", "of the claim", needed=True),
    Column("version", "BIGINT", "of the claim in this directory"),
    Column("seeds", "VARCHAR", "of the unit's networks; empty for points"),
    Column("count", "BIGINT", "units that this row stands for"),
    Column("value", "DOUBLE", "the quantity"),
    Column("low", "DOUBLE", "lower end of its interval"),
    Column("high", "DOUBLE", "upper end"),
    Column("outcome", "VARCHAR", "holds, fails, ambiguous or missing", needed=True),
    Column("missing", "VARCHAR", "why it is missing; empty where it is not"),
    CHECKSUM,
)

MEASURED_COLUMNS = (
    Column("unit", "BIGINT", "seed of the network, or of the first of a pair", needed=True),
    Column("value", "DOUBLE", "what was measured"),
    Column("low", "DOUBLE", "lower end of its interval"),
    Column("high", "DOUBLE", "upper end"),
    Column("reference", "VARCHAR", "the quantity, with its argument", needed=True),
    Column("cell", "VARCHAR", "every setting of the cell, as JSON", needed=True),
    Column("n_certify", "BIGINT", "fresh points of each unit", needed=True),
    Column("confidence", "DOUBLE", "of the interval", needed=True),
    Column("versions", "VARCHAR", "versions of simbias, Python and its libraries, as JSON"),
    Column("weights", "VARCHAR", "hash of the tensors of the networks behind the unit"),
    CHECKSUM,
)

TABLES = {
    table.name: table
    for table in (
        *ROWS.values(),
        Table("traces", TRACES),
        # tables that other commands add to a run
        Table("bounds", BOUNDS_COLUMNS),
        Table("verdicts", VERDICTS_COLUMNS),
        Table("evidence", EVIDENCE_COLUMNS),
    )
}
INTERNAL_TABLES = {
    "measured": Table("measured", MEASURED_COLUMNS)
}  # stored as well, but no table of ``query``


class RowIndex(NamedTuple):
    """The columns of an experiment's row that are held in memory."""

    cell: str
    seed: int
    status: str
    weights_checksum: str | None
    trace_checksum: str | None
    checksum: str | None


NO_ROW = RowIndex("", 0, "", None, None, None)  # where there is no row
