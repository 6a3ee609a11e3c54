"""What faster matrix products, as accelerators offer them, do to the measured quantities.

TensorFloat-32 and bfloat16 products round their factors to 10 and 7 bits of mantissa and add up in
float32. Here the factors of every product of training, forward and backward, are rounded in the
same way, so that the effect can be seen on any machine; validation stays in float32. Networks of
one seed start from the same weights and data in every mode.

    python benchmarks/precision.py [--shape 100,1] [--seeds 3] [--updates 20000]
"""

import argparse
from functools import partial

from engine import LEARNING_RATE, SETTINGS, N

MODES = {"float32": None, "tensorfloat32": 10, "bfloat16": 7}
SHOWN = ("train_accuracy", "test_accuracy", "s_randomised_accuracy", "fitted", "memorised")


def rounding_product(bits: int):
    """A product of two matrices whose factors are rounded, and those of its gradients too."""
    import jax

    def rounded(x):
        return jax.lax.reduce_precision(x, exponent_bits=8, mantissa_bits=bits)

    @jax.custom_vjp
    def product(x, weight):
        return rounded(x) @ rounded(weight)

    def forward(x, weight):
        return product(x, weight), (rounded(x), rounded(weight))

    def backward(residuals, cotangent):
        x, weight = residuals
        return rounded(cotangent) @ weight.T, x.T @ rounded(cotangent)

    product.defvjp(forward, backward)
    return product


def main() -> None:
    """Parse, train in every mode, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shape", default="100,1", metavar="WIDTH,DEPTH")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--updates", type=int, default=20_000)
    options = parser.parse_args()
    import simbias

    simbias.configure()
    from dataclasses import dataclass, replace

    import jax

    width, depth = map(int, options.shape.split(","))

    @dataclass(frozen=True)
    class Rounded(simbias.MLP):
        bits: int = 23

        def apply(self, params, x):
            product = rounding_product(self.bits)
            *hidden, last = [params["layers"][i] for i in sorted(params["layers"])]
            for layer in hidden:
                x = jax.nn.relu(product(x, layer["kernel"]) + layer["bias"][None, :])
            return product(x, last["kernel"]) + last["bias"][None, :]

    print(f"{'':<14}" + "".join(f"{name:>24}" for name in SHOWN))
    for mode, bits in MODES.items():
        plain = simbias.MLP(width, depth)
        train = partial(
            simbias.train,
            simbias.tasks.get("noisy-lms-7"),
            method=simbias.sgd(learning_rate=LEARNING_RATE, **SETTINGS),
            n_train=N,
            seeds=options.seeds,
            stop=simbias.Stop(max_updates=options.updates),
        )
        stack = train(network=plain if bits is None else Rounded(width, depth, bits=bits))
        report = simbias.validate(replace(stack, cell=replace(stack.cell, network=plain)))
        values = (
            report.train_accuracy,
            1 - report.risk.value,
            report.reliance.s_accuracy.value,
            report.exceptions.fitted.value,
            report.exceptions.memorised.value,
        )
        shown = "".join(f"{value.mean():>12.4f} ±{value.std(ddof=1):>9.4f} " for value in values)
        print(f"{mode:<14}{shown}", flush=True)


if __name__ == "__main__":
    main()
