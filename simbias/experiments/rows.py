"""What rows of every experiment say: what they are of, what became of it, and what made them."""

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
    """The hash under which a row, and the files beside it, are kept."""
    cell, seed = replica
    return hashlib.sha256(f"{cell.identity}|{seed}".encode()).hexdigest()[:16]


def row(suite: str, ended: Ended) -> TableRow:
    """The row of an outcome."""
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
    """The rows of its trace, one a check."""
    cell, seed = ended.replica
    return [{"suite": suite, "cell": cell.name, "seed": seed, **check} for check in ended.trace]


@lru_cache
def versions() -> dict[str, str]:
    """Versions of what produced a result."""
    libraries = ("jax", "jaxlib", "flax", "optax", "numpy", "scipy")
    found = {"python": platform.python_version(), "keys": str(_keys.VERSION)}
    found["simbias"] = __version__  # of the code that runs, wherever another copy is installed
    return found | {name: version(name) for name in libraries}


def device() -> str:
    """What it runs on, in words."""
    first = jax.devices()[0]
    if first.platform == "cpu":
        return f"{len(jax.devices())} x cpu ({platform.machine()})"
    return f"{len(jax.devices())} x {first.platform} ({first.device_kind}), {PRODUCTS} products"
