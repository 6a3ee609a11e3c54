"""What is run: the protocol of an experiment, and the kinds of experiments that there are."""

from simbias.experiments.experiment import (
    AnyCell,
    Context,
    Ended,
    Experiment,
    Interrupted,
    Learned,
    Moved,
    Progress,
    Replica,
    Saved,
    Shown,
)
from simbias.experiments.registered import cell_of, experiment_of, experiments, label_of
from simbias.experiments.rows import device, row, row_name, trace_rows, versions
from simbias.experiments.table import FINAL, FIRST, LAST, Column, Table, rows_table

__all__ = [
    "FINAL",
    "FIRST",
    "LAST",
    "AnyCell",
    "Column",
    "Context",
    "Ended",
    "Experiment",
    "Interrupted",
    "Learned",
    "Moved",
    "Progress",
    "Replica",
    "Saved",
    "Shown",
    "Table",
    "cell_of",
    "device",
    "experiment_of",
    "experiments",
    "label_of",
    "row",
    "row_name",
    "rows_table",
    "trace_rows",
    "versions",
]
