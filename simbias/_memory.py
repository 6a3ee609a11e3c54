"""Checks that a request fits the memory before it is taken.

A system that promises more memory than it has ends a process in the middle of its work.
"""

import os
from pathlib import Path

from simbias._checks import fail

_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def fits(argument: str, value: object, need: float, *, where: str = "host") -> None:
    """Raise ValueError where an argument asks for more bytes than there are.

    Args:
        argument, value: of the request, for the message.
        need: bytes.
        where: ``"host"``, or ``"device"`` for what JAX computes on.
    """
    memory = device_memory() if where == "device" else host_memory()
    if need > memory:
        words = f"what fits into {memory / 1e9:.3g} GB of memory; this needs {need / 1e9:.3g} GB"
        raise fail(argument, value, words)


def device_memory() -> float:
    """Bytes of memory of the devices of JAX, all together; starts JAX."""
    import jax

    limits = [(device.memory_stats() or {}).get("bytes_limit", 0) for device in jax.devices()]
    return float(sum(limits)) if all(limits) else host_memory()


def host_memory() -> float:
    """Bytes that this process may have; infinity where the system does not tell."""
    try:
        memory = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):  # not a POSIX system
        return float("inf")
    for limit in _LIMITS:  # of a container or a job
        try:
            memory = min(memory, float(Path(limit).read_text()))
        except (OSError, ValueError):
            continue
    return memory
