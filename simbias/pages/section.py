"""The parts that the page of a run has."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from simbias.pages.html_table import HtmlTable


class PageFigure(NamedTuple):
    """A figure of a page.

    Attributes:
        name: within the page.
        title: what it shows.
        svg: the figure, an element that may stand in the page as it is.
        tables: the files of its data, which the page can hand out: where each is in the page's
            data, by its name.

    Examples:
        >>> from simbias.pages.section import PageFigure
        >>> PageFigure("run-boundary", "a boundary", "<svg/>", {}).title
        'a boundary'
    """

    name: str
    title: str
    svg: str
    tables: Mapping[str, str]


class PageClaim(NamedTuple):
    """A claim with what was concluded, and from what.

    Attributes:
        name: within the page.
        id, verdict, title: of the claim.
        facts: what it says and how it was judged, by word.
        premises: how each stands.
        units: how many units stand behind it; 0: none were kept.

    Examples:
        >>> from simbias.pages.section import PageClaim
        >>> PageClaim("claim-0", "bias", "supported", "it relies on a line", {}, (), 20).units
        20
    """

    name: str
    id: str
    verdict: str
    title: str
    facts: Mapping[str, str]
    premises: Sequence[str]
    units: int


class PageSection(NamedTuple):
    """A part of the page of a run.

    Attributes:
        name: within the page.
        title: its heading.
        words: paragraphs.
        facts: by word.
        command: of a shell, to repeat what was done.
        lines: a list.
        tables, figures, claims: what it shows.
        explorer: whether the boundary explorer stands here.
        data: for the page's script, by name: texts of files, tables, or what the script draws.

    Examples:
        >>> from simbias.pages.section import PageSection
        >>> PageSection("about", "What was run").explorer
        False
    """

    name: str
    title: str
    words: Sequence[str] = ()
    facts: Mapping[str, str] = {}
    command: str = ""
    lines: Sequence[str] = ()
    tables: Sequence[HtmlTable] = ()
    figures: Sequence[PageFigure] = ()
    claims: Sequence[PageClaim] = ()
    explorer: bool = False
    data: Mapping[str, object] = {}
