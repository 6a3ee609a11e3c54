"""Where it would pay to train narrow networks in the compiled program of wider ones.

A network padded with units of weight zero makes the updates of the wider network, and saves the
compilation of a program of its own. It pays where all networks of a group together make fewer
updates than the seconds of that compilation allow. Compilation is the first training of a few
updates, less the second, without the cache of programs; rates are those of ``engine.py``, by the
time of one core.

    python benchmarks/padding.py [--widths 100 200 300] [--depth 1] [--seconds 3]
"""

import argparse
import os
import time
from itertools import pairwise

from engine import training_rate
from precision import cell_of


def compile_seconds(width: int, depth: int) -> float:
    """Processor time that the training program of one architecture takes to compile."""
    from simbias.training.jobs import Job, train_jobs

    cell = cell_of(f"{width},{depth}", "float32", updates=1)
    spent = []
    for seed in range(2):
        begun = time.process_time()
        train_jobs([Job(cell, seed)])
        spent.append(time.process_time() - begun)
    return spent[0] - spent[1]


def main() -> None:
    """Print what each width costs, and the updates below which padding to the next one pays."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--widths", type=int, nargs="+", default=[100, 200, 300])
    parser.add_argument("--depth", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each rate")
    options = parser.parse_args()
    os.environ["JAX_ENABLE_COMPILATION_CACHE"] = "false"
    import simbias

    simbias.configure(cores=1)
    compile_seconds(min(options.widths) - 1, options.depth)  # and what all programs share
    compiled, rates = {}, {}
    for width in options.widths:
        compiled[width] = compile_seconds(width, options.depth)
        shape = f"{width},{options.depth}"
        rates[width] = training_rate(shape, options.seconds, 1, now=time.process_time)
        print(f"({shape}) {compiled[width]:5.1f} s to compile, {rates[width]:8,.0f} updates/s")
    for narrow, wide in pairwise(options.widths):
        slower = 1 / rates[wide] - 1 / rates[narrow]
        pays = f"below {compiled[narrow] / slower:,.0f} updates" if slower > 0 else "always"
        print(f"padding {narrow} to {wide} units pays {pays}")


if __name__ == "__main__":
    main()
