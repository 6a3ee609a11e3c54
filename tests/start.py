"""What the tests run under, set before JAX starts: import this file before all others.

Two CPU devices, strict promotion, the check of shapes, and no cache of compiled programs. XLA
compiles for size and does not optimise, in a quarter of the time, and training takes half as long
again: networks are those that a user trains, up to rounding (``tests/test_surroundings.py``
compares them).
"""

import os

import checked_shapes

SOONER = (  # how XLA compiles in less time; it passes over options that another version lacks
    # in one piece: it is the same code, sooner where the other cores work
    "--xla_cpu_parallel_codegen_split_count=1",
    "--xla_backend_extra_options=xla_cpu_optimize_for_size,xla_cpu_disable_loop_unrolling,"
    "xla_cpu_disable_new_fusion_emitters",
)
# refused to a user of simbias: set for this process alone, taken back before anything is computed
UNOPTIMISED = "--xla_backend_optimization_level=0"


def _start():
    # the processes of pytest-xdist have a core each, on which threads of NumPy and of trees would
    # only wait for each other: boosting took 70 times as long
    os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    os.environ["JAX_ENABLE_COMPILATION_CACHE"] = "false"  # a test compiles what it runs
    kept = " ".join([os.environ.get("XLA_FLAGS", ""), *SOONER]).strip()
    os.environ["XLA_FLAGS"] = f"{kept} {UNOPTIMISED}"
    checked_shapes.install()
    import jax

    import simbias
    from simbias import _programs

    simbias.configure(2)
    jax.jit(lambda: 0).lower().compile()  # XLA reads its flags once
    os.environ["XLA_FLAGS"] = kept
    _programs._AT_ONCE = 10**9  # runs of one process share their programs
    jax.config.update("jax_numpy_rank_promotion", "raise")
    jax.config.update("jax_numpy_dtype_promotion", "strict")


_start()
calls = checked_shapes.calls
