"""Tables as text, and as LaTeX."""

from collections.abc import Sequence
from typing import NamedTuple

from simbias._escape import tex


class TextTable(NamedTuple):
    """A table as it is printed.

    Attributes:
        head: names of the columns.
        lines: their texts, a line of the table each.
        caption: explains the numbers; empty where the names of the columns do.
        keys: how many columns tell lines apart, so that they are repeated where a table is too wide
            for a page; 0: lists rather than several tables.

    Examples:
        >>> from simbias.tables import TextTable
        >>> table = TextTable(("network", "risk"), [["(8,1)", "0.010"]], "risk: on fresh points")
        >>> dict(zip(table.head, table.lines[0]))
        {'network': '(8,1)', 'risk': '0.010'}
    """

    head: Sequence[str]
    lines: Sequence[Sequence[str]]
    caption: str = ""
    keys: int = 1


def latex(table: TextTable) -> str:
    """The table in LaTeX (booktabs), its caption as a comment above it.

    Examples:
        >>> from simbias.tables import TextTable, latex
        >>> table = TextTable(("network", "risk"), [["(8,1)", "0.010"]], "risk: on fresh points")
        >>> print(latex(table), end="")
        % risk: on fresh points
        \\begin{tabular}{lr}
        \\toprule
        network & risk \\\\
        \\midrule
        (8,1) & 0.010 \\\\
        \\bottomrule
        \\end{tabular}
    """

    def row(texts: Sequence[str]) -> str:
        return " & ".join(map(tex, texts)) + r" \\"

    return "\n".join(
        [
            f"% {table.caption.replace('%', ' percent')}",
            r"\begin{tabular}{" + "l" * table.keys + "r" * (len(table.head) - table.keys) + "}",
            r"\toprule",
            row(table.head),
            r"\midrule",
            *map(row, table.lines),
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def markdown(table: TextTable) -> str:
    """The table in Markdown, its caption below it.

    Examples:
        >>> from simbias.tables import TextTable, markdown
        >>> table = TextTable(("network", "risk"), [["(8,1)", "0.010"]], "risk: on fresh points")
        >>> print(markdown(table))
        | network | risk |
        |---|---|
        | (8,1) | 0.010 |
        <BLANKLINE>
        risk: on fresh points
    """

    def row(texts: Sequence[str]) -> str:
        escaped = [text.replace("|", "\\|") for text in texts]
        return f"| {' | '.join(escaped)} |"

    lines = [row(table.head), "|" + "---|" * len(table.head), *map(row, table.lines)]
    return "\n".join([*lines, *(["", table.caption] if table.caption else [])])
