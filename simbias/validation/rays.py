"""Where a ReLU network changes its label along rays: exact, NumPy float64.

The answers are exact up to rounding, and no step along a ray can miss a piece.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from simbias._checks import fail
from simbias.tasks.oracle import Layer
from simbias.validation.geometry import margin

_NUMBERS = 2**21  # entries of the largest array: memory is flat in the number of rays
_CHANCE = 0.05  # probability that a majority is due to chance
# Ends of the intervals that are searched one after the other, as proportions of the reach: a label
# that changes soon is found at little cost.
_STRETCHES = (0.0, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)

Refined = tuple[
    Int[np.ndarray, " refined"], Float[np.ndarray, " refined"], Float[np.ndarray, "refined units"]
]


def first_crossing(
    layers: Sequence[Layer],
    origins: Float[np.ndarray, "rays dim"],
    directions: Float[np.ndarray, "rays dim"],
    reach: float | Float[np.ndarray, " rays"],
) -> Float[np.ndarray, " rays"]:
    """The distance along each ray up to which the network keeps the label of the ray's origin.

    The label is 1 where the logit difference is positive, else 0.

    Args:
        layers: affine maps with ReLUs between them; the last gives two logits, or their difference.
        origins: where the rays begin.
        directions: where they go, of any length.
        reach: how far to look, in units of each direction's length.

    Returns:
        Distances in units of each direction's length; inf where the label is kept up to the reach.

    Raises:
        ValueError: shapes that do not fit, weights that are not finite, or a reach that is
            negative or not finite.

    Notes:
        Along a ray the network is piecewise linear. Layer by layer, the places where a unit's input
        crosses zero are put between the places known so far; between neighbouring places everything
        computed from them is linear, so a change of the logit difference's sign is found by
        interpolation.
    """
    origins, directions, limit = _checked(layers, origins, directions, reach)
    distances = np.full(len(origins), np.inf)
    label = margin(layers, origins) > 0
    for start, stop in zip(_STRETCHES[:-1], _STRETCHES[1:], strict=True):
        unchanged = np.flatnonzero(np.isinf(distances))
        for rows in _chunks(layers, unchanged):
            ray, t, f = _nodes(
                layers, origins[rows], directions[rows], start * limit[rows], stop * limit[rows]
            )
            changed = np.flatnonzero((f > 0) != label[rows][ray])
            left, first = np.unique(ray[changed], return_index=True)
            node = changed[first]
            # where rounding has moved a crossing over the end of the previous interval, this one
            # begins with the other label
            before = np.where(np.append(-1, ray[:-1])[node] == left, node - 1, node)
            distances[rows[left]] = _zero(t, f, before, node)
    return distances


def crossings(
    layers: Sequence[Layer],
    origins: Float[np.ndarray, "rays dim"],
    directions: Float[np.ndarray, "rays dim"],
    reach: float | Float[np.ndarray, " rays"],
) -> tuple[Int[np.ndarray, " crossings"], Float[np.ndarray, " crossings"]]:
    """All changes of label along each ray.

    Args:
        layers: as for ``first_crossing``.
        origins: where the rays begin.
        directions: where they go, of any length.
        reach: how far to look, in units of each direction's length.

    Returns:
        The ray of each change and its distance in units of the direction's length, ordered by ray
        and then by distance.

    Raises:
        ValueError: shapes that do not fit, weights that are not finite, or a reach that is
            negative or not finite.

    Notes:
        As those of ``first_crossing``.
    """
    origins, directions, limit = _checked(layers, origins, directions, reach)
    rays, distances = [np.zeros(0, np.int64)], [np.zeros(0)]
    for rows in _chunks(layers, np.arange(len(origins))):
        ray, t, f = _nodes(layers, origins[rows], directions[rows], 0 * limit[rows], limit[rows])
        change = np.flatnonzero((ray[1:] == ray[:-1]) & ((f[1:] > 0) != (f[:-1] > 0)))
        rays.append(rows[ray[change]])
        distances.append(_zero(t, f, change, change + 1))
    return np.concatenate(rays), np.concatenate(distances)


def majority_changes(
    label: Bool[np.ndarray, " rays"],
    ray: Int[np.ndarray, " crossings"],
    distance: Float[np.ndarray, " crossings"],
) -> int:
    """The number of changes of the majority label over rays, as the distance along them grows.

    Args:
        label: the label of each ray's origin.
        ray, distance: all changes, as from ``crossings``.

    Notes:
        A majority is a proportion of label 1 that is further from 1/2 than chance alone would bring
        it anywhere, with a probability of 95%: Hoeffding's bound with a union over all distances at
        which the proportion changes. Where the proportion is closer to 1/2, the last majority
        continues.

    References:
        W. Hoeffding, "Probability inequalities for sums of bounded random variables" (JASA 1963).
    """
    index = np.arange(len(ray)) - np.searchsorted(ray, ray)  # of a change on its ray
    step = 1 - 2 * ((index + label[ray]) % 2)
    changed = np.cumsum(step[np.argsort(distance, kind="stable")])
    lead = (label.sum() + np.append(0, changed)) / len(label) - 0.5
    chance = np.sqrt(np.log(2 * len(lead) / _CHANCE) / (2 * len(label)))
    decided = lead[np.abs(lead) > chance] > 0
    return int(np.count_nonzero(decided[1:] != decided[:-1]))


def _checked(
    layers: Sequence[Layer],
    origins: Float[np.ndarray, "rays dim"],
    directions: Float[np.ndarray, "rays dim"],
    reach: float | Float[np.ndarray, " rays"],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The arguments in float64, with a reach for each ray; raises ValueError."""
    origins, directions = np.asarray(origins, np.float64), np.asarray(directions, np.float64)
    dim = len(layers[0].weight)
    if origins.ndim != 2 or origins.shape[1] != dim:
        raise fail("origins", origins.shape, f"shape (rays, {dim})")
    if directions.shape != origins.shape:
        raise fail("directions", directions.shape, f"shape {origins.shape}")
    limit = np.asarray(reach, np.float64)
    if limit.shape not in ((), (len(origins),)):
        raise fail("reach", limit.shape, f"a number, or shape ({len(origins)},)")
    bad = sum(int(np.sum(~np.isfinite(part))) for layer in layers for part in layer)
    if bad:
        raise fail("layers", f"{bad} weights not finite", "finite weights")
    if not np.all(np.isfinite(limit) & (limit >= 0)):
        raise fail("reach", reach, "finite numbers >= 0")
    return origins, directions, np.broadcast_to(limit, len(origins))


def _chunks(
    layers: Sequence[Layer], rows: Int[np.ndarray, " rays"]
) -> Iterator[Int[np.ndarray, " some"]]:
    """The rays in chunks of bounded size, if most units are crossed once by a ray."""
    widths = [len(layer.bias) for layer in layers]
    step = max(1, _NUMBERS // (max(widths) * (sum(widths) + 2)))
    for start in range(0, len(rows), step):
        yield rows[start : start + step]


def _nodes(
    layers: Sequence[Layer],
    origins: Float[np.ndarray, "rays dim"],
    directions: Float[np.ndarray, "rays dim"],
    start: Float[np.ndarray, " rays"],
    stop: Float[np.ndarray, " rays"],
) -> tuple[Int[np.ndarray, " nodes"], Float[np.ndarray, " nodes"], Float[np.ndarray, " nodes"]]:
    """Nodes between which the network is linear along a ray, ordered by ray and distance.

    Returns:
        The ray of each node, its distance, and the logit difference there.
    """
    first, *later = layers
    ray = np.repeat(np.arange(len(origins)), 2)
    t = np.column_stack([start, stop]).ravel()
    # products of origins and directions, not of points on the rays: one rounding at any distance
    z = (origins @ first.weight + first.bias)[ray] + t[:, None] * (directions @ first.weight)[ray]
    for weight, bias in later:
        ray, t, z = _refined(ray, t, z)
        z = np.maximum(z, 0) @ weight + bias
    return ray, t, z[:, -1] - z[:, 0] if z.shape[1] == 2 else z[:, 0]


def _refined(
    ray: Int[np.ndarray, " nodes"],
    t: Float[np.ndarray, " nodes"],
    z: Float[np.ndarray, "nodes units"],
) -> Refined:
    """The nodes with every unit's zeros between neighbouring nodes inserted."""
    left, right = z[:-1], z[1:]
    node, unit = np.nonzero((left * right < 0) & (ray[1:] == ray[:-1])[:, None])
    proportion = left[node, unit] / (left[node, unit] - right[node, unit])
    order = np.lexsort(
        (np.append(np.zeros(len(t)), proportion), np.append(np.arange(len(t)), node))
    )
    between = left[node] + proportion[:, None] * (right[node] - left[node])
    return (
        np.append(ray, ray[node])[order],
        np.append(t, t[node] + proportion * (t[node + 1] - t[node]))[order],
        np.concatenate([z, between])[order],
    )


def _zero(
    t: Float[np.ndarray, " nodes"],
    f: Float[np.ndarray, " nodes"],
    before: Int[np.ndarray, " changes"],
    after: Int[np.ndarray, " changes"],
) -> Float[np.ndarray, " changes"]:
    """The zero of the line through two nodes of different label; the node where they coincide."""
    fall = f[before] - f[after]
    proportion = np.divide(f[before], fall, out=np.zeros_like(fall), where=before != after)
    crossing: Float[np.ndarray, " changes"] = t[before] + proportion * (t[after] - t[before])
    return crossing
