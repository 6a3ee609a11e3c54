"""Whose answers networks give where labellers disagree: along training, and by zone at its end.

For each proportion of the good persona a panel of how often the greedy answer is its own, along
training, beside the proportion of points on which it is ahead; and one of the zones of
``simbias.validation.personas``, beside what is the likeliest label there.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from simbias._checks import fail, instance
from simbias.plots.noise_display import NoiseDisplay, NoiseLine, NoisePanel
from simbias.results.summary import mean_over_seeds
from simbias.tasks.personas import PersonasTask
from simbias.training.fit import TRACE
from simbias.training.stack import Stack
from simbias.training.words import value_words
from simbias.validation.personas import PersonaAnswers, check_personas

Answered = tuple[Stack, PersonaAnswers]  # networks of a cell, and whose answers they give
Lines = dict[tuple[str, float], list[NoiseLine]]  # by kind of panel and proportion
Seeds = Float[np.ndarray, "seeds places"]

_ALONG, _BY_ZONE = "along training", "by zone"  # kinds of panels
# ahead by all labels, or outvoted; where the linear persona agrees with it, or not
_ZONES = ("ahead,\nwith", "ahead,\nagainst", "outvoted,\nwith", "outvoted,\nagainst")


def personas(cells: Sequence[Answered]) -> NoiseDisplay:
    """Whose answers networks give, ready to be drawn: rows of panels, a column a proportion.

    Args:
        cells: networks on the task ``personas``, and what
            ``simbias.validation.measure_personas`` says of them.

    Raises:
        ValueError: no cells, or networks on another task.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("personas", dim=4, personas=3, proportion=0.4)
        >>> stop = simbias.Stop(max_updates=200)
        >>> of = {"n_train": 1000, "seeds": 2, "stop": stop}
        >>> stack = simbias.train(task, simbias.MLP(8), simbias.sgd(), **of)
        >>> answers = simbias.validation.measure_personas(stack, n_certify=2000)
        >>> display = simbias.plots.personas([(stack, answers)])
        >>> [panel.name for panel in display.panels]
        ['along training, 0.4', 'by zone, 0.4']
    """
    panels: Lines = {}
    for stack, answers in cells:
        instance("cells", stack, Stack)
        instance("cells", answers, PersonaAnswers)
        task = check_personas(stack.cell.task)
        for kind, draw in ((_ALONG, _along_training), (_BY_ZONE, _by_zone)):
            panels.setdefault((kind, task.proportion), []).append(draw(stack, answers, task))
    if not panels:
        raise fail("cells", "none", "networks on the task personas")
    return display_of(panels)


def display_of(lines: Lines) -> NoiseDisplay:
    """The display of lines by the kind of their panel and the good persona's proportion."""

    def panel(kind: str, proportion: float) -> NoisePanel:
        return NoisePanel(
            f"{kind}, {proportion:g}",
            f"good one: {proportion:g} of labels",
            "zones: good one, linear one" if kind == _BY_ZONE else "updates",
            "good one's answers",
            "",
            tuple(lines[kind, proportion]),
            places=_ZONES if kind == _BY_ZONE else (),
        )

    return NoiseDisplay(
        tuple(panel(*key) for key in sorted(lines)),
        "how often the greedy answer is the good one's, along training and, at its end, by zone",
    )


def _label(stack: Stack) -> str:
    cell = stack.cell
    return f"{value_words(cell.n_train)} labels, batch {value_words(cell.batch)}"


def _along_training(stack: Stack, _: PersonaAnswers, task: PersonasTask) -> NoiseLine:
    """On fresh points that do not certify; seeds up to the last check that all of them reach."""
    checks = min(map(len, stack.traces))
    traces = np.stack([trace[:checks] for trace in stack.traces])
    right = traces[:, :, TRACE.index("select_accuracy")]
    law = np.full(checks, 1 - task.outvoted)
    return _line(stack, traces[0, :, TRACE.index("updates")], right, law)


def _by_zone(stack: Stack, answers: PersonaAnswers, _: PersonasTask) -> NoiseLine:
    good = answers.agreement.value[:, :, 0]
    return _line(stack, np.arange(len(answers.zones)), good, answers.law[:, :, 0].mean(axis=0))


def _line(stack: Stack, x: np.ndarray, values: Seeds, law: np.ndarray) -> NoiseLine:
    means = [mean_over_seeds(place[np.isfinite(place)].tolist()) for place in values.T]
    value, low, high = np.array([(mean.value, mean.low, mean.high) for mean in means]).T
    return NoiseLine(_label(stack), x.astype(float), value, low, high, law)
