"""Every figure that ``simbias plot`` draws of a run, with its data."""

import warnings

from simbias.pages.html_table import slug_of
from simbias.pages.section import PageFigure, PageSection
from simbias.pages.source import PageSource
from simbias.plots.run import Chosen, displays
from simbias.registry import FIGURES
from simbias.results import StoreError


def figures(source: PageSource) -> PageSection | None:
    """The default figures; those that take a minute or more are drawn by ``simbias plot``."""
    chosen = Chosen(source.store, note=source.notes.append, bounds=source.evaluations)
    # of a directory of claims alone nothing else could be asked for
    kinds = ["claims"] if source.verdicts and not source.store.known() else None
    shown: list[PageFigure] = []
    data: dict[str, object] = {}
    summaries = {name: entry.summary for name, entry in FIGURES.entries().items()}
    try:
        for kind, stem, display in displays(chosen, kinds):
            name = f"{source.prefix}-figure-{slug_of(kind)}"
            tables = display.csv()
            files = {
                f"{stem}.csv" if len(tables) == 1 else f"{stem}-{table}.csv": f"{name}-{table}"
                for table in tables
            }
            with warnings.catch_warnings(record=True) as warned:  # of names too long to lay out
                warnings.simplefilter("always")
                svg = display.svg(f"{source.prefix}-{len(shown)}")
            for entry in warned:  # one of arithmetic may be of the planes, computed beside this
                of_figure = issubclass(entry.category, UserWarning)
                source.notes.append(f"{kind} figure: " * of_figure + str(entry.message))
            shown.append(PageFigure(name, summaries[kind], svg, files))
            data |= {f"{name}-{table}": text for table, text in tables.items()}
    except StoreError as error:  # nothing that can be drawn
        source.notes.append(f"no figures: {error}")
    if not shown:
        return None
    return PageSection(f"{source.prefix}-figures", "Figures", figures=shown, data=data)
