"""Batches of convex polygons, and the curves along which they are cut.

A batch of polygons is one array (faces, corners, 2), counter-clockwise, in which a polygon of fewer
corners repeats its last one, which changes no area, length or extreme of an affine function.
Segments are directed, with the region that they bound on their left.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

# Of any number: two of a kind in one signature are each as long as they are.
Polygons = Float[np.ndarray, "_ _ 2"]  # faces, corners
Segments = Float[np.ndarray, "_ 2 2"]
Curve = Float[np.ndarray, "_ 2"]  # vertices


def areas(polygons: Float[np.ndarray, "faces corners 2"]) -> Float[np.ndarray, " faces"]:
    """The signed area of each polygon: positive where it runs counter-clockwise."""
    arms = polygons - polygons[:, :1]  # from its first corner: no cancellation far from 0
    signed: Float[np.ndarray, " faces"] = _cross(arms, np.roll(arms, -1, axis=1)).sum(axis=1) / 2
    return signed


def lengths(polygons: Float[np.ndarray, "faces corners 2"]) -> Float[np.ndarray, " faces"]:
    """Half the perimeter of each polygon: the length of a degenerate one."""
    halves: Float[np.ndarray, " faces"] = (
        np.hypot(*np.moveaxis(_ahead(polygons) - polygons, -1, 0)).sum(axis=1) / 2
    )
    return halves


def padded(polygons: Polygons, corners: int) -> Polygons:
    """The same polygons in an array of more corners."""
    extra = corners - polygons.shape[1]
    return np.concatenate([polygons, np.repeat(polygons[:, -1:], extra, axis=1)], axis=1)


def outlines(polygons: Polygons) -> list[Curve]:
    """The vertices of each polygon, without repeated corners."""
    single = _single(polygons)
    return [corners[distinct] for corners, distinct in zip(polygons, single, strict=True)]


def split(
    polygons: Float[np.ndarray, "faces corners 2"], values: Float[np.ndarray, "faces corners"]
) -> tuple[Polygons, Polygons]:
    """Cut each polygon along the zero line of an affine function.

    Args:
        polygons: the polygons to cut.
        values: the function at their corners, of both signs in every polygon; 0 where the line
            meets a corner.

    Returns:
        The parts where the function is >= 0, and those where it is <= 0.
    """
    faces, corners, _ = polygons.shape
    slots, crossed = _slots(polygons, values)
    single = _single(polygons)

    def side(inside: Bool[np.ndarray, "faces corners"]) -> Polygons:
        inside_slots = np.stack([inside & single, crossed], axis=2).reshape(faces, 2 * corners)
        count = inside_slots.sum(axis=1)
        order = np.argsort(~inside_slots, axis=1, kind="stable")
        position = np.minimum(np.arange(count.max(initial=1)), count[:, None] - 1)
        picked = np.take_along_axis(order, position, axis=1)
        return np.take_along_axis(slots, picked[:, :, None], axis=1)

    return side(values >= 0), side(values <= 0)


class Faces(NamedTuple):
    """Polygons with a function's values at their corners; it is affine where it has both signs.

    Attributes:
        polygons: a batch.
        owner: an index that the parts of a polygon inherit.
        values: 0 where they are within rounding of 0.
    """

    polygons: Polygons
    owner: Int[np.ndarray, " faces"]
    values: Float[np.ndarray, "faces corners"]

    @property
    def mixed(self) -> Bool[np.ndarray, " faces"]:
        """Polygons on which the function has both signs."""
        return np.logical_and((self.values > 0).any(axis=1), (self.values < 0).any(axis=1))

    @property
    def above(self) -> Bool[np.ndarray, " faces"]:
        """Polygons inside which the function is positive."""
        return np.logical_and((self.values > 0).any(axis=1), ~(self.values < 0).any(axis=1))

    def by_label(self) -> Iterator[tuple[int, Polygons, Int[np.ndarray, " parts"]]]:
        """Parts and their owners by label: 1 where the function is positive inside, 0 elsewhere."""
        mixed, above = self.mixed, self.above
        positive, nonpositive = split(self.polygons[mixed], self.values[mixed])
        for label, uncut, cut in ((0, ~mixed & ~above, nonpositive), (1, above, positive)):
            yield label, self.polygons[uncut], self.owner[uncut]
            yield label, cut, self.owner[mixed]

    def segments(self) -> Segments:
        """The lines inside polygons where the function is 0, the positive part on the left."""
        polygons, values = self.polygons[self.mixed], self.values[self.mixed]
        slots, crossed = _slots(polygons, values)
        on = np.stack([values == 0, crossed], axis=2).reshape(len(slots), slots.shape[1])
        faces, top = np.arange(len(polygons)), 2 * values.argmax(axis=1)
        first, last = on.argmax(axis=1), slots.shape[1] - 1 - on[:, ::-1].argmax(axis=1)
        back = (first < top) & (top < last)  # the positive corners lie between the two zeros
        begin, end = np.where(back, last, first), np.where(back, first, last)
        return np.stack([slots[faces, begin], slots[faces, end]], axis=1)

    def edges(self) -> Segments:
        """The edges on which the function is 0, of polygons in which it is positive."""
        polygons, values = self.polygons[self.above], self.values[self.above]
        on_line = (values == 0) & (np.roll(values, -1, axis=1) == 0) & _single(polygons)
        return np.stack([polygons[on_line], _ahead(polygons)[on_line]], axis=1)


def cancel(edges: Segments, *, tolerance: float) -> Segments:
    """The edges of a set of polygons without those that two polygons share.

    Args:
        edges: directed edges; an edge may meet several of a neighbour's.
        tolerance: distance below which two points are equal.
    """
    if not len(edges):
        return edges
    from scipy.spatial import KDTree  # slow to import: not before it is needed

    points, ids = _merge(edges.reshape(-1, 2), tolerance)
    tree = KDTree(points)
    pieces = set()
    for start, stop in ids.reshape(-1, 2):
        arm = points[stop] - points[start]
        length = np.hypot(*arm)
        near = np.array(tree.query_ball_point(points[start] + arm / 2, length / 2 + tolerance))
        offset = points[near] - points[start]
        near = near[np.abs(_cross(offset, arm)) <= tolerance * length]
        passed = near[np.argsort((points[near] - points[start]) @ arm)].tolist()
        pieces |= set(zip(passed[:-1], passed[1:], strict=True))
    unshared = [piece for piece in pieces if piece[::-1] not in pieces]
    remaining: Segments = points[np.array(sorted(unshared), int).reshape(-1, 2)]
    return remaining


def chain(segments: Segments, *, tolerance: float) -> list[Curve]:
    """Join directed segments end to start.

    Where several curves meet in a point, each takes the sharpest turn to the left, so that the
    regions on the left are separate and curves do not cross.

    Args:
        segments: in any order.
        tolerance: distance below which two ends are equal.

    Returns:
        Curves; those that are closed repeat their first vertex.
    """
    if not len(segments):
        return []
    points, ids = _merge(segments.reshape(-1, 2), tolerance)
    ids = ids.reshape(-1, 2)
    ids = ids[ids[:, 0] != ids[:, 1]]
    follower = _followers(points, ids)
    led = np.isin(np.arange(len(ids)), follower)
    free, curves = np.ones(len(ids), bool), []
    for begin in [*np.flatnonzero(~led), *np.flatnonzero(led)]:
        segment, passed = int(begin), []
        while segment >= 0 and free[segment]:
            free[segment] = False
            passed.append(segment)
            segment = int(follower[segment])
        if passed:
            curves.append(points[[*ids[passed, 0], ids[passed[-1], 1]]])
    return curves


def on_edge(
    segments: Float[np.ndarray, "segments 2 2"], corners: Curve, *, tolerance: float
) -> Bool[np.ndarray, " segments"]:
    """Which segments lie on the edge of a rectangle.

    Args:
        segments: the segments.
        corners: the rectangle's, counter-clockwise from the bottom left.
        tolerance: distance below which two lines are equal.
    """
    near = np.abs(segments[:, :, None] - corners[[0, 2]]) <= tolerance  # (., ends, sides, axes)
    lies: Bool[np.ndarray, " segments"] = near.all(axis=1).any(axis=(1, 2))
    return lies


def close(curves: Sequence[Curve], corners: Curve) -> list[Curve]:
    """Join curves that end on the edge of a rectangle along that edge.

    Args:
        curves: open ones, with a region on their left.
        corners: the rectangle's, counter-clockwise from the bottom left.

    Returns:
        The closed outlines of that region's parts, counter-clockwise.
    """
    wide, high = corners[2] - corners[0]
    turns = np.array([0, wide, wide + high, 2 * wide + high])

    def position(point: Float[np.ndarray, " 2"]) -> float:
        """The arc length along the edge, counter-clockwise from the bottom left."""
        x, y = point - corners[0]
        side = int(np.abs([y, wide - x, high - y, x]).argmin())
        return float(turns[side] + [x, y, wide - x, high - y][side])

    begins = np.array([position(curve[0]) for curve in curves])
    free, closed = set(range(len(curves))), []
    while free:
        current, parts = min(free), []
        while current in free:
            free.remove(current)
            end = position(curves[current][-1])
            to_begin, to_turn = (
                np.mod(ahead - end, 2 * (wide + high)) for ahead in (begins, turns)
            )
            following = int(to_begin.argmin())
            order = to_turn.argsort()
            parts += [curves[current], corners[order[to_turn[order] < to_begin[following]]]]
            current = following
        closed.append(np.concatenate([*parts, parts[0][:1]]))
    return closed


def enclosed(curve: Curve) -> float:
    """The signed area that a closed curve encloses."""
    return float(areas(curve[None])[0])


def nested(curves: Sequence[Curve]) -> dict[int, list[int]]:
    """Which clockwise curves are holes of which counter-clockwise ones (indices)."""
    size = [enclosed(curve) for curve in curves]
    outer = sorted((i for i in range(len(curves)) if size[i] > 0), key=size.__getitem__)
    holes: dict[int, list[int]] = {i: [] for i in outer}
    for hole in (i for i in range(len(curves)) if size[i] < 0):
        on_it = curves[hole][:2].mean(axis=0)  # not a vertex: curves may meet there
        around = next((i for i in outer if inside(curves[i], on_it)), None)
        if around is not None:  # nothing encloses a sliver whose sign is due to rounding
            holes[around].append(hole)
    return holes


def inside(curve: Curve, point: Float[np.ndarray, " 2"]) -> bool:
    """Whether a closed curve encloses a point."""
    arms = curve - point
    before, after = arms[:-1], arms[1:]
    passes = (before[:, 1] > 0) != (after[:, 1] > 0)
    return bool(np.sum(passes & ((_cross(before, after) > 0) == (after[:, 1] > 0))) % 2)


def distance(curve: Curve, point: Float[np.ndarray, " 2"]) -> float:
    """The distance from a point to a curve."""
    arms, offset = np.diff(curve, axis=0), point - curve[:-1]
    along = np.sum(offset * arms, axis=1) / np.maximum(np.sum(arms**2, axis=1), 1e-300)
    return float(np.hypot(*(offset - np.clip(along, 0, 1)[:, None] * arms).T).min())


def _ahead(polygons: Float[np.ndarray, "faces corners 2"]) -> Float[np.ndarray, "faces corners 2"]:
    """The corner after each one."""
    return np.roll(polygons, -1, axis=1)


def _single(polygons: Float[np.ndarray, "faces corners 2"]) -> Bool[np.ndarray, "faces corners"]:
    """Which corners differ from the corner after them: one of each repeated corner."""
    differs: Bool[np.ndarray, "faces corners"] = (polygons != _ahead(polygons)).any(axis=-1)
    return differs


def _cross(
    a: Float[np.ndarray, "... 2"], b: Float[np.ndarray, "... 2"]
) -> Float[np.ndarray, "..."]:
    """The third coordinate of the cross product, broadcast."""
    product: Float[np.ndarray, ...] = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    return product


def _slots(
    polygons: Float[np.ndarray, "faces corners 2"], values: Float[np.ndarray, "faces corners"]
) -> tuple[Float[np.ndarray, "faces slots 2"], Bool[np.ndarray, "faces corners"]]:
    """Corners, each followed by the zero on the edge after it; and which edges have one."""
    after = np.roll(values, -1, axis=1)
    crossed = np.sign(values) * np.sign(after) < 0
    proportion = np.divide(values, values - after, out=np.zeros_like(values), where=crossed)
    zero = polygons + proportion[..., None] * (_ahead(polygons) - polygons)
    faces, corners, _ = polygons.shape
    return np.stack([polygons, zero], axis=2).reshape(faces, 2 * corners, 2), crossed


def _merge(
    points: Float[np.ndarray, "ends 2"], tolerance: float
) -> tuple[Float[np.ndarray, "places 2"], Int[np.ndarray, " ends"]]:
    """Points with those closer than the tolerance merged, and the index of each in them."""
    from scipy.sparse import coo_array  # slow to import: not before they are needed
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import KDTree

    pairs = KDTree(points).query_pairs(tolerance, output_type="ndarray")
    linked = coo_array((np.ones(len(pairs)), pairs.T), shape=(len(points),) * 2)
    ids = connected_components(linked, directed=False)[1]
    return points[np.unique(ids, return_index=True)[1]], ids


def _followers(
    points: Float[np.ndarray, "places 2"], ids: Int[np.ndarray, "segments 2"]
) -> Int[np.ndarray, " segments"]:
    """The index of the segment that follows each one; -1 for none."""
    follower = np.full(len(ids), -1)
    leaving: dict[int, list[int]] = {}
    for i, start in enumerate(ids[:, 0].tolist()):
        leaving.setdefault(start, []).append(i)
    arms = points[ids[:, 1]] - points[ids[:, 0]]
    for i, stop in enumerate(ids[:, 1].tolist()):
        free = leaving.get(stop, [])
        if len(free) > 1:
            turns = np.arctan2(_cross(arms[i], arms[free]), arms[free] @ arms[i])
            follower[i] = free.pop(int(turns.argmax()))
        elif free:
            follower[i] = free.pop()
    return follower
