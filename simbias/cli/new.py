"""The verb that writes a commented example to begin from: new."""

import keyword
import re
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from simbias._checks import fail, known
from simbias._files import write_new_files
from simbias._process import DONE
from simbias.cli.shared import Name, NewKind

_FILES = {  # by kind: what is written, and of which text
    "suite": {"NAME.toml": "suite.toml"},
    "claim": {"NAME.toml": "claim.toml"},
    "task": {"MODULE.py": "task.py"},
    "plugin": {
        "NAME/pyproject.toml": "plugin-pyproject.toml",
        "NAME/MODULE/__init__.py": "",
        "NAME/MODULE/method.py": "plugin-method.py",
        "NAME/MODULE/suite.toml": "plugin-suite.toml",
    },
}


def new(kind: NewKind, name: Name, /) -> int:
    """Write a commented example to begin from, which works as it is.

    Args:
        kind: suite, claim, task or plugin.
        name: what it is called: small letters, digits and hyphens; its file bears the name.
    """
    chosen = known("kind", kind, _FILES)
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name) or len(name) > 60:
        raise fail("name", name, "small letters, digits and single hyphens, such as my-suite")
    module = name.replace("-", "_")
    if chosen in ("task", "plugin") and (keyword.iskeyword(module) or find_spec(module)):
        raise fail("name", name, "one that no module of Python here has")
    title = "".join(part.capitalize() for part in name.split("-"))

    def filled(text: str) -> str:
        for word, value in {"NAME": name, "MODULE": module, "TITLE": title}.items():
            text = text.replace(word, value)
        return text

    folder = files("simbias.cli").joinpath("begun")
    written = {
        Path(filled(path)): filled(folder.joinpath(f"{source}.txt").read_text("utf-8"))
        if source
        else ""
        for path, source in _FILES[chosen].items()
    }
    write_new_files("name", written)
    for path in written:
        print(path)
    return DONE
