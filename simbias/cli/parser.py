"""Parses words into a verb with its arguments; errors are one line."""

import functools
import io
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr
from pathlib import Path
from typing import TypeAlias

import tyro

DESCRIPTION = """Simplicity bias and generalisation, measured against exactly known ground truth.

Exit codes: 0 done, 1 some networks failed or the run was stopped, 2 usage. --debug, anywhere on
the line, shows the traceback of an error; --version, alone, shows the version."""

# how a text that is no number is spoken of, what it was, and what is allowed
_NO_NUMBER = {
    r"invalid literal for int\(\) with base 10: ('.*')": "an integer",
    r"could not convert string to float: ('.*')": "a number",
    r"no type matching \{None\}\|INT could be instantiated from \[('.*')\]\.": "an integer",
    r"no type matching \{None\}\|FLOAT could be instantiated from \[('.*')\]\.": "a number",
}

Verbs: TypeAlias = Mapping[str, Callable[..., int]]  # by name, in the order of the help

_types = tyro.constructors.ConstructorRegistry()


@_types.primitive_rule
def _text(
    type_info: tyro.constructors.PrimitiveTypeInfo,
) -> tyro.constructors.PrimitiveConstructorSpec[str | Path] | None:
    """Texts and paths have at least one character: an empty path would be this directory."""
    kind = type_info.type
    if kind not in (str, Path):
        return None

    def read(words: list[str]) -> str | Path:
        if not words[0]:
            raise ValueError("got '', allowed: at least one character")
        return Path(words[0]) if kind is Path else words[0]

    return tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar="PATH" if kind is Path else "STR",
        instance_from_str=read,
        is_instance=lambda value: isinstance(value, kind),
        str_from_instance=lambda value: [str(value)],
    )


def parse(verbs: Verbs, arguments: Sequence[str]) -> Callable[[], int]:
    """A verb with its arguments, to be called; ValueError in one line for errors of usage.

    Parsing only binds them, so that errors of usage and of work stay apart.
    """
    _refuse_repeats(verbs, arguments)
    app = tyro.extras.SubcommandApp()
    for name, verb in verbs.items():
        app.command(name=name)(_binding(verb))
    messages = io.StringIO()
    try:
        with redirect_stderr(messages), _types:
            bound: Callable[[], int] = app.cli(
                args=arguments, prog="simbias", description=DESCRIPTION
            )
            return bound
    except SystemExit as error:
        if not error.code:
            raise
        raise ValueError(_unboxed(messages.getvalue())) from None


def _binding(verb: Callable[..., int]) -> Callable[..., Callable[[], int]]:
    @functools.wraps(verb)
    def bound(*arguments: object, **options: object) -> Callable[[], int]:
        return functools.partial(verb, *arguments, **options)

    return bound


def _unboxed(text: str) -> str:
    """The first paragraph of a box, in one line; its borders are ASCII where the output is."""
    plain = re.sub(r"\x1b\[[\d;]*m", "", text)  # colours, where the output is a terminal
    lines = [line.strip(" │") for line in plain.splitlines()]
    borders = [i for i, line in enumerate(lines) if re.match(r"[╭╰]|[─-]{3,}", line)]
    first, end = [*borders, len(lines), len(lines)][:2] if borders else (-1, len(lines))
    words = " ".join(lines[first + 1 : end]).split("Got errors:")[0].replace("(required)", "")
    for pattern, allowed in _NO_NUMBER.items():
        words = re.sub(pattern, rf"got \1, allowed: {allowed}", words)
    words = re.sub(r"\S{60,}(\s+\S{60,})*", lambda long: f"{long[0][:57]}...", words)
    return " ".join(words.split()).removeprefix("Error parsing ")


def _refuse_repeats(verbs: Verbs, arguments: Sequence[str]) -> None:
    """Raise ValueError for an option of one value that is given twice: one would be ignored."""
    repeatable = {
        "--" + option.strip("_").replace("_", "-")
        for verb in verbs.values()
        for option, annotation in verb.__annotations__.items()
        if tyro.conf.UseAppendAction in getattr(annotation, "__metadata__", ())
    }
    given = [word.partition("=")[0].replace("_", "-") for word in arguments[1:]]
    for flag in dict.fromkeys(given):
        times = given.count(flag)
        if times > 1 and re.fullmatch(r"--[a-z][a-z-]*", flag) and flag not in repeatable:
            raise ValueError(f"{flag}: given {times} times, allowed: once")
