"""Speed of dense grids beside the matrix products they are made of, and of exact boundaries.

For each architecture on noisy-lms-7: the time in which the proportions and agreements of one plane
are evaluated for one network per core, beside the time of the forward pass's matrix products alone,
in the same blocks of rows; and, on one core, the time of the exact boundary in a plane of the
simple and a slab coordinate, for a trained network.

    python benchmarks/validation.py [--resolution 60] [--rounds 9] [--updates 4000]
"""

import argparse
import statistics
import time

from engine import LEARNING_RATE, SETTINGS, SHAPES, N, machine


def products(network, networks: int, cells: int, contexts: int):
    """A program of the products of a forward pass, in the blocks of ``measure_grids``."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from simbias.parallel import devices_for, over_seeds, spread
    from simbias.validation.planes import ROWS

    block_cells = ROWS // contexts
    sizes = network.sizes(50)
    draw = np.random.default_rng(0)
    weights = tuple(
        draw.normal(size=(networks, a, b)).astype(np.float32) / np.sqrt(a)
        for a, b in zip(sizes[:-1], sizes[1:], strict=True)
    )

    def forward(layers):
        def block(x, _):
            h = x
            for weight in layers:
                h = h @ weight
            return x + h[:, :1] * 1e-9, None

        x = jnp.ones((block_cells * contexts, sizes[0]))
        return jax.lax.scan(block, x, length=-(-cells // block_cells))[0].sum()

    devices = devices_for(networks)
    program = over_seeds(forward, devices)
    placed = spread([tuple(weight[i] for weight in weights) for i in range(networks)], devices)
    return lambda: program(placed).block_until_ready()


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--resolution", type=int, default=60)
    parser.add_argument("--contexts", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--updates", type=int, default=4000)
    parser.add_argument("--shapes", nargs="+", default=SHAPES, metavar="WIDTH,DEPTH")
    options = parser.parse_args()
    import simbias

    simbias.configure()
    import jax
    import numpy as np

    from simbias.tasks.oracle import achievable_rule, simple_rule
    from simbias.validation import cuts
    from simbias.validation.contexts import draw_lines
    from simbias.validation.geometry import Box, Plane, decide, layers_of, restrict
    from simbias.validation.planes import ask

    print(", ".join(f"{key} {value}" for key, value in machine().items()))
    task, networks = simbias.tasks.get("noisy-lms-7"), len(jax.devices())
    rules = simple_rule(task), achievable_rule(task, 1)
    box = Box(*cuts.side(task.blocks[0]), *cuts.side(task.blocks[1]))
    axes = np.eye(task.dim)[:2]
    for shape in options.shapes:
        width, depth = map(int, shape.split(","))
        stack = simbias.train(
            task,
            simbias.MLP(width, depth),
            simbias.sgd(learning_rate=LEARNING_RATE, **SETTINGS),
            n_train=N,
            seeds=networks,
            stop=simbias.Stop(max_updates=options.updates),
        )
        drawn = [draw_lines(stack, i, 0, options.contexts) for i in range(networks)]
        alone = products(stack.cell.network, networks, options.resolution**2, options.contexts)
        race = {
            "grid": lambda stack=stack, drawn=drawn: ask(stack, rules, drawn, options.resolution),
            "products": alone,
        }
        times: dict[str, list[float]] = {name: [] for name in race}
        for _ in range(options.rounds + 1):  # the first compiles
            for name, run in race.items():
                clock = time.perf_counter()
                run()
                times[name].append(time.perf_counter() - clock)
        ratios = [p / g for g, p in zip(times["grid"][1:], times["products"][1:], strict=True)]
        planes = []
        for context in drawn[0][:5]:
            restricted = restrict(layers_of(stack, 0), Plane(context * ~axes.any(axis=0), axes))
            clock = time.perf_counter()
            decide(restricted, box)
            planes.append(time.perf_counter() - clock)
        print(
            f"({shape}): grid at {statistics.median(ratios):.2f} [{min(ratios):.2f},"
            f" {max(ratios):.2f}] of the speed of its products; exact boundary"
            f" {statistics.median(planes):.3f} s a plane",
            flush=True,
        )


if __name__ == "__main__":
    main()
