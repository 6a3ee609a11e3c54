"""The leaderboard of a run, and its lineages beside their closed forms."""

from simbias._numbers import number
from simbias.experiments import experiments
from simbias.generations.agreement import agreement
from simbias.pages.html_table import HtmlCell, from_text, html_table
from simbias.pages.section import PageSection
from simbias.pages.source import PageSource
from simbias.results.lineages import lineages_of
from simbias.tables.leaderboard import leaderboard_table


def standings(source: PageSource) -> PageSection | None:
    """Learners side by side on the same data."""
    if not source.standings:
        return None
    table = from_text(
        f"{source.prefix}-standings", "Learners side by side", leaderboard_table(source.standings)
    )
    return PageSection(f"{source.prefix}-leaderboard", "Leaderboard", tables=[table])


def lineages(source: PageSource) -> PageSection | None:
    """The last generation of each cell's lineages, beside its closed form where there is one."""
    table_name = experiments()["generations"].table.name
    _, counts = source.store.query(f"SELECT count(*) FROM {table_name}")
    if not counts[0][0]:
        return None
    rows = []
    pooled = lineages_of(source.store)
    agreed = agreement({entry.cell: entry.moments for entry in pooled})
    places = iter(agreed)
    named = [(entry.cell, agreement({entry.cell: entry.moments})) for entry in pooled]
    for cell, own in named:
        for alone in own:
            together = next(places)  # its limit is that of all cells at once
            words = [cell.name, alone.measure]
            numbers = [alone.generation, alone.mean, alone.error, alone.expected, together.off]
            cells = [*map(HtmlCell, words), *(HtmlCell(number(value)) for value in numbers)]
            rows.append((" ".join([*words, f"{alone.generation}"]), cells))
    head = ("cell", "measure", "generation", "mean", "standard error", "closed form", "off")
    note = (
        "off: distance of mean and closed form, in units of the limit that holds at once for all"
        " with probability 99%: at most 1 where they agree"
    )
    table = html_table(
        f"{source.prefix}-agreement", "Means over lineages beside closed forms", head, rows, note
    )
    return PageSection(f"{source.prefix}-lineages", "Lineages", tables=[table])
