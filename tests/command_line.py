"""The command line, called as a function."""

import contextlib
import io

from simbias.cli import main


def call(*arguments):
    """Exit code, output and errors of a command line."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([str(argument) for argument in arguments])
    return code, out.getvalue(), err.getvalue()
