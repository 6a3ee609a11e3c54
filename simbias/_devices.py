"""Setting JAX up before it starts: one CPU device a core, single-threaded matrix products."""

import os

from simbias._checks import whole


def configure(cores: int | None = None) -> None:
    """Let every core train networks of its own; call it once, before JAX computes anything.

    The command line does this by itself. Accelerators are unaffected.

    Args:
        cores: CPU devices to make; default: the cores this process may use.

    Raises:
        ValueError: cores < 1.
        RuntimeError: JAX has already started with another number of CPU devices.
    """
    cores = len(os.sched_getaffinity(0)) if cores is None else whole("cores", cores, most=1024)
    flag = "--xla_cpu_multi_thread_eigen=false"
    if flag not in os.environ.get("XLA_FLAGS", ""):
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flag}".strip()
    import jax

    try:
        jax.config.update("jax_num_cpu_devices", cores)
    except RuntimeError:  # JAX has started: no harm if it has what was asked for
        if len(jax.devices("cpu")) != cores:
            raise
