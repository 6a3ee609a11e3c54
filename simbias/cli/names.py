"""The verbs about names and this machine: list, info, doctor."""

from simbias._checks import known
from simbias._claim_tables import listed
from simbias._process import DONE, print_error
from simbias.cli.shared import Kind, Name, start_jax
from simbias.console import print_names
from simbias.describe import describe, describe_file
from simbias.registry import REGISTRIES


def list_(kind: Kind = None) -> int:
    """List the registered names.

    Args:
        kind: tasks, networks, methods, quantities, bounds, suites, claims, ...; default: all.
    """
    if kind is not None:
        known("kind", kind, [*REGISTRIES, "claims"])
    for registry in REGISTRIES.values():
        if kind in (None, registry.kind):
            entries = registry.entries().items()
            print_names(registry.kind, {name: entry.summary for name, entry in entries})
    if kind in (None, "claims"):
        titles, left_out = listed()
        print_names("claims", titles)
        for line in left_out:
            print_error(line)
    return DONE


def info(name: Name) -> int:
    """Show what is known of a task, network, method, quantity, bound, suite, claim, ...

    Args:
        name: a name that `simbias list` shows, or the path of a file of claims or of a suite,
            ending in .toml.
    """
    if name.endswith(".toml"):
        describe_file(name)
        return DONE
    names = {kind: list(registry.entries()) for kind, registry in REGISTRIES.items()}
    names["claims"] = list(listed()[0])
    known("name", name, dict.fromkeys(entry for entries in names.values() for entry in entries))
    for i, kind in enumerate(kind for kind, entries in names.items() if name in entries):
        print("\n" * (i > 0), end="")
        describe(kind, name)
    return DONE


def doctor() -> int:
    """Say what simbias would run on, and whether it is set up well."""
    start_jax(None)
    from simbias.runner import machine

    for line in machine.describe():
        print(line)
    return DONE
