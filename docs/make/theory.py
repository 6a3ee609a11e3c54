"""Every bound, certificate and measure: what it states, of what, where it is proved."""

import inspect
import re
from importlib import import_module

from simbias.bounds.bound import Bound
from simbias.registry import REGISTRIES

TOP = """# Bounds

Every registered bound, certificate and measure, from its declaration. *Certifies* says whose risk
the value bounds: a stochastic network, a quantised or a drawn copy is not the network itself. A
measure has no proved constants. `simbias info NAME` prints the same; [what they say of
networks](what-bounds-say.md).
"""
KINDS = {"bound": "Bounds", "certificate": "Certificates", "measure": "Measures"}


def page() -> tuple[str, dict[str, bytes]]:
    """The page, without pictures."""
    bounds = [REGISTRIES["bounds"].factory(name) for name in REGISTRIES["bounds"].names()]
    lines = [TOP, "| name | kind | certifies | family |", "|---|---|---|---|"]
    lines += [f"| [{b.name}](#{b.name}) | {b.kind} | {b.certifies} | {b.family} |" for b in bounds]
    for kind, title in KINDS.items():
        lines.append(f"\n## {title}\n")
        families = dict.fromkeys(bound.family for bound in bounds if bound.kind == kind)
        for family in families:
            chosen = [b for b in bounds if (b.kind, b.family) == (kind, family)]
            lines.append(f"### Family {family}\n")
            modules = dict.fromkeys(_module(bound) for bound in chosen)
            lines += [f"{_prose(import_module(name).__doc__ or '')}\n" for name in modules]
            lines += [line for bound in chosen for line in _section(bound)]
    return "\n".join(lines) + "\n", {}


def _module(bound: Bound) -> str:
    return REGISTRIES["bounds"].entries()[bound.name].reference.split(":")[0]


def _section(bound: Bound) -> list[str]:
    stated = inspect.cleandoc(getattr(bound.compute, "__doc__", None) or bound.summary)
    assumed = "; ".join(
        inspect.cleandoc(assumption.__doc__ or assumption.__name__).splitlines()[0].rstrip(".")
        for assumption in bound.assumptions
    )
    return [
        f"#### {bound.name}\n",
        f"{_prose(stated)}\n",
        f"- certifies: {bound.certifies}",
        f"- constants: {bound.constants or 'not proved'}",
        f"- assumes: {assumed or 'nothing more'}",
        f"- invariant to: {', '.join(bound.invariant) or 'nothing'}",
        f"- reads layers: {'yes' if bound.layers else 'no'}\n",
    ]


def _prose(text: str) -> str:
    """A docstring as Markdown: code in single backquotes, all other signs as they stand."""
    parts = re.split(r"(``.+?``)", text.strip())
    return "".join(
        f"`{part[2:-2]}`"
        if part.startswith("``")
        else re.sub(r"([*_\[\]|])", r"\\\1", part).replace("<", "&lt;")
        for part in parts
    )
