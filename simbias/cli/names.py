"""The verbs about names and this machine: list, info, doctor."""

from simbias._checks import known
from simbias._claim_tables import listed
from simbias._process import DONE, print_error
from simbias.cli.shared import Kind, Name, start_jax
from simbias.console import print_names
from simbias.describe import describe, describe_file, told_of_method
from simbias.registry import REGISTRIES


def list_(kind: Kind = None) -> int:
    """List the registered names.

    Args:
        kind: tasks, networks, methods, quantities, bounds, suites, claims, ...; default: all. Of
            methods it shows what they cost and what they use, too.
    """
    if kind is not None:
        known("kind", kind, [*REGISTRIES, "claims"])
    for registry in REGISTRIES.values():
        if kind in (None, registry.kind):
            summaries = {name: entry.summary for name, entry in registry.entries().items()}
            if kind == "methods":
                summaries = {name: _with_cost(name, line) for name, line in summaries.items()}
            print_names(registry.kind, summaries)
    if kind in (None, "claims"):
        claims, left_out = listed()
        print_names("claims", {name: claim.title for name, claim in claims.items()})
        for line in left_out:
            print_error(line)
    return DONE


def _with_cost(method: str, summary: str) -> str:
    """A method's summary, what it costs and uses; alone where the method cannot be made."""
    try:
        return f"{summary}; {told_of_method(method)}"
    except Exception as error:  # another package's: it must not stop the others
        print_error(" ".join(str(error).split()))
        return summary


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
