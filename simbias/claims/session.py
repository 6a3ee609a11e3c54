"""Judging claims: training, measuring and concluding, in rounds.

Networks are shared: a cell and a seed are trained once, however many claims ask for them. In each
round every open claim asks for more units; a claim with a sequential test closes as soon as it is
decided, any other when it has all its units.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from simbias._checks import fail
from simbias._types import AnyStack
from simbias.claims.claim import Claim
from simbias.claims.expression import Expression, Reference
from simbias.claims.inference import find, is_decided, more
from simbias.claims.networks import Key, Networks
from simbias.claims.verdict import Units, Verdict, conclude, intervals, met, outcome, settings_unmet
from simbias.experiments import AnyCell
from simbias.experiments.experiment import OwnCell
from simbias.quantities import Subject, declared, unit_named
from simbias.quantities.settings import setting
from simbias.stats.estimate import Estimate

# Seeds of claims of one version, of which none has been seen before. Suites count from 0:
# the networks that they have shown are not those on which claims are judged.
GENERATION = 1_000_000
FIRST_ROUND = 4  # units of a sequential claim, and the least of every later round
_TOGETHER = 8  # networks measured in one go: what is kept of an interrupted measurement
Seeds = tuple[int, ...]


def judge(
    claims: Sequence[Claim],
    networks: Networks,
    *,
    first_seeds: Mapping[str, int] | None = None,
    note: Callable[[str], None] = lambda text: None,
) -> list[Verdict]:
    """Train, measure and conclude.

    Args:
        claims: distinct ids.
        networks: where they come from.
        first_seeds: by id, the seed from which on a claim's units are counted; default
            ``GENERATION``.
        note: is called with a line before each measurement.

    Returns:
        A verdict for each claim, in their order.

    Raises:
        ValueError: claims that are not feasible; nothing is trained then.

    Notes:
        Within a family p-values are corrected by Holm's procedure; a version v of a claim spends
        alpha/(v (v + 1)), so that all versions together spend alpha.

    References:
        S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal
        of Statistics 1979.
        D. Foster, R. Stine, "alpha-investing", JRSS B 2008.
        S. Howard, A. Ramdas, J. McAuliffe, J. Sekhon, "Time-uniform, nonparametric,
        nonasymptotic confidence sequences", Annals of Statistics 2021.

    Examples:
        >>> from dataclasses import replace
        >>> from importlib.resources import files
        >>> import simbias
        >>> from simbias.experiments import cell_of

        A built-in claim, asked of decision trees on a small task in place of networks:

        >>> task, tree = {"name": "noisy-lms-5", "dim": 4}, {"name": "decision-tree"}
        >>> kind = {"experiment": "estimators"}
        >>> trees = cell_of({**kind, "task": task, "estimator": tree, "n_train": 1000})
        >>> conclusions = files("simbias.claims") / "builtin" / "conclusion.toml"
        >>> claim = simbias.claims.load(conclusions)[-1]
        >>> claim = replace(claim, populations={"": trees}, n_certify=10_000)
        >>> from simbias.claims.networks import InMemory
        >>> (verdict,) = simbias.claims.judge([claim], InMemory())
        >>> verdict.claim.says, verdict.verdict
        ('P(excess_risk <= 0.01) >= 0.95', 'refuted')
    """
    feasible(claims)
    return judge_feasible(claims, networks, first_seeds=first_seeds, note=note)


def judge_feasible(
    claims: Sequence[Claim],
    networks: Networks,
    *,
    first_seeds: Mapping[str, int] | None = None,
    note: Callable[[str], None] = lambda text: None,
) -> list[Verdict]:
    """``judge`` without the check that claims are ``feasible``."""
    first = dict.fromkeys((claim.id for claim in claims), GENERATION) | dict(first_seeds or {})
    undecided = [claim for claim in claims if not settings_unmet(claim)]
    counts = dict.fromkeys((claim.id for claim in undecided), 0)
    measured: dict[str, Units] = {}
    while undecided:
        counts |= {
            claim.id: _next_count(claim, counts[claim.id], measured.get(claim.id))
            for claim in undecided
        }
        wanted: dict[AnyCell, list[int]] = {}
        for claim in undecided:
            seeds = _seeds(claim, counts[claim.id], first[claim.id])
            for cell in claim.populations.values():
                wanted[cell] = sorted({*wanted.get(cell, []), *seeds})
        networks.train(wanted)
        _measure(undecided, counts, first, networks, note)
        for claim in undecided:
            measured[claim.id] = _units(claim, counts[claim.id], first[claim.id], networks)
        undecided = [
            claim
            for claim in undecided
            if counts[claim.id] < claim.units and not _is_decided(claim, measured[claim.id])
        ]
    return conclude(claims, measured)


def feasible(claims: Sequence[Claim]) -> None:
    """Raise ValueError for quantities that a population lacks, and for families of two files.

    Examples:
        >>> from importlib.resources import files
        >>> import simbias
        >>> conclusions = files("simbias.claims") / "builtin" / "conclusion.toml"
        >>> simbias.claims.feasible(simbias.claims.load(conclusions))
    """
    families: dict[str, list[Claim]] = {}
    for claim in claims:
        if claim.correction == "holm":
            families.setdefault(claim.family, []).append(claim)
        for reference, key in _keys(claim).items():
            try:
                declared()[reference.quantity].suits(key.cell, *reference.arguments)
            except ValueError as error:
                raise ValueError(f"{claim.id}: {reference}: {error}") from None
    for name, members in families.items():
        corrections = {(claim.family_size, claim.criterion.alpha) for claim in members}
        if len(corrections) > 1 or len(members) > members[0].family_size:
            raise fail("family", name, "claims of one file, which are corrected together")


def _next_count(claim: Claim, count: int, measured: Units | None) -> int:
    """How many units a claim needs next: as many as would decide, at most doubling."""
    if unit_named(claim.unit).points or not claim.criterion.procedure.sequential:
        return claim.units  # points of one network come all at once
    if measured is None:
        return min(claim.units, FIRST_ROUND)
    ends = intervals(claim, measured)
    needed = (
        more(claim.judging, *ends, tests_in_family=claim.family_size, most=claim.units) or count
    )
    return min(claim.units, count + max(FIRST_ROUND, min(count, needed)))


def _is_decided(claim: Claim, units: Units) -> bool:
    if not all(premise.holds for premise in met(claim, units)):
        return False
    finding = find(claim.judging, *intervals(claim, units))
    return is_decided(claim.judging, finding, claim.family_size)


def _ids(claim: Claim, units: int, first: int) -> list[int]:
    """The numbers of so many units: a seed, the first seed of a pair, a point's position."""
    step = unit_named(claim.unit).seeds
    return list(range(first, first + step * units, step))


def _seeds(claim: Claim, units: int, first: int) -> list[int]:
    """The seeds of the networks behind so many units."""
    behind = [_behind(claim.unit, i, first) for i in _ids(claim, units, first)]
    return sorted({seed for seeds in behind for seed in seeds})


def _keys(claim: Claim) -> dict[Reference, Key]:
    """The measurements that a claim needs, by reference."""
    points = claim.units if unit_named(claim.unit).points else claim.n_certify
    expressions = [claim.quantity, *(premise.expression for premise in claim.premises)]
    return {
        reference: Key(
            claim.populations[reference.population],
            reference._replace(population=""),
            points,
            claim.confidence,
        )
        for expression in expressions
        for reference, quantity in expression.quantities.items()
        if quantity.of != "setting"
    }


def _behind(unit: str, i: int, first: int) -> Seeds:
    """The seeds of the networks behind a unit."""
    return (first,) if unit_named(unit).points else unit_named(unit).behind(i)


def _parts(key: Key, behind: Mapping[int, Seeds]) -> Iterator[dict[int, Seeds]]:
    """Units by batch: some networks or pairs, or all points of a network."""
    size = 1 if unit_named(declared()[key.reference.quantity].of).points else _TOGETHER
    groups = sorted(set(behind.values()))
    for start in range(0, len(groups), size):
        chosen = set(groups[start : start + size])
        yield {i: behind[i] for i in sorted(behind) if behind[i] in chosen}


class _Batch(NamedTuple):
    """Networks that are measured together."""

    cell: AnyCell
    n_certify: int
    confidence: float
    seeds: Seeds


def _measure(
    claims: Sequence[Claim],
    counts: Mapping[str, int],
    first: Mapping[str, int],
    networks: Networks,
    note: Callable[[str], None],
) -> None:
    """Measure whatever is missing; quantities of the same networks share what they can."""
    missing: dict[Key, dict[int, Seeds]] = {}  # units, and the seeds behind each
    for claim in claims:
        ids = _ids(claim, counts[claim.id], first[claim.id])
        for key in _keys(claim).values():
            known = networks.recall(key, ids)
            behind = {i: _behind(claim.unit, i, first[claim.id]) for i in ids if i not in known}
            missing.setdefault(key, {}).update(behind)
    batches: dict[_Batch, dict[Key, dict[int, Seeds]]] = {}
    for key, behind in missing.items():
        for part in _parts(key, behind):
            seeds = tuple(sorted({seed for seeds in part.values() for seed in seeds}))
            batch = _Batch(key.cell, key.n_certify, key.confidence, seeds)
            batches.setdefault(batch, {})[key] = part
    for batch, parts in batches.items():
        stack = networks.stack(batch.cell, batch.seeds)
        if stack is None:
            continue
        classifier_seeds = set(stack.seeds)
        keys = {
            key: {i: seeds for i, seeds in part.items() if classifier_seeds.issuperset(seeds)}
            for key, part in parts.items()
        }
        keys = {key: units for key, units in keys.items() if units}
        if not keys:  # no partner of a pair is left
            continue
        words = ", ".join(dict.fromkeys(key.reference.quantity for key in keys))
        note(f"{batch.cell.name}, seeds {batch.seeds[0]} to {batch.seeds[-1]}: {words}")
        subjects: dict[Seeds, Subject] = {}  # pairs share what they can, too
        for key, units in keys.items():
            quantity = declared()[key.reference.quantity]
            members = tuple(stack.seeds)
            if unit_named(quantity.of).seeds > 1:
                members = tuple(seed for seeds in units.values() for seed in seeds)
            if members not in subjects:
                subjects[members] = _subject(stack.some(members), batch, keys)
            estimate = quantity.compute(subjects[members], *key.reference.arguments)
            triples = zip(*(ends.tolist() for ends in estimate), strict=True)
            networks.keep(key, dict(zip(units, triples, strict=True)))


def _subject(stack: AnyStack, batch: _Batch, keys: Iterable[Key]) -> Subject:
    """Networks to measure, with the arguments of the quantities, by kind."""
    arguments: dict[str, list[str | float]] = {}
    for reference in dict.fromkeys(key.reference for key in keys):
        kinds_of = (argument.kind for argument in declared()[reference.quantity].arguments)
        for kind, value in zip(kinds_of, reference.arguments, strict=True):
            arguments.setdefault(kind, []).append(value)
    kinds = {kind: list(dict.fromkeys(values)) for kind, values in arguments.items()}
    return Subject(stack, n_certify=batch.n_certify, confidence=batch.confidence, arguments=kinds)


def _units(claim: Claim, count: int, first: int, networks: Networks) -> Units:
    """The units of a claim from its measurements."""
    ids = _ids(claim, count, first)
    unmeasured = (np.nan,) * 3
    values: dict[Reference, Estimate] = {}
    for reference, key in _keys(claim).items():
        known = networks.recall(key, ids)
        values[reference] = Estimate(*np.array([known.get(i, unmeasured) for i in ids]).T)
    expressions = [claim.quantity, *(premise.expression for premise in claim.premises)]
    quantity, *premises = (
        evaluated(expression, values, claim.populations, len(ids)) for expression in expressions
    )
    missing = []
    for i in range(len(ids)):
        unmet = [
            str(premise)
            for premise, estimate in zip(claim.premises, premises, strict=True)
            if not outcome(premise, estimate)[i]
        ]
        if np.isnan([part[i] for part in quantity]).any():
            missing.append("not measured: training failed, or the quantity has no value")
        else:
            missing.append(f"without {' and '.join(unmet)}" if unmet else "")
    names = [",".join(map(str, unit_named(claim.unit).behind(i))) for i in ids]
    return Units(tuple(names), quantity, tuple(premises), tuple(missing))


def evaluated(
    expression: Expression,
    values: Mapping[Reference, Estimate],
    cells: Mapping[str, OwnCell],
    n: int,
) -> Estimate:
    """An expression evaluated on the units."""
    settings = {
        reference: Estimate(
            *np.full((3, n), setting(cells[reference.population], reference.quantity))
        )
        for reference, quantity in expression.quantities.items()
        if quantity.of == "setting"
    }
    measured = {
        reference: values[reference] for reference in expression.references if reference in values
    }
    return expression.evaluate(measured | settings)
