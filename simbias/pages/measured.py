"""Results beside published values, and every network, or what else a row is of, with intervals."""

from collections.abc import Mapping

from simbias._numbers import interval, number
from simbias._types import TableRow
from simbias.experiments import Experiment, experiments
from simbias.pages.html_table import HtmlCell, HtmlTable, first_rows, html_table
from simbias.pages.section import PageSection
from simbias.pages.source import PageSource
from simbias.results.summary import cell_settings
from simbias.tables.summary import summary_table
from simbias.training.words import phrases
from simbias.validation.transition import EXCESS

_FIRST = ("updates", "train_accuracy", "risk")
_COUNTS = 1e9  # whole numbers below it are written out, such as updates


def results(source: PageSource) -> PageSection | None:
    """The printed table of the run, each published value below the mean that it is of."""
    summaries = source.summaries
    if not summaries:
        return None
    table = summary_table(summaries)
    lines = iter(table.lines)
    rows = []
    for summary in summaries:
        cells = [HtmlCell(text) for text in next(lines)]
        if any(mean.published is not None for mean in summary.means.values()):
            cells = [
                cell._replace(below=f"published {text}") if text and text != "published" else cell
                for cell, text in zip(cells, next(lines), strict=True)
            ]
        rows.append((summary.cell, cells))
    shown = html_table(
        f"{source.prefix}-results", "Means over seeds", table.head, rows, table.caption
    )
    return PageSection(f"{source.prefix}-measured", "Results", tables=[shown])


def replicas(source: PageSource) -> PageSection | None:
    """Every row of the run: a network, an estimator, a lineage."""
    tables = [
        table
        for experiment in experiments().values()
        if (table := _replicas(source, experiment)) is not None
    ]
    if not tables:
        return None
    words = [
        "Filter for “reaches the rule: yes” to see which seeds escaped, and sort by memorised to"
        " see where exceptions were learned by heart. Intervals are those of each network."
    ]
    return PageSection(f"{source.prefix}-each", "Each network and seed", words, tables=tables)


def _replicas(source: PageSource, experiment: Experiment) -> HtmlTable | None:
    names, answers = source.store.query(f"FROM {experiment.table.name} ORDER BY seed")
    rows = [dict(zip(names, answer, strict=True)) for answer in answers]
    if not rows:
        return None
    rows.sort(key=lambda row: source.store.order(row["cell"]))
    kind = experiment.table.name
    export = f"simbias export {source.store.directory.name} --format csv --table {kind}"
    rows, not_all = first_rows(rows, export)
    headings = {name: shown.heading for name, shown in experiment.shown.items()}
    wanted = dict.fromkeys([*_FIRST, *headings])
    columns = [name for name in wanted if any(row.get(name) is not None for row in rows)]
    first = {row["cell"]: row for row in rows}
    achievable = _achievable(source, first) if "risk" in columns else {}
    apart = {cell: phrases(settings) for cell, settings in cell_settings(source.store).items()}
    settled = _transitions(source)
    heads = ["cell", "settings", "seed", "status"]
    heads += [headings.get(name, name.replace("_", " ")) for name in columns]
    heads += ["reaches the rule"] * bool(achievable) + ["transition"] * bool(settled)
    table_rows = []
    for row in rows:
        cell, seed = row["cell"], row["seed"]
        cells = [HtmlCell(cell), HtmlCell(apart.get(cell, "")), HtmlCell(f"{seed}")]
        cells += [HtmlCell(row["status"], row["reason"] if row["status"] != "done" else "")]
        cells += [_estimate(row, name) for name in columns]
        if achievable:
            cells.append(_reaches(row, achievable.get(cell)))
        if settled:
            cells.append(HtmlCell(settled.get((cell, seed), "")))
        table_rows.append((f"{cell} seed {seed}", cells))
    note = (
        "intervals of one network, beside its number, are over fresh points; reaches the rule: its"
        f" risk is less than the achievable one + {EXCESS}; transition: the update from which on"
        f" its select error stays within {EXCESS}"
    )
    note = "; ".join(filter(None, [not_all, note]))
    return html_table(f"{source.prefix}-{kind}", f"The {kind} of the run", heads, table_rows, note)


def _estimate(row: TableRow, name: str) -> HtmlCell:
    value = row.get(name)
    if value is None or isinstance(value, bool | str):
        return HtmlCell("" if value is None else str(value))
    low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
    ends = "" if low is None or high is None else interval(low, high)
    counts = float(value).is_integer() and abs(value) < _COUNTS
    text = f"{value:.0f}" if counts else number(value)
    return HtmlCell(text, ends, float(value))


def _achievable(source: PageSource, first: Mapping[str, TableRow]) -> dict[str, float]:
    """The achievable risk of each cell that has a known one."""
    risks = {}
    for cell, row in first.items():
        try:
            truth = source.store.cell(row["settings"]).task.truth
        except (ValueError, AttributeError):  # of a package that is not installed here
            continue
        if (risk := getattr(truth, "achievable_risk", None)) is not None:
            risks[cell] = float(risk)
    return risks


def _reaches(row: TableRow, achievable: float | None) -> HtmlCell:
    if achievable is None or row.get("risk") is None:
        return HtmlCell("")
    return HtmlCell("yes" if row["risk"] < achievable + EXCESS else "no")


def _transitions(source: PageSource) -> dict[tuple[str, int], str]:
    """When each network reached the achievable boundary for good."""
    return {
        (summary.cell, seed): f"{update:.0f}" if update < float("inf") else f">{times.budget}"
        for summary in source.summaries
        if (times := summary.transitions) is not None
        for seed, update in zip(times.seeds, times.updates, strict=True)
    }
