"""Several claims at once, and later versions of claims: Holm's correction, spending alpha.

A claim is two one-sided hypotheses, "the claim is false" and "the claim is true", of which exactly
one is true. Of alpha, version v of a claim spends alpha_v = alpha/(v (v + 1)), which is
alpha/v - alpha/(v + 1): all versions together, however many there come to be, spend alpha.

In a family of m claims each p-value is brought to the scale of alpha, q = p alpha/alpha_v, and
``holm`` judges these. Then a false verdict on any claim, in any version and at any look, has
probability at most alpha. For where Holm first rejects a true hypothesis, all that it rejected
before are among the m that are false, so q <= alpha/m there, and p <= alpha_v/m. And under its
hypothesis the p-value of a version is ever so small with probability at most alpha_v/m, given
whatever was known when that version was written: its data were drawn after that from streams that
had not been seen, and its p-value is of a number of units fixed before, or of an e-process, which
ever reaches m/alpha_v with no more than that probability (J. Ville 1939). The sum over m claims and
all versions is at most alpha, however the claims depend on each other. It also bounds a family that
is written anew with another number of claims, as long as these take versions above all before.

Sources: S. Holm, "A simple sequentially rejective multiple test procedure" (Scandinavian Journal of
Statistics 1979); J. Shaffer, "Modified sequentially rejective multiple test procedures" (JASA
1986); for spending, D. Foster and R. Stine, "alpha-investing" (JRSS B 2008).
"""

from collections.abc import Sequence

from simbias._checks import fail, real, whole
from simbias.stats.step_down import step_down


def spent(alpha: float, version: int) -> float:
    """The part of alpha that version v of a claim, counted from 1, may spend: alpha/(v (v + 1))."""
    return alpha / (version * (version + 1))


def scaled(p: float, version: int) -> float:
    """A p-value of a version of a claim, scaled so that it is compared with all of alpha."""
    return min(p * version * (version + 1), 1.0)


def holm(
    p_values: Sequence[tuple[float, float]], alpha: float, *, claims: int | None = None
) -> list[str]:
    """Verdicts of a family in which any false verdict has probability at most alpha.

    Of the 2m p-values of m claims, the i-th smallest is compared with alpha / min(m, 2m - i + 1),
    until one fails: m hypotheses are true, and no more than 2m - i + 1 of them are left once
    i - 1 have been rejected (Shaffer's first modification). One claim alone is compared with alpha.

    Args:
        p_values: of each claim, (against "the claim is false", against "the claim is true").
        alpha: probability of any false verdict, in (0, 1).
        claims: declared size of the family, where not all of its claims are here; the others count
            as p = 1.

    Returns:
        "supported", "refuted" or "inconclusive", for each claim. Inconclusive also where both
        hypotheses of a claim are rejected, as sequential tests can do that change their mind.

    Raises:
        ValueError: alpha or a p-value out of range, or fewer claims declared than given.
    """
    real("alpha", alpha, 0, 1, open_low=True, open_high=True)
    if not all(len(pair) == 2 for pair in p_values):
        raise fail("p_values", p_values, "pairs (p_supported, p_refuted)")
    size = len(p_values) if claims is None else whole("claims", claims, least=len(p_values))
    flat = [real("p_values", p, 0, 1) for pair in p_values for p in pair]
    rejected: list[list[int]] = [[] for _ in p_values]
    for i in step_down(flat, alpha, lambda false: min(size, 2 * size - false)):
        rejected[i // 2].append(i % 2)
    names = ("supported", "refuted")
    return [names[sides[0]] if len(sides) == 1 else "inconclusive" for sides in rejected]
