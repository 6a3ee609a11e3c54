"""The columns that rows of every experiment have, and the name of a row."""

import hashlib
import json
import platform
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import version

import jax

from simbias import __version__, _keys
from simbias._identity import canonical
from simbias._pinned import PRODUCTS
from simbias._types import TableRow
from simbias.experiments.experiment import Ended, Replica
from simbias.experiments.registered import experiment_of


def row_name(replica: Replica) -> str:
    """The hash under which a row, and the files beside it, are kept.

    Examples:
        >>> import simbias
        >>> task, stop = simbias.tasks.get("noisy-lms-5", dim=4), simbias.Stop(max_updates=200)
        >>> net, method = simbias.MLP(8), simbias.sgd()
        >>> cell = simbias.training.Cell(task, net, method, n_train=1000, stop=stop)
        >>> from simbias.experiments import Replica, row_name
        >>> row_name(Replica(cell, 0)) == row_name(Replica(cell, 0))
        True
        >>> row_name(Replica(cell, 0)) == row_name(Replica(cell, 1))
        False
    """
    cell, seed = replica
    return hashlib.sha256(f"{cell.identity}|{seed}".encode()).hexdigest()[:16]


def row(suite: str, ended: Ended) -> TableRow:
    """The row of an outcome.

    Examples:
        >>> import simbias
        >>> task, stop = simbias.tasks.get("noisy-lms-5", dim=4), simbias.Stop(max_updates=200)
        >>> net, method = simbias.MLP(8), simbias.sgd()
        >>> cell = simbias.training.Cell(task, net, method, n_train=1000, stop=stop)
        >>> from simbias.experiments import Ended, Replica, row
        >>> written = row("mine", Ended(Replica(cell, 3), "done", "trained for 200 updates"))
        >>> written["suite"], written["task"], written["seed"], written["status"]
        ('mine', 'noisy-lms-5', 3, 'done')
    """
    cell, seed = ended.replica
    common = {
        "suite": suite,
        "cell": cell.name,
        "seed": seed,
        "status": ended.status,
        "reason": ended.reason,
        "settings": canonical(cell.settings),
        "identity": cell.identity,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": device(),
        "versions": json.dumps(versions()),
    }
    return {**common, **experiment_of(cell).known(cell), **ended.columns}


def trace_rows(suite: str, ended: Ended) -> list[TableRow]:
    """The rows of an outcome's trace, one for each check.

    Examples:
        >>> import simbias
        >>> task, stop = simbias.tasks.get("noisy-lms-5", dim=4), simbias.Stop(max_updates=200)
        >>> net, method = simbias.MLP(8), simbias.sgd()
        >>> cell = simbias.training.Cell(task, net, method, n_train=1000, stop=stop)
        >>> from simbias.experiments import Ended, Replica, trace_rows
        >>> ended = Ended(Replica(cell, 3), "done", "trained", trace=[{"updates": 200}])
        >>> [(check["seed"], check["updates"]) for check in trace_rows("mine", ended)]
        [(3, 200)]
    """
    cell, seed = ended.replica
    return [{"suite": suite, "cell": cell.name, "seed": seed, **check} for check in ended.trace]


@lru_cache
def versions() -> dict[str, str]:
    """The versions of Python, the libraries and the random keys that produce a result.

    Examples:
        >>> from simbias.experiments import versions
        >>> sorted(versions())
        ['flax', 'jax', 'jaxlib', 'keys', 'numpy', 'optax', 'python', 'scipy', 'simbias']
    """
    libraries = ("jax", "jaxlib", "flax", "optax", "numpy", "scipy")
    packages = {"python": platform.python_version(), "keys": str(_keys.VERSION)}
    packages["simbias"] = __version__  # of the code that runs, wherever another copy is installed
    return packages | {name: version(name) for name in libraries}


def device() -> str:
    """The devices that JAX uses, in words.

    Examples:
        >>> from simbias.experiments import device
        >>> " x " in device()
        True
    """
    first = jax.devices()[0]
    if first.platform == "cpu":
        return f"{len(jax.devices())} x cpu ({platform.machine()})"
    return f"{len(jax.devices())} x {first.platform} ({first.device_kind}), {PRODUCTS} products"
