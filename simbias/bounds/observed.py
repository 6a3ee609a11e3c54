"""What a bound may read: one network, its training set, and errors on points held out.

Held-out points come from a stream of their own: independent of the training set, of the points
traces were evaluated on, and of those that measure the risk that a bound is compared with.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Bool, Float, Int, UInt

from simbias._checks import fail, known, whole
from simbias._pinned import pinned
from simbias._types import Params, PyTree
from simbias.bounds.altered import Replacements, checked_coin_errors, checked_replacements
from simbias.models.classifier import Classifier, Traced, labels
from simbias.models.data import DataSet
from simbias.models.foreign import Foreign
from simbias.models.panel import panel
from simbias.networks import MLP
from simbias.networks.layers import ACTIVATIONS, head_inputs
from simbias.networks.scorer import Scorer
from simbias.tasks.blocks import Block
from simbias.tasks.oracle import Layer
from simbias.tasks.task import Points, Task, numbers_of
from simbias.training.problem import drawn
from simbias.training.scores import labels_of, logits
from simbias.training.stack import Stack

Vector = Float[np.ndarray, "_"]
Matrix = Float[np.ndarray, "_ _"]

_ROWS = 4096  # rows of one forward pass: hidden values stay small


class HeldOut(NamedTuple):
    """Errors on points that neither training nor selection has seen.

    Examples:
        >>> import simbias
        >>> held_out = simbias.bounds.HeldOut(errors=3, points=1000)
        >>> held_out.errors / held_out.points
        0.003

        Of a trained network:

        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> simbias.bounds.observe(stack).held_out.points
        1000
    """

    errors: int
    points: int


class Steps(NamedTuple):
    """How the network was trained: constant step size, momentum, updates made.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> simbias.bounds.observe(stack).steps
        Steps(learning_rate=0.1, momentum=0.0, updates=200)
    """

    learning_rate: float
    momentum: float
    updates: int


class Masked(NamedTuple):
    """Predictions of networks trained on masks of one supersample, n pairs, for all its points.

    Attributes:
        predictions: whether each network says 1, (masks, n, 2).
        mask: whether each network was trained on the second point of a pair, not the first,
            (masks, n).
        y: labels 0 or 1, (n, 2).

    Examples:
        >>> import numpy as np
        >>> from simbias.bounds import Masked
        >>> mask = np.array([[False, True, True], [True, True, False]])
        >>> y = np.array([[0, 1], [1, 0], [1, 1]])
        >>> perfect = np.broadcast_to(y == 1, (2, 3, 2))
        >>> masked = Masked(perfect, mask, y)
        >>> float((masked.predictions != (masked.y == 1)).mean())
        0.0
    """

    predictions: Bool[np.ndarray, "masks n 2"]
    mask: Bool[np.ndarray, "masks n"]
    y: Int[np.ndarray, "n 2"]


@dataclass(frozen=True, eq=False)
class Observed:
    """One network and its sample; arrays are float64.

    Margins are those of exact arithmetic, up to float64; held-out errors are counted on the network
    as it runs, in float32, which may label otherwise where the logits agree to seven digits.

    Attributes:
        layers: affine layers, the last with two logits; none, (), for a classifier that is no MLP
            of two classes: then only bounds that read labels apply.
        x: training inputs as the network sees them, (n, dim).
        y: training labels, integers from 0, (n,); 0 or 1 beside layers.
        initial: the layers before the first update; None where they are not stored.
        activation: of the hidden units, a key of ``ACTIVATIONS``.
        variances: of the weights and of the biases of each layer at initialisation; None: those of
            numbers uniform on +-1/sqrt(inputs).
        bits: of the floating-point numbers the weights are stored in: 16, 32 or 64.
        held_out: errors on held-out points; None where there are none.
        blocks: the law of each unrotated coordinate; None where it is not known.
        rotation: the matrix with inputs = unrotated points @ rotation; None: not rotated.
        steps: how the network was trained; None where it is not known.
        independent: whether training points are independent draws of one law.
        masked: predictions of networks that the same training gave on masks of a supersample; None
            where none were trained.
        replacements: what networks that the same training gave with another draw in a point's place
            say of that point; None where none were trained.
        coin_errors: training errors of networks that the same training gave on coin flips, one for
            each draw; None where none were trained.

    Raises:
        ValueError: shapes that do not fit, no training points, weights or inputs that are not
            finite, labels out of range, fewer than two masks, errors outside [0, 1].

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> observed = simbias.bounds.observe(stack)
        >>> observed.n, observed.sizes, observed.held_out.points
        (1000, (4, 8, 2), 1000)
        >>> observed.margins.shape, bool(observed.train_error == (observed.margins <= 0).mean())
        ((1000,), True)
    """

    layers: tuple[Layer, ...]
    x: Matrix
    y: Int[np.ndarray, " n"]
    initial: tuple[Layer, ...] | None = None
    activation: str = "relu"
    variances: tuple[tuple[float, float], ...] | None = None
    bits: int = 32
    held_out: HeldOut | None = None
    blocks: tuple[Block, ...] | None = None
    rotation: Matrix | None = None
    steps: Steps | None = None
    independent: bool = True
    masked: Masked | None = None
    replacements: Replacements | None = None
    coin_errors: Vector | None = None

    def __post_init__(self) -> None:
        x, y = np.asarray(self.x, np.float64), np.asarray(self.y)
        if x.ndim != 2 or not len(x):
            raise fail("x", f"shape {x.shape}", "at least one training point, shape (n, dim)")
        if not np.isfinite(x).all():
            raise fail("x", f"{np.sum(~np.isfinite(x))} entries not finite", "finite numbers")
        binary = bool(self.layers) or not np.issubdtype(y.dtype, np.integer)
        if y.shape != x.shape[:1] or (not np.isin(y, (0, 1)).all() if binary else (y < 0).any()):
            allowed = "labels 0 or 1" if binary else "integers from 0"
            raise fail("y", f"shape {y.shape}", f"{len(x)} {allowed}")
        known("activation", self.activation, ACTIVATIONS)
        if self.bits not in (16, 32, 64):
            raise fail("bits", self.bits, "16, 32 or 64")
        layers = _checked("layers", self.layers, x.shape[1]) if self.layers else ()
        initial = None if self.initial is None else _checked("initial", self.initial, x.shape[1])
        if initial is not None and not layers:
            raise fail("initial", "layers", "None, as there are no layers")
        if initial is not None and _sizes(initial) != _sizes(layers):
            raise fail("initial", f"sizes {_sizes(initial)}", f"those of layers, {_sizes(layers)}")
        if self.held_out is not None:
            points = whole("held_out: points", self.held_out.points)
            whole("held_out: errors", self.held_out.errors, least=0, most=points)
        if self.blocks is not None and len(self.blocks) != x.shape[1]:
            raise fail(
                "blocks", f"{len(self.blocks)} laws", f"one for each coordinate, {x.shape[1]}"
            )
        if self.rotation is not None:
            if np.shape(self.rotation) != (x.shape[1],) * 2:
                raise fail("rotation", np.shape(self.rotation), f"shape {(x.shape[1],) * 2}")
            object.__setattr__(self, "rotation", np.asarray(self.rotation, np.float64))
        if self.masked is not None:
            object.__setattr__(self, "masked", _checked_masks(self.masked))
        if self.replacements is not None:
            object.__setattr__(self, "replacements", checked_replacements(self.replacements))
        if self.coin_errors is not None:
            object.__setattr__(self, "coin_errors", checked_coin_errors(self.coin_errors))
        for name, value in (("x", x), ("y", y.astype(np.int64)), ("layers", layers)):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "initial", initial)

    @property
    def n(self) -> int:
        """Training points."""
        return len(self.x)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Units of every layer, the input and the two logits included."""
        return _sizes(self.layers)

    @cached_property
    def margins(self) -> Vector:
        """(2y - 1)(logit 1 - logit 0) of each training point, (n,)."""
        return self.margins_at(self.x)

    @cached_property
    def train_error(self) -> float:
        """Proportion of the training points that are labelled wrongly."""
        return self.error(self.margins)

    def error(self, margins: Vector) -> float:
        """Proportion of margins that mean a wrong label; a margin of 0 means label 0."""
        return float(np.where(self.y == 1, margins <= 0, margins < 0).mean())

    def margins_at(self, x: Matrix, layers: Sequence[Layer] | None = None) -> Vector:
        """Margins, for the training labels, of other inputs or of another network."""
        score = logit_difference(self.layers if layers is None else layers, x, self.activation)
        return np.where(self.y == 1, score, -score)

    def copy(self, layers: Sequence[Layer]) -> Classifier:
        """A copy of the network with these layers in place of its own, as a classifier."""
        widths = [len(layer.bias) for layer in layers[:-1]]
        if len(set(widths)) != 1:  # no MLP of the library, which is as wide everywhere
            scores = partial(logit_difference, layers, activation=self.activation)
            return Foreign(scores, kind="logits", label="copy")
        network = MLP(widths[0], len(widths), self.activation)
        return Traced(network, network.from_layers(layers))


def _checked(name: str, layers: Sequence[Layer], dim: int) -> tuple[Layer, ...]:
    """Layers in float64 whose shapes chain from ``dim`` inputs to two logits; ValueError."""
    checked = tuple(
        Layer(*(np.array(part, np.float64) for part in (layer.weight, layer.bias)))
        for layer in layers
    )
    inputs = dim
    for i, layer in enumerate(checked):
        outputs = 2 if i == len(checked) - 1 else layer.bias.size
        if layer.weight.shape != (inputs, outputs) or layer.bias.shape != (outputs,):
            arrived = f"layer {i} of shapes {layer.weight.shape} and {layer.bias.shape}"
            raise fail(name, arrived, f"({inputs}, units) and (units,), at last two logits")
        not_finite = sum(int(np.sum(~np.isfinite(part))) for part in layer)
        if not_finite:
            raise fail(name, f"{not_finite} weights not finite in layer {i}", "finite numbers")
        inputs = outputs
    if not checked:
        raise fail(name, "no layers", "at least one")
    return checked


def _checked_masks(masked: Masked) -> Masked:
    """Masked predictions whose shapes agree, as arrays; ValueError."""
    predictions, mask, y = (np.asarray(part) for part in masked)
    if mask.ndim != 2 or len(mask) < 2 or not mask.shape[1]:
        raise fail("masked: mask", f"shape {mask.shape}", "at least two masks, shape (masks, n)")
    pairs = (mask.shape[1], 2)
    for name, part, shape in (("predictions", predictions, (len(mask), *pairs)), ("y", y, pairs)):
        if part.shape != shape:
            raise fail(f"masked: {name}", f"shape {part.shape}", f"shape {shape}")
    for name, part in (("predictions", predictions), ("mask", mask), ("y", y)):
        if not np.isin(part, (0, 1)).all():
            raise fail(f"masked: {name}", np.setdiff1d(part, (0, 1)).tolist(), "0 or 1")
    return Masked(predictions.astype(bool), mask.astype(bool), y.astype(np.int64))


def _sizes(layers: Sequence[Layer]) -> tuple[int, ...]:
    return (len(layers[0].weight), *(len(layer.bias) for layer in layers))


def logit_difference(layers: Sequence[Layer], x: Matrix, activation: str = "relu") -> Vector:
    """logit 1 - logit 0 (rows,) in float64."""

    def difference(rows: Matrix) -> Vector:
        hidden = head_inputs(layers, rows, activation)
        scores = hidden @ layers[-1].weight + layers[-1].bias
        lead: Vector = scores[:, 1] - scores[:, 0]
        return lead

    return np.concatenate([difference(x[i : i + _ROWS]) for i in range(0, len(x), _ROWS)])


@pinned
def observe(
    learned: object,
    i: int = 0,
    *,
    data: DataSet | Sequence[DataSet] | None = None,
    held_out: int | None = None,
) -> Observed:
    """One classifier as bounds read it, its training set drawn again.

    Args:
        learned: a stack, or any classifiers, as for ``simbias.validate``.
        i: position among them.
        data: for a classifier that does not know its training set.
        held_out: held-out points to count errors on; default as many as training points.

    Raises:
        ValueError: a position outside the stack, held_out < 1, or weights that are not finite.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> observed = simbias.bounds.observe(stack, 1)
        >>> observed.x.shape, observed.activation, observed.held_out.points
        ((1000, 4), 'relu', 1000)
    """
    classifiers = panel(learned, data)
    i = whole("i", i, least=0, most=len(classifiers) - 1)
    member, data_set, task = classifiers.members[i], classifiers.data[i], classifiers.task
    most = getattr(task, "most", {}).get("holdout")
    points = data_set.n_train if held_out is None else whole("held_out", held_out)
    points = points if most is None else min(points, most)
    network = member.network if isinstance(member, Traced) else None
    layers: tuple[Layer, ...] = ()
    initial, steps = None, None
    layered = network if isinstance(network, MLP) and network.is_layered else None
    if layered and isinstance(member, Traced) and task.classes == 2:
        layers = tuple(layered.to_layers(member.params))
        _checked("layers", layers, numbers_of(task))  # before labelling points with NaN weights
    if isinstance(learned, Stack):
        method = learned.cell.method
        if method.update_rule is not None:
            steps = Steps(*method.update_rule(dict(method.settings)), int(learned.updates[i]))
        if layers and layered and learned.initial is not None:
            start = jax.tree.map(lambda leaf: leaf[i], learned.initial)
            initial = tuple(layered.to_layers(start))
    training = jax.device_get(data_set.draw())
    return Observed(
        layers=layers,
        x=training.x.reshape(len(training.x), -1),
        y=training.y,
        initial=initial,
        activation=layered.activation if layered else "relu",
        variances=tuple(layered.variances(numbers_of(task))) if layers and layered else None,
        held_out=HeldOut(_held_out_errors(member, data_set, points), points),
        blocks=getattr(task, "blocks", None),
        rotation=_turned(task, data_set.rotation),
        steps=steps,
        # of the law that the risk is about
        independent=data_set.label_noise is None,
    )


def _turned(task: Task, rotation: Float[np.ndarray, "turned turned"]) -> Matrix | None:
    """What turns points of independent coordinates into inputs, a tilt of the task included."""
    tilt = getattr(task, "tilt", None)
    if tilt is None:
        return rotation if rotation.size else None
    turned: Matrix = tilt @ rotation if rotation.size else tilt
    return turned


def _held_out_errors(member: Classifier, data_set: DataSet, points: int) -> int:
    """Errors on fresh points of the held-out stream."""
    if isinstance(member, Traced):
        static = (data_set.task.draw, member.network, points)
        return int(jax.device_get(_errors(*static, data_set.key, data_set.law, member.params)))
    fresh = jax.device_get(drawn(data_set.task.draw, "holdout", points, data_set.key, data_set.law))
    # grids and islands draw from the first three branches of the stream
    key = jax.random.split(data_set.stream("context"), 4)[3]
    return int(np.sum(labels(member, fresh.x, key) != fresh.y))


@partial(jax.jit, static_argnums=(0, 1, 2))
def _errors(
    draw: Callable[..., Points],
    network: Scorer,
    points: int,
    key: UInt[Array, " words"],
    law: PyTree,
    params: Params,
) -> Int[Array, ""]:
    fresh = drawn(draw, "holdout", points, key, law)
    wrong: Bool[Array, " rows"] = labels_of(logits(network, params, fresh.x)) != fresh.y
    return wrong.astype("int32").sum()
