"""A figure as SVG for a page: small, its names its own, without styles that a page may forbid.

A content security policy that allows no inline style forbids ``style`` attributes, so what they say
stands in presentation attributes; so does what matplotlib says in a style sheet.
"""

import re
from xml.etree import ElementTree

SVG = "http://www.w3.org/2000/svg"
_XLINK = "{http://www.w3.org/1999/xlink}href"
_FONT = "'DejaVu Sans', Verdana, sans-serif"  # the first is what matplotlib has measured
_LEFT_OUT = {"metadata", "style"}  # elements
_OF_ROOT = {"stroke-linejoin": "round", "stroke-linecap": "butt", "font-family": _FONT}
_IDLE = {("transform", "rotate(-0"), ("text-anchor", "start"), ("version", "1.1")}


def page_svg(text: str, prefix: str) -> str:
    """An SVG of matplotlib's as an element for an HTML page.

    Args:
        text: the file's content.
        prefix: begins every id, so that figures of one page do not take each other's.
    """
    root = ElementTree.fromstring(text)
    used = dict.fromkeys(re.findall(r'(?:url\(#|href="#)([^)"]+)', text))
    _clean(root, {name: f"{prefix}-{i}" for i, name in enumerate(used)})
    for name, value in _OF_ROOT.items():
        root.set(name, value)
    for name in ("width", "height"):
        root.set(name, _short(root.get(name, "").removesuffix("pt")))
    ElementTree.register_namespace("", SVG)
    written = ElementTree.tostring(root, encoding="unicode")
    written = re.sub(r"\s*\n\s*", "\n", written)
    return re.sub(r' xmlns(:\w+)?="[^"]*"', "", written)  # HTML knows them


def _clean(element: ElementTree.Element, names: dict[str, str]) -> None:
    """Take out what a page does not need; ids get their names in the page."""
    for name, value in list(element.attrib.items()):
        del element.attrib[name]
        for own, text in _declared(value) if name == "style" else [(name, value)]:
            if own == "font-family" or any(own == a and text.startswith(b) for a, b in _IDLE):
                continue
            if own == "id":
                if text not in names:
                    continue
                text = names[text]
            elif own == _XLINK:
                own = "href"
                text = f"#{names[text[1:]]}" if text.startswith("#") else text
            else:
                text = re.sub(r"url\(#([^)]+)\)", lambda used: f"url(#{names[used[1]]})", text)
                if element.tag != f"{{{SVG}}}image":
                    text = " ".join(_rounded(text).split())
            element.set(own, text)
    for child in list(element):
        if child.tag.rpartition("}")[2] in _LEFT_OUT or _draws_nothing(child):
            element.remove(child)
        else:
            _clean(child, names)
    _unwrap(element)


def _draws_nothing(element: ElementTree.Element) -> bool:
    """Whether it is a path of places without a line between them, or without an area or an edge."""
    if element.tag != f"{{{SVG}}}path" or "id" in element.attrib:
        return False
    places = re.findall(r"(?:[A-Za-z]\s+)?(-?[\d.]+)\s+(-?[\d.]+)", element.get("d", ""))
    alone = len(re.findall("[A-Za-z]", element.get("d", ""))) == 1
    flat = len({x for x, _ in places}) == 1 or len({y for _, y in places}) == 1
    edged = "stroke" in element.get("style", "").replace("stroke: none", "")
    return alone or (flat and not edged and "C" not in element.get("d", ""))


def _unwrap(element: ElementTree.Element) -> None:
    """Take groups that say nothing out, and empty definitions."""
    children: list[ElementTree.Element] = []
    for child in list(element):
        idle = not child.attrib and not (child.text or "").strip()
        if child.tag == f"{{{SVG}}}g" and idle:
            children += list(child)
        elif not (child.tag == f"{{{SVG}}}defs" and not len(child)):
            children.append(child)
    if len(children) != len(element) or children != list(element):
        element[:] = children


def _declared(style: str) -> list[tuple[str, str]]:
    """The declarations of a style attribute."""
    pairs = [part.partition(":") for part in style.split(";") if part.strip()]
    named = [(name.strip(), value.strip()) for name, _, value in pairs]
    return [part for pair in named for part in (_font(pair[1]) if pair[0] == "font" else [pair])]


def _font(words: str) -> list[tuple[str, str]]:
    """What the shorthand says of size, slant and weight, which older matplotlibs write."""
    declared = {
        "font-size": r"[\d.]+px",
        "font-style": "italic|oblique",
        "font-weight": "bold|[1-9]00",
    }
    matches = [
        (name, re.search(rf"(?<!\S)(?:{which})(?!\S)", words)) for name, which in declared.items()
    ]
    return [(name, match[0]) for name, match in matches if match]


def _rounded(text: str) -> str:
    """Numbers with a digit or two less than matplotlib writes: a hundredth of a point is enough."""
    return re.sub(r"-?\d+\.\d{3,}", lambda number: _short(number[0]), text)


def _short(number: str) -> str:
    return f"{float(number):.2f}".rstrip("0").rstrip(".")
