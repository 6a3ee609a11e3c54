"""Tables of a run directory: columns, declared once, from which files are written and explained."""

from typing import NamedTuple

FINAL = ("done", "not-converged", "diverged")  # the others are computed again by a rerun


class Column(NamedTuple):
    """A column: its name, DuckDB type, meaning with unit, and whether every row must have it.

    Files of other versions may lack a column that is not needed, or have more.

    Examples:
        >>> from simbias.experiments import Column
        >>> Column("price", "DOUBLE", "price of a toy, euros").needed
        False
    """

    name: str
    type: str
    meaning: str
    needed: bool = False


class Table(NamedTuple):
    """A table of rows, in a folder of its name.

    Attributes:
        name: of the folder, and in SQL.
        columns: of its files.
        entry: SQL of the text that names the entry of a row, of which each has one row: such rows
            are gathered in large files. Without it rows stay in the files they were written in.
        final: SQL of whether a row is final, and so counts before others of its entry.
        weighed: whether a row with a final status is complete only with a file of tensors.

    Examples:
        >>> from simbias.experiments import experiments
        >>> table = experiments()["classify"].table
        >>> table.name, [column.name for column in table.columns[:3]]
        ('networks', ['suite', 'cell', 'task'])
    """

    name: str
    columns: tuple[Column, ...]
    entry: str = ""
    final: str = "true"
    weighed: bool = False


SUITE = Column("suite", "VARCHAR", "suite that asked for it")
CELL = Column(
    "cell", "VARCHAR", "cell: what was done in words, and six digits of its settings' hash", True
)
TASK = Column("task", "VARCHAR", "task name")
SEED = Column("seed", "BIGINT", "integer seed", True)
N_TRAIN = Column("n_train", "BIGINT", "training points")
STATUS = Column("status", "VARCHAR", "done, not-converged, diverged, error or interrupted", True)
REASON = Column("reason", "VARCHAR", "why the status, and why any empty column is empty")
N_CERTIFY = Column("n_certify", "BIGINT", "fresh certify draws")
DIM = Column("dim", "BIGINT", "input coordinates")
SETTINGS = Column("settings", "VARCHAR", "every setting of the cell, as JSON", True)
IDENTITY = Column("identity", "VARCHAR", "settings beyond their defaults; empty: all are meant")
TRAIN_SECONDS = Column(
    "train_seconds", "DOUBLE", "training time, of one core, or its part of a device's time"
)
VALIDATE_SECONDS = Column(
    "validate_seconds", "DOUBLE", "validation time, the stack's divided by its networks"
)
FINISHED = Column("finished", "VARCHAR", "UTC time at which the row was written")
DEVICE = Column("device", "VARCHAR", "what it ran on")
VERSIONS = Column("versions", "VARCHAR", "versions of simbias, Python and its libraries, as JSON")
WEIGHTS = Column("weights_checksum", "VARCHAR", "hash of its tensors, without the time taken")
TRACE = Column("trace_checksum", "VARCHAR", "hash of its trace file; empty where there is none")
CHECKSUM = Column("checksum", "VARCHAR", "hash of the rows written together; empty: unverified")

# the first and last columns of every experiment's rows, around the columns of its own
FIRST = (SUITE, CELL, SEED, STATUS, REASON)
KEPT = (FINISHED, DEVICE, VERSIONS, WEIGHTS, TRACE, CHECKSUM)
LAST = (SETTINGS, IDENTITY, *KEPT)
OF_TRACE = (SUITE, CELL, SEED)  # the first columns of every trace
# those of the experiments that train: before and after the learner's, and after its settings
ASKED, ENDED = (SUITE, CELL, TASK), (SEED, N_TRAIN, STATUS, REASON)
SPENT = (SETTINGS, IDENTITY, TRAIN_SECONDS, VALIDATE_SECONDS)


def rows_table(name: str, columns: tuple[Column, ...], *, weighed: bool = False) -> Table:
    """The table of an experiment's rows, a row for each cell and seed.

    Args:
        name: of the folder, and in SQL.
        columns: those of ``FIRST`` and ``LAST`` among them, in any order.
        weighed: as in ``Table``.

    Examples:
        >>> from simbias.experiments import FIRST, LAST, Column, rows_table
        >>> price = Column("price", "DOUBLE", "of a toy, euros")
        >>> table = rows_table("toys", (*FIRST, price, *LAST))
        >>> table.name, len(table.columns) - len(FIRST) - len(LAST)
        ('toys', 1)
    """
    # an entry is named as ``experiments.row_name`` names it
    identity = f"coalesce({IDENTITY.name}, {SETTINGS.name})"
    entry, final = f"left(sha256({identity} || '|' || seed), 16)", f"status IN {FINAL}"
    return Table(name, columns, entry, final, weighed)
