"""Printing on standard output: names, paragraphs, tables of any kind."""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from simbias.tables import TextTable


def print_names(kind: str, summaries: Mapping[str, str]) -> None:
    """Print names of a kind with a line about each."""
    print(kind)
    width = max(map(len, summaries), default=0)
    for name, words in sorted(summaries.items()):
        print(f"  {name:<{width}} {words}".rstrip())


def make_console() -> "Console":
    """Standard output; as wide as its lines where it is no terminal, so that nothing is cut."""
    from rich.console import Console

    class Piped(Console):
        """A console that leaves a broken pipe to the program."""

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    return Piped(width=None if sys.stdout.isatty() else 240)


def print_text(console: "Console", text: str) -> None:
    """Print a paragraph as it is."""
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def print_table(console: "Console", table: "TextTable") -> None:
    """Print a table with its caption, as wide as the console allows."""
    from rich.text import Text

    from simbias.tables.columns import laid_out, wrapped

    for line in laid_out(table.head, table.lines, console.width, keys=table.keys):
        console.print(Text(line.text, "bold" if line.heading else ""), soft_wrap=True)
    for text in wrapped(table.caption, console.width) if table.caption else ():
        print_text(console, text)
