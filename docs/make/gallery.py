"""The gallery: the page of figures/, with each figure shown under what it is of."""

import re
from pathlib import Path

HOME = Path(__file__).parents[2]


def page() -> tuple[str, dict[str, bytes]]:
    """figures/README.md, and the figures below it."""
    text = (HOME / "figures" / "README.md").read_text()
    lines = ["## The figures\n"]
    for row in re.findall(r"^\| (`.+) \|$", text, re.MULTILINE):
        named, suite, cells = (part.strip() for part in row.split("|")[:3])
        names = re.findall(r"`([\w.-]+)`", named)
        stem = names[0].removesuffix(".png").rsplit("-", 1)[0]
        for name in names:
            file = name if name.endswith(".png") else f"{stem}{name}.png"
            lines.append(f"### {file.removesuffix('.png')}\n\nSuite {suite}: {cells}\n")
            lines.append(f"![{suite}: {cells}](../figures/{file})\n")
    for name in re.findall(r"\]\((\S+?\.md)\)", text):
        text = text.replace(f"]({name})", f"](../figures/{name})")
    return text.replace("# Figures", "# Gallery", 1) + "\n" + "\n".join(lines), {}
