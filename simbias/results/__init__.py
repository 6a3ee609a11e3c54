"""What is kept: run directories of Parquet rows and safetensors weights."""

from simbias.results.compute import (
    ComputeCourse,
    ComputeOptimum,
    compute_courses,
    compute_optima,
)
from simbias.results.files import StoreError
from simbias.results.leaderboard import PairedDifference, Standing, leaderboard
from simbias.results.lineages import PooledLineages
from simbias.results.noise import (
    GradientBatch,
    Needed,
    NoisyCell,
    gradient_batches,
    needed,
    noisy_cells,
)
from simbias.results.store import Store
from simbias.results.summary import Summary, summarise
from simbias.results.trained import load_fitted, load_stack

__all__ = [
    "ComputeCourse",
    "ComputeOptimum",
    "GradientBatch",
    "Needed",
    "NoisyCell",
    "PairedDifference",
    "PooledLineages",
    "Standing",
    "Store",
    "StoreError",
    "Summary",
    "compute_courses",
    "compute_optima",
    "gradient_batches",
    "leaderboard",
    "load_fitted",
    "load_stack",
    "needed",
    "noisy_cells",
    "summarise",
]
