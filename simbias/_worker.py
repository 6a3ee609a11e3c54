"""The process of an executor, which calls functions of the package, one at a time.

Nothing heavy is imported here: JAX starts within the first call, once its settings are made.
"""

import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from multiprocessing import parent_process
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import Synchronized

_alone = threading.Lock()  # a worker with several threads makes one call after the other


def begin(begun: "Synchronized[int]", environments: Sequence[Mapping[str, str]]) -> None:
    """Begin a spawned process: it ends with the one that has spawned it, which hears Ctrl-C.

    Args:
        begun: how many of the processes have begun.
        environments: what each of them has to find in its environment.
    """
    with begun.get_lock():
        process = begun.value
        begun.value += 1
    os.environ.update(environments[process])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(parent: int) -> None:
    wait([parent])
    os._exit(1)  # every file is written under another name first: nothing that was whole is lost


def call(module: str, name: str, cores: int, argument: Any) -> Any:
    """The result of a function of the package.

    Args:
        module, name: where it is, and its name; imported once JAX's devices are set.
        cores: CPU devices.
        argument: of the function, plain data that any version can read.
    """
    from simbias._devices import configure

    with _alone:
        configure(cores)
        function: Callable[[Any], Any] = getattr(import_module(module), name)
        return function(argument)
