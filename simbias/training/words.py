"""Settings in words: what sets a task apart from the catalogue's, and cells from each other.

Tables, figures, plans and the command line say settings as they are said here: ``d 20``,
``margin .05``, ``n 10k``.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields

from simbias import losses, tasks
from simbias._types import Settings
from simbias.tasks import Task
from simbias.training.stop import Stop

_WORDS = {"dim": "d", "n_train": "n", "learning_rate": "lr", "max_updates": "budget"}
_STOP = {field.name for field in fields(Stop)}
_USUAL_LOSS = {"name": losses.cross_entropy().name}  # of cells that name none
_LEARNERS = ("network", "estimator")  # the parts of settings that say what learns
_ORDER = ("n_train", "batch", "method", "loss", "stop")  # of the others of a network
_MISSING = object()


def word(setting: str) -> str:
    """The name of a setting."""
    return _WORDS.get(setting, setting.replace("_", " "))


def value_words(value: object) -> str:
    """A value: numbers as short as they are exact, a dash where there is none."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        for unit, letter in ((1_000_000, "M"), (1000, "k")):
            if value >= unit and value % (unit // 10) == 0:
                return f"{value / unit:.10g}{letter}"
        return f"{value:,}"
    if isinstance(value, float):
        text = f"{value:g}" if float(f"{value:g}") == value else repr(value)
        number, _, power = text.partition("e")
        number = number.removeprefix("0") if number.startswith("0.") else number
        return number.replace("-0.", "-.") + (f"e{int(power)}" if power else "")
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {value_words(one)}" for key, one in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "-".join(map(value_words, value))
    return str(value)


def phrase(setting: str, value: object) -> str:
    """A setting and its value: ``margin .05``."""
    return f"no {word(setting)}" if value is None else f"{word(setting)} {value_words(value)}"


def phrases(settings: Mapping[str, object]) -> str:
    """Several of them, without those that a task or a method lacks; empty for none."""
    said = {key: value for key, value in settings.items() if value is not None or key in _STOP}
    return ", ".join(phrase(key, value) for key, value in said.items())


def by_part(settings: Mapping[str, object]) -> dict[tuple[str, str], object]:
    """The settings of a cell by the part that they are in and their name there.

    What is in no part, such as ``n_train``, has the part ``""``.

    Args:
        settings: as ``Cell.settings`` has them, or as a cell of a suite file does.
    """
    found: dict[tuple[str, str], object] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            found |= {(key, name): one for name, one in value.items()}
        else:
            found["", key] = value
    return found


def plain(settings: Mapping[str, object], split: Collection[str] = ()) -> dict[str, object]:
    """Settings without tables inside: a table of one value is that value.

    Args:
        settings: a task's, without its name.
        split: tables to take apart whatever they hold.

    Returns:
        Values by setting; those of a table of several values, or named in ``split``, by
        ``"SETTING KEY"``.
    """
    found: dict[str, object] = {}
    for key, value in settings.items():
        if not isinstance(value, Mapping):
            found[key] = tuple(value) if isinstance(value, list) else value
            continue
        parts = list(value.values())
        if parts and key not in split and all(part == parts[0] for part in parts):
            found[key] = parts[0]
        else:
            found |= {f"{key} {part}": one for part, one in value.items()}
    return found


def departures(task: Task | Settings, *, but: Collection[str] = ()) -> dict[str, object]:
    """A task's settings that are not those of the catalogue's task of its name.

    Args:
        task: a task, or its settings and ``name`` as ``Cell.settings`` has them.
        but: settings to leave out: those that are said elsewhere.

    Returns:
        Values by setting, as ``plain`` has them; none where the catalogue has no such name.
    """
    settings = {"name": task.name, **task.settings} if isinstance(task, Task) else dict(task)
    try:
        own = tasks.get(settings.pop("name")).settings
    except (ValueError, TypeError):  # none of this name, or none without settings
        return {}
    usual = plain(own)
    settings = {key: settings[key] for key in own if key in settings} | settings  # in its order
    said = {_stem(key) for key in but}
    return {
        key: value
        for key, value in plain(settings).items()
        if _stem(key) not in said and value != usual.get(key, usual.get(_stem(key), _MISSING))
    }


def _stem(key: str) -> str:
    """The setting of a part that ``plain`` took apart."""
    return key.split(" ")[0]


def task_words(task: Task | Settings, *, but: Collection[str] = ()) -> str:
    """A task's name and its departures from the catalogue: ``noisy-lms-7, slabs 5``.

    Args:
        task, but: as for ``departures``.
    """
    name = task.name if isinstance(task, Task) else task["name"]
    return ", ".join(filter(None, [name, phrases(departures(task, but=but))]))


def varied(cells: Sequence[Settings]) -> list[dict[str, object]]:
    """For each cell the settings that are not the same in all, in a fixed order.

    Settings that follow from the names of task and learner say nothing new and are left out.

    Args:
        cells: as ``Cell.settings`` has them, or those of another experiment; values of None may be
            missing.

    Returns:
        For each cell its values of the same settings, None where it lacks one.
    """
    bare = [{key: value for key, value in cell["task"].items() if key != "name"} for cell in cells]
    split = {_stem(key) for task in bare for key in plain(task) if " " in key}
    flat = [
        {("task", key): value for key, value in plain(task, split).items()} | how_trained(cell)
        for task, cell in zip(bare, cells, strict=True)
    ]
    alike: dict[str, dict[tuple[str, str], object]] = {}  # the first cell of each task and learner
    keys: dict[tuple[str, str], bool] = {}
    for one, cell in zip(flat, cells, strict=True):
        learners = [cell.get(part) for part in _LEARNERS]
        first = alike.setdefault(f"{cell['task']['name']} {learners}", one)
        for at in [*first, *one]:
            keys[at] = keys.get(at, False) or first.get(at) != one.get(at)
    names: dict[str, tuple[str, str]] = {}
    for part, key in (at for at, varies in keys.items() if varies):
        name = part if key == "name" else key
        names[f"{part} {key}" if name in names else name] = part, key
    return [{name: one.get(at) for name, at in names.items()} for one in flat]


def how_trained(cell: Settings) -> dict[tuple[str, str], object]:
    """The settings of a cell beside task and learner, ``by_part``: numbers first, in a fixed order.

    Args:
        cell: as for ``varied``; the loss of a network that names none is the usual one.
    """
    whole = {"loss": _USUAL_LOSS} | cell if "method" in cell else cell
    left_out = ("experiment", "task", *_LEARNERS)
    found = {at: one for at, one in by_part(whole).items() if (at[0] or at[1]) not in left_out}

    def place(at: tuple[str, str]) -> tuple[bool, int]:
        part, key = at
        ordered = (part or key) in _ORDER
        return part != "", _ORDER.index(part or key) if ordered else len(_ORDER)

    return {at: found[at] for at in sorted(found, key=place)}


def told_apart(cells: Sequence[Settings]) -> list[dict[str, object]]:
    """What the name of each cell leaves out: departures from the catalogue, and what varies.

    Args:
        cells: as for ``varied``.
    """
    return [
        departures(cell["task"], but=varies) | varies
        for cell, varies in zip(cells, varied(cells), strict=True)
    ]
