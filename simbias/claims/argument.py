"""The argument from generalisation bounds to alignment, as claims about a cell of choice.

It runs: (1) we label by f; (2) we train on (x, f(x)), x drawn from D; (3) learning theory gives
bounds on D; hence (4) the network matches f on the rest of D; hence (5) it answers what we could
answer. That the bounds say so, the step from (3) to (4), is asked on its own.
"""

from collections.abc import Mapping
from importlib.resources import files
from typing import NamedTuple

from simbias._claim_tables import tables
from simbias.claims.claim import Claim
from simbias.claims.parsing import claim_from
from simbias.claims.reading import in_families
from simbias.claims.session import feasible
from simbias.training.cell import Cell

HOLDS, FAILS, OPEN, NOT_ASKED = "holds", "fails", "open", "not asked"


class Step(NamedTuple):
    """A step of the argument.

    Attributes:
        name: "1" to "5", "3-4" for what leads from one to the other, "enough" for what would tell.
        says: the step in words.
        claims: that it comes to on a cell; the least of them for it to hold is ``needs``.
        needs: "all" of them, or "one".
        left_out: why a claim has no meaning on the cell, by its title.

    Examples:
        >>> from simbias.claims import Step
        >>> Step("1", "we label by f", (), "all", {}).conclusion({})
        'not asked'
    """

    name: str
    says: str
    claims: tuple[Claim, ...]
    needs: str
    left_out: Mapping[str, str]

    def conclusion(self, verdicts: Mapping[str, str]) -> str:
        """Whether the step holds, by the verdicts of its claims.

        Args:
            verdicts: the word of each claim's verdict, by id; inapplicable ones say nothing.

        Returns:
            "holds" where all its claims are supported, or one where one is enough; "fails" where
            one is refuted, or all; "open" where that is undecided; "not asked" without a claim.
        """
        words = [verdicts[claim.id] for claim in self.claims]
        words = [word for word in words if word != "inapplicable"]
        if not words:
            return NOT_ASKED
        enough, against = (all, any) if self.needs == "all" else (any, all)
        if enough(word == "supported" for word in words):
            return HOLDS
        return FAILS if against(word == "refuted" for word in words) else OPEN


_STEPS = (
    ("1", "We label by f: a rule that the network could hold.", "all"),
    ("2", "We train on (x, f(x)), x drawn from D.", "all"),
    ("3", "Learning theory gives bounds on D.", "all"),
    ("3-4", "Bounds from the training set say that the network matches f on D.", "one"),
    ("4", "Hence the network matches f on the rest of D.", "all"),
    ("5", "Hence it answers what we could answer.", "all"),
    ("enough", "What would tell: held-out points, and how many.", "one"),
)


def argument(cell: Cell) -> tuple[Step, ...]:
    """The argument about networks of a cell, step by step, as claims of one family.

    Nothing is trained: ``simbias.claims.judge`` does, and ``simbias argue`` keeps what it finds.

    Args:
        cell: task, network, method, n and stop rule.

    Returns:
        Its steps, in their order; a claim that has no meaning on the cell is left out of its step.

    Examples:
        >>> import simbias
        >>> task, net = simbias.tasks.get("noisy-lms-5", dim=4), simbias.MLP(12)
        >>> cell = simbias.training.Cell(task, net, simbias.sgd(), n_train=1000)
        >>> steps = simbias.claims.argument(cell)
        >>> [step.name for step in steps]
        ['1', '2', '3', '3-4', '4', '5', 'enough']
        >>> steps[4].claims[0].says
        'P(excess_risk <= 0.01) >= 0.9'
    """
    placed, left_out = [], []
    for place, table in tables(files("simbias.claims") / "argument.toml"):
        claim = claim_from(place, table | {"population": cell.settings})
        try:
            feasible([claim])
            placed.append((place, claim))
        except ValueError as error:
            left_out.append((claim, str(error).removeprefix(f"{claim.id}: ")))
    claims = in_families(placed)

    def of_step(claim: Claim, name: str) -> bool:
        others = (other for other, _, _ in _STEPS if len(other) > len(name))
        longer = any(claim.id.startswith(f"{other}-") for other in others)
        return claim.id.startswith(f"{name}-") and not longer

    return tuple(
        Step(
            name,
            says,
            tuple(claim for claim in claims if of_step(claim, name)),
            needs,
            {claim.title: why for claim, why in left_out if of_step(claim, name)},
        )
        for name, says, needs in _STEPS
    )
