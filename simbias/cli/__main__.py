"""The program, as ``python -m simbias.cli``."""

import sys

from simbias.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
