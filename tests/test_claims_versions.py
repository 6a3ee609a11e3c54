"""Claims that are said again, and later than others: levels, families, generations of seeds."""

import itertools
import json
import math
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from simbias.claims import get, sequential
from simbias.claims.criterion import Criterion
from simbias.claims.family import spent
from simbias.claims.inference import fewest, find, is_decided
from simbias.claims.session import GENERATION
from simbias.claims.verdict import Units, conclude
from simbias.results import Store, files, registrations
from simbias.stats.estimate import Estimate
from simbias.tasks import get as task

PROPORTION = Criterion("<=", 0.01, 0.0, "probability", 0.95, "clopper-pearson", 0.05)
ANYTIME = replace(PROPORTION, test="beta-binomial")


@pytest.fixture(scope="module")
def claim():
    """Makes claims of one network: by default, alone, and with units for many versions."""
    usual = replace(
        get("conclusion-4"), premises=(), criterion=PROPORTION, units=1000, family_size=1
    )

    def make(id="a", **changes):
        return replace(usual, id=id, **({"correction": "none"} | changes))

    return make


@pytest.fixture
def family(claim):
    """Makes a family of claims, by their ids."""
    return lambda ids, **more: [
        claim(id, **{"family": "f", "correction": "holm", "family_size": len(ids)} | more)
        for id in ids
    ]


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "run", create=True)


def otherwise(claim, n_certify):
    """A claim that asks for another effort, and so says something else."""
    return replace(claim, n_certify=n_certify)


def registered(store, *claims):
    """Versions and generations by id, of claims said now."""
    entries, first, _ = registrations.register(store, claims)
    assert all(seed % GENERATION == 0 for seed in first.values())
    return {entry.id: (entry.version, first[entry.id] // GENERATION) for entry in entries}


# -- what a version spends --------------------------------------------------------------------


def test_versions_together_spend_alpha_and_no_more():
    for count in (1, 2, 3, 50):
        exact = sum(Fraction(1, v * (v + 1)) for v in range(1, count + 1))
        assert exact == 1 - Fraction(1, count + 1)
        total = sum(spent(0.05, version) for version in range(1, count + 1))
        assert total == pytest.approx(0.05 * float(exact), rel=1e-12)


@pytest.mark.parametrize(
    ("alpha", "version", "count"),
    [(0.05, 1, 72), (0.01, 1, 104), (0.05, 2, 94), (0.05, 3, 107), (0.01, 2, 125)],
)
def test_clean_successes_that_support_95_percent_in_a_version(claim, alpha, version, count):
    # .95^n <= alpha/(v (v + 1)); were alpha spent by one version, 59 and 90
    level = alpha / (version * (version + 1))
    assert count == math.ceil(math.log(level) / math.log(0.95))
    versioned = claim(criterion=replace(PROPORTION, alpha=alpha), version=version)
    assert versioned.judging.alpha == pytest.approx(level) and versioned.criterion.alpha == alpha
    assert fewest(versioned.judging) == count
    for units, verdict in ((count, "supported"), (count - 1, "inconclusive")):
        assert verdict_of(versioned, units) == verdict


def units(holding, failing=0):
    values = np.repeat([0.0, 0.02], [holding, failing])
    seeds = tuple(map(str, range(len(values))))
    return Units(seeds, Estimate(values, values, values), (), ("",) * len(values))


def verdict_of(claim, holding, failing=0):
    (verdict,) = conclude([claim], {claim.id: units(holding, failing)})
    return verdict.verdict


def test_a_version_spends_what_is_left_whatever_it_says_for_or_against(claim):
    # two failures of two have the p-value .05^2 = .0025 against 95%, which .05/20 is as well
    assert verdict_of(claim(), 0, 1) == "inconclusive"
    assert verdict_of(claim(version=4), 0, 2) == "refuted"
    assert verdict_of(claim(version=5), 0, 2) == "inconclusive"


@pytest.mark.parametrize("version", (1, 2, 3))
def test_an_e_process_has_to_reach_one_over_what_its_version_spends(claim, version):
    versioned = claim(criterion=ANYTIME, version=version)
    needed = math.log(version * (version + 1) / 0.05)
    count = next(n for n in itertools.count(1) if sequential.log_e(n, n, 0.95) >= needed)
    assert fewest(versioned.judging) == count
    for n, verdict in ((count, "supported"), (count - 1, "inconclusive")):
        assert verdict_of(versioned, n) == verdict
    finding = find(versioned.judging, np.zeros(count), np.zeros(count))
    assert is_decided(versioned.judging, finding)


def test_the_interval_beside_a_verdict_is_of_what_its_version_spends(claim):
    before, later = (
        conclude([version], {"a": units(80)})[0] for version in (claim(), claim(version=2))
    )
    # of 80 successes the lower limit is (level / 2)^(1/80)
    assert before.finding.low == pytest.approx(0.0125 ** (1 / 80))
    assert later.finding.low == pytest.approx((0.05 / 12) ** (1 / 80))
    assert "two-sided 97.5% interval" in before.reason
    assert "two-sided 99.17% interval" in later.reason


# -- families ---------------------------------------------------------------------------------


def test_claims_of_a_family_are_compared_with_what_each_of_their_versions_spends(family):
    # p = .95^n; alone at level .05/2/2 they need 86 units, in version 2 at .05/6/2, 107
    first, later = family("ab")
    later = replace(later, version=2)

    def both(each, other):
        verdicts = conclude([first, later], {"a": units(each), "b": units(other)})
        return [verdict.verdict for verdict in verdicts]

    assert [fewest(each.judging, tests_in_family=2) for each in (first, later)] == [86, 107]
    assert both(86, 106) == ["supported", "inconclusive"]
    assert both(85, 107) == ["inconclusive", "supported"]
    assert both(86, 107) == ["supported", "supported"]
    # nothing is compared with all of alpha, as p-values that are not scaled would be
    assert both(72, 72) == ["inconclusive", "inconclusive"]


def total(before):
    """What all claims of a family that were ever said spend together, of 1."""
    return sum(
        Fraction(1, each.family_size * each.version * (each.version + 1))
        for each in before
        if (each.family, each.correction) == ("f", "holm")
    )


@pytest.mark.parametrize("seed", range(6))
def test_a_family_spends_no_more_than_alpha_however_it_is_said_again(store, family, seed):
    drawn = random.Random(seed)
    refused = 0
    for step in range(25):
        ids = "abcd"[: drawn.choice([1, 2, 2, 3, 4])]
        members = [otherwise(each, drawn.choice([100, 200])) for each in family(ids, units=10**5)]
        some = drawn.sample(members, drawn.randint(1, len(members)))
        try:
            registrations.register(store, some)
        except ValueError as error:
            refused += "family: got 'f, of which" in str(error)
        assert total(registrations.read(store)) <= 1, step
    assert total(registrations.read(store)) > Fraction(1, 2) and refused < 25


def test_a_family_that_grows_begins_above_its_versions_of_before(store, family):
    # were b to begin at version 1, each size of a family would spend half of alpha anew
    assert registered(store, *family("a")) == {"a": (1, 1)}
    assert registered(store, *family("ab")) == {"a": (2, 2), "b": (2, 2)}
    assert registered(store, *family("abc")) == dict.fromkeys("abc", (3, 3))
    assert total(registrations.read(store)) == Fraction(3, 4)


def test_claims_of_a_family_that_are_said_one_by_one_each_have_their_first_version(store, family):
    each, other = family("ab")
    assert registered(store, each) == {"a": (1, 1)}
    assert registered(store, other) == {"b": (1, 2)}
    assert total(registrations.read(store)) == Fraction(1, 2)


def test_a_family_takes_no_more_ids_than_it_declares_not_even_in_place_of_others(store, family):
    registrations.register(store, family("ab"))
    before = registrations.read(store)
    with pytest.raises(ValueError, match="^c: family: got 'f, of which the directory has a, b', "):
        registrations.register(store, [family("ac")[1]])
    assert registrations.read(store) == before


def test_a_claim_that_moves_to_another_family_leaves_no_room_in_its_own(store, family):
    each, other = family("ab")
    registrations.register(store, [each, other])
    assert registered(store, replace(other, family="g", correction="none", family_size=1))
    with pytest.raises(ValueError, match="^c: family: got 'f, of which the directory has a, b', "):
        registrations.register(store, [each, family("ac")[1]])


# -- generations ------------------------------------------------------------------------------


def test_claims_that_are_said_together_share_their_units(store, claim):
    assert registered(store, claim("a"), claim("b"), claim("c")) == dict.fromkeys("abc", (1, 1))


def test_a_claim_that_is_said_later_has_seeds_of_its_own_whatever_it_is_about(store, claim):
    registrations.register(store, [claim("a")])
    cell = replace(claim().populations[""], task=task("lms-5", dim=20))
    assert registered(store, claim("a"), claim("b"))["b"] == (1, 2)
    assert registered(store, claim("c", populations={"": cell})) == {"c": (1, 3)}
    wider = replace(cell, n_train=2 * cell.n_train)
    changed = claim("a", populations={"": wider})
    assert registered(store, changed, claim("b")) == {"a": (2, 4), "b": (1, 2)}


def test_units_of_two_generations_never_meet(store, claim):
    spans = [
        range(first, first + GENERATION)
        for id in "abc"
        for first in registrations.register(store, [claim(id)])[1].values()
    ]
    assert all(set(each).isdisjoint(other) for each, other in itertools.combinations(spans, 2))


def test_the_same_claims_go_on_with_their_generation(store, claim):
    once = registered(store, claim("a"), claim("b"))
    later = registered(store, claim("c"))
    before = (store.directory / "said" / "1.json").read_bytes()
    assert registered(store, claim("a"), claim("b")) == once
    assert registered(store, claim("c"), claim("a"), claim("b")) == once | later
    assert (store.directory / "said" / "1.json").read_bytes() == before
    assert len(list((store.directory / "said").iterdir())) == 2


def test_other_words_are_not_said_again_and_are_those_that_come_back(store, claim):
    registrations.register(store, [claim("a")])
    entries, first, notes = registrations.register(
        store, [claim("a", title="better put", source="elsewhere")]
    )
    assert (entries[0].title, entries[0].version, first, notes) == (
        "better put",
        1,
        {"a": GENERATION},
        [],
    )


def test_what_was_said_before_and_is_said_again_is_a_version_more(store, claim):
    first, other = claim("a"), otherwise(claim("a"), 100)
    assert registered(store, first) == {"a": (1, 1)}
    assert registered(store, other) == {"a": (2, 2)}
    assert registered(store, first) == {"a": (3, 3)}
    assert registered(store, first) == {"a": (3, 3)}
    (_, _, notes) = registrations.register(store, [other])
    (since,) = {line.registered for line in registrations.read(store) if line.version == 3}
    words = f"a has changed since {since}: it starts over as version 4, from seed {4 * GENERATION}"
    assert notes == [words]


def test_a_version_that_its_units_cannot_decide_is_refused_and_nothing_is_said(store, claim):
    short = claim("a", units=80)
    registrations.register(store, [short])
    with pytest.raises(ValueError) as caught:
        registrations.register(store, [otherwise(short, 100), claim("b")])
    assert str(caught.value) == (
        "a: inference: units: got 80, allowed: at least 94 networks, at version 2, which spends"
        " 0.008333; fewer decide nothing"
    )
    assert [each.id for each in registrations.read(store)] == ["a"]


def test_a_batch_is_said_as_a_whole_or_not_at_all(store, claim, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.link", full)
        with pytest.raises(OSError, match=r"cannot write .*/said/1\.json: .*No space left"):
            registrations.register(store, [claim("a"), claim("b")])
    assert not list((store.directory / "said").iterdir()) and not registrations.read(store)
    assert registered(store, claim("a"), claim("b")) == dict.fromkeys("ab", (1, 1))


@pytest.mark.parametrize(("rival", "expected"), [("b", (1, 2)), ("a", (1, 1))])
def test_a_process_that_was_overtaken_takes_the_next_number_or_what_was_said(
    store, claim, monkeypatch, rival, expected
):
    write, overtaken = files.write_new, []

    def slow(path, content):
        if not overtaken:
            overtaken.append(path)
            with monkeypatch.context() as patch:
                patch.setattr(files, "write_new", write)
                registrations.register(store, [claim(rival)])
        return write(path, content)

    monkeypatch.setattr(files, "write_new", slow)
    assert registered(store, claim("a")) == {"a": expected}
    assert [(each.id, each.generation) for each in registrations.read(store)] == (
        [("b", 1), ("a", 2)] if rival == "b" else [("a", 1)]
    )


def test_callers_that_say_claims_at_once_have_a_generation_each(store, claim):
    ids = [f"c{i}" for i in range(8)]
    barrier = threading.Barrier(len(ids))

    def say(id):
        barrier.wait()
        return registered(store, claim(id))

    with ThreadPoolExecutor(len(ids)) as callers:
        by_caller = {id: entry for each in callers.map(say, ids) for id, entry in each.items()}
    assert sorted(by_caller.values()) == [(1, g) for g in range(1, 9)] and set(by_caller) == set(
        ids
    )
    kept = {entry.id: (entry.version, entry.generation) for entry in registrations.read(store)}
    assert kept == by_caller and not list(store.directory.rglob("*.tmp"))


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("1.json", {"claims": "none"}, "what simbias writes"),
        ("2.json", {}, "what simbias writes"),  # a batch under the number of another
        ("a.json", {"generation": "a"}, "its checksum differs"),
        ("1.json", {"generation": 1.0}, "what simbias writes"),
        ("1.json", {"said": "1999"}, "its checksum differs"),
        ("1.json", {"said": 3, "checksum": None}, "its checksum differs"),
    ],
)
def test_what_was_not_said_here_is_refused_in_one_line(store, claim, name, change, words):
    registrations.register(store, [claim("a")])
    path = store.directory / "said" / "1.json"
    record = json.loads(path.read_text()) | change
    path.unlink()
    path.with_name(name).write_text(json.dumps(record))
    with pytest.raises(ValueError, match=words) as caught:
        registrations.register(store, [claim("a")])
    assert name in str(caught.value) and "\n" not in str(caught.value)


def test_a_batch_that_is_no_table_is_refused_in_one_line(store, claim):
    registrations.register(store, [claim("a")])
    (store.directory / "said" / "1.json").write_text("7")
    with pytest.raises(
        ValueError, match=r"said/1\.json: got 7, allowed: what simbias writes; [^\n]*$"
    ):
        registrations.register(store, [claim("a")])
