"""What the tests run under, set before JAX starts: import this file before all others.

Two CPU devices, strict promotion, the check of shapes, and no cache of compiled programs. XLA
compiles for size, in less than half the time: networks are those that a user trains, up to rounding
(``tests/test_surroundings.py`` compares them).
"""

import os

import checked_shapes

SOONER = (  # how XLA compiles in less time; it passes over options that another version lacks
    # in one piece: it is the same code, sooner where the other cores work
    "--xla_cpu_parallel_codegen_split_count=1",
    "--xla_backend_extra_options=xla_cpu_optimize_for_size,xla_cpu_disable_loop_unrolling,"
    "xla_cpu_disable_new_fusion_emitters",
)


def _start():
    # the processes of pytest-xdist have a core each, on which threads of NumPy and of trees would
    # only wait for each other: boosting took 70 times as long
    os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    os.environ["JAX_ENABLE_COMPILATION_CACHE"] = "false"  # a test compiles what it runs
    os.environ["XLA_FLAGS"] = " ".join([os.environ.get("XLA_FLAGS", ""), *SOONER]).strip()
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
