"""The data of a paper: exhibits, and the numbers that each of them shows."""

from collections.abc import Mapping
from dataclasses import dataclass

from simbias._checks import known
from simbias.claims.expression import Expression
from simbias.experiments.experiment import OwnCell


@dataclass(frozen=True)
class PublishedNumber:
    """A number that was published, what measures it here, and how far ours may be from it.

    Attributes:
        label: the cell in words, as far as it sets the number apart from others of its exhibit.
        quantity: what is measured: of one network of each population.
        populations: cells by name; "" where there is one without a name.
        low, high: what was published; the ends of a range where only a range was.
        tolerance: by which a reproduction may lie outside of it.
        because: why so much, known before anything was measured.
        seeds: of each population, by preset; a preset that is not there leaves the number out.

    Examples:
        >>> import simbias
        >>> number = simbias.papers.load("pitfalls").exhibits[0].numbers[1]
        >>> number.quantity.text
        'test_accuracy'
        >>> number.label, number.low, number.accepted
        ('(100,1)', 0.94, (0.93, 0.95))
    """

    label: str
    quantity: Expression
    populations: Mapping[str, OwnCell]
    low: float
    high: float
    tolerance: float
    because: str
    seeds: Mapping[str, int]

    @property
    def accepted(self) -> tuple[float, float]:
        """The interval inside which ours has to lie."""
        return round(self.low - self.tolerance, 12), round(self.high + self.tolerance, 12)


@dataclass(frozen=True)
class Exhibit:
    """A table, a figure or a statement of a paper.

    Attributes:
        where: it stands in the paper.
        says: what it says, in words of our own.
        differs: in what our setting is not the published one, or goes beyond what was published;
            empty where all that was published is followed.
        numbers: that it shows.

    Examples:
        >>> import simbias
        >>> exhibit = simbias.papers.load("pitfalls").exhibits[0]
        >>> exhibit.where, len(exhibit.numbers)
        ('Table 2', 26)
    """

    where: str
    says: str
    differs: str
    numbers: tuple[PublishedNumber, ...]


@dataclass(frozen=True)
class Paper:
    """A paper whose numbers are to be reproduced.

    Attributes:
        name, summary, source: strings.
        presets: what each is, by name.
        n_certify: fresh points on which each number is measured.
        exhibits: in the order in which they are run.

    Examples:
        >>> import simbias
        >>> paper = simbias.papers.load("pitfalls")
        >>> list(paper.presets)
        ['smoke', 'standard', 'full']
        >>> paper.numbers("smoke") < paper.numbers("standard") < paper.numbers("full")
        True
    """

    name: str
    summary: str
    source: str
    presets: Mapping[str, str]
    n_certify: int
    exhibits: tuple[Exhibit, ...]

    def numbers(self, preset: str) -> int:
        """How many numbers a preset measures; raises ValueError."""
        known("preset", preset, self.presets)
        return sum(preset in number.seeds for each in self.exhibits for number in each.numbers)
