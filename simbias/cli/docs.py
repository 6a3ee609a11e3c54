"""The verb that opens the documentation that this copy of simbias has."""

import webbrowser
from importlib.resources import files
from pathlib import Path

from simbias._process import DONE

_SITE = "site/index.html"  # in the package: what mkdocs.yml builds


def docs(path: bool = False) -> int:
    """Open the documentation in a browser, from the files of this installation.

    Args:
        path: print where it is instead.
    """
    page = Path(str(files("simbias").joinpath(_SITE)))
    if not page.is_file():
        raise FileNotFoundError(
            "this installation has no documentation: build it in a clone of the repository,"
            " pip install -e '.[docs]' && mkdocs build --strict"
        )
    if path or not webbrowser.open(page.as_uri()):
        print(page)
    return DONE
