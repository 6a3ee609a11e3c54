"""The table of settings that random search has found."""

from collections.abc import Sequence

from simbias._checks import fail
from simbias.experiments import cell_of, label_of
from simbias.runner.tune import Tuned, tuned_part
from simbias.tables.text import TextTable
from simbias.training.words import phrases, task_words

HEAD = ("task", "learner", "trials", "own settings", "best trial", "chosen")


def tuned_table(learners: Sequence[Tuned]) -> TextTable:
    """A line for each learner; raises ValueError without any."""
    if not learners:
        raise fail("learners", list(learners), "at least one that was tuned")
    return TextTable(HEAD, [_line(learner) for learner in learners], _CAPTION, keys=2)


_CAPTION = (
    "own settings, best trial: mean accuracy on select draws at the end of training, over the seeds"
    " of the trials, on which nothing is reported; chosen: the settings that differ, of the suite's"
    " own where no trial is better"
)


def _line(learner: Tuned) -> list[str]:
    part, label = tuned_part(learner.cell), label_of(cell_of(learner.cell))
    own, chosen = learner.cell[part], learner.chosen[part]
    changed = {key: value for key, value in chosen.items() if own.get(key) != value}
    return [
        task_words(learner.cell["task"]),
        label if part == "estimator" else f"{own['name']}, {label}",
        str(learner.trials),
        f"{learner.own_accuracy:.4f}",
        f"{learner.accuracy:.4f}",
        phrases(changed) or "its own",
    ]
