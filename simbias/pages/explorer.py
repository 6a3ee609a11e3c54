"""The boundary explorer's data: networks' labels on planes, along training, as small grids.

A grid holds, for each square, in how many of the contexts a network says 1: whole numbers, so
that nothing is lost in a byte each. Risks by zone and the numbers of cuts are those of
``simbias.validation.measure_grids``.
"""

from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import jax
import numpy as np

from simbias._numbers import counted
from simbias._pinned import pinned
from simbias.experiments import Replica, row_name
from simbias.models.data import DataSet
from simbias.models.panel import Panel, panel
from simbias.networks.mlp import is_relu
from simbias.pages.html_table import slug_of
from simbias.pages.section import PageSection
from simbias.pages.source import PageSource
from simbias.plots._lines import majority_lines, plane_rules
from simbias.plots._points import PlottedPoints, label_points
from simbias.results import StoreError
from simbias.results.summary import cell_settings
from simbias.results.trained import Trained, load_sound
from simbias.tasks import BlockTask
from simbias.training.cell import Cell
from simbias.training.stack import Stack, replay
from simbias.training.words import phrases
from simbias.validation import measure_grids
from simbias.validation.contexts import draw_lines, slab_coordinates
from simbias.validation.grids import GridReport, count_slab_cuts
from simbias.validation.planes import ZONES

RESOLUTION, CONTEXTS = 64, 64
_FINER = 200  # squares on a side, where slabs or margins are narrow
_LINES = 16  # on which the plane is chosen that is shown first
_PLANES = 3  # of each network
_POINTS = 240  # training points of each network, a third of them exceptions
_SAME_LOSS = 1e-3  # of a network that is trained again, and the one of the run, relative


class _Moment(NamedTuple):
    """A network as it was after so many updates."""

    updates: int
    words: str
    network: Panel  # of one


def explorer(source: PageSource) -> PageSection | None:
    """Planes of some networks of the run, for the reader to choose from."""
    cells = source.cells
    if not cells:
        return None
    shown: list[dict[str, object]] = []
    why: list[str] = []
    planes = [entry for entry in cells if _has_planes(entry.cell)]
    if len(planes) < len(cells):
        few = counted(len(cells) - len(planes), "cell")
        why.append(f"{few} of tasks without a simple set, which the planes would go through")
    kept = [_with_weights(source, entry) for entry in planes]
    if gone := sum(
        len(own.faults) - len(there.faults) for own, there in zip(planes, kept, strict=True)
    ):
        why.append(f"{counted(gone, 'network')} without weights in the directory")
    candidates = _candidates([entry for entry in kept if entry.faults], source.networks)
    # XLA compiles and computes beside Python, and networks of several cells share few programs
    with ThreadPoolExecutor(len(jax.devices())) as threads:
        for network, remarks in threads.map(partial(_tried, source), candidates):
            shown += [network] if network else []
            why += remarks
    total = sum(len(entry.faults) for entry in cells)
    words = [f"Of {counted(total, 'network')} that ended, {len(shown)} can be explored here."]
    if shown:
        words = [
            *words,
            "The colour of a square says in how many of the contexts, draws of all other"
            " coordinates, the network says +. Point at a square, or move over the plane with the"
            " arrow keys, to read it off.",
        ]
    return PageSection(
        f"{source.prefix}-explorer",
        "Boundary explorer",
        words,
        lines=why,
        explorer=bool(shown),
        data={f"{source.prefix}-networks": shown} if shown else {},
    )


def _has_planes(cell: Cell) -> bool:
    return isinstance(cell.task, BlockTask) and bool(cell.task.simple_set)


def _with_weights(source: PageSource, entry: Trained[Cell]) -> Trained[Cell]:
    """A cell with those of its networks whose weights are there."""
    files = {
        seed: source.store.weights_path(row_name(Replica(entry.cell, seed)))
        for seed in entry.faults
    }
    return entry._replace(
        faults={seed: fault for seed, fault in entry.faults.items() if files[seed].exists()}
    )


def _candidates(cells: list[Trained[Cell]], most: int) -> list[tuple[Trained[Cell], int]]:
    """Networks of as many cells as there is room for, evenly spaced in the suite's order."""
    step = max(len(cells) / max(most, 1), 1.0)
    some = [cells[int(i * step)] for i in range(min(most, len(cells)))]
    sound = [[seed for seed, fault in entry.faults.items() if not fault] for entry in some]
    ranked = [
        (entry, seeds[rank])
        for rank in range(max(map(len, sound), default=0))
        for entry, seeds in zip(some, sound, strict=True)
        if rank < len(seeds)
    ]
    return ranked[:most]


@pinned
def _tried(
    source: PageSource, candidate: tuple[Trained[Cell], int]
) -> tuple[dict[str, object], list[str]]:
    """What the explorer shows of a network, nothing where it cannot; and what must be said."""
    entry, seed = candidate
    why: list[str] = []
    try:
        return _network(source, entry.cell, seed, why), why
    except (StoreError, ValueError) as error:
        return {}, [*why, f"{entry.cell.name} seed {seed}: {' '.join(str(error).split())}"]


def _network(source: PageSource, cell: Cell, seed: int, why: list[str]) -> dict[str, object]:
    """Everything that the explorer shows of a network."""
    task = cell.task
    assert isinstance(task, BlockTask)  # it has planes
    stack, _ = load_sound(source.store, cell.name, seed=seed)
    network = _network_of(stack, panel(stack).data[0].held())
    coordinates = _coordinates(task, network)
    moments = _moments(stack, network, source.replays, why)
    apart = phrases(cell_settings(source.store).get(cell.name, {}))
    points = [_points(moment.network) for moment in moments]
    some = points[-1].some(_POINTS)
    return {
        "name": f"{source.prefix}-{slug_of(cell.name)}-seed-{seed}",
        "label": ", ".join(filter(None, [f"{cell.name} seed {seed}", apart])),
        "cell": cell.name,
        "seed": seed,
        "zones": list(ZONES),
        "simple": task.simple_set[0],
        "points": {
            "label": some.label.tolist(),
            "exception": some.exception.astype(int).tolist(),
            "position": {
                str(j): np.round(some.position[:, j], 3).tolist()
                for j in (task.simple_set[0], *coordinates)
            },
        },
        "times": [
            _time(moment, task, coordinates, own, points[-1])
            for moment, own in zip(moments, points, strict=True)
        ],
    }


def _coordinates(task: BlockTask, network: Panel) -> list[int]:
    """The slab coordinates of the planes: that with the most changes of label, and the first."""
    first = slab_coordinates(task, None, most=_PLANES)
    if not first:
        raise ValueError("no coordinate of its task attains the achievable risk")
    if not is_relu(network.network):
        return first
    lines = draw_lines(network, 0, task.simple_set[0], CONTEXTS)[:_LINES]
    slabs, (cuts,) = count_slab_cuts(network, [lines])
    return list(dict.fromkeys([slabs[int(np.argmax(cuts))], *first]))[:_PLANES]


def _network_of(stack: Stack, data: DataSet) -> Panel:
    """A network beside its data set, which is drawn once for all that is asked of it."""
    return Panel(panel(stack).members, (data,))


def _moments(stack: Stack, network: Panel, replays: int, why: list[str]) -> list[_Moment]:
    """The network at its initialisation, at some checks, and at the end."""
    end, (data,) = int(stack.updates[0]), network.data
    moments = [_Moment(end, f"after {end:,} updates, as it ended", network)]
    for updates in _checks(stack, end, replays):
        again = replay(stack.cell, updates, seeds=list(stack.seeds))
        if _differs(again, stack):
            seed = f"{stack.cell.name} seed {stack.seeds[0]}"
            why.append(f"{seed}: trained again to update {updates}, it is not the run's network")
            continue
        words = f"after {updates:,} updates, trained again"
        moments.append(_Moment(updates, words, _network_of(again, data)))
    if stack.initial is not None and end:
        before = replace(stack, params=stack.initial)
        moments.append(_Moment(0, "before the first update", _network_of(before, data)))
    return sorted(moments, key=lambda moment: moment.updates)


def _checks(stack: Stack, end: int, count: int) -> list[int]:
    """Checks between the first update and the last, about evenly spaced by their logarithms."""
    stop = stack.cell.stop
    checks = [update for update in range(1, end) if stop.checked_at(update)] if count else []
    if not checks:
        return []
    wanted = np.geomspace(checks[0], end, count + 2)[1:-1]
    nearest = {min(checks, key=lambda check: abs(check - update)) for update in wanted}
    return sorted(nearest)


def _differs(again: Stack, stack: Stack) -> bool:
    """Whether a network that was trained again has other losses than the one of the run."""
    (own,), (other,) = stack.traces, again.traces
    both = min(len(own), len(other))
    return not np.allclose(own[:both], other[:both], rtol=_SAME_LOSS, atol=_SAME_LOSS)


def _points(network: Panel) -> PlottedPoints:
    """The training points with the network's answers."""
    (data,), (member,) = network.data, network.members
    training = jax.device_get(data.draw())
    return label_points(member, network.block_task, data.rotation, training.x, training.y)


def _time(
    moment: _Moment,
    task: BlockTask,
    coordinates: list[int],
    own: PlottedPoints,
    at_end: PlottedPoints,
) -> dict[str, object]:
    """A network at a time: its planes, and which points it fits."""
    grids = _grids(moment.network, coordinates)
    chosen = at_end._replace(fitted=own.fitted).some(_POINTS)  # the same points at every time
    return {
        "updates": moment.updates,
        "words": moment.words,
        "fits": own.fits("training points"),
        "fitted": chosen.fitted.astype(int).tolist(),
        "planes": [_plane(grids, task, k) for k in range(len(coordinates))],
    }


def _grids(network: Panel, coordinates: list[int]) -> GridReport:
    ask = partial(
        measure_grids,
        network,
        coordinates=coordinates,
        contexts=CONTEXTS,
        planes=0,
        every_slab=False,
    )
    try:
        return ask(resolution=RESOLUTION)
    except ValueError:  # too coarse for a narrow slab
        return ask(resolution=_FINER)


def _plane(grids: GridReport, task: BlockTask, k: int) -> dict[str, object]:
    """A plane of a network: its grid, boundaries, and what holds in each zone."""
    across, up, levels = grids.across, grids.up[k], max(grids.contexts, 2)
    proportion = grids.proportion[0, k]
    tolerance = 1 / np.sqrt(grids.contexts) if grids.contexts else 0.0
    rules = plane_rules(task, (grids.simple, grids.coordinates[k]))
    learned = majority_lines(across, up, proportion, tolerance)
    counts = np.rint(proportion * levels).astype(np.uint8)
    return {
        "coordinate": grids.coordinates[k],
        "across": _side(across),
        "up": _side(up),
        "size": list(counts.shape),
        "levels": levels,
        "grid": b64encode(counts.tobytes()).decode(),
        "learned": [np.round(line, 3).ravel().tolist() for line in learned],
        "rules": {name: list(map(float, rule.cuts)) for name, rule in rules.items()},
        "risk": _complement(grids.achievable_agreement, k),
        "simple": _complement(grids.simple_agreement, k),
        "cuts": [_plain(part[0, k]) for part in grids.cuts],
        "majority": _plain(grids.majority_cuts[0, k]),
        "achievable": grids.achievable_cuts[k],
    }


def _side(centres: np.ndarray) -> list[float]:
    half = (centres[1] - centres[0]) / 2
    return [round(float(centres[0] - half), 6), round(float(centres[-1] + half), 6)]


def _complement(agreement: tuple[np.ndarray, ...], k: int) -> list[list[float | None]]:
    """By zone: the proportion labelled otherwise than by a rule, and its interval."""
    value, low, high = (part[0, k] for part in agreement)
    return [
        [_plain(1 - v), _plain(1 - h), _plain(1 - lo)]
        for v, lo, h in zip(value, low, high, strict=True)
    ]


def _plain(value: float) -> float | None:
    """A number of JSON, which has no NaN."""
    return round(float(value), 5) if np.isfinite(value) else None
