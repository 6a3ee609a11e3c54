"""How far a call is that takes minutes, on one line of standard error that is written anew."""

import sys


def overwrite_line(text: str) -> None:
    """Write a line in place of the one before."""
    sys.stderr.write(f"\r{text:<78}")
    sys.stderr.flush()


def end_line() -> None:
    """Leave the line as it is: what is written next begins another."""
    sys.stderr.write("\n")
    sys.stderr.flush()
