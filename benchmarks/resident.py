"""Whether factors that stay in bfloat16 from product to product pay, on a processor.

The cell setting ``precision`` rounds the factors of each product where they enter it. Here is the
same update of one network of three layers written by hand in three forms, by SGD with momentum:
in float32; with factors rounded where they enter; and with inputs, activations and their gradients
kept in bfloat16 between products ("resident"), of which the sums are float32 all the same. Beside
them stand the single products, by the time of one core, in turns, as median [least, greatest].

    python benchmarks/resident.py [--width 300] [--rounds 5]
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
from engine import spread

BATCH, DIM, BATCHES, TIMES = 256, 50, 64, 400
FORMS = ("float32", "rounded", "resident")


def main() -> None:
    """Time updates and products in turns, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--width", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5, help="of turns")
    options = parser.parse_args()
    import simbias

    simbias.configure(cores=1)
    width, rng = options.width, np.random.default_rng(0)
    loops = {f"update, {form}": updates(form, width, rng) for form in FORMS}
    sizes = ((BATCH, DIM, width), (BATCH, width, width), (width, BATCH, width))
    for size in sizes:
        for dtype in ("float32", "bfloat16"):
            loops[f"{' x '.join(map(str, size))}, {dtype}"] = products(dtype, size, rng)
    for loop in loops.values():
        loop()
    rounds = [[timed(loop) for loop in loops.values()] for _ in range(options.rounds)]
    plain = ""
    for name, values in zip(loops, np.array(rounds).T, strict=True):
        if name.endswith("float32"):
            plain, times = name, values
        words = "" if name == plain else f", {spread(times / values)} of the rate of float32"
        print(f"{name:<28} {np.median(values):8,.0f} us{words}")


def timed(loop: Callable[[], object]) -> float:
    """Microseconds of the processor for each turn of a loop."""
    clock = time.process_time()
    loop()
    return (time.process_time() - clock) / TIMES * 1e6


def updates(form: str, width: int, rng: np.random.Generator) -> Callable[[], object]:
    """A loop of updates of a network with two hidden layers, in one of ``FORMS``."""
    import jax
    import jax.numpy as jnp

    x = jnp.float32(rng.normal(size=(BATCHES, BATCH, DIM)))
    sign = jnp.asarray(rng.integers(0, 2, (BATCHES, BATCH)) * 2 - 1, jnp.float32)
    shapes = ((DIM, width), (width, width), (width, 1))
    weights = [jnp.float32(rng.normal(size=shape) / np.sqrt(shape[0])) for shape in shapes]

    def product(a, b):
        if form == "float32":
            return a @ b
        short = a.astype(jnp.bfloat16), b.astype(jnp.bfloat16)
        return jnp.matmul(*short, preferred_element_type=jnp.float32)

    def kept(a):
        return a.astype(jnp.bfloat16) if form == "resident" else a

    def gradients(weights, x, sign):
        x, (first, second, last) = kept(x), map(kept, weights)
        below = kept(jnp.maximum(product(x, first), 0))
        above = kept(jnp.maximum(product(below, second), 0))
        output = product(above, last)[:, 0]
        to_output = kept((-sign * jax.nn.sigmoid(-sign * output) / BATCH)[:, None])
        to_above = kept(jnp.where(above > 0, product(to_output, last.T), 0))
        to_below = kept(jnp.where(below > 0, product(to_above, second.T), 0))
        return product(x.T, to_below), product(below.T, to_above), product(above.T, to_output)

    def update(carry, i):
        weights, velocity = carry
        slopes = gradients(weights, x[i % BATCHES], sign[i % BATCHES])
        velocity = [0.9 * v + slope for v, slope in zip(velocity, slopes, strict=True)]
        weights = [weight - 0.1 * v for weight, v in zip(weights, velocity, strict=True)]
        return (weights, velocity), None

    start = weights, [jnp.zeros_like(weight) for weight in weights]
    run = jax.jit(lambda start: jax.lax.scan(update, start, jnp.arange(TIMES))[0])
    return lambda: jax.block_until_ready(run(start))


def products(
    dtype: str, size: tuple[int, int, int], rng: np.random.Generator
) -> Callable[[], object]:
    """A loop of products with float32 sums, each of which waits for the one before."""
    import jax
    import jax.numpy as jnp

    rows, inner, columns = size
    a = jnp.asarray(rng.normal(size=(rows, inner)), dtype)
    b = jnp.asarray(rng.normal(size=(inner, columns)), dtype)

    def step(entry, _):
        out = jnp.matmul(a.at[0, 0].set(entry), b, preferred_element_type=jnp.float32)
        return out[0, 0].astype(dtype), None

    run = jax.jit(lambda entry: jax.lax.scan(step, entry, None, length=TIMES)[0])
    return lambda: jax.block_until_ready(run(jnp.asarray(0, dtype)))


if __name__ == "__main__":
    main()
