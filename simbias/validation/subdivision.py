"""Subdividing polygons into convex faces on which a ReLU network is affine, or of known sign.

A face is cut along the zero line of one unit at a time, of the first layer that is not settled on
it, until the logit difference f is affine or its sign is known. f is bounded on a face by values
at its corners: from above by a convex and from below by a concave function, built
layer by layer, whose extremes over a polygon are at corners (linear bounds of units as in Zhang,
Weng, Chen, Hsieh and Daniel, "Efficient Neural Network Robustness Certification with General
Activation Functions", NeurIPS 2018, arXiv 1811.00866; where ReLU itself is the convex bound, ReLU
is kept).
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from simbias._checks import fail
from simbias.tasks.oracle import Layer
from simbias.validation import polygons as poly
from simbias.validation.polygons import Faces, Polygons

_ZERO = 1e-12  # of the largest sum a unit can form: some 500 times its rounding error
_NUMBERS = 2**17  # values of a layer at a batch's corners, which fit a core's cache


class _Bounds(NamedTuple):
    """``middle`` +- ``radius`` bound f at corners; ``affine``: all units are settled."""

    middle: Float[np.ndarray, "faces corners"]
    radius: Float[np.ndarray, "faces corners"]
    cut: Float[np.ndarray, "faces corners"]
    affine: Bool[np.ndarray, " faces"]


class _Network:
    """Restricted layers, with constants of all faces of a set of polygons.

    Attributes:
        zeros: for each layer, the magnitude up to which its units' pre-activations count as 0.
        weights: for each layer, the largest slope of f in a unit's output.
    """

    def __init__(self, layers: Sequence[Layer], starts: Polygons) -> None:
        sizes = [layer.weight.shape for layer in layers]
        ends = [2, *(size[1] for size in sizes[:-1]), 1]
        if sizes != list(pairwise(ends)):
            raise fail("restricted_layers", f"sizes {sizes}", "two inputs, one output")
        if not all(np.isfinite(part).all() for layer in layers for part in layer):
            raise fail("restricted_layers", "weights that are not finite", "finite weights")
        self.layers = layers
        self.magnitudes = [np.abs(layer.weight) for layer in layers]
        self.zeros, largest = [], np.abs(starts).max(axis=(0, 1))
        for layer, magnitude in zip(layers, self.magnitudes, strict=True):
            largest = largest @ magnitude + np.abs(layer.bias)
            self.zeros.append(_ZERO * largest)
        self.weights = [np.ones(1)]
        for magnitude in self.magnitudes[:0:-1]:
            self.weights.insert(0, magnitude @ self.weights[0])

    def bounds(self, polygons: Polygons) -> _Bounds:
        """The bounds of f at the corners of faces, and the zero line by which to cut each face.

        A unit's output lies between a concave and a convex function on the face, of which only
        values at corners are kept, as middle and radius. The radius stays 0 up to the first layer
        with a unit that is neither on nor off throughout; such units of that layer are affine, and
        the one that can leave f most uncertain is chosen.
        """
        faces, corners, _ = polygons.shape
        flat = polygons.reshape(-1, 2)
        middle = flat @ self.layers[0].weight + self.layers[0].bias
        radius = np.zeros_like(middle)
        cut, affine = np.zeros((faces, corners)), np.ones(faces, bool)
        for i, weight in enumerate(self.weights[:-1]):
            lower, upper = (
                (middle + sign * radius).reshape(faces, corners, -1) for sign in (-1, 1)
            )
            low, high = lower.min(axis=1), upper.max(axis=1)
            off = high <= self.zeros[i]
            unsure = ~off & (low < -self.zeros[i])
            first = np.flatnonzero(affine & unsure.any(axis=1))
            score = np.where(unsure[first], np.minimum(high, -low)[first] * weight, -1)
            unit = score.argmax(axis=1)
            cut[first] = _snapped(lower[first, :, unit], self.zeros[i][unit, None])
            affine &= ~unsure.any(axis=1)
            slope = unsure & (high > -low)  # where a line through 0 is the better lower bound
            least = np.where(slope, -np.inf, 0)[:, None]
            lower = np.maximum(lower, least) * (~off & (~unsure | slope))[:, None]
            upper = np.maximum(upper, 0) * ~off[:, None]
            following = self.layers[i + 1]
            middle = ((upper + lower) / 2).reshape(len(flat), -1) @ following.weight
            middle += following.bias
            radius = ((upper - lower) / 2).reshape(len(flat), -1) @ self.magnitudes[i + 1]
        return _Bounds(middle.reshape(faces, corners), radius.reshape(faces, corners), cut, affine)


def subdivide(layers: Sequence[Layer], starts: Polygons, *, prune: bool) -> Iterator[Faces]:
    """Cut polygons until f is affine on each face or, where pruned, of known sign.

    Batches wait on a stack, so that memory is flat in the number of faces.
    """
    network = _Network(layers, starts)
    zero = network.zeros[-1]
    width = max(layer.weight.shape[1] for layer in layers)
    waiting = [(starts, np.arange(len(starts)))]
    while waiting:
        polygons, owner = waiting.pop()
        most = max(1, _NUMBERS // (width * polygons.shape[1]))
        while waiting and len(polygons) + len(waiting[-1][0]) <= most:
            more, owners = waiting.pop()
            corners = max(polygons.shape[1], more.shape[1])
            polygons = np.concatenate([poly.padded(polygons, corners), poly.padded(more, corners)])
            owner = np.concatenate([owner, owners])
        if len(polygons) > most:
            waiting.append((polygons[most:], owner[most:]))
            polygons, owner = polygons[:most], owner[:most]
        bounds = network.bounds(polygons)
        values, settled = bounds.middle, bounds.affine
        if prune:
            lower, upper = bounds.middle - bounds.radius, bounds.middle + bounds.radius
            negative = (upper <= zero).all(axis=1)
            positive = (lower > zero).all(axis=1)
            values = np.where(negative[:, None], upper, np.where(positive[:, None], lower, values))
            settled = settled | negative | positive | (bounds.radius == 0).all(axis=1)
        yield Faces(polygons[settled], owner[settled], _snapped(values[settled], zero))
        if not settled.all():
            above, below = poly.split(polygons[~settled], bounds.cut[~settled])
            waiting += [(above, owner[~settled]), (below, owner[~settled])]


def _snapped(
    values: Float[np.ndarray, "*n"], zero: Float[np.ndarray, "*#n"]
) -> Float[np.ndarray, "*n"]:
    """Values, with 0 for those of magnitude at most ``zero``."""
    return np.where(np.abs(values) <= zero, 0.0, values)
