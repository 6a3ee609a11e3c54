"""From measurements to a verdict: units, premises, corrected conclusions."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from simbias._escape import html_text
from simbias._frames import DataFrame, frame
from simbias._numbers import interval, number
from simbias.claims.claim import Claim, Premise
from simbias.claims.family import holm, scaled
from simbias.claims.inference import Finding, find, more
from simbias.quantities.settings import setting
from simbias.stats.estimate import Estimate

_ROUNDING = 1e-9  # a proportion that is met exactly in exact arithmetic is met
VERDICTS = ("supported", "refuted", "inconclusive", "inapplicable")


class Units(NamedTuple):
    """The measurements on the units of a claim, in the order in which they came.

    Attributes:
        seeds: of each unit, those of both networks of a pair separated by a comma.
        quantity: with its interval; NaN where it could not be measured.
        premises: for each premise of the claim, its quantity.
        missing: why a unit has no quantity, or does not count; empty where it does.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> risk = simbias.validation.Estimate(np.array([0.01]), np.array([0.0]), np.array([0.02]))
        >>> units = simbias.claims.Units(("0",), risk, (), ("",))
        >>> len(units.seeds), units.quantity.high
        (1, array([0.02]))
    """

    seeds: tuple[str, ...]
    quantity: Estimate
    premises: tuple[Estimate, ...]
    missing: tuple[str, ...]

    def to_frame(self) -> DataFrame:
        """A pandas data frame with a row a unit; raises ValueError where there is no pandas."""
        premises = {f"premise_{i + 1}": premise.value for i, premise in enumerate(self.premises)}
        own = {"seeds": self.seeds, **self.quantity._asdict(), **premises}
        return frame({**own, "missing": self.missing})


class PremiseCount(NamedTuple):
    """A premise on the units: how many meet it, and the median of its quantity."""

    text: str
    met: int
    units: int
    proportion: float
    median: float

    @property
    def holds(self) -> bool:
        """Whether enough units meet it."""
        return self.met >= self.proportion * self.units * (1 - _ROUNDING)

    def __str__(self) -> str:
        return (
            f"{self.text}: {self.met} of {self.units} units, median {self.median:.6g} (asked of"
            f" {self.proportion:.0%} of them)"
        )


@dataclass(frozen=True)
class Verdict:
    """The conclusion on a claim, with its evidence.

    Attributes:
        claim: the claim that was judged.
        verdict: one of ``VERDICTS``.
        finding: estimate, interval, p-values and counts; None where nothing was measured.
        premises: how many units meet each.
        units: the evidence.
        more: how many more units would decide, where it is inconclusive and they would.
        reason: in one line.

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
        >>> verdict = simbias.claims.check(claim)
        >>> verdict.verdict, verdict.finding.failing, len(verdict.units.seeds)
        ('refuted', 4, 4)
        >>> verdict.reason.split("; ")[1]
        '4 replicas, decided before 190: 0 hold, 4 fail, 0 ambiguous'
    """

    claim: Claim
    verdict: str
    finding: Finding | None
    premises: tuple[PremiseCount, ...]
    units: Units | None
    more: int | None
    reason: str

    def __repr__(self) -> str:
        return f"Verdict({self.claim.id}: {self.verdict})"

    def _repr_html_(self) -> str:
        """What was concluded and from what, as a notebook shows it."""
        rows = [("says", self.claim.says), ("verdict", self.verdict), ("reason", self.reason)]
        rows += [("premise", str(premise)) for premise in self.premises]
        return html_text(f"{self.claim.id}: {self.claim.title}", (), rows)

    def __str__(self) -> str:
        return f"{self.claim.id}, version {self.claim.version}: {self.verdict}. {self.reason}"


def settings_unmet(claim: Claim) -> list[str]:
    """Why a claim is ruled out before training: premises on settings, numbers without a value."""
    reasons = [
        words
        for reference, quantity in claim.quantity.quantities.items()
        if (words := quantity.never(*reference.arguments))
    ]
    for premise in claim.settings_premises:
        values = {
            reference: Estimate(
                *np.full(
                    (3, 1), setting(claim.populations[reference.population], reference.quantity)
                )
            )
            for reference in premise.expression.references
        }
        quantity = premise.expression.evaluate(values)
        if not outcome(premise, quantity).all():
            reasons.append(f"{premise}: {float(quantity.value[0]):.6g}")
    return reasons


def outcome(premise: Premise, quantity: Estimate) -> np.ndarray:
    """Which units surely meet a premise, (units,)."""
    if premise.op == "<=":
        return quantity.high <= premise.value
    return quantity.low >= premise.value


def met(claim: Claim, units: Units) -> tuple[PremiseCount, ...]:
    """How many units meet each premise of a claim."""
    premises = []
    for premise, quantity in zip(claim.premises, units.premises, strict=True):
        values = quantity.value[~np.isnan(quantity.value)]
        premises.append(
            PremiseCount(
                text=str(premise),
                met=int(np.sum(outcome(premise, quantity))),
                units=len(quantity.value),
                proportion=premise.proportion,
                median=float(np.median(values)) if len(values) else float("nan"),
            )
        )
    return tuple(premises)


def intervals(claim: Claim, units: Units) -> tuple[np.ndarray, np.ndarray]:
    """The interval in which each unit's quantity lies: its whole range where it is missing."""
    least, most = claim.quantity.range()
    missing = np.array([bool(why) for why in units.missing])
    return (
        np.where(missing, least, units.quantity.low),
        np.where(missing, most, units.quantity.high),
    )


def conclude(claims: Sequence[Claim], measured: Mapping[str, Units]) -> list[Verdict]:
    """Verdicts of claims, corrected within their families and for their versions.

    Args:
        claims: distinct ids.
        measured: by id; none for a claim that is ruled out before training.

    Returns:
        In the order of the claims.
    """
    premises = {
        claim.id: met(claim, measured[claim.id]) for claim in claims if claim.id in measured
    }
    unmet = {claim.id: _unmet(claim, premises, measured) for claim in claims}
    findings = {
        claim.id: find(claim.judging, *intervals(claim, measured[claim.id]))
        for claim in claims
        if not unmet[claim.id]
    }
    families: dict[tuple[bool, str], list[Claim]] = {}
    for claim in claims:
        if claim.id in findings:
            alone = claim.family_size == 1
            families.setdefault((alone, claim.id if alone else claim.family), []).append(claim)
    corrected: dict[str, str] = {}
    for members in families.values():
        p_values = []
        for claim in members:
            finding = findings[claim.id]
            supported, refuted = finding.p_supported, finding.p_refuted
            p_values.append((scaled(supported, claim.version), scaled(refuted, claim.version)))
        answers = holm(p_values, members[0].criterion.alpha, claims=members[0].family_size)
        corrected |= {claim.id: answer for claim, answer in zip(members, answers, strict=True)}
    verdicts = []
    for claim in claims:
        units, stated = measured.get(claim.id), premises.get(claim.id, ())
        if units is None or claim.id not in findings:
            reason = "; ".join(unmet[claim.id])
            verdicts.append(Verdict(claim, "inapplicable", None, stated, units, None, reason))
            continue
        finding, verdict, needed = findings[claim.id], corrected[claim.id], None
        if verdict == "inconclusive":
            low, high = intervals(claim, units)
            # 0 where a sequential test has decided both ways: then no more would help
            needed = more(claim.judging, low, high, tests_in_family=claim.family_size) or None
        reason = _reason(claim, verdict, finding, units, needed)
        verdicts.append(Verdict(claim, verdict, finding, stated, units, needed, reason))
    return verdicts


def _unmet(
    claim: Claim, premises: Mapping[str, tuple[PremiseCount, ...]], measured: Mapping[str, Units]
) -> list[str]:
    """Why a claim does not apply; empty where it does."""
    if claim.id not in measured:
        return [f"premise not met: {words}" for words in settings_unmet(claim)]
    if np.isnan(measured[claim.id].quantity.value).all():
        return [f"no unit has a value: {measured[claim.id].missing[0]}"]
    return [f"premise not met: {premise}" for premise in premises[claim.id] if not premise.holds]


def _reason(claim: Claim, verdict: str, finding: Finding, units: Units, needed: int | None) -> str:
    criterion = claim.judging
    name = {"probability": "proportion of units that hold", "mean": "mean", "median": "median"}
    confidence = 100 * (1 - criterion.alpha)
    text = (
        f"{name[criterion.quantifier]} {number(finding.estimate)}, two-sided"
        f" {number(confidence)}% interval {interval(finding.low, finding.high)};"
        f" {len(units.seeds)} {claim.unit_word}s"
    )
    if len(units.seeds) < claim.units:
        text += f", decided before {claim.units}"
    text += f": {finding.holding} hold, {finding.failing} fail, {finding.ambiguous} ambiguous"
    missing = Counter(why for why in units.missing if why)
    if missing:
        words = ", ".join(f"{count} {why}" for why, count in missing.items())
        text += f", among them missing: {words}"
    if assumes := criterion.procedure.assumes:
        text += f"; {criterion.test}, which assumes {assumes}"
    if claim.family_size > 1:
        text += f"; {claim.correction} in a family of {claim.family_size}"
    if verdict == "inconclusive":
        decide = "no number of such units" if needed is None else f"{needed} more"
        text += f"; {decide} would decide"
    return text
