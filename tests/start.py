"""What the tests run under, set before JAX starts: import this file before all others.

Two CPU devices, strict promotion, the check of shapes, and no cache of compiled programs.
"""

import os

import checked_shapes


def _start():
    os.environ["JAX_ENABLE_COMPILATION_CACHE"] = "false"  # a test compiles what it runs
    # XLA divides a program among compiling threads; whole, it is the same code, sooner where cores
    # work
    flags = "--xla_cpu_parallel_codegen_split_count=1"
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flags}".strip()
    checked_shapes.install()
    import jax

    import simbias
    from simbias import _programs

    simbias.configure(2)
    _programs._AT_ONCE = 10**9  # runs of one process share their programs
    jax.config.update("jax_numpy_rank_promotion", "raise")
    jax.config.update("jax_numpy_dtype_promotion", "strict")


_start()
calls = checked_shapes.calls
