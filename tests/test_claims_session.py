"""From measurements by hand to verdicts: what is asked for, what counts, what is concluded.

Longer than 400 lines because one stand-in for networks, which trains nothing, serves all of it.
"""

from dataclasses import dataclass, replace
from importlib.resources import files

import numpy as np
import pytest
import tomli_w
from scipy.stats import binom
from small_cells import POPULATION

from simbias import validate
from simbias.claims import builtin, check, choose, feasible, get, load, session
from simbias.claims import networks as networks_of
from simbias.claims.expression import Reference
from simbias.claims.inference import fewest
from simbias.claims.networks import InMemory
from simbias.claims.verdict import PremiseCount, Units, conclude, intervals
from simbias.experiments import cell_of, classify
from simbias.quantities import declared
from simbias.stats.estimate import Estimate
from simbias.training.cell import Cell

REDRAWS = ["rotation", "data", "initialisation", "order"]
FITTED = {"quantity": "train_accuracy", "op": ">=", "value": 0.99}
HOLDS, FAILS, UNCLEAR = (0.05,) * 3, (0.2,) * 3, (0.1, 0.05, 0.2)  # of risk <= .1


def table(id="c", **changes):
    """A claim that risk <= .1 for at least half of 8 networks: 7 of 8 are enough, 6 are not."""
    entries = {
        "id": id,
        "title": "in words",
        "source": "none",
        "quantity": "risk",
        "population": POPULATION,
        "unit": {"of": "network", "redraws": REDRAWS},
        "predicate": {"op": "<=", "value": 0.1, "margin": 0.0},
        "quantifier": {"kind": "probability", "at_least": 0.5},
        "effort": {"n_certify": 1000, "confidence": 0.999},
        "inference": {
            "test": "clopper-pearson",
            "alpha": 0.1,  # of which a first version spends .05
            "units": 8,
            "family": "f",
            "correction": "none",
        },
    }
    for key, value in changes.items():
        both = isinstance(value, dict) and key in entries and key != "quantifier"
        entries[key] = entries[key] | value if both else value
    return {key: value for key, value in entries.items() if value is not None}


@pytest.fixture
def written(tmp_path):
    """Write claims to a file; returns its path."""

    def write(*tables, name="my.toml"):
        path = tmp_path / name
        path.write_text(tomli_w.dumps({"claim": tables}))
        return str(path)

    return write


@pytest.fixture
def claim(written):
    return lambda **changes: load(written(table(**changes)))[0]


SEQUENTIAL = {"test": "beta-binomial", "units": 100}
PAIRS = {"unit": {"of": "pair"}, "quantity": 'seed_agreement("none")', "predicate": {"op": ">="}}
PAIRS["predicate"]["value"] = 0.9
POINTS = {
    "unit": {"of": "point", "redraws": ["points"]},
    "quantity": "early_stopping_difference",
    "predicate": {"value": 0},
    "effort": {"n_certify": 40},
    "inference": {"test": "mcnemar", "units": 40},
}
MISS = 0.001  # of a unit's own interval


def points(claim, **changes):
    return claim(**POINTS | {"quantifier": {"kind": "mean"}} | changes)


@dataclass(frozen=True)
class Named:
    """As much of a stack as a session asks for."""

    cell: Cell
    seeds: tuple[int, ...]

    def __len__(self):
        return len(self.seeds)

    def some(self, seeds):
        assert set(seeds) <= set(self.seeds)
        return Named(self.cell, tuple(seeds))


class ByName:
    """Networks that have a name only, of which some diverged; nothing may be measured twice."""

    def __init__(self, diverged=()):
        self.diverged = set(diverged)
        self.rounds, self.found = [], {}

    @property
    def trained(self):
        return {
            (cell, seed) for asked in self.rounds for cell, seeds in asked.items() for seed in seeds
        }

    @property
    def seeds(self):
        return {seed for _, seed in self.trained}

    def train(self, wanted):
        for seeds in wanted.values():
            assert list(seeds) == sorted(set(seeds))
        self.rounds.append({cell: list(seeds) for cell, seeds in wanted.items()})

    def stack(self, cell, seeds):
        assert {(cell, seed) for seed in seeds} <= self.trained
        sound = tuple(seed for seed in seeds if seed not in self.diverged)
        return Named(cell, sound) if sound else None

    def recall(self, key, seeds):
        return {seed: self.found[key, seed] for seed in seeds if (key, seed) in self.found}

    def keep(self, key, triples):
        for seed, triple in triples.items():
            assert (key, seed) not in self.found
            self.found[key, seed] = triple


@pytest.fixture
def says(monkeypatch):
    """Let a quantity be what a function of a unit's seeds says: a triple, or a number."""

    def install(name, of):
        quantity = declared()[name]

        def measure(look, *_):
            seeds, units = look.stack.seeds, [(seed,) for seed in look.stack.seeds]
            if quantity.of == "pair":
                units = zip(seeds[::2], seeds[1::2], strict=True)
            elif quantity.of == "point":
                units = [(*seeds, i) for i in range(look.n_certify)]  # of a single network
            return Estimate(*np.array([np.broadcast_to(of(*unit), 3) for unit in units], float).T)

        monkeypatch.setitem(declared(), name, quantity._replace(compute=measure))

    return install


def among(holding, otherwise=FAILS):
    """Risks of networks of which so many hold, the first ones."""
    return lambda seed: HOLDS if seed < holding else otherwise


def judge(claims, networks, first_seeds=None, **options):
    """Judge claims whose units are counted from 0, unless something else is said."""
    first = dict.fromkeys((claim.id for claim in claims), 0) | (first_seeds or {})
    return session.judge(claims, networks, first_seeds=first, **options)


def judged(claim, networks=None, **options):
    (verdict,) = judge([claim], ByName() if networks is None else networks, **options)
    assert verdict.claim is claim
    return verdict


# -- verdicts by hand -------------------------------------------------------------------------


def test_seven_of_eight_units_support_and_refute_at_one_half(claim, says):
    # P(Bin(8, 1/2) >= 7) = 9/256, where no interval misses
    says("risk", among(7))
    verdict = judged(claim())
    assert (verdict.verdict, verdict.more) == ("supported", None)
    p = binom.sf(6, 8, 0.5 + MISS)
    assert verdict.finding.p_supported == pytest.approx(p) == pytest.approx(9 / 256, rel=0.02)
    assert (verdict.finding.holding, verdict.finding.failing, verdict.finding.ambiguous) == (
        7,
        1,
        0,
    )
    assert verdict.units.seeds == tuple("01234567") and verdict.units.missing == ("",) * 8
    assert "; 8 networks: 7 hold, 1 fail, 0 ambiguous" in verdict.reason
    assert str(verdict).startswith(
        "c, version 1: supported. proportion of units that hold 0.875, two-sided 95% int"
    )
    says("risk", lambda seed: FAILS if seed < 7 else HOLDS)
    verdict = judged(claim())
    assert verdict.verdict == "refuted" and verdict.finding.p_refuted == pytest.approx(p)


def test_six_of_eight_decide_nothing_and_three_more_of_the_kind_would(claim, says):
    # holding first: P(Bin(11, 1/2) >= 9) = 67/2048, and P(Bin(10, 1/2) >= 8) = 56/1024
    says("risk", among(6))
    verdict = judged(claim())
    assert (verdict.verdict, verdict.more) == ("inconclusive", 3)
    assert verdict.reason.endswith("; 3 more would decide")


def test_what_is_ambiguous_supports_nothing_and_no_more_of_it_would(claim, says):
    says("risk", lambda seed: UNCLEAR)
    verdict = judged(claim())
    assert (verdict.verdict, verdict.more, verdict.finding.ambiguous) == ("inconclusive", None, 8)
    assert verdict.reason.endswith("; no number of such units would decide")
    says("risk", lambda seed: HOLDS if seed < 7 else UNCLEAR)
    assert judged(claim()).verdict == "supported"
    says("risk", lambda seed: HOLDS if seed < 6 else UNCLEAR)
    assert judged(claim()).verdict == "inconclusive"


def test_a_margin_makes_what_is_near_the_edge_ambiguous(claim, says):
    predicate = {"value": 0.1, "margin": 0.02}
    for risk, outcome in ((0.079, "supported"), (0.09, "inconclusive"), (0.121, "refuted")):
        says("risk", lambda seed, risk=risk: risk)
        assert judged(claim(predicate=predicate)).verdict == outcome


def test_an_expression_is_evaluated_with_its_settings_and_both_populations(claim, says):
    other = POPULATION | {"task": {"name": "lms-7", "dim": 6}}
    both = claim(
        population=None,
        populations={"one": POPULATION, "other": other},
        quantity="(one.risk - other.risk) * other.dim",
        predicate={"value": 0.5},
    )
    assert [cell.task.dim for cell in both.populations.values()] == [4, 6]
    says("risk", lambda seed: (0.2, 0.1, 0.3))
    networks = ByName()
    verdict = judged(both, networks)
    assert len(networks.trained) == 16
    np.testing.assert_allclose(verdict.units.quantity.low, 6 * (0.1 - 0.3))
    np.testing.assert_allclose(verdict.units.quantity.value, 0)
    assert verdict.verdict == "inconclusive"


def test_a_proportion_met_exactly_is_met():
    # in binary, .28 * 25 is a little more than 7
    assert PremiseCount("", met=7, units=25, proportion=0.28, median=0).holds
    assert not PremiseCount("", met=6, units=25, proportion=0.28, median=0).holds


# -- premises and missing units ---------------------------------------------------------------


def test_a_premise_on_settings_is_judged_without_training(claim, says):
    networks = ByName()
    verdict = judged(claim(requires=[{"quantity": "log(dim)", "op": ">=", "value": 3}]), networks)
    assert verdict.verdict == "inapplicable" and networks.rounds == []
    assert verdict.reason == "premise not met: log(dim) >= 3: 1.38629"
    assert (verdict.units, verdict.finding, verdict.more) == (None, None, None)
    says("risk", among(8))
    met = claim(requires=[{"quantity": "dim", "op": ">=", "value": 4}])
    assert judged(met).verdict == "supported"


def test_a_bound_that_never_applies_is_known_without_training(claim):
    networks = ByName()
    asked = claim(quantity='bound_value("stability")', predicate={"value": 0.5})
    verdict = judged(asked, networks)
    assert (verdict.verdict, networks.rounds) == ("inapplicable", [])
    assert "stability" in verdict.reason


def test_a_premise_that_too_few_units_meet_makes_a_claim_inapplicable(claim, says):
    says("risk", among(8))
    says("train_accuracy", lambda seed: 1.0 if seed < 3 else 0.9)
    verdict = judged(claim(requires=[FITTED]))
    assert (verdict.verdict, verdict.finding) == ("inapplicable", None)
    assert verdict.reason == (
        "premise not met: train_accuracy >= 0.99: 3 of 8 units, median 0.9 (asked of 50% of them)"
    )
    (premise,) = verdict.premises
    assert (premise.met, premise.units, premise.median) == (3, 8, 0.9)
    assert len(verdict.units.seeds) == 8


def test_units_without_a_premise_count_against_either_verdict(claim, says):
    says("train_accuracy", lambda seed: 1.0 if seed < 6 else 0.9)
    for risk, without in ((HOLDS, "supported"), (FAILS, "refuted")):
        says("risk", lambda seed, risk=risk: risk)
        verdict = judged(claim(requires=[FITTED]))
        assert (verdict.verdict, verdict.finding.ambiguous) == ("inconclusive", 2)
        assert "among them missing: 2 without train_accuracy >= 0.99" in verdict.reason
        assert verdict.units.missing == ("",) * 6 + ("without train_accuracy >= 0.99",) * 2
        assert judged(claim()).verdict == without


def test_a_premise_is_met_where_its_whole_interval_meets_it(claim, says):
    says("risk", among(8))
    for op, low, high, met in (
        ("<=", 0.1, 0.5, 8), ("<=", 0.1, 0.51, 0), (">=", 0.5, 0.6, 8), (">=", 0.49, 0.6, 0),
    ):  # fmt: skip
        says("s_randomised_accuracy", lambda seed, low=low, high=high: (low, low, high))
        premise = {"quantity": "s_randomised_accuracy", "op": op, "value": 0.5}
        assert judged(claim(requires=[premise])).premises[0].met == met


def test_networks_that_diverged_count_against_either_verdict(claim, says):
    for risk in (HOLDS, FAILS):
        says("risk", lambda seed, risk=risk: risk)
        verdict = judged(claim(), ByName(diverged=[0, 5]))
        assert (verdict.verdict, verdict.finding.ambiguous) == ("inconclusive", 2)
        assert "among them missing: 2 not measured: training failed" in verdict.reason
        assert [bool(why) for why in verdict.units.missing] == [i in (0, 5) for i in range(8)]
        assert np.isnan(verdict.units.quantity.value[[0, 5]]).all()


def test_a_quantity_without_a_value_is_missing(claim, says):
    says("risk", lambda seed: np.nan if seed == 3 else HOLDS)
    verdict = judged(claim())
    assert verdict.verdict == "supported" and verdict.units.missing[3].startswith("not measured")
    low, high = intervals(verdict.claim, verdict.units)
    assert (low[3], high[3]) == (0, 1) and (low[0], high[0]) == (0.05, 0.05)


def test_nothing_is_concluded_where_every_network_diverged(claim):
    for asked in (claim(), claim(requires=[FITTED])):
        verdict = judged(asked, ByName(diverged=range(8)))
        assert (verdict.verdict, verdict.finding, len(verdict.units.seeds)) == (
            "inapplicable",
            None,
            8,
        )
        assert verdict.reason.startswith("no unit has a value: not measured: training failed")


# -- rounds -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("risk", "verdict"), [(HOLDS, "supported"), (FAILS, "refuted")])
def test_a_sequential_claim_stops_once_it_is_decided(claim, says, risk, verdict):
    says("risk", lambda seed: risk)
    networks, asked = ByName(), claim(inference=SEQUENTIAL)
    stopped = judged(asked, networks)
    assert stopped.verdict == verdict
    assert fewest(asked.criterion) <= len(stopped.units.seeds) < 3 * fewest(asked.criterion) < 100
    assert networks.seeds == set(range(len(stopped.units.seeds)))


def test_a_later_version_goes_on_until_what_it_may_spend_decides(claim, says):
    says("risk", among(100))
    counts = []
    for version in (1, 2, 4):
        asked = replace(claim(inference=SEQUENTIAL), version=version)
        verdict = judged(asked)
        assert verdict.verdict == "supported"
        least = fewest(asked.judging)
        assert least <= len(verdict.units.seeds) < least + session.FIRST_ROUND
        counts.append(len(verdict.units.seeds))
    assert counts == sorted(counts) and counts[0] < counts[-1]


def test_a_sequential_claim_never_asks_for_more_units_than_declared(claim, says):
    says("risk", lambda seed: UNCLEAR)
    networks = ByName()
    verdict = judged(claim(inference=SEQUENTIAL | {"units": 77}), networks)
    assert verdict.verdict == "inconclusive" and networks.seeds == set(range(77))
    sizes = [len(seeds) for asked in networks.rounds for seeds in asked.values()]
    assert sizes[0] == session.FIRST_ROUND and sizes == sorted(sizes)
    assert all(new <= 2 * old for old, new in zip(sizes, sizes[1:], strict=False))


def test_a_claim_of_a_family_stops_later_than_one_alone(written, says):
    says("risk", among(100))
    alone, *family = load(
        written(
            table("alone", inference=SEQUENTIAL),
            *(
                table(f"one-of-{i}", inference=SEQUENTIAL | {"family": "g", "correction": "holm"})
                for i in range(10)
            ),
        )
    )
    first, second = judged(alone), judged(family[0])
    assert first.verdict == second.verdict == "supported"
    assert len(first.units.seeds) < len(second.units.seeds)


def test_a_sequential_claim_goes_on_while_its_premise_is_not_met(claim, says):
    says("risk", among(100))
    says("train_accuracy", lambda seed: 0.9 if seed < 2 else 1.0)
    decided = judged(claim(inference=SEQUENTIAL, requires=[FITTED]))
    verdict = judged(claim(inference=SEQUENTIAL, requires=[FITTED | {"proportion": 0.9}]))
    assert decided.verdict == verdict.verdict == "supported"
    assert len(decided.units.seeds) < 20 <= len(verdict.units.seeds) < 100
    says("train_accuracy", lambda seed: 0.9)
    verdict = judged(claim(inference=SEQUENTIAL, requires=[FITTED]))
    assert verdict.verdict == "inapplicable"


def test_evidence_both_ways_is_inconclusive_and_no_more_of_it_helps(claim):
    # a sequential test remembers the best look of either side
    asked = claim(inference=SEQUENTIAL)
    quantity = np.array([0.05] * 30 + [0.2] * 70)
    names = tuple(map(str, range(100)))
    units = Units(names, Estimate(quantity, quantity, quantity), (), ("",) * 100)
    (verdict,) = conclude([asked], {"c": units})
    assert max(verdict.finding.p_supported, verdict.finding.p_refuted) < 0.05
    assert (verdict.verdict, verdict.more) == ("inconclusive", None)
    assert verdict.reason.endswith("no number of such units would decide")


def test_claims_share_networks_and_measurements(written, says):
    # ByName refuses to keep a measurement twice
    says("risk", among(100))
    says("train_accuracy", lambda seed: 1.0)
    claims = load(
        written(
            table("fixed", requires=[FITTED]),
            table("longer", inference={"units": 20}),
            table("sequential", inference=SEQUENTIAL),
            table("gap", quantity="risk - train_error", predicate={"value": 0.2}),
            table("other", population={"n_train": 300}),
        )
    )
    says("train_error", lambda seed: 0.0)
    networks = ByName()
    verdicts = judge(claims, networks)
    assert [each.verdict for each in verdicts] == ["supported"] * 5
    assert len(networks.trained) == 20 + 8
    assert len({cell for cell, _ in networks.trained}) == 2
    for each in verdicts:
        assert judged(each.claim).finding == each.finding


def test_in_memory_a_network_is_trained_once(written, says, monkeypatch):
    jobs = []

    def train_jobs(wanted):
        jobs.extend(wanted)
        return {job: type("Ended", (), {"diverged": job.seed == 1}) for job in wanted}

    def joined(parts):
        return Named(parts[0].cell, tuple(seed for part in parts for seed in part.seeds))

    monkeypatch.setattr(classify, "train_jobs", train_jobs)
    monkeypatch.setattr(classify, "assemble", lambda cell, snapshots: Named(cell, tuple(snapshots)))
    learned = classify.classify.learned._replace(join=joined)
    monkeypatch.setattr(networks_of, "_learned", lambda cell: learned)
    monkeypatch.setattr(networks_of, "measurable", lambda cell, stack: stack)
    says("risk", among(100))
    claims = load(written(table("a"), table("b", inference=SEQUENTIAL)))
    networks = InMemory()
    first = judge(claims, networks)
    assert len(jobs) == len(set(jobs)) >= 8
    again = judge(claims, networks)
    assert len(jobs) == len(set(jobs))
    assert [each.finding for each in first] == [each.finding for each in again]
    assert first[0].units.missing[1].startswith("not measured")


# -- seeds ------------------------------------------------------------------------------------


def test_pairs_are_of_neighbouring_seeds(claim, says):
    asked = []

    def agreement(first, other):
        asked.append((first, other))
        return 0.95 if first < 14 else 0.5

    says("seed_agreement", agreement)
    networks = ByName()
    verdict = judged(claim(**PAIRS), networks)
    assert verdict.verdict == "supported" and networks.seeds == set(range(16))
    assert asked == [(2 * i, 2 * i + 1) for i in range(8)]
    assert verdict.units.seeds[:2] == ("0,1", "2,3") and "8 pairs: 7 hold" in verdict.reason


@pytest.mark.parametrize("lost", [4, 5])
def test_a_pair_without_a_partner_is_missing(claim, says, lost):
    says("seed_agreement", lambda first, other: 0.95)
    verdict = judged(claim(**PAIRS), ByName(diverged=[lost]))
    assert [i for i, why in enumerate(verdict.units.missing) if why] == [2]
    assert verdict.verdict == "supported" and verdict.finding.ambiguous == 1


def test_pairs_that_were_measured_before_are_not_asked_about_again(claim, says):
    says("seed_agreement", lambda left, other: 0.95)
    networks, notes = ByName(diverged=[5]), []
    first = judged(claim(**PAIRS), networks, note=notes.append)
    assert notes == [f"{claim().populations[''].name}, seeds 0 to 15: seed_agreement"]
    # what is left to ask for is a pair without a partner
    again = judged(claim(**PAIRS), networks, note=notes.append)
    assert again.finding == first.finding and len(notes) == 1


def test_points_are_those_of_one_network(claim, says):
    # 10 of 40 points tell the two apart, 9 of them in favour: P(Bin(10, 1/2) >= 9) = 11/1024
    says("early_stopping_difference", lambda seed, i: -1 if i < 9 else float(i == 9))
    networks = ByName()
    verdict = judged(points(claim), networks)
    assert verdict.verdict == "supported" and networks.seeds == {0}
    assert verdict.finding.p_supported == pytest.approx(11 / 1024)
    assert len(verdict.units.seeds) == 40 and "; 40 points: " in verdict.reason
    assert judged(verdict.claim, networks).finding == verdict.finding


def test_points_come_at_once_whatever_the_test(claim, says):
    says("early_stopping_difference", lambda seed, i: -1)
    proportion = {"kind": "probability", "at_least": 0.5}
    asked = points(claim, quantifier=proportion, inference={"test": "beta-binomial", "units": 40})
    verdict = judged(asked)
    assert verdict.verdict == "supported" and len(verdict.units.seeds) == 40


def test_points_of_a_network_that_diverged_are_missing(claim):
    verdict = judged(points(claim), ByName(diverged=[0]))
    assert verdict.verdict == "inapplicable" and all(verdict.units.missing)


def test_units_are_counted_from_a_claims_first_seed(written, says):
    says("risk", lambda seed: HOLDS if seed >= 1000 else FAILS)
    says("seed_agreement", lambda first, other: 0.95)
    first, other, pairs = load(written(table("one"), table("other"), table("pairs", **PAIRS)))
    networks = ByName()
    verdicts = judge([first, other, pairs], networks, first_seeds={"other": 1000, "pairs": 2000})
    assert [verdict.verdict for verdict in verdicts] == ["refuted", "supported", "supported"]
    assert verdicts[1].units.seeds == tuple(map(str, range(1000, 1008)))
    assert verdicts[2].units.seeds[:2] == ("2000,2001", "2002,2003")
    assert networks.seeds == {*range(8), *range(1000, 1008), *range(2000, 2016)}


def test_units_are_counted_from_seeds_that_no_suite_has_shown(claim, says):
    says("risk", lambda seed: HOLDS if seed >= session.GENERATION else FAILS)
    (verdict,) = session.judge([claim()], ByName())
    assert verdict.verdict == "supported" and verdict.units.seeds[0] == str(session.GENERATION)


def test_points_of_claims_with_other_first_seeds_are_those_of_other_networks(claim, says):
    says("early_stopping_difference", lambda seed, i: -1 if seed else 1)
    first = points(claim)
    other = replace(first, id="other")
    verdicts = judge([first, other], ByName(), first_seeds={"other": 1_000_000})
    assert [verdict.verdict for verdict in verdicts] == ["refuted", "supported"]


# -- families ---------------------------------------------------------------------------------


def test_claims_of_a_family_are_corrected_together(written, says):
    # 7 of 8 give 9/256 = .035: enough for .05, and not for half of it
    says("risk", among(7))
    says("train_error", among(8))

    def family(correction):
        inference = {"correction": correction}
        return load(
            written(
                table("seven", inference=inference),
                table("eight", quantity="train_error", inference=inference),
            )
        )

    assert [each.verdict for each in judge(family("none"), ByName())] == ["supported"] * 2
    verdicts = judge(family("holm"), ByName())
    assert [each.verdict for each in verdicts] == ["inconclusive", "supported"]
    assert verdicts[0].more == 1
    # a claim is judged as one of its family whoever else is asked about
    assert judged(family("holm")[0]).verdict == "inconclusive"


def test_families_do_not_lend_each_other_their_level(written, says):
    says("risk", among(7))
    claims = load(
        written(
            *(table(f"c{i}", inference={"family": f"f{i}", "correction": "holm"}) for i in (0, 1))
        )
    )
    assert [each.verdict for each in judge(claims, ByName())] == ["supported"] * 2


def test_an_inapplicable_member_still_counts_in_its_family(written, says):
    says("risk", among(7))
    inference = {"correction": "holm"}
    never = [{"quantity": "dim", "op": ">=", "value": 50}]
    claims = load(
        written(table("one", inference=inference), table("no", requires=never, inference=inference))
    )
    verdicts = judge(claims, ByName())
    assert [each.verdict for each in verdicts] == ["inconclusive", "inapplicable"]


# -- what cannot be judged is known before training -------------------------------------------


def test_a_quantity_that_the_population_lacks_is_refused_before_training(claim):
    networks = ByName()
    asked = claim(
        population={"task": {"name": "ms-7", "dim": 4}},
        quantity='risk - shifted_accuracy("margin")',
    )
    with pytest.raises(ValueError, match=r'^c: shifted_accuracy\("margin"\): shift: got'):
        judged(asked, networks)
    assert networks.rounds == []


def test_a_family_stands_in_one_file(written, says):
    inference = {"correction": "holm", "units": 20}
    alone = load(written(table("one", inference=inference), table("two", inference=inference)))
    more = load(written(*(table(f"x{i}", inference=inference) for i in range(3))))
    networks = ByName()
    for together in ([*alone, *more], [alone[0], more[0]]):
        with pytest.raises(ValueError, match="^family: got 'f', allowed: claims of one file"):
            judge(together, networks)
    assert networks.rounds == []
    feasible(alone)


# -- built-in claims, and those of files ------------------------------------------------------


@pytest.mark.thorough
def test_every_builtin_claim_is_feasible_and_chosen_by_default():
    assert [claim.id for claim in choose()] == list(builtin())


def test_learners_are_held_against_sgd_on_the_same_points_at_one_budget():
    family = [claim for claim in builtin().values() if claim.family == "learners"]
    assert len(family) == 16 == family[0].family_size
    for claim in family:
        cells = dict(claim.populations)
        (reference,) = (cells.pop(name) for name in ("sgd", "sgd_of_few") if name in cells)
        (learner,) = cells.values()
        assert claim.quantity.text.startswith(("sgd.risk - ", "sgd_of_few.risk - "))
        assert reference.method.name == "sgd" and reference.stop.max_updates == 40_000
        assert (learner.task, learner.n_train) == (reference.task, reference.n_train)
        assert claim.id.endswith(f"-{learner.task.dim}") and learner.task.dim in (20, 50)
        if isinstance(learner, Cell):
            assert learner.stop.max_updates * learner.cost == 40_000
            assert learner.batch == reference.batch


@pytest.mark.thorough
def test_a_claim_may_hold_an_estimator_against_a_network_seed_by_seed():
    pytest.importorskip("sklearn")
    tree = {"experiment": "estimators", "estimator": {"name": "decision-tree"}}
    cells = {
        "sgd": cell_of(POPULATION),
        "forest": cell_of({**tree, "task": POPULATION["task"], "n_train": POPULATION["n_train"]}),
    }
    networks = InMemory()
    claim = replace(get("learners-random-forest-20"), populations=cells, n_certify=2000, units=10)
    (verdict,) = judge([claim], networks)
    seeds = list(map(int, verdict.units.seeds))
    sgd, forest = (
        validate(networks.stack(cell, seeds), n_certify=2000).risk.value for cell in cells.values()
    )
    assert len(seeds) == 10 and (sgd != forest).any()
    np.testing.assert_allclose(verdict.units.quantity.value, sgd - forest, atol=1e-12)


def test_no_builtin_claim_says_what_will_come_out():
    texts = [
        path.read_text().lower()
        for path in files("simbias.claims").joinpath("builtin").iterdir()
        if path.name.endswith(".toml")
    ]
    assert texts
    for text in texts:
        for word in ("supported", "refuted", "inconclusive", "inapplicable", "verdict", "expected"):
            assert word not in text


def test_claims_are_chosen_by_id_by_family_and_by_file(written):
    path = written(table("mine"), table("mine-too"))
    chosen = choose(["conclusion-4", "shift", path, "conclusion-4"])
    assert [claim.id for claim in chosen[:2]] == ["conclusion-4", "shift-randomised-noisy-lms-7"]
    assert [claim.id for claim in chosen[-2:]] == ["mine", "mine-too"]
    assert {claim.family for claim in chosen} == {"conclusion", "shift", "f"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["conclusion-44"], "^claim: unknown name 'conclusion-44', nearest: conclusion-4"),
        (["nosuch.toml"], "nosuch.toml cannot be read"),
    ],
)
def test_unknown_words_are_refused(words, message):
    with pytest.raises(ValueError, match=message):
        choose(words)


def test_two_files_may_neither_share_an_id_nor_a_family(written):
    holm = {"correction": "holm"}
    first = written(table("c", inference=holm), name="first.toml")
    changed = written(table("c", inference=holm | {"units": 9}), name="changed.toml")
    other = written(table("d", inference=holm), name="other.toml")
    assert len(choose([first, first])) == 1
    with pytest.raises(ValueError, match="^claim: got \"two different claims 'c'\""):
        choose([first, changed])
    with pytest.raises(ValueError, match="^family: got 'f'"):
        choose([first, other])


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        ("conclusion-44", "nearest: conclusion-4"),
        (["conclusion-4"], r"^claim: got \['conclusion-4'\], allowed: an id, a path"),
        (None, "^claim: got None"),
    ],
)
def test_what_cannot_be_checked_is_refused_before_training(claim, message, monkeypatch):
    monkeypatch.setattr(classify, "train_jobs", lambda *_: pytest.fail("trained"))
    with pytest.raises(ValueError, match=message):
        check(claim)


def test_a_file_of_several_claims_is_not_one_claim(written):
    with pytest.raises(ValueError, match="which has 2', allowed: a file with one claim"):
        check(written(table("a"), table("b")))


@pytest.mark.thorough
def test_a_claim_is_checked_on_networks_that_are_trained_here(written):
    inference = {"units": 5, "correction": "holm"}
    path = written(table(predicate={"value": 0.4}, inference=inference))
    verdict = check(path)
    assert verdict.verdict == "supported" and len(verdict.units.seeds) == 5
    assert (verdict.units.quantity.low < verdict.units.quantity.high).all()
    assert verdict.claim.version == 1 and verdict.units.seeds[0] == str(session.GENERATION)
    refuted = check(replace(verdict.claim, criterion=replace(verdict.claim.criterion, op=">=")))
    assert refuted.verdict == "refuted"
    np.testing.assert_array_equal(refuted.units.quantity, verdict.units.quantity)


def test_networks_are_measured_a_few_at_a_time_and_points_a_network_at_a_time():
    point = next(name for name, quantity in declared().items() if quantity.of == "point")
    for name, sizes in (("risk", [8, 8, 4]), (point, [1] * 20)):
        key = session.Key(None, Reference("", name), 1, 0.9)
        parts = list(session._parts(key, {i: (i,) for i in range(20)}))
        assert [len(part) for part in parts] == sizes
        assert [i for part in parts for i in part] == list(range(20))
