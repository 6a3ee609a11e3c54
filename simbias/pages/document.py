"""The whole page: its parts in a template, and the policy that lets nothing else run.

Texts are escaped by the template; figures are made of elements and attributes alone; the one
script and the one style sheet are named in the page's content security policy by their hashes, and
what the script reads stands in the page, compressed.
"""

import gzip
import hashlib
import json
from base64 import b64encode
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from simbias import __version__
from simbias._checks import fail, whole
from simbias._pinned import pinned
from simbias.pages.about import about, missing
from simbias.pages.difference import difference
from simbias.pages.drawn import figures
from simbias.pages.explorer import explorer
from simbias.pages.learners import lineages, standings
from simbias.pages.measured import replicas, results
from simbias.pages.section import PageSection
from simbias.pages.source import PageSource
from simbias.pages.theory import bounds, claims

NETWORKS = 4  # in the explorer of each run

# In the order of the page, before and after the explorer; what is missing is known last, and stands
# second.
_Part = Callable[[PageSource], PageSection | None]
_BEFORE: tuple[_Part, ...] = (results, claims, standings, figures)
_AFTER: tuple[_Part, ...] = (bounds, lineages, replicas)


@pinned
def page(directories: Sequence[str | Path], *, networks: int = NETWORKS, replays: int = 0) -> str:
    """One or several runs as an HTML file that needs nothing beside it.

    Args:
        directories: run directories; of two, their differences come first.
        networks: most networks of a run in the boundary explorer.
        replays: checks along training at which these are shown, beside the first and the last; each
            trains them again.

    Returns:
        The page. It asks for nothing from elsewhere, and runs no script but its own.

    Raises:
        ValueError: no directory, one twice, or one that holds no run.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> store = simbias.runner.keep(stack, "run", n_certify=10_000)
        >>> html = simbias.pages.page(["run"], networks=0)
        >>> html.startswith("<!doctype html>"), "noisy-lms-5" in html
        (True, True)
    """
    whole("networks", networks, least=0)
    whole("replays", replays, least=0)
    if not directories or len(set(map(str, directories))) < len(directories):
        raise fail("DIR", list(map(str, directories)), "at least one run directory, each once")
    sources = [
        PageSource.reading(Path(directory), f"run{i}", networks, replays)
        for i, directory in enumerate(directories, 1)
    ]
    runs = [(source, _sections(source)) for source in sources]
    between = [difference(*sources)] if len(sources) == 2 else []
    sections = [*between, *(section for _, parts in runs for section in parts)]
    data = {name: value for section in sections for name, value in section.data.items()}
    own = files("simbias").joinpath("pages", "templates")
    style, script = (own.joinpath(name).read_text("utf-8") for name in ("page.css", "page.js"))
    template = Environment(
        loader=PackageLoader("simbias", "pages/templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    ).get_template("page.html")
    return template.render(
        title=" and ".join(source.title for source in sources),
        runs=runs,
        between=between,
        style=Markup(style),
        script=Markup(script),
        policy=_policy(style, script),
        data=_packed(data),
        version=__version__,
        markup=Markup,
    )


def _sections(source: PageSource) -> list[PageSection]:
    _ = source.cells  # read first: what cannot be read is noted in the same order every time
    with ThreadPoolExecutor(1) as beside:  # XLA computes while Python draws the figures
        planes = beside.submit(explorer, source)
        before, after = ([part(source) for part in parts] for parts in (_BEFORE, _AFTER))
    parts = [section for section in (*before, planes.result(), *after) if section is not None]
    return [about(source), missing(source), *parts]


def _policy(style: str, script: str) -> str:
    """The content security policy: this style sheet, this script, pictures in the page, no more."""
    parts = {
        "default-src": "'none'",
        "script-src": _hash(script),
        "style-src": _hash(style),
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in parts.items())


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _packed(data: dict[str, object]) -> str:
    """JSON, compressed, in letters that mean nothing to HTML."""
    return b64encode(gzip.compress(json.dumps(data, allow_nan=False).encode(), mtime=0)).decode()
