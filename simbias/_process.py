"""The command line as a process: Ctrl-C and standard streams that never end in a traceback.

Nothing heavy is imported here. In the first seconds a process imports, and an exception raised
inside an import, a destructor or a callback of a compiled library is lost or wrapped there; so
Ctrl-C is no exception, but one line and the end. Every file is written under another name and then
renamed: ending at any moment loses nothing that was whole.
"""

import codecs
import gc
import io
import os
import shlex
import signal
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress

DONE, FAILED, USAGE = 0, 1, 2

_SPELLED = {"±": "+-", "…": "...", "×": "x", "≤": "<=", "≥": ">=", "∞": "inf", "−": "-"}


def begin() -> None:
    """Take over Ctrl-C, unless it is ignored, and the streams, whichever of them are open.

    Garbage is collected less often.
    """
    gc.set_threshold(100_000, 50, 50)  # what is imported stays: looking it through costs a fifth
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _stop)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:  # closed: the next file opened would stand in for it, and be written to
            os.open(os.devnull, os.O_RDWR)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w" if number else "r", encoding="utf-8"))
    warnings.showwarning = lambda message, *_, **__: print_error(" ".join(str(message).split()))
    codecs.register_error("simbias", _spell)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="simbias")


def end(code: int) -> int:
    """The exit code, when all that was printed has been written or cannot be."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            if stream is sys.stdout and not isinstance(error, BrokenPipeError) and not code:
                print_error(f"standard output: {error.strerror}")
                code = FAILED
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is over: what is left is tidying up
    return code


def print_error(text: str) -> None:
    """Print a line on standard error, if it can be written to."""
    with suppress(OSError, ValueError):
        line = " ".join(text.splitlines()).encode(errors="backslashreplace").decode()
        print(f"simbias: {line}", file=sys.stderr)


def stopped(arguments: Sequence[str]) -> str:
    """The message after the user has stopped a command line."""
    again = f"{program()} {shlex.join(arguments)}"
    return f"stopped; what was computed is kept. To go on: {again}"


def program() -> str:
    """The command with which the user would call this program again."""
    called, module = sys.argv[0], sys.argv[0].endswith(".py")
    path = sys.executable if module else called
    name = os.path.basename(path)
    places = [os.path.join(place, name) for place in os.get_exec_path()]
    first = next((place for place in places if os.access(place, os.X_OK)), None)
    # another program of this name may come first on the path
    short = first is not None and os.path.abspath(first) == os.path.abspath(path)
    return shlex.quote(name if short else path) + " -m simbias" * module


def _stop(*_: object) -> None:
    with suppress(Exception):  # a write may have been interrupted
        if sys.stdout.isatty():
            sys.stdout.write("\x1b[?25h")  # a progress bar hides the cursor
        sys.stdout.flush()
    with suppress(OSError):
        os.write(2, f"simbias: {stopped(sys.argv[1:])}\n".encode(errors="surrogateescape"))
    os._exit(FAILED)


def _spell(error: UnicodeError) -> tuple[str | bytes, int]:
    """Signs that the output's encoding lacks in those it has; parts of file names as they are."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    character = error.object[error.start]
    if 0xDC80 <= ord(character) <= 0xDCFF:
        return bytes([ord(character) - 0xDC00]), error.start + 1
    return _SPELLED.get(character, ascii(character)[1:-1]), error.start + 1
