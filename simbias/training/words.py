"""Settings in words: what sets a task apart from the catalogue's, and cells from each other.

Tables, figures, plans and the command line all write settings in this way: ``d 20``,
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
_LEARNERS = ("network", "estimator")  # the parts of settings that describe the learner
_ORDER = ("n_train", "batch", "method", "loss", "stop")  # of the other parts, for a network
_MISSING = object()


def word(setting: str) -> str:
    """A setting's name as it is written."""
    return _WORDS.get(setting, setting.replace("_", " "))


def value_words(value: object) -> str:
    """A value as it is written: numbers exact and as short as possible, a dash for None."""
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
        return ", ".join(f"{key} {value_words(entry)}" for key, entry in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "-".join(map(value_words, value))
    return str(value)


def phrase(setting: str, value: object) -> str:
    """A setting and its value as they are written: ``margin .05``."""
    return f"no {word(setting)}" if value is None else f"{word(setting)} {value_words(value)}"


def phrases(settings: Mapping[str, object]) -> str:
    """Several settings and their values, without those that are None and no part of a stop rule."""
    given = {key: value for key, value in settings.items() if value is not None or key in _STOP}
    return ", ".join(phrase(key, value) for key, value in given.items())


def by_part(settings: Mapping[str, object]) -> dict[tuple[str, str], object]:
    """The settings of a cell by their part and their name in it.

    A setting outside all parts, such as ``n_train``, has the part ``""``.

    Args:
        settings: as in ``Cell.settings``, or in a cell of a suite file.
    """
    values: dict[tuple[str, str], object] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            values |= {(key, name): entry for name, entry in value.items()}
        else:
            values["", key] = value
    return values


def plain(settings: Mapping[str, object], split: Collection[str] = ()) -> dict[str, object]:
    """Settings without nested tables: a table whose values are all equal becomes that value.

    Args:
        settings: a task's, without its name.
        split: tables to flatten even so.

    Returns:
        Values by setting; the entries of a flattened table by ``"SETTING KEY"``.
    """
    values: dict[str, object] = {}
    for key, value in settings.items():
        if not isinstance(value, Mapping):
            values[key] = tuple(value) if isinstance(value, list) else value
            continue
        parts = list(value.values())
        if parts and key not in split and all(part == parts[0] for part in parts):
            values[key] = parts[0]
        else:
            values |= {f"{key} {part}": entry for part, entry in value.items()}
    return values


def departures(task: Task | Settings, *, but: Collection[str] = ()) -> dict[str, object]:
    """A task's settings that differ from those of the catalogue's task of its name.

    Args:
        task: a task, or its settings and ``name`` as in ``Cell.settings``.
        but: settings to leave out, because they are written elsewhere.

    Returns:
        Values by setting, as from ``plain``; empty where the catalogue has no such name.
    """
    settings = {"name": task.name, **task.settings} if isinstance(task, Task) else dict(task)
    try:
        defaults = tasks.get(settings.pop("name")).settings
    except (ValueError, TypeError):  # none of this name, or none without settings
        return {}
    usual = plain(defaults)
    # in the order of the catalogue's
    settings = {key: settings[key] for key in defaults if key in settings} | settings
    left_out = {_stem(key) for key in but}
    return {
        key: value
        for key, value in plain(settings).items()
        if _stem(key) not in left_out and value != usual.get(key, usual.get(_stem(key), _MISSING))
    }


def _stem(key: str) -> str:
    """The setting to which an entry that ``plain`` flattened belongs."""
    return key.split(" ")[0]


def task_words(task: Task | Settings, *, but: Collection[str] = ()) -> str:
    """A task's name and its departures from the catalogue: ``noisy-lms-7, slabs 5``.

    Args:
        task, but: as for ``departures``.
    """
    name = task.name if isinstance(task, Task) else task["name"]
    return ", ".join(filter(None, [name, phrases(departures(task, but=but))]))


def varied(cells: Sequence[Settings]) -> list[dict[str, object]]:
    """The settings of each cell that are not the same in all cells, in a fixed order.

    Settings that follow from the names of task and learner are left out.

    Args:
        cells: as ``Cell.settings``, or as another experiment's; settings that are None may be
            missing.

    Returns:
        For each cell its values of these settings, None where it lacks one.
    """
    bare = [{key: value for key, value in cell["task"].items() if key != "name"} for cell in cells]
    split = {_stem(key) for task in bare for key in plain(task) if " " in key}
    flat = [
        {("task", key): value for key, value in plain(task, split).items()} | how_trained(cell)
        for task, cell in zip(bare, cells, strict=True)
    ]
    alike: dict[str, dict[tuple[str, str], object]] = {}  # the first cell of each task and learner
    varying: dict[tuple[str, str], bool] = {}
    for values, cell in zip(flat, cells, strict=True):
        learners = [cell.get(part) for part in _LEARNERS]
        first = alike.setdefault(f"{cell['task']['name']} {learners}", values)
        for setting in [*first, *values]:
            varying[setting] = varying.get(setting, False) or first.get(setting) != values.get(
                setting
            )
    names: dict[str, tuple[str, str]] = {}
    for part, key in (setting for setting, varies in varying.items() if varies):
        name = part if key == "name" else key
        names[f"{part} {key}" if name in names else name] = part, key
    return [{name: values.get(setting) for name, setting in names.items()} for values in flat]


def how_trained(cell: Settings) -> dict[tuple[str, str], object]:
    """A cell's settings but for task and learner, ``by_part``, in a fixed order: numbers first.

    Args:
        cell: as for ``varied``; a network's loss is the cross-entropy where none is named.
    """
    complete = {"loss": _USUAL_LOSS} | cell if "method" in cell else cell
    left_out = ("experiment", "task", *_LEARNERS)
    values = {
        (part, key): value
        for (part, key), value in by_part(complete).items()
        if (part or key) not in left_out
    }

    def rank(setting: tuple[str, str]) -> tuple[bool, int]:
        part, key = setting
        ordered = (part or key) in _ORDER
        return part != "", _ORDER.index(part or key) if ordered else len(_ORDER)

    return {setting: values[setting] for setting in sorted(values, key=rank)}


def distinguishing(cells: Sequence[Settings]) -> list[dict[str, object]]:
    """The settings that tell each cell from others: departures from the catalogue, and ``varied``.

    Args:
        cells: as for ``varied``.
    """
    return [
        departures(cell["task"], but=varies) | varies
        for cell, varies in zip(cells, varied(cells), strict=True)
    ]
