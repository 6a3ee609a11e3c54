"""Setting JAX up before it starts: one CPU device a core, single-threaded matrix products."""

import os


def configure(cores: int | None = None) -> None:
    """Let every core train networks of its own; call it once, before JAX computes anything.

    The command line does this by itself. Accelerators are unaffected.

    Args:
        cores: CPU devices to make; default: the cores this process may use.

    Raises:
        ValueError: cores < 1.
        RuntimeError: JAX has already started.
    """
    from simbias._checks import whole

    cores = len(os.sched_getaffinity(0)) if cores is None else whole("cores", cores)
    flag = "--xla_cpu_multi_thread_eigen=false"
    if flag not in os.environ.get("XLA_FLAGS", ""):
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flag}".strip()
    import jax

    jax.config.update("jax_num_cpu_devices", cores)
