"""The notebooks of docs/notebooks as pages, with what their cells gave when they were run."""

from pathlib import Path

from nbconvert import MarkdownExporter

FOLDER = Path(__file__).parents[1] / "notebooks"


def pages() -> tuple[dict[str, str], dict[str, bytes]]:
    """The pages and their pictures by place."""
    texts, pictures = {}, {}
    for path in sorted(FOLDER.glob("*.ipynb")):
        text, resources = MarkdownExporter().from_filename(str(path))
        for name, content in resources["outputs"].items():
            text = text.replace(f"({name})", f"({path.stem}-{name})")
            pictures[f"notebooks/{path.stem}-{name}"] = content
        title, _, rest = text.strip().partition("\n")
        own = f"[The notebook itself]({path.name}), as it was run."
        texts[f"notebooks/{path.stem}.md"] = f"{title}\n\n{own}\n{rest}\n"
    return texts, pictures
