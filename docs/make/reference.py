"""The reference of names: a page for each room, from its docstrings, and the glossary."""

import inspect
import pkgutil
import re
from importlib import import_module
from pathlib import Path

import simbias

HOME = Path(__file__).parents[2]
TOP = """# API

What each room re-exports, with shapes, units, errors and examples; the tests run every example as
it stands here.
"""


def rooms() -> list[str]:
    """The rooms that re-export something, by name."""
    names = [module.name for module in pkgutil.iter_modules(simbias.__path__) if module.ispkg]
    return [name for name in names if _public(name)]


def pages() -> dict[str, str]:
    """The pages by their place."""
    index = [TOP, "At the top stand, under the name `simbias` itself:\n"]
    for name, place in sorted(simbias._WHERE.items()):
        room = place.split(".")[1]
        where = f" [{room}]({room}.md#simbias.{room}.{name})" if not room.startswith("_") else ""
        index.append(f"- `simbias.{name}`: {_line(getattr(simbias, name))}{where}")
    index.append("\n| room | holds |\n|---|---|")
    made = {}
    for room in rooms():
        module = import_module(f"simbias.{room}")
        line = (module.__doc__ or "").strip().splitlines()[0]
        index.append(f"| [`simbias.{room}`]({room}.md) | {line} |")
        lines = [f"# simbias.{room}\n", inspect.cleandoc(module.__doc__ or ""), ""]
        lines += [f"::: simbias.{room}.{name}\n" for name in _public(room)]
        made[f"api/{room}.md"] = "\n".join(lines)
    return {"api/index.md": "\n".join(index) + "\n", **made}


def glossary() -> tuple[str, dict[str, bytes]]:
    """The glossary of CONTRIBUTING as a page."""
    text = (HOME / "CONTRIBUTING.md").read_text()
    section = text.split("## Glossary\n", 1)[1].split("\n## ", 1)[0]
    return f"# Glossary\n\n{section.strip()}\n", {}


def _public(room: str) -> list[str]:
    module = import_module(f"simbias.{room}")
    names = getattr(module, "__all__", ())
    return [name for name in names if callable(getattr(module, name))]


def _line(thing: object) -> str:
    return re.split(r"\.\s", inspect.getdoc(thing) or "")[0].splitlines()[0].rstrip(".")
