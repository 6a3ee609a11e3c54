"""Networks that learn from what networks wrote: a panel a measure, a line a regime or a decoding.

Of latent deviations and of perplexities a line shows how many times a lineage's first they are.
Published beside them are those of Shumailov et al. (Nature 2024): latent deviations of MNIST's
digits, .896 a generation, and the perplexity of wikitext2, from 20 to 28 without real text.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from simbias._checks import each, fail
from simbias.generations import LineageCell, LineageStack
from simbias.plots.lineages import LineageLine, LineagesDisplay, regime_label
from simbias.training.words import phrases

_PANELS: Mapping[str, Mapping[str, str]] = {  # by generator: measures, and their words
    "classifier": {"exceptions": "exceptions labelled rightly"},
    "autoencoder": {"latent": "latent deviation, of the first"},
    "transformer": {
        "perplexity": "perplexity of real rows, of the first",
        "improbable": "rows less likely than 99% of the source's",
        "probable": "rows likelier than 99% of the source's",
    },
}
_OF_PERSONAS = {
    "first_persona": "rows written by the first persona",
    "commonest_persona": "rows written by the commonest persona",
}
_RELATIVE = ("latent", "perplexity")  # to those of the first model
_RATE, _LAST = 0.896, 28 / 20  # published: of the latent deviation, a generation; of the perplexity
_RARE = 0.01  # of the source's own rows, by the meaning of the measure


def degradation(stacks: Sequence[LineageStack]) -> LineagesDisplay:
    """What networks lose that learn from networks, ready to be drawn.

    Points are means over seeds, with three standard errors over seeds on both sides, those of
    proportions within 0 and 1.

    Args:
        stacks: from ``simbias.results.lineages.lineage_stacks``; those of networks are shown.

    Raises:
        ValueError: none of them is of networks.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> cell = simbias.generations.LineageCell.of(
        ...     {"name": "digits"}, {"name": "autoencoder"}, {"name": "replace"},
        ...     points=20, generations=2, lineages=1,
        ... )
        >>> parts = [
        ...     {"latent": simbias.generations.Moments(*np.array([[1, 1], latent, [0, 0]]))}
        ...     for latent in ([2.0, 1.0], [1.0, 0.6])
        ... ]
        >>> stack = simbias.generations.LineageStack(cell, (0, 1), tuple(parts))
        >>> own, published = simbias.plots.degradation([stack]).lines
        >>> own.mean.tolist(), published.expected.tolist()
        ([1.0, 0.55], [1.0, 0.896])
    """
    networks = [
        stack
        for stack in each("stacks", stacks, LineageStack)
        if stack.cell.generator.name in _PANELS
    ]
    if not networks:
        raise fail("stacks", f"{len(stacks)} cells", "lineages of networks")
    lines: list[LineageLine] = []
    for stack in networks:
        alike = [other.cell for other in networks if other.cell.texts[0] == stack.cell.texts[0]]
        lines += _lines(stack, _label(stack.cell, alike))
    lines += _beside(lines)
    panels = list(dict.fromkeys(line.panel for line in lines))
    lines.sort(key=lambda line: panels.index(line.panel))
    seeds = min(len(stack.seeds) for stack in networks)
    finding = f"networks that learn from networks: means over {seeds} seeds"
    return LineagesDisplay(
        tuple(lines),
        finding,
        table="degradation",
        logarithmic=("perplexity",),
        proportions=tuple({line.measure for line in lines} - {*_RELATIVE}),
    )


def _lines(stack: LineageStack, label: str) -> list[LineageLine]:
    cell = stack.cell
    source = {key: value for key, value in cell.parts["task"].items() if key != "name"}
    of_personas = "first_persona" in stack.moments[0]
    if of_personas:
        source = {key: source[key] for key in ("personas", "first") if key in source}
    words = ", ".join([cell.generator.source, *([phrases(source)] if source else [])])
    lines = []
    for measure, title in (_OF_PERSONAS if of_personas else _PANELS[cell.generator.name]).items():
        own = np.array([part[measure].mean for part in stack.moments])
        if measure in _RELATIVE:
            own = own / own[:, :1]
        error = np.full(own.shape[1], np.nan)
        if len(own) > 1:
            error = own.std(axis=0, ddof=1) / np.sqrt(len(own))
        numbers = own.mean(axis=0), error, np.full(own.shape[1], np.nan)
        lines.append(LineageLine(f"{words}:\n{title}", label, measure, *numbers))
    return lines


def _label(cell: LineageCell, alike: Sequence[LineageCell]) -> str:
    """The regime, and the settings of the generator in which cells of one source differ."""
    every = [other.parts["generator"] for other in alike]
    given = {key for settings in every for key in settings}
    apart = {key for key in given if len({settings.get(key) for settings in every}) > 1}
    own = {key: value for key, value in cell.parts["generator"].items() if key in apart}
    return ", ".join([regime_label(cell), *([phrases(own)] if own else [])])


def _beside(lines: Sequence[LineageLine]) -> list[LineageLine]:
    """What is published, or true of the source itself, in each panel that has such a thing."""
    beside = {}
    for line in lines:
        none = np.full(len(line.mean), np.nan)
        if line.measure == "latent":
            words, level = "published, of MNIST", _RATE ** np.arange(len(none))
        elif line.measure == "perplexity":
            words, level = "published last, of wikitext2", np.full(len(none), _LAST)
        elif line.measure in ("improbable", "probable"):
            words, level = "the source itself", np.full(len(none), _RARE)
        else:
            continue
        beside[line.panel] = LineageLine(line.panel, words, line.measure, none, none, level)
    return list(beside.values())
