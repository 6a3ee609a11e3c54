"""Setting JAX up before it starts: a CPU device for each core, products on one thread, a cache."""

import os
import warnings
from pathlib import Path

from simbias import _programs
from simbias._checks import fail, whole
from simbias._numbers import counted

_DEVICES = Path("/dev")  # where an NVIDIA GPU is the file nvidia0, nvidia1, ...
_MEMORY = "XLA_PYTHON_CLIENT_MEM_FRACTION"
_OF_MEMORY = "0.75"  # of a GPU, which JAX takes where it is not told otherwise


def configure(cores: int | None = None) -> None:
    """Let every core train networks of its own; call it once, before JAX computes anything.

    The command line does this by itself. Compiled programs are kept in the user's cache directory,
    or where ``JAX_COMPILATION_CACHE_DIR`` says, or nowhere with
    ``JAX_ENABLE_COMPILATION_CACHE=false``. Where JAX has started already, the cache is set up all
    the same; the number of CPU devices can no longer change, and only speed hangs on it. On an
    accelerator it does not matter.

    Args:
        cores: CPU devices to make; default: the cores this process may use.

    Raises:
        ValueError: cores < 1, or a platform that JAX cannot start.
        RuntimeError: ``cores`` is given, and JAX has already started with another number of CPU
            devices. Without ``cores`` that is a warning.

    Examples:
        >>> import jax
        >>> import simbias
        >>> simbias.configure(len(jax.devices()))
    """
    wanted = usable_cores() if cores is None else whole("cores", cores, most=1024)
    flag = "--xla_cpu_multi_thread_eigen=false"
    if flag not in os.environ.get("XLA_FLAGS", ""):
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flag}".strip()
    import jax

    _programs.keep()
    started = False
    try:
        jax.config.update("jax_num_cpu_devices", wanted)
    except RuntimeError:
        started = True
    if platform() != "cpu" or not started or len(jax.devices()) == wanted:
        return
    devices = counted(len(jax.devices()), "CPU device")
    message = (
        f"cores: got {wanted}, but JAX has started with {devices}: call simbias.configure() before"
        " anything is computed"
    )
    if cores is not None:
        raise RuntimeError(message)
    warnings.warn(message, RuntimeWarning, stacklevel=2)


def platform() -> str:
    """The platform that JAX computes on (``"cpu"``, ``"gpu"``, ...); starts JAX.

    Raises:
        ValueError: a platform that JAX cannot start.
    """
    import jax

    try:
        return jax.default_backend()
    except (RuntimeError, AssertionError) as error:
        requested = jax.config.values["jax_platforms"]
        why = " ".join(str(error).split()) or "it is not there"
        raise fail(
            "JAX_PLATFORMS", requested, f"what JAX can start here, such as cpu ({why})"
        ) from None


def placement(process: int, processes: int) -> dict[str, str]:
    """The environment of one of several processes of this machine that share its NVIDIA GPUs.

    Each has one GPU, and of its memory an equal part of what JAX would take by itself. It holds
    where it is set before the process imports JAX; without a GPU it is empty.

    Args:
        process, processes: the place of the process among so many, from 0.

    Raises:
        ValueError: the part of the memory that JAX is told to take is no number.
    """
    gpus = _gpus()
    if not gpus:
        return {}
    on_one = -(-processes // len(gpus))
    told = os.environ.get(_MEMORY, _OF_MEMORY)
    try:
        whole_part = float(told)
    except ValueError:
        raise fail(_MEMORY, told, "the part of a GPU's memory that JAX takes, a number") from None
    return {
        "CUDA_VISIBLE_DEVICES": gpus[process % len(gpus)],
        _MEMORY: f"{whole_part / on_one:.4f}",
    }


def _gpus() -> list[str]:
    """The NVIDIA GPUs that this process may use, as ``CUDA_VISIBLE_DEVICES`` names them."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        names = map(str.strip, chosen.split(","))
        return [name for name in names if name not in ("", "-1")]
    files = [path for path in _DEVICES.glob("nvidia*") if path.name[len("nvidia") :].isdecimal()]
    return [str(place) for place in range(len(files))]


def usable_cores() -> int:
    """The cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
