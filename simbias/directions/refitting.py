"""Last layers refitted on fresh points of exact groups: what a network's features would allow.

Where such a layer reaches the achievable rule, the bias of a network that is stuck lies in what it
reads out; where it does not, in its features.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from simbias._checks import fail
from simbias._pinned import pinned
from simbias._types import Params
from simbias.directions.activity import fresh_points, hidden_layer, two_classes
from simbias.methods.group_dro import members
from simbias.methods.last_layer import refitted_head
from simbias.models import Traced
from simbias.models.copies import Data
from simbias.models.panel import Panel, panel

_GROUPS = 4  # label times exception
_PART = 50  # of the points, the part that is taken of each group where it has as many


@pinned
def refit_last_layer(learned: object, data: Data = None, *, points: int = 20_000) -> Panel:
    """Networks whose last layer is refitted on fresh points, as many of each exact group.

    A group is a label with the simple rule right, or wrong. The fit is that of the method
    ``last-layer`` (``simbias.methods.last_layer``), on points that training has not met.

    Args:
        learned: a stack of MLPs, or classifiers that are MLPs.
        data: for classifiers that do not know their training sets.
        points: fresh points for each network, of which a 50th is taken of each group.

    Returns:
        A panel, which ``simbias.validate`` takes.

    Raises:
        ValueError: a network that is no MLP, or a task without groups.

    References:
        P. Kirichenko, P. Izmailov, A. G. Wilson, "Last layer re-training is sufficient for
        robustness to spurious correlations", ICLR 2023.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> refitted = simbias.directions.refit_last_layer(stack, points=1000)
        >>> refitted.members[0].label, refitted.seeds
        ('(8,1)', (0, 1))
    """
    classifiers = two_classes(panel(learned, data))
    refitted = []
    for member, data_set in zip(classifiers.members, classifiers.data, strict=True):
        if not isinstance(member, Traced) or set(member.params) != {"layers"}:
            raise fail("network", member.label, "an MLP, whose last layer can be refitted")
        params = member.params
        drawn = fresh_points(data_set, points, "select")
        if drawn.group is None:
            raise fail("task", data_set.task.name, "one whose points have groups")
        last = len(params["layers"]) - 1
        group, y = (np.asarray(part, np.int32) for part in (drawn.group, drawn.y))
        rows = _balanced(group, max(points // _PART, 1))
        values = hidden_layer(member, np.asarray(drawn.x)[rows], last - 1).astype(np.float32)
        key = jax.random.fold_in(data_set.stream("directions"), last)
        head = jax.tree.map(np.asarray, _refitted(values, y[rows], group[rows], key))
        layers = {**params["layers"], last: head}
        refitted.append(Traced(member.network, {"layers": layers}))
    return Panel(tuple(refitted), classifiers.data)


def _balanced(group: np.ndarray, most: int) -> np.ndarray:
    """The first rows of each group that has any, as many of each."""
    present, counts = np.unique(group, return_counts=True)
    each = min(most, counts.min())
    return np.sort(np.concatenate([np.flatnonzero(group == g)[:each] for g in present]))


@jax.jit
def _refitted(values: Array, y: Array, group: Array, key: Array) -> Params:
    label = jax.nn.one_hot(y, 2, dtype=jnp.float32)
    return refitted_head(values, label, members(group, _GROUPS), key, refits=1)
