"""The process of an executor: it computes work units, one at a time.

Nothing heavy is imported here: JAX starts within the first unit, once its settings are made.
"""

import os
import signal
import threading
from multiprocessing import parent_process
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simbias.runner.work_units import Answer

_alone = threading.Lock()  # a worker with several threads computes one unit after the other
Message = dict[str, Any]  # a work unit as plain data, which any version can read


def begin() -> None:
    """Begin a spawned process: it ends with the one that has spawned it, which hears Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(parent: int) -> None:
    wait([parent])
    os._exit(1)  # every file is written under another name first: nothing that was whole is lost


def compute(unit: Message) -> "Answer":
    """Compute a work unit into its run directory; see ``work_units.compute``."""
    from simbias._devices import configure

    with _alone:
        configure(unit["cores"])
        from simbias.runner import work_units

        return work_units.compute(unit)
