"""Compression: a quantised copy of the network, its code length, and what that certifies.

S. Lotfi et al., "PAC-Bayes compression bounds so tight that they can explain generalization"
(NeurIPS 2022), with the plain Occam bound, since the compressed network is one hypothesis. Each
layer of the network with one output (logit difference) is rounded to its own codebook; what is
certified is the rounded network, so compare with its risk.

The code, in bits, for N weights and a codebook of K = 2^b centroids a layer:

- the architecture, in Elias's gamma code;
- what was searched: 3 bits for b in 1..8, 1 bit for the kind of codebook (k-means or uniform);
- 16 bits a centroid, as a half-precision number;
- ceil(log2(N + 1)) bits for each centroid's count;
- the index of the sequence of symbols among all with these counts, ceil(log2(N!/prod counts!)):
  never more than the entropy N H(counts/N).

The prior of a code of length l is 2^-(l + 2 log2 l): at most 2^l codes have length l, and the sum
over l >= 2 of l^-2 is .645, so the masses add up to less than 1.
"""

import math
from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
from scipy.special import gammaln

from simbias._checks import known, whole
from simbias.bounds.bound import BoundValue, bound, independent
from simbias.bounds.capacity import architecture_bits
from simbias.bounds.certificates import kl_inverse
from simbias.bounds.norms import collapsed
from simbias.bounds.observed import Observed, Vector
from simbias.bounds.record import Assumption
from simbias.tasks.oracle import Layer

BITS = tuple(range(1, 9))
CODEBOOKS = ("k-means", "uniform")
SEARCH_BITS = 4
CENTROID_BITS = 16
_LLOYD_STEPS = 30


class Compressed(NamedTuple):
    """A quantised network, the lengths of the parts of its code (bits), and its codebook.

    The layers have two logits, 0 and the rounded difference; every weight is a half-precision
    number.
    """

    layers: tuple[Layer, ...]
    lengths: dict[str, int]
    bits: int
    codebook: str

    @property
    def length(self) -> int:
        """Bits of the whole code."""
        return sum(self.lengths.values())

    @property
    def divergence(self) -> float:
        """-ln of the prior mass, (l + 2 log2 l) ln 2."""
        return (self.length + 2 * math.log2(self.length)) * math.log(2)

    def nats(self, n: int, delta: float) -> float:
        """(KL + ln(1/delta))/n."""
        return (self.divergence + math.log(1 / delta)) / n


def compress(layers: Sequence[Layer], bits: int, codebook: str) -> Compressed:
    """Round every weight and bias of the network with one output to a codebook a layer.

    Args:
        layers: affine layers, the last with two logits.
        bits: b, in 1..8: at most 2^b centroids a layer.
        codebook: ``"k-means"`` or ``"uniform"``.

    Raises:
        ValueError: an argument out of range.
    """
    bits = whole("bits", bits, most=BITS[-1])
    known("codebook", codebook, CODEBOOKS)
    rounded_layers = []
    lengths = {"symbols": 0, "centroids": 0, "counts": 0, "search": SEARCH_BITS}
    sizes = (len(layers[0].weight), *(len(layer.bias) for layer in layers))
    lengths["architecture"] = architecture_bits(sizes)
    for layer in collapsed(layers):
        values = np.concatenate([layer.weight.ravel(), layer.bias])
        centroids = _centroids(values, 2**bits, codebook)
        symbols = _nearest(values, centroids)
        counts = np.bincount(symbols, minlength=len(centroids))
        lengths["symbols"] += _sequence_bits(counts)
        lengths["centroids"] += CENTROID_BITS * 2**bits
        lengths["counts"] += math.ceil(math.log2(len(values) + 1)) * 2**bits
        rounded = centroids[symbols]
        rounded_layers.append(
            Layer(
                rounded[: layer.weight.size].reshape(layer.weight.shape),
                rounded[layer.weight.size :],
            )
        )
    weight, bias = rounded_layers[-1]
    rounded_layers[-1] = Layer(
        np.column_stack([0 * weight, weight]), np.concatenate([0 * bias, bias])
    )
    return Compressed(tuple(rounded_layers), lengths, bits, codebook)


def _centroids(values: Vector, most: int, codebook: str) -> Vector:
    """At most ``most`` increasing half-precision numbers to round to."""
    centroids = np.linspace(values.min(), values.max(), most)
    if codebook == "k-means":  # Lloyd's algorithm on sorted values: clusters are intervals
        ordered = np.sort(values)
        sums = np.concatenate([[0.0], np.cumsum(ordered)])
        centroids = np.quantile(ordered, (np.arange(most) + 0.5) / most)
        for _ in range(_LLOYD_STEPS):
            ends = np.searchsorted(ordered, (centroids[1:] + centroids[:-1]) / 2)
            edges = np.concatenate([[0], ends, [len(ordered)]])
            count = np.diff(edges)
            mean = np.diff(sums[edges]) / np.maximum(count, 1)
            centroids = np.sort(np.where(count > 0, mean, centroids))
    return np.unique(centroids.astype(np.float16).astype(np.float64))


def _nearest(values: Vector, centroids: Vector) -> np.ndarray:
    return np.searchsorted((centroids[1:] + centroids[:-1]) / 2, values)


def _sequence_bits(counts: np.ndarray) -> int:
    """ceil(log2(N!/prod counts!))."""
    total = int(counts.sum())
    bits = float(gammaln(total + 1) - gammaln(counts + 1).sum()) / math.log(2)
    if abs(bits - round(bits)) > 1e-6:
        return math.ceil(bits)
    sequences, seen = 1, 0  # too near a whole number for floats: in integers
    for count in counts.tolist():
        seen += count
        sequences *= math.comb(seen, count)
    return (sequences - 1).bit_length()


def _half_precision(observed: Observed) -> Assumption:
    """Centroids fit in half precision."""
    largest = max(float(np.abs(part).max()) for part in _arrays(observed))
    limit = float(np.finfo(np.float16).max)
    return Assumption("weights fit in half precision", largest <= limit, f"up to {largest:.4g}")


def _arrays(observed: Observed) -> list[np.ndarray]:
    return [part for layer in collapsed(observed.layers) for part in layer]


def best_code(observed: Observed, delta: float) -> tuple[Compressed, float, float]:
    """The quantisation with the least bound.

    Args:
        observed: a network whose weights fit in half precision, and its sample.
        delta: in (0, 1).

    Returns:
        The quantised network, its training error, and the bound on its risk.
    """
    best = None
    for bits, codebook in product(BITS, CODEBOOKS):
        code = compress(observed.layers, bits, codebook)
        rate = code.nats(observed.n, delta)
        if best is not None and -math.expm1(-rate) >= best[2]:  # even without training errors
            continue
        error = observed.error(observed.margins_at(observed.x, code.layers))
        value = float(kl_inverse(error, rate))
        if best is None or value < best[2]:
            best = code, error, value
    assert best is not None
    return best


@bound(
    "compression",
    family="compression",
    certifies="a compressed network",
    constants="union bound over a prefix-free code; Chernoff 1952",
    assumptions=(independent, _half_precision),
)
def compression(observed: Observed, delta: float) -> BoundValue:
    """kl^-1(training error of the quantised network, (KL + ln(1/delta))/n), the best code."""
    code, error, value = best_code(observed, delta)
    terms = {
        "training error": error,
        "deviation": value - error,
        "bits a weight": code.bits,
        "k-means": float(code.codebook == "k-means"),
        "code length": code.length,
        "nats a point": code.nats(observed.n, delta),
    }
    terms |= {f"bits of {name}": part for name, part in code.lengths.items()}
    return BoundValue(value, terms, classifier=observed.copy(code.layers))
