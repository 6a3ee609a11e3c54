"""Figures of a run that hold means over seeds or lineages against a law, or a budget."""

from simbias.generations import expectations
from simbias.plots._figure import Display
from simbias.plots.compute import compute
from simbias.plots.degradation import degradation
from simbias.plots.lineages import lineages
from simbias.plots.noise import noise
from simbias.plots.personas import personas
from simbias.plots.run import Absent, Chosen, check_classifiers
from simbias.plots.tails import tails
from simbias.plots.threshold import critics_of, threshold
from simbias.results.compute import compute_courses, compute_optima
from simbias.results.lineages import lineage_stacks
from simbias.results.lineages import lineages_of as lineages_in
from simbias.results.noise import gradient_batches, noisy_cells
from simbias.results.trained import load_sound, trained
from simbias.tasks import PersonasTask
from simbias.training.stack import Stack
from simbias.validation import measure_personas


def lineages_of(chosen: Chosen) -> tuple[str, Display]:
    """Means over lineages as points, with their closed forms drawn through them."""
    runs = [entry for entry in lineages_in(chosen.store, chosen.cell) if expectations(entry.cell)]
    if not runs:
        raise Absent(chosen.store, "lineages with a closed form")
    return "lineages", lineages(runs)


def tails_of(chosen: Chosen) -> tuple[str, Display]:
    """Tails that shrink within a lineage and grow over all of them."""
    runs = [
        entry
        for entry in lineages_in(chosen.store, chosen.cell)
        if (entry.cell.generator.name, entry.cell.regime.name) == ("gaussian", "replace")
    ]
    if not runs:
        raise Absent(chosen.store, "lineages of a gaussian under replace")
    return "tails", tails(runs)


def degradation_of(chosen: Chosen) -> tuple[str, Display]:
    """What networks lose that learn from networks, beside published numbers."""
    stacks = lineage_stacks(chosen.store, chosen.cell)
    try:
        return "degradation", degradation(stacks)
    except ValueError:
        raise Absent(chosen.store, "lineages of networks") from None


def threshold_of(chosen: Chosen) -> tuple[str, Display]:
    """From which proportion of wrong labels on a critic fails."""
    stacks = lineage_stacks(chosen.store, chosen.cell)
    if not critics_of(stacks):
        raise Absent(chosen.store, "lineages of a critic at several errors of the source")
    return "threshold", threshold(stacks)


def noise_of(chosen: Chosen) -> tuple[str, Display]:
    """Accuracy under noise on labels, and the sizes that one of them asks for, by panels."""
    check_classifiers(chosen)
    cells = noisy_cells(chosen.store, chosen.cell)
    try:
        return "noise", noise(cells, batches=gradient_batches(cells))
    except ValueError:
        words = "cells of networks between which noise on labels differs"
        raise Absent(chosen.store, words) from None


def personas_of(chosen: Chosen) -> tuple[str, Display]:
    """Whose answers networks give where labellers disagree, along training and by zone."""
    check_classifiers(chosen)
    stacks = []
    for entry in trained(chosen.store, chosen.cell):
        if isinstance(entry.cell.task, PersonasTask) and not all(entry.faults.values()):
            stack, _ = load_sound(chosen.store, entry.cell.name)
            assert isinstance(stack, Stack)
            stacks.append(stack)
    if not stacks:
        raise Absent(chosen.store, "networks on the task personas")
    return "personas", personas([(stack, measure_personas(stack)) for stack in stacks])


def compute_of(chosen: Chosen) -> tuple[str, Display]:
    """What a budget of compute is best spent on, of networks that train without a goal."""
    check_classifiers(chosen)
    courses = [
        course
        for course in compute_courses(chosen.store, chosen.cell)
        if not course.cell.stop.has_goal  # one that ends at its goal spends no budget
    ]
    try:
        return "compute", compute(compute_optima(courses))
    except ValueError:
        words = "networks without a goal that differ in nothing else"
        raise Absent(chosen.store, words) from None
