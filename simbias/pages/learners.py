"""The leaderboard of a run, and its lineages beside their closed forms."""

from simbias._numbers import counted, number
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
    """Lineages beside their closed forms, where there is one: how far off they are at most.

    Of each measure of a cell, the generation that is farthest off, and the last one.
    """
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
        # the limits are those of all cells at once
        together = [next(places) for _ in own]
        for measure in dict.fromkeys(entry.measure for entry in together):
            all_of_it = [entry for entry in together if entry.measure == measure]
            farthest = max(all_of_it, key=lambda entry: entry.off)
            for entry in sorted({farthest, all_of_it[-1]}, key=lambda entry: entry.generation):
                words = [cell.name, measure]
                numbers = [entry.generation, entry.mean, entry.error, entry.expected, entry.off]
                cells = [*map(HtmlCell, words), *(HtmlCell(number(value)) for value in numbers)]
                rows.append((" ".join([*words, f"{entry.generation}"]), cells))
    head = ("cell", "measure", "generation", "mean", "standard error", "closed form", "off")
    note = (
        f"of {counted(len(agreed), 'mean')}, those that are farthest off of each cell and measure,"
        " and the last; off: distance of mean and closed form, in units of the limit that holds at"
        " once for all with probability 99%: at most 1 where they agree"
    )
    table = html_table(
        f"{source.prefix}-agreement", "Means over lineages beside closed forms", head, rows, note
    )
    return PageSection(f"{source.prefix}-lineages", "Lineages", tables=[table])
