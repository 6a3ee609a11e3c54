"""Networks under edits of their hidden layers, and what these layers hold, along training.

A cell is a question that is asked of the networks of another cell, the counterpart: what an edit
does (``edit``), how additions of all doses are answered (``doses``), what a layer tells
(``layer``), what a refitted last layer reaches (``refit``), how alike another seed is (``seeds``).
Networks are as they ended, as they were after so many ``updates``, or the explicit ones of a rule
(``made``). All questions about one counterpart are one group: its networks are trained once.
"""

import time
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from simbias.directions import (
    DOSES,
    INTERVENTIONS,
    ZONES,
    activities,
    compare_seeds,
    decodability,
    dose_response,
    find,
    intervene,
    measure_effect,
    refit_last_layer,
)
from simbias.experiments import classify, table
from simbias.experiments.experiment import Context, Ended, Experiment, Replica, Shown
from simbias.experiments.questions import (
    ASKED,
    TRAINED,
    DirectionsCell,
    Question,
    directions_cell,
)
from simbias.experiments.table import Column, rows_table
from simbias.models import Panel, panel
from simbias.stats.estimate import Estimate
from simbias.training.stack import Stack, checkpoints
from simbias.validation import control
from simbias.validation.risk import errors

_CONFIDENCE = 0.95
_MOST_OF_SEEDS = 5000  # points that two seeds are asked about: alignments take their square

_KEPT = "labels that the edit leaves, of points "
_ALIKE = "labels alike in both seeds"
MEASURES: dict[str, str] = {
    "risk": "of the network itself, fresh points",
    "edited_accuracy": "after the edit",
    "switched": "labels that the edit changes",
    "agreed": "labels after the edit as with the coordinate changed in the input",
    "on_target": "the same, of points whose label that change switches",
    "off_target": f"{_KEPT}whose label that change leaves",
    **{f"kept_{zone}": f"{_KEPT}of the zone {zone}" for zone in ZONES},
    "dose_area": "between the responses to additions and to those to the coordinate",
    "dose_agreement": "labels alike after either, a mean over doses",
    "decoded": "accuracy of the probe",
    "decoded_random": "accuracy of one on an untrained network",
    "decoded_shuffled": "accuracy of one fitted to targets in a random order",
    "decoded_beyond": "accuracy of the probe less that on an untrained network",
    "used": "accuracy of the network itself on the points of the probe",
    "refitted_risk": "after the last layer is refitted on fresh points of exact groups",
    "alike": _ALIKE,
    **{f"alike_{zone}": f"{_ALIKE}, of the zone {zone}" for zone in ZONES},
    "alike_ablated": f"{_ALIKE} after each one's difference of means is ablated",
    "alike_added": f"{_ALIKE} after half of each one's own is added, and taken away",
    "transferred": "labels that the other seed's direction, turned, gives as one's own does",
    "cka": "alignment of the two layers",
    "procrustes": "of the layer the other one is, once turned",
    "direction_cosine": "of the two differences of means, once turned",
}
_QUESTION = (
    Column("made", "VARCHAR", "trained, or the rule of which networks are the explicit ones"),
    Column("asked", "VARCHAR", "which question: " + ", ".join(ASKED)),
    Column("direction", "VARCHAR", "how the direction was found"),
    Column("intervention", "VARCHAR", "what was done along it"),
    Column("layer", "BIGINT", "index of the hidden layer, from 0"),
    Column("target", "VARCHAR", "what a probe was to tell"),
    Column("probe", "VARCHAR", "which probe"),
    Column("other", "BIGINT", "the seed that this one is compared with"),
    Column("shift", "VARCHAR", "of the points on which seeds are compared"),
    Column("updates", "BIGINT", "updates made when the network was asked"),
)
_MEASURED = tuple(
    Column(f"{name}{end}", "DOUBLE", words if not end else f"{end[1:]} end of its 95% interval")
    for name, words in MEASURES.items()
    for end in ("", "_low", "_high")
)
_TRACE = (
    Column("dose", "DOUBLE", "of an addition, in gaps between the labels' means"),
    Column("ones", "DOUBLE", "proportion of points labelled 1 after it"),
    Column("ones_by_input", "DOUBLE", "the same after the addition to the coordinate"),
)


def run(replicas: Sequence[Replica], context: Context) -> Iterator[Ended]:
    """Make the networks of a counterpart once, check by check, and ask all that is to be asked."""
    first = replicas[0].cell
    assert isinstance(first, DirectionsCell)
    asked: dict[int | None, dict[DirectionsCell, list[int]]] = {}
    seeds: dict[int, None] = {}
    for cell, seed in replicas:
        assert isinstance(cell, DirectionsCell)
        asked.setdefault(cell.asked.updates, {}).setdefault(cell, []).append(seed)
        others = [cell.asked.other] if cell.asked.name == "seeds" else []
        seeds |= dict.fromkeys([seed, *others])
    clock = time.perf_counter()
    for updates, stack in _stacks(first, sorted(seeds), asked):
        spent = (time.perf_counter() - clock) / len(stack)
        risk = errors(panel(stack), context.n_certify, _CONFIDENCE)
        for cell, own in asked[updates].items():
            context.measuring([Replica(cell, seed) for seed in own])
            clock = time.perf_counter()
            for ended in _ended(cell, stack, own, risk, context.n_certify):
                columns = {"train_seconds": spent, "n_certify": context.n_certify}
                took = (time.perf_counter() - clock) / len(own)
                columns["validate_seconds"] = took
                yield ended._replace(columns={**ended.columns, **columns})
        clock = time.perf_counter()


def _stacks(
    cell: DirectionsCell, seeds: list[int], asked: Mapping[int | None, object]
) -> Iterator[tuple[int | None, Stack]]:
    """The networks at each check that is asked for, in the order of training."""
    if cell.made != TRAINED:
        yield None, control(cell.counterpart, cell.made, seeds=seeds)
        return
    last = cell.counterpart.stop.max_updates
    places = sorted(asked, key=lambda updates: last + 1 if updates is None else updates)
    counts = [last if updates is None else updates for updates in places]
    stacks = checkpoints(cell.counterpart, sorted(set(counts)), seeds=seeds)
    latest: Stack | None = None
    for i, updates in enumerate(places):
        if latest is None or counts[i] != counts[i - 1]:
            latest = next(stacks)
        yield updates, latest


def _ended(
    cell: DirectionsCell, stack: Stack, seeds: list[int], risk: Estimate, points: int
) -> Iterator[Ended]:
    """The outcome of each of some seeds."""
    places = {seed: stack.seeds.index(seed) for seed in seeds}
    sound = [seed for seed in seeds if stack.outcome(places[seed])[0] != "diverged"]
    try:
        answers = dict(zip(sound, _answers(cell, stack, sound, points), strict=True))
    except ValueError as error:  # a layer that there is not, or a direction of norm 0
        yield from (Ended(Replica(cell, seed), "error", str(error)) for seed in seeds)
        return
    for seed in seeds:
        place = places[seed]
        columns: dict[str, object] = {"made": cell.made, **cell.asked.columns}
        columns["updates"] = int(stack.updates[place])
        if seed not in answers:
            status, reason = stack.outcome(place)
            yield Ended(Replica(cell, seed), status, f"{reason}; not asked", columns)
            continue
        estimates, trace = answers[seed]
        for name, (value, low, high) in {"risk": _one(risk, place), **estimates}.items():
            ends = {"": value, "_low": low, "_high": high}
            columns |= {f"{name}{end}": x for end, x in ends.items() if np.isfinite(x)}
        reason = f"asked after {columns['updates']} updates; columns of other questions are empty"
        yield Ended(Replica(cell, seed), "done", reason, columns, trace)


Numbers = dict[str, tuple[float, float, float]]
Trace = list[dict[str, object]]


def _answers(
    cell: DirectionsCell, stack: Stack, seeds: list[int], points: int
) -> list[tuple[Numbers, Trace]]:
    if not seeds:
        return []
    if cell.asked.name == "seeds":
        return [(_of_pair(cell.asked, stack, seed, points), []) for seed in seeds]
    networks = panel(stack.some(seeds))
    if cell.asked.name == "doses":
        return _of_doses(cell.asked, networks, points)
    estimates = {"edit": _of_edit, "layer": _of_layer, "refit": _of_refit}[cell.asked.name]
    measured = estimates(cell.asked, networks, points)
    return [
        ({name: _one(estimate, i) for name, estimate in measured.items()}, [])
        for i in range(len(seeds))
    ]


def _one(estimate: Estimate, i: int) -> tuple[float, float, float]:
    value, low, high = (float(part[i]) for part in estimate)
    return value, low, high


def _of_edit(asked: Question, networks: Panel, points: int) -> dict[str, Estimate]:
    fitted = find(networks, asked.direction, layer=asked.layer)
    fitted_on = activities(networks, layer=asked.layer)
    edit = INTERVENTIONS[asked.intervention](networks, fitted, fitted_on)
    edited = intervene(networks, edit)
    effect = measure_effect(networks, edited, points=points, confidence=_CONFIDENCE)
    risk = errors(edited, points, _CONFIDENCE)
    return {
        "edited_accuracy": Estimate(1 - risk.value, 1 - risk.high, 1 - risk.low),
        **{name: getattr(effect, name) for name in ("switched", "agreed")},
        **{name: getattr(effect, name) for name in ("on_target", "off_target")},
        **{f"kept_{zone}": estimate for zone, estimate in effect.zones.items()},
    }


def _of_doses(asked: Question, networks: Panel, points: int) -> list[tuple[Numbers, Trace]]:
    fitted = find(networks, asked.direction, layer=asked.layer)
    response = dose_response(networks, fitted, doses=DOSES, points=points, confidence=_CONFIDENCE)
    answers = []
    for i in range(len(networks)):
        parts = zip(response.doses, response.ones[i], response.by_input[i], strict=True)
        trace: Trace = [
            dict(zip(("dose", "ones", "ones_by_input"), map(float, part), strict=True))
            for part in parts
        ]
        numbers = {
            "dose_area": _one(response.area, i),
            "dose_agreement": _one(response.agreement, i),
        }
        answers.append((numbers, trace))
    return answers


def _of_layer(asked: Question, networks: Panel, points: int) -> dict[str, Estimate]:
    decoded = decodability(
        networks,
        layer=asked.layer,
        target=asked.target,
        probe=asked.probe,
        points=points,
        confidence=_CONFIDENCE,
    )
    return {
        "decoded": decoded.accuracy,
        "decoded_random": decoded.random,
        "decoded_shuffled": decoded.shuffled,
        "decoded_beyond": decoded.beyond,
        "used": decoded.used,
    }


def _of_refit(asked: Question, networks: Panel, points: int) -> dict[str, Estimate]:
    return {"refitted_risk": errors(refit_last_layer(networks), points, _CONFIDENCE)}


def _of_pair(asked: Question, stack: Stack, seed: int, points: int) -> Numbers:
    if seed == asked.other:  # itself: that it is alike would only raise means over seeds
        return {}
    compared = compare_seeds(
        stack.some([seed]),
        stack.some([asked.other]),
        layer=asked.layer,
        shift=asked.shift,
        points=min(points, _MOST_OF_SEEDS),
        confidence=_CONFIDENCE,
    )
    estimates = {
        "alike": compared.labels,
        **{f"alike_{zone}": estimate for zone, estimate in compared.zones.items()},
        "alike_ablated": compared.ablated,
        "alike_added": compared.added,
        "transferred": compared.transferred,
        "cka": compared.cka,
        "procrustes": compared.procrustes,
        "direction_cosine": compared.direction,
    }
    return {name: _one(estimate, 0) for name, estimate in estimates.items()}


def _check(replicas: Sequence[Replica]) -> None:
    first = replicas[0].cell
    assert isinstance(first, DirectionsCell)
    seeds = {replica.seed for replica in replicas}
    classify.classify.check([Replica(first.counterpart, seed) for seed in sorted(seeds)])


def _known(cell: DirectionsCell) -> Mapping[str, object]:
    of_counterpart = classify.classify.known(cell.counterpart)
    rule = "" if cell.made == TRAINED else f" {cell.made}"
    return {**of_counterpart, "network": f"{of_counterpart['network']}{rule}"}


directions = Experiment(
    name="directions",
    summary="networks are asked what edits of their layers do, and what these layers hold",
    table=rows_table(
        "directions",
        (
            *table.ASKED,
            Column("network", "VARCHAR", "architecture, and the rule of an explicit one"),
            Column("method", "VARCHAR", "training algorithm"),
            *table.ENDED,
            *_QUESTION,
            *_MEASURED,
            table.N_CERTIFY,
            table.DIM,
            Column("batch", "BIGINT", "points an update"),
            *table.SPENT,
            *table.KEPT,
        ),
    ),
    keys={**classify.classify.keys, "asked": dict, "made": dict},
    needed=(*classify.classify.needed, "asked"),
    learner="network",
    cell=directions_cell,
    run=run,
    known=_known,
    group=lambda cell: (cell.counterpart.identity, cell.made),
    effort=lambda cell: classify.classify.effort(cell.counterpart),
    check=_check,
    trace=_TRACE,
    shown={
        name: Shown(name.replace("_", " "), -1, 1, always=False)
        for name in (
            "risk", "edited_accuracy", "switched", "off_target", "dose_agreement", "decoded",
            "decoded_beyond", "refitted_risk", "alike", "cka", "direction_cosine",
        )
    },
    figures=("doses", "effects", "decoded", "alike", "seeds"),
)  # fmt: skip
