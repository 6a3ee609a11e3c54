"""The command line: verbs that parse, call and print."""

from simbias.cli.program import main

__all__ = ["main"]
