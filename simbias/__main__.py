"""The program, as ``simbias`` and as ``python -m simbias``."""

import sys

from simbias._process import begin, end


def main() -> int:
    """Run this process's command line; returns the exit code."""
    begin()
    from simbias.cli import main as run

    return end(run())


if __name__ == "__main__":
    sys.exit(main())
