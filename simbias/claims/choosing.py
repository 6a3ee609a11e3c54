"""Claims chosen by the words of a user, and judged at once."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from simbias._checks import each, fail, known
from simbias.claims.claim import Claim
from simbias.claims.networks import InMemory
from simbias.claims.reading import builtin, get, load
from simbias.claims.session import feasible, judge
from simbias.claims.verdict import Verdict


def choose(words: Sequence[str] = ()) -> list[Claim]:
    """The claims of these names, files or families, all of them feasible.

    Args:
        words: ids or families of built-in claims, or paths of claim files (ending in .toml);
            nothing means every built-in claim.

    Raises:
        ValueError: an unknown word, a file at fault, claims of one id that are not the same, of one
            family that stand in two files, or with a quantity that their population lacks.

    Examples:
        >>> import simbias
        >>> [claim.id for claim in simbias.claims.choose(["conclusion"])]
        ['conclusion-1', 'conclusion-2', 'conclusion-3', 'conclusion-4']
    """
    known_claims = builtin()
    families: dict[str, list[Claim]] = {}
    for claim in known_claims.values():
        families.setdefault(claim.family, []).append(claim)
    chosen: dict[str, Claim] = {}
    for word in each("words", words, str) or families:
        if word.endswith(".toml"):
            matching = load(word)
        elif word in known_claims:
            matching = [known_claims[word]]
        else:
            matching = families[_family(word, known_claims, families)]
        for claim in matching:
            if chosen.setdefault(claim.id, claim).hash != claim.hash:
                raise fail("claim", f"two different claims {claim.id!r}", "one claim an id")
    feasible(list(chosen.values()))
    return list(chosen.values())


def _family(word: str, ids: Iterable[str], families: Iterable[str]) -> str:
    """A family's name, or a ValueError with the nearest ids and families."""
    near = get_close_matches(word.lower(), [*ids, *families], n=3, cutoff=0.5)
    return known("claim", word, dict.fromkeys([*families, *near]))


def check(claim: str | Claim) -> Verdict:
    """Train what a claim needs, measure it, and conclude.

    A claim of a family is judged with the correction for all of it, as if the others were open.
    No record is kept of verdicts: any claim is judged as a first version, which spends half of its
    alpha, on the first generation of seeds, so that the same claim has the same verdict. One that
    has been changed after a look at a verdict belongs in a directory, which counts versions and
    gives each seeds of its own (``simbias claims run``).

    Args:
        claim: the id of a built-in claim, the path of a file with one claim (ending in .toml), or a
            claim.

    Returns:
        The verdict with its evidence.

    Raises:
        ValueError: an unknown id, or a file at fault; nothing is trained then.

    Examples:
        >>> from dataclasses import replace
        >>> import simbias
        >>> from simbias.experiments import cell_of

        A built-in claim, asked of decision trees on a small task in place of networks:

        >>> task, tree = {"name": "noisy-lms-5", "dim": 4}, {"name": "decision-tree"}
        >>> kind = {"experiment": "estimators"}
        >>> trees = cell_of({**kind, "task": task, "estimator": tree, "n_train": 1000})
        >>> claim = simbias.claims.get("conclusion-4")
        >>> claim = replace(claim, populations={"": trees}, n_certify=10_000)
        >>> verdict = simbias.claims.check(claim)
        >>> verdict.verdict, verdict.finding.failing
        ('refuted', 4)
    """
    if isinstance(claim, str):
        if claim.endswith(".toml"):
            claims = load(claim)
            if len(claims) != 1:
                raise fail("claim", f"{claim}, which has {len(claims)}", "a file with one claim")
            (claim,) = claims
        else:
            claim = get(claim)
    elif not isinstance(claim, Claim):
        raise fail("claim", claim, "an id, a path ending in .toml, or a Claim")
    (verdict,) = judge([claim], InMemory())
    return verdict
