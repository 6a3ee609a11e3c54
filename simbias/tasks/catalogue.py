"""The named tasks.

Those on slabs are from Shah et al., "The Pitfalls of Simplicity Bias in Neural Networks", NeurIPS
2020 (arXiv 2006.07710), section 3; lsn is the distribution of its Theorem 1. The number in a name
is the number of slabs; every factory takes it as a setting, with the dimension, the margin (one
value, or one per kind of coordinate) and the noise on the simple coordinate.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import jax

from simbias._checks import fail, known, real, whole
from simbias._identity import beyond_defaults, canonical
from simbias._keys import seed_key
from simbias._types import Settings
from simbias.registry import TASKS
from simbias.tasks import blocks
from simbias.tasks.arrays import ArrayTask
from simbias.tasks.block_task import BlockTask, block_task
from simbias.tasks.shifts import shifted
from simbias.tasks.task import Task

_MOST_DIM = 100_000
Margin = float | Mapping[str, float]


def get(name: str, /, **settings: object) -> Task:
    """The task ``name`` (a ``Task``), with its defaults replaced by ``settings``.

    Args:
        name: a name of ``simbias.tasks.names()``.
        **settings: ``dim``, ``margin`` (a number, or a mapping from the kind of coordinate, for
            example ``{"linear": 0.05, "slab-7": 0.1}``), ``noise`` (probability that the simple
            coordinate is uninformative) and ``slabs`` (one number, or two for ms-5-7).

    Raises:
        ValueError: an unknown name or setting (the nearest are offered), or a value out of range.

    Examples:
        >>> import simbias
        >>> simbias.tasks.get("lms-5", dim=4, margin={"linear": 0.05}).margins
        {'linear': 0.05, 'slab-5': 0.1}
        >>> simbias.tasks.get("lms-6")
        Traceback (most recent call last):
            ...
        ValueError: task: unknown name 'lms-6', nearest: lms-7, lms-5, ms-7
    """
    task: Task = TASKS.make(name, settings)
    return task


def content(task: Task) -> str:
    """A hash of what name and settings leave open of a task; empty where they determine it.

    They do where ``get`` and ``shifted`` make this task from them. For a task that was constructed
    directly it is a hash of its laws, its simple set and whether it is rotated, or of the arrays
    of its law.
    """
    settings = dict(task.settings)
    shift = settings.pop("shift", "none")
    try:
        rebuilt = get(task.name, **settings)
        rebuilt = shifted(block_task(rebuilt), shift) if shift != "none" else rebuilt
        # a user's class need not define which of its tasks are equal
        if rebuilt == task or (
            type(rebuilt) is type(task) is not BlockTask and _law_bytes(rebuilt) == _law_bytes(task)
        ):
            return ""
    except (ValueError, TypeError):  # no such task
        pass
    if isinstance(task, ArrayTask):
        return ""
    return hashlib.sha256(_law_bytes(task)).hexdigest()[:16]


def _law_bytes(task: Task) -> bytes:
    """The law that points are drawn from, as bytes to hash."""
    if isinstance(task, BlockTask):
        tilted = (task.angle,) if task.angle else ()
        return repr((task.blocks, task.simple_set, task.rotated, *tilted)).encode()
    law = jax.device_get(task.law(seed_key(0)))
    leaves = jax.tree_util.tree_flatten_with_path(law)[0]
    # the last digits of a rotation depend on the processor
    arrays = [(str(path), leaf) for path, leaf in leaves if "rotation" not in str(path)]
    return b"".join(
        f"{path}{leaf.dtype}{leaf.shape}".encode() + leaf.tobytes() for path, leaf in arrays
    )


def described(task: Task) -> Settings:
    """A task's name and settings and, where these do not determine it, a hash of its content.

    Examples:
        >>> import simbias
        >>> simbias.tasks.described(simbias.tasks.get("xor", dim=4))
        {'name': 'xor', 'dim': 4, 'slabs': 2, 'margin': 0.1, 'noise': 0.0}
    """
    digest = content(task)
    return {"name": task.name, **task.settings, **({"content": digest} if digest else {})}


def identifying(task: Task) -> Settings:
    """``described`` without the settings that are at their defaults.

    Examples:
        >>> import simbias
        >>> simbias.tasks.identifying(simbias.tasks.get("lms-5", dim=4))
        {'dim': 4, 'name': 'lms-5'}
    """
    settings = described(task)
    # what files hold is no default, wherever they lie
    kept = ("name", "content", "shift", "points")
    unreduced = {key: settings.pop(key) for key in kept if key in settings}

    def complete(given: Settings) -> Settings:
        return {
            key: value for key, value in get(task.name, **given).settings.items() if key not in kept
        }

    return beyond_defaults(settings, complete) | unreduced


def identity(task: Task) -> str:
    """``identifying`` as one canonical string, from which the keys of a task's draws are made.

    Examples:
        >>> import simbias
        >>> simbias.tasks.identity(simbias.tasks.get("lms-5", dim=4))
        '{"dim":4,"name":"lms-5"}'
    """
    return canonical(identifying(task))


def names() -> list[str]:
    """All registered task names.

    Examples:
        >>> import simbias
        >>> "noisy-lms-7" in simbias.tasks.names()
        True
        >>> simbias.tasks.names()[:3]
        ['d-bat-toy', 'digits', 'dominoes']
    """
    return sorted(TASKS.entries())


def _margins(margin: Margin, kinds: Sequence[str]) -> dict[str, float]:
    if not isinstance(margin, Mapping):
        return {kind: _margin("margin", margin) for kind in kinds}
    if not margin:
        raise fail("margin", margin, "a number, or one for each kind of coordinate")
    for kind in margin:
        known("margin: kind of coordinate", kind, kinds)
    return {kind: _margin(f"margin of {kind}", margin.get(kind, 0.1)) for kind in kinds}


def _margin(argument: str, value: float) -> float:
    return real(argument, value, blocks.LEAST_MARGIN, 1, open_high=True)


def _one_and_rest(
    name: str,
    dim: int,
    margins: dict[str, float],
    noise: float,
    simple: Callable[..., blocks.Block],
    rest: int,
    *,
    slabs: int | list[int],
) -> BlockTask:
    """One simple coordinate, and dim - 1 coordinates of ``rest`` slabs."""
    whole("dim", dim, least=2, most=_MOST_DIM)  # a simple and a slab coordinate
    first, *_, last = margins.values()
    noise = real("noise", noise, 0, 1)
    settings = {"dim": int(dim), "margin": margins, "noise": noise, "slabs": slabs}
    laws = (simple(margin=first, noise=noise), *[blocks.slab(rest, margin=last)] * (dim - 1))
    return BlockTask(name, settings, laws, (0,))


def _lms(
    name: str,
    default_slabs: int,
    default_noise: float,
    *,
    dim: int = 50,
    margin: Margin = 0.1,
    noise: float | None = None,
    slabs: int | None = None,
) -> BlockTask:
    """A linear coordinate and dim - 1 slab coordinates."""
    slabs = blocks.slab_count(default_slabs if slabs is None else slabs)
    noise = default_noise if noise is None else noise
    margins = _margins(margin, ["linear", f"slab-{slabs}"])
    return _one_and_rest(name, dim, margins, noise, blocks.linear, slabs, slabs=slabs)


def _ms(
    name: str, default_slabs: int, *, dim: int = 50, margin: Margin = 0.1, slabs: int | None = None
) -> BlockTask:
    """Slab coordinates only: no coordinate is simpler than another."""
    slabs = blocks.slab_count(default_slabs if slabs is None else slabs)
    margins = _margins(margin, [f"slab-{slabs}"])
    block = blocks.slab(slabs, margin=margins[f"slab-{slabs}"])
    settings = {"dim": whole("dim", dim, most=_MOST_DIM), "margin": margins, "slabs": slabs}
    return BlockTask(name, settings, (block,) * dim, ())


def _ms_simple(
    name: str,
    default_noise: float,
    *,
    dim: int = 50,
    margin: Margin = 0.1,
    noise: float | None = None,
    slabs: Sequence[int] = (5, 7),
) -> BlockTask:
    """A coordinate of few slabs, and dim - 1 coordinates of more."""
    allowed = "two of 3, 5 and 7, the smaller first"
    if not isinstance(slabs, Sequence) or isinstance(slabs, str) or len(slabs) != 2:
        raise fail("slabs", slabs, allowed)
    few, many = map(blocks.slab_count, slabs)
    if few >= many:
        raise fail("slabs", slabs, allowed)
    noise = default_noise if noise is None else noise
    margins = _margins(margin, [f"slab-{few}", f"slab-{many}"])
    simple = partial(blocks.slab, few)
    return _one_and_rest(name, dim, margins, noise, simple, many, slabs=[few, many])


def _lsn(name: str, *, dim: int = 50, noise: float = 0.0) -> BlockTask:
    """x1 = y, x2 is 0 for the negative label and a fair sign for the positive, the rest N(0, 1)."""
    whole("dim", dim, least=2, most=_MOST_DIM)
    wrong = real("noise", noise, 0, 1) / 2
    linear = blocks.atoms("sign", {-1: 1 - wrong, 1: wrong}, {-1: wrong, 1: 1 - wrong})
    slab = blocks.atoms("slab-3", {0: 1}, {-1: 1 / 2, 1: 1 / 2})
    settings = {"dim": int(dim), "noise": float(noise)}
    rest = [blocks.normal()] * (dim - 2)
    return BlockTask(name, settings, (linear, slab, *rest), (0,), rotated=False)


lms_5 = partial(_lms, "lms-5", 5, 0.0)
lms_7 = partial(_lms, "lms-7", 7, 0.0)
noisy_lms_5 = partial(_lms, "noisy-lms-5", 5, 0.1)
noisy_lms_7 = partial(_lms, "noisy-lms-7", 7, 0.1)
ms_5 = partial(_ms, "ms-5", 5)
ms_7 = partial(_ms, "ms-7", 7)
ms_5_7 = partial(_ms_simple, "ms-5-7", 0.0)
noisy_ms_5_7 = partial(_ms_simple, "noisy-ms-5-7", 0.1)
lsn = partial(_lsn, "lsn")
