"""The command line: its verbs, exit codes and messages of errors."""

import sys
from collections.abc import Sequence

from simbias import __version__
from simbias._checks import known
from simbias._process import DONE, FAILED, USAGE, print_error, stopped
from simbias.cli.argue import argue
from simbias.cli.docs import docs
from simbias.cli.names import doctor, info, list_
from simbias.cli.new import new
from simbias.cli.parser import Verbs, parse
from simbias.cli.reproduce import reproduce
from simbias.cli.results import export, plot, query, report, table
from simbias.cli.runs import run, status, tune
from simbias.cli.theory import bounds, claims

VERBS: Verbs = {
    "list": list_,
    "info": info,
    "run": run,
    "tune": tune,
    "status": status,
    "table": table,
    "plot": plot,
    "report": report,
    "bounds": bounds,
    "claims": claims,
    "argue": argue,
    "reproduce": reproduce,
    "export": export,
    "query": query,
    "new": new,
    "docs": docs,
    "doctor": doctor,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit code.

    Args:
        argv: the words after the program's name; default: those of this process.

    Examples:
        >>> from simbias.cli import main
        >>> main(["list", "units"])
        units
          network a trained network
          pair    two networks of seeds that follow each other
          point   a fresh point on which one network is asked
        0
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    try:
        if arguments == ["--version"]:
            print(f"simbias {__version__}")
            return DONE
        if arguments:
            known("command", arguments[0], [*VERBS, "-h", "--help", "--version"])
        return parse(VERBS, arguments or ["--help"])()
    except SystemExit as error:  # help
        return int(error.code or DONE)
    except BrokenPipeError:  # the reader, head say, has seen enough
        return DONE
    except KeyboardInterrupt:
        print_error(stopped(arguments))
        return FAILED
    except (ValueError, OSError) as error:
        if debug:
            raise
        if isinstance(error, OSError) and error.errno and not error.filename:
            print_error(f"standard output: {error.strerror}")
        else:
            print_error(str(error))
        return USAGE if isinstance(error, ValueError) else FAILED
    except Exception as error:
        if debug:
            raise
        words = " ".join(str(error).split())[:300] or "no reason given"
        print_error(f"{type(error).__name__}: {words} (--debug shows where)")
        return FAILED
