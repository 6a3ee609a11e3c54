"""Claims about networks as data, written before measuring, and verdicts with their evidence.

``check`` judges a claim here and now; the command line keeps networks, measurements and verdicts in
a directory.
"""

from simbias.claims.argument import Step, argument
from simbias.claims.choosing import check, choose
from simbias.claims.claim import Claim, Premise
from simbias.claims.criterion import Criterion
from simbias.claims.inference import Finding
from simbias.claims.procedures import Procedure, Side, declared_tests
from simbias.claims.reading import builtin, get, load
from simbias.claims.session import feasible, judge
from simbias.claims.verdict import Units, Verdict

__all__ = [
    "Claim",
    "Finding",
    "Premise",
    "Procedure",
    "Criterion",
    "Side",
    "Step",
    "Units",
    "Verdict",
    "argument",
    "builtin",
    "check",
    "choose",
    "declared_tests",
    "feasible",
    "get",
    "judge",
    "load",
]
