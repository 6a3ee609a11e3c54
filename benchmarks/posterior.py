"""Microseconds of a step of a PAC-Bayes posterior's descent, by the processor's clock.

Before and after a change, run it in turns on both commits: machines have faster and slower hours.

    python benchmarks/posterior.py [--shapes 100,1 100,2] [--steps 400] [--rounds 5]
"""

import argparse
import time

import numpy as np

N, PAIRS = 10_000, 2000


def main() -> None:
    """Parse, compile, time, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shapes", nargs="+", default=["100,1", "100,2"], metavar="WIDTH,DEPTH")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    import simbias

    simbias.configure(1)
    import jax
    import jax.numpy as jnp

    from simbias._pinned import settings
    from simbias.bounds import descent
    from simbias.parallel import devices_for, spread
    from simbias.tasks.oracle import Layer

    random = np.random.default_rng(0)
    for shape in options.shapes:
        width, depth = map(int, shape.split(","))
        sizes = [50, *[width] * depth, 1]
        layers = tuple(
            Layer(
                np.float32(random.normal(size=(rows, units)) / rows**0.5),
                np.zeros(units, np.float32),
            )
            for rows, units in zip(sizes[:-1], sizes[1:], strict=True)
        )
        x = random.normal(size=(N, 50)).astype(np.float32)
        sign = np.sign(x[:, 0])
        problem = descent.PosteriorProblem(layers, layers, x, sign, np.int32(0), np.int32(N))
        with settings():
            devices = devices_for(1)
            descend, placed = descent.compiled("relu", PAIRS, devices), spread([problem], devices)

            def seconds(steps: int, descend=descend, placed=placed) -> float:
                clock = time.process_time()
                jax.block_until_ready(descend(placed, jnp.int32(steps), jnp.int32(0)))
                return time.process_time() - clock

            seconds(1)  # compiles
            spent = [
                (seconds(1 + options.steps) - seconds(1)) / options.steps * 1e6
                for _ in range(options.rounds)
            ]
        median, least, most = np.median(spent), min(spent), max(spent)
        print(f"({shape}) {median:,.0f} us a step [{least:,.0f}, {most:,.0f}]", flush=True)


if __name__ == "__main__":
    main()
