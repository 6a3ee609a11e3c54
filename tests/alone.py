"""A command in a process of its own, compiled as for a user: tests compile without optimisation."""

import os
import subprocess
import sys


def simbias(*words, folder=None):
    """Run a command that is to succeed; ``folder`` keeps its compiled programs."""
    environment = dict(os.environ)
    if folder is not None:
        environment |= {"XDG_CACHE_HOME": str(folder)}
        environment.pop("JAX_ENABLE_COMPILATION_CACHE", None)
    command = [sys.executable, "-m", "simbias", *map(str, words)]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout
