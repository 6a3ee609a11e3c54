"""What papers published: their numbers, and whether networks trained here reproduce them."""

from simbias.papers.judging import Reproduction, judge
from simbias.papers.paper import Exhibit, Paper, PublishedNumber
from simbias.papers.reading import load, names
from simbias.papers.reproducing import reproduce, reproductions

__all__ = [
    "Exhibit",
    "Paper",
    "PublishedNumber",
    "Reproduction",
    "judge",
    "load",
    "names",
    "reproduce",
    "reproductions",
]
