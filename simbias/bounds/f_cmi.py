"""f-CMI: what a network's predictions tell of which points it was trained on, as an estimate.

H. Harutyunyan, M. Raginsky, G. Ver Steeg, A. Galstyan, "Information-theoretic generalization bounds
for black-box learning algorithms" (NeurIPS 2021). A supersample z~ is 2n independent draws in n
pairs; U_i, a fair coin, says which point of pair i is trained on, the other is its ghost. With F_i
the two labels that the trained network gives to pair i,

    |E gap| <= 1/n sum_i E sqrt(2 I(F_i; U_i | Z~ = z~)),

the gap being the error on fresh points less the error on the training set, for any training
algorithm, whose own randomness (initialisation, order of the batches) is part of F.

Information is in nats. What is computed here estimates the right side and certifies nothing: one
supersample stands for the expectation over all of them, and the information within each pair is
that of the frequencies among a few networks (plug-in). Frequencies of few networks tell of U even
where F does not depend on it, so the value comes with the one that the same predictions give where
the masks are dealt out to the networks at random.
"""

from collections.abc import Callable
from functools import partial

import jax
import numpy as np
from jaxtyping import Array
from scipy.special import rel_entr

from simbias._checks import fail, instance, whole
from simbias._pinned import pinned
from simbias._types import Params
from simbias.bounds.bound import BoundValue, bound, independent
from simbias.bounds.observed import Masked, Observed, Vector
from simbias.bounds.record import Assumption
from simbias.networks import Network
from simbias.tasks.task import Points, sampler
from simbias.training import fit
from simbias.training.cell import Cell
from simbias.training.jobs import MaskedJob, train_jobs
from simbias.training.problem import TrainingProblem, draw_mask, draw_supersample, problem_of
from simbias.training.scores import margins
from simbias.training.stack import seed_list

_DEALS = 20  # random orders of every pair's masks: the mean over pairs and deals moves little


@pinned
def masked_predictions(cell: Cell, seed: int, *, masks: int) -> Masked:
    """Train a cell on masks of one supersample and label all its points with each network.

    The supersample, turned by the seed's rotation, depends on the cell and the seed; the mask, the
    initialisation and the order of the batches depend on these and the mask's position, so that
    more masks leave the first ones as they are.

    Args:
        cell: what is trained; its n_train is the number of pairs.
        seed: an integer >= 0.
        masks: networks to train, at least 2.

    Raises:
        ValueError: an argument out of range, or a network that diverged.

    References:
        H. Harutyunyan, M. Raginsky, G. Ver Steeg, A. Galstyan, "Information-theoretic
        generalization bounds for black-box learning algorithms", NeurIPS 2021.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> x = np.random.default_rng(0).normal(size=(2000, 4)).astype("float32")
        >>> task = simbias.tasks.ArrayTask("halves", x, (x[:, 0] > 0).astype(int))
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> cell = simbias.training.Cell(task, net, method, n_train=500, stop=stop)
        >>> masked = simbias.bounds.masked_predictions(cell, seed=0, masks=2)
        >>> masked.predictions.shape, masked.mask.shape, masked.y.shape
        ((2, 500, 2), (2, 500), (500, 2))
    """
    instance("cell", cell, Cell)
    (seed,) = seed_list([seed])
    jobs = [MaskedJob(cell, seed, mask) for mask in range(whole("masks", masks, least=2))]
    snapshots = train_jobs(jobs)
    diverged = sum(snapshot.diverged for snapshot in snapshots.values())
    if diverged:
        arrived = f"{masks}, of which {diverged} diverged, seed {seed}"
        raise fail("masks", arrived, "networks that do not diverge")

    def params(job: MaskedJob) -> Params:
        return fit.evaluated(fit.program(cell, 1), problem_of(*job), snapshots[job].state)

    labelled = [
        jax.device_get(
            _predict(sampler(cell.task), cell.network, cell.n_train, problem_of(*job), params(job))
        )
        for job in jobs
    ]
    predictions, mask, y = (np.stack(part) for part in zip(*labelled, strict=True))
    return Masked(predictions, mask, y[0].astype(np.int64))


@partial(jax.jit, static_argnums=(0, 1, 2))
def _predict(
    draw: Callable[..., Points],
    network: Network,
    pairs: int,
    problem: TrainingProblem,
    params: Params,
) -> tuple[Array, ...]:
    """Predictions, mask and labels of one network, as in ``Masked``."""
    data = draw_supersample(draw, problem, pairs)
    predictions = margins(network, params, data.x) > 0
    return predictions.reshape(2, pairs).T, draw_mask(problem, pairs), data.y.reshape(2, pairs).T


def plug_in_information(predictions: np.ndarray, mask: np.ndarray) -> Vector:
    """The mutual information, in nats, of frequencies over masks: I(F_i; U_i) of each pair.

    Args:
        predictions: whether each network says 1, (masks, n, 2): F has four values.
        mask: U, (masks, n).

    Returns:
        Numbers in [0, ln 2], (n,).
    """
    masks = len(mask)
    value = 2 * predictions[..., 0] + predictions[..., 1]
    joint = np.array([[((value == f) & (mask == u)).sum(0) for u in (0, 1)] for f in range(4)])
    # in counts, whose products are exact: independent frequencies give 0, not a rounding error
    product = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    total = rel_entr(1.0 * masks * joint, 1.0 * product).sum((0, 1)) / masks**2
    information: Vector = np.maximum(total, 0)
    return information


def _value(predictions: np.ndarray, mask: np.ndarray) -> float:
    return float(np.sqrt(2 * plug_in_information(predictions, mask)).mean())


def _trained_on_masks(observed: Observed) -> Assumption:
    """Networks were trained on masks of a supersample."""
    masked = observed.masked
    detail = "none" if masked is None else "{} masks of {} pairs".format(*masked.mask.shape)
    return Assumption("networks trained on masks of a supersample", masked is not None, detail)


@bound(
    "f-cmi",
    family="information",
    certifies="nothing",
    kind="measure",
    assumptions=(independent, _trained_on_masks),
    invariant=("permutation", "unit-rescaling", "layer-rescaling"),
    layers=False,
)
def f_cmi(observed: Observed, delta: float) -> BoundValue:
    """Estimate of the f-CMI bound on the expected gap, from masks of one supersample.

    The mean over pairs of sqrt(2 I), with the plug-in information of each pair in nats. It is about
    the training, not about one network: a measure, because nothing accounts for the few masks and
    the one supersample. Among the terms: the value under independence, which is what the plug-in
    gives where masks are dealt out at random, and the gap of the masked networks, their error on
    the ghosts less that on the points they were trained on.
    """
    masked = observed.masked
    assert masked is not None  # the assumption
    predictions, mask, y = masked
    wrong = predictions != (y == 1)
    is_trained = mask[..., None] == np.array([False, True])
    trained, ghost = float(wrong[is_trained].mean()), float(wrong[~is_trained].mean())
    generator = np.random.default_rng(0)
    deals = [_value(predictions, generator.permuted(mask, axis=0)) for _ in range(_DEALS)]
    terms = {
        "value under independence": float(np.mean(deals)),
        "observed gap": ghost - trained,
        "error on trained points": trained,
        "error on ghosts": ghost,
        "masks": float(len(mask)),
        "pairs": float(len(y)),
    }
    return BoundValue(_value(predictions, mask), terms)
