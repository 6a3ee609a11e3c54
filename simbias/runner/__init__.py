"""From a suite to results: planning, and execution on this machine; a stack kept as a run."""

from simbias.runner.keep import keep

__all__ = ["keep"]
