"""Setting JAX up before it starts: one CPU device a core, single-threaded products, a cache.

Compiled programs are kept in the user's cache directory, so that a second process does not compile
them again. A program holds native instructions: there is one folder a processor and library
version, all of it safe to delete.
"""

import hashlib
import os
import platform
from importlib.metadata import version
from pathlib import Path

from simbias._checks import whole

_KEPT_SECONDS = 0.1  # programs that compile faster are not worth a file


def configure(cores: int | None = None) -> None:
    """Let every core train networks of its own; call it once, before JAX computes anything.

    The command line does this by itself. On accelerators, float32 matrix products are computed as
    float32 unless the user has asked JAX for another ``jax_default_matmul_precision``. Compiled
    programs are kept in ``cache_directory()``, or where ``JAX_COMPILATION_CACHE_DIR`` says, or
    nowhere with ``JAX_ENABLE_COMPILATION_CACHE=false``.

    Args:
        cores: CPU devices to make; default: the cores this process may use.

    Raises:
        ValueError: cores < 1.
        RuntimeError: JAX has already started with another number of CPU devices.
    """
    cores = usable_cores() if cores is None else whole("cores", cores, most=1024)
    flag = "--xla_cpu_multi_thread_eigen=false"
    if flag not in os.environ.get("XLA_FLAGS", ""):
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flag}".strip()
    import jax

    try:
        jax.config.update("jax_num_cpu_devices", cores)
    except RuntimeError:  # JAX has started: no harm if it has what was asked for
        if len(jax.devices("cpu")) != cores:
            raise
    if jax.config.values["jax_default_matmul_precision"] is None and jax.default_backend() != "cpu":
        # a CPU always does so, and asking it to would only rule out its fastest products
        jax.config.update("jax_default_matmul_precision", "float32")
    if jax.config.values["jax_compilation_cache_dir"] is None:
        jax.config.update("jax_compilation_cache_dir", str(cache_directory()))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", _KEPT_SECONDS)


def usable_cores() -> int:
    """The cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cache_directory() -> Path:
    """The folder of this machine's compiled programs, in the user's cache directory."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    built = "|".join([platform.machine(), _features(), version("jax"), version("jaxlib")])
    return Path(base, "simbias", "compiled", hashlib.sha256(built.encode()).hexdigest()[:16])


def _features() -> str:
    """The processor's model and instruction sets, where the system tells them."""
    try:
        lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
    except OSError:
        return platform.processor()
    told = ("model name", "flags", "Features", "CPU implementer", "CPU part")
    return "|".join(line for line in lines if line.startswith(told))
