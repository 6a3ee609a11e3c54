"""What MkDocs calls: pages that are made from code and from recorded runs, and links between files.

A page of the site is a file of docs/, a file of the repository that is shown as it stands, or text
that a module beside this one makes. Links are those of the repository, so that they lead somewhere
on its own pages too; here each is turned to the page or the copy that the site has of its target.
"""

import re
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath

import gallery
import notebooks
import reference
import tasks
import theory
import verdicts
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import simbias

HOME = Path(__file__).parents[2]
# files of the repository that are pages of the site, by the page
SHOWN = {
    "index.md": "README.md",
    "contributing.md": "CONTRIBUTING.md",
    "figures/paper.md": "figures/paper.md",
    "figures/calibration.md": "figures/calibration.md",
    "benchmarks.md": "benchmarks/README.md",
    "scale.md": "benchmarks/scale.md",
}
MADE = {  # pages, and what makes them: text, and pictures by their place
    "tasks.md": tasks.page,
    "bounds.md": theory.page,
    "every-claim.md": verdicts.page,
    "gallery.md": gallery.page,
    "glossary.md": reference.glossary,
}
LINK = re.compile(r"(\]\()([^)\s#]*)(#[^)\s]*)?(\))")
_PIPES = re.compile(r"`[^`\n]*\\\|[^`\n]*`")
_FENCE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put a page for each room into the navigation."""
    simbias.configure()
    (api,) = (part["API"] for part in config.nav if "API" in part)
    api.extend(f"api/{room}.md" for room in reference.rooms())
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are no files of docs/, and the files that pages link to."""
    pages: dict[str, str] = {uri: (HOME / name).read_text() for uri, name in SHOWN.items()}
    for uri, make in MADE.items():
        pages[uri], pictures = make()
        for place, content in pictures.items():
            files.append(File.generated(config, place, content=content))
    pages |= reference.pages()
    shown, pictures = notebooks.pages()
    pages |= shown
    for place, content in pictures.items():
        files.append(File.generated(config, place, content=content))
    for uri, text in pages.items():
        files.append(File.generated(config, uri, content=text))
    for uri, text in pages.items():
        _take_along(files, config, _origin(uri), text)
    for file in list(files.documentation_pages()):
        if file.src_uri not in pages:
            _take_along(files, config, _origin(file.src_uri), Path(file.abs_src_path).read_text())
    return files


def on_page_markdown(text: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn each link to what the site has of its target."""
    origin = _origin(page.file.src_uri)

    def turned(match: re.Match[str]) -> str:
        before, link, anchor, after = match.groups()
        target = _target(origin, link)
        if target is None:
            return match[0]
        uri = _uri(target)
        place = relpath(uri, str(PurePosixPath(page.file.src_uri).parent))
        return f"{before}{place}{anchor or ''}{after}"

    parts = _FENCE.split(text)
    return "".join(
        part if part.startswith("```") else LINK.sub(turned, _PIPES.sub(_bare, part))
        for part in parts
    )


def _bare(code: re.Match[str]) -> str:
    """Code of a table without the backslashes that other readers of Markdown want before a |."""
    return code[0].replace("\\|", "|")


def _origin(uri: str) -> str:
    """The file of the repository whose links a page has."""
    return SHOWN.get(uri, f"docs/{uri}")


def _target(origin: str, link: str) -> str | None:
    """The file of the repository that a link leads to; None where it leads elsewhere."""
    if not link or re.match(r"[a-z]+:", link):
        return None
    return normpath(str(PurePosixPath(origin).parent / link))


def _uri(target: str) -> str:
    """The place in the site of a file of the repository."""
    for uri, name in SHOWN.items():
        if target == name:
            return uri
    if target in ("figures", "figures/README.md"):
        return "gallery.md"
    if target == "benchmarks":
        return "benchmarks.md"
    if target == "docs":
        return "index.md"
    if target.startswith("docs/"):
        return target.removeprefix("docs/")
    return target if target.startswith("figures/") else f"files/{target}"


def _take_along(files: Files, config: MkDocsConfig, origin: str, text: str) -> None:
    """Copy what a page links to and the site has not."""
    for _, link, _, _ in LINK.findall(text):
        target = _target(origin, link)
        if target is None or target.startswith("docs/"):
            continue
        uri, source = _uri(target), HOME / target
        if files.get_file_from_path(uri) is None and source.is_file():
            files.append(File.generated(config, uri, content=source.read_bytes()))
