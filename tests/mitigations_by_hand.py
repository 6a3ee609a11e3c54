"""The update of each mitigation written down in NumPy, as in ``methods_by_hand``.

Only what is random is drawn as the methods draw it, from the key of an update.
"""

import jax
import numpy as np
from methods_by_hand import LABELS, NETWORK, POINTS, along, logits, rows_of, softmax, zeros
from scipy.optimize import minimize


class Descent:
    """SGD step by step, on whatever gradient."""

    def __init__(self, learning_rate, momentum=0.0, weight_decay=0.0):
        self.rate, self.momentum, self.decay = learning_rate, momentum, weight_decay
        self.velocity = None

    def __call__(self, weights, g):
        g = along(lambda g, w: g + self.decay * w, g, weights)
        before = zeros(weights) if self.velocity is None else self.velocity
        self.velocity = along(lambda v, g: self.momentum * v + g, before, g)
        return along(lambda w, v: w - self.rate * v, weights, self.velocity)


def key_of(update, use=None):
    key = jax.random.fold_in(jax.random.key(0), update)
    return key if use is None else jax.random.fold_in(key, use)


def backward(weights, x, slope):
    """The gradient of the sum of logits times slope, of weights and of inputs."""
    hidden, _ = logits(weights, x)
    first, last = (weights["layers"][i]["kernel"] for i in (0, 1))
    back = slope @ last.T * (hidden > 0)
    return {
        "layers": {
            0: {"kernel": x.T @ back, "bias": back.sum(axis=0)},
            1: {"kernel": hidden.T @ slope, "bias": slope.sum(axis=0)},
        }
    }, back @ first.T


def slopes(weights, x, labels):
    """Of each point's cross-entropy with respect to its logits."""
    return softmax(logits(weights, x)[1]) - np.eye(2)[labels]


def losses(weights, x, labels):
    return -np.log(softmax(logits(weights, x)[1])[np.arange(len(x)), labels])


def of_loss(weights, x, labels, weight=1.0):
    """The gradient of the mean of weighted cross-entropies."""
    slope = slopes(weights, x, labels) * np.broadcast_to(weight, len(x))[:, None]
    return backward(weights, x, slope / len(x))[0]


def batch(update):
    rows = rows_of(update)
    return POINTS[rows], LABELS[rows]


def length(vectors):
    return np.sqrt((vectors**2).sum(axis=1, keepdims=True))


def adversarial(
    weights, _, updates, *, epsilon, steps, step_size=2.5, random_start=True, **settings
):
    descent = Descent(**settings)
    for update in range(updates):
        x, y = batch(update)
        moved = np.zeros_like(x)
        if random_start:
            of_direction, of_radius = jax.random.split(key_of(update, 1))
            direction = np.asarray(jax.random.normal(of_direction, x.shape))
            radius = np.asarray(jax.random.uniform(of_radius, (len(x), 1))) ** (1 / 2)
            moved = epsilon * radius * direction / length(direction)
        for _ in range(steps):
            up = backward(weights, x + moved, slopes(weights, x + moved, y))[1]
            moved = moved + step_size * epsilon / steps * up / np.maximum(length(up), 1e-30)
            moved = moved / np.maximum(1, length(moved) / epsilon)
        weights = descent(weights, of_loss(weights, x + moved, y))
    return weights


def twice(weights, updates, first_updates, weigh, settings):
    """A first network, weights of points by it, and a second one from the same start."""
    initial, descent, weight = weights, Descent(**settings), np.ones(len(LABELS))
    for update in range(updates):
        if update == first_updates:
            weight = weigh(weights)
            assert len(set(weight)) == 2  # neither none nor all of the points
            weight = weight / weight.mean()
            weights, descent = initial, Descent(**settings)
        weights = descent(weights, of_loss(weights, *batch(update), weight[rows_of(update)]))
    return weights


def jtt(weights, _, updates, *, first_updates, upweight, **settings):
    def weigh(weights):
        wrong = logits(weights, POINTS)[1].argmax(axis=1) != LABELS
        return np.where(wrong, upweight, 1.0)

    return twice(weights, updates, first_updates, weigh, settings)


def useful(weights, _, updates, *, first_updates, **settings):
    def weigh(weights):
        outputs, loss = softmax(logits(weights, POINTS)[1]), losses(weights, POINTS, LABELS)
        weight = np.ones(len(LABELS))
        for label in (0, 1):
            own = np.flatnonzero(label == LABELS)
            centres = outputs[own[[loss[own].argmin(), loss[own].argmax()]]]
            for _ in range(20):
                far = [length(outputs[own] - centre).ravel() for centre in centres]
                second = far[1] < far[0]
                centres = np.stack([outputs[own[~second]].mean(0), outputs[own[second]].mean(0)])
            harder = loss[own[second]].mean() > loss[own[~second]].mean()
            weight[own[second == harder]] = 2
        return weight

    return twice(weights, updates, first_updates, weigh, settings)


def group_dro(weights, _, updates, *, group_step, groups=4, **settings):
    descent, q = Descent(**settings), np.full(groups, 1 / groups)
    for update in range(updates):
        (x, y), rows = batch(update), rows_of(update)
        group = 2 * y + (rows % 3 == 0)
        present = [group == g for g in range(groups)]
        loss = losses(weights, x, y)
        q = q * np.exp([group_step * loss[own].mean() if own.any() else 0 for own in present])
        q = q / q.sum()
        g = zeros(weights)
        for own, part in zip(present, q, strict=True):
            if own.any():
                of_group = of_loss(weights, x[own], y[own])
                g = along(lambda g, more, part=part: g + part * more, g, of_group)
        weights = descent(weights, g)
    return weights


def last_layer(
    weights, _, updates, *, first_updates, held_out, inverse_penalty, refits, groups=4,
    iterations=None, **settings,
):  # fmt: skip
    descent, held = Descent(**settings), int(held_out * len(LABELS))
    for update in range(min(updates, first_updates)):
        (x, y), own = batch(update), rows_of(update) >= held
        if own.any():
            g = of_loss(weights, x[own], y[own])
        weights = descent(weights, g if own.any() else zeros(weights))
    if updates <= first_updates:
        return weights
    hidden, y = logits(weights, POINTS[:held])[0], LABELS[:held]
    centre, scale = hidden.mean(axis=0), hidden.std(axis=0)
    scale[scale == 0] = 1
    values, group = (hidden - centre) / scale, 2 * y + (np.arange(held) % 3 == 0)
    fewest = min(np.bincount(group)[np.bincount(group) > 0])
    heads = []
    for key in jax.random.split(key_of(first_updates), refits):
        order = np.asarray(jax.random.permutation(key, held))
        rows = np.concatenate([order[group[order] == g][:fewest] for g in set(group)])
        heads.append(sparse(values[rows], y[rows], inverse_penalty))
    slope, bias = np.mean(heads, axis=0)[:-1] / scale, np.mean(heads, axis=0)[-1]
    bias = bias - centre @ slope
    head = {"kernel": np.outer(slope, [-0.5, 0.5]), "bias": bias * np.array([-0.5, 0.5])}
    return {"layers": {0: weights["layers"][0], 1: head}}


def sparse(values, y, inverse_penalty):
    """Binary logistic regression with an L1 penalty, as a smooth problem of both signs' parts."""
    units = values.shape[1]

    def objective(parts):
        slope, bias = parts[:units] - parts[units : 2 * units], parts[-1]
        loss = np.logaddexp(0, -(2 * y - 1) * (values @ slope + bias)).sum()
        return parts[:-1].sum() + inverse_penalty * loss

    bounds = [(0, None)] * (2 * units) + [(None, None)]
    parts = minimize(objective, np.zeros(2 * units + 1), bounds=bounds, tol=1e-13).x
    return np.append(parts[:units] - parts[units : 2 * units], parts[-1])


def again(update):
    """The parameters of another initialisation."""
    return jax.device_get(NETWORK.init(key_of(update, 1), (2,), 2))


def elsewhere(update):
    """Points under a shift, and their labels."""
    x = np.asarray(jax.random.normal(key_of(update), (len(rows_of(update)), 2)), np.float64)
    return x, (x[:, 1] > 0).astype(int)


def d_bat(weights, _, updates, *, first_updates, alpha, **settings):
    descent, first = Descent(**settings), None
    for update in range(updates):
        if update == first_updates:
            first, weights, descent = weights, again(update), Descent(**settings)
        g = of_loss(weights, *batch(update))
        if first is not None:
            x, _ = elsewhere(update)
            p, p1 = (softmax(logits(w, x)[1])[:, 1] for w in (weights, first))
            apart = p1 * (1 - p) + p * (1 - p1)
            slope = -alpha * (1 - 2 * p1) / apart * p * (1 - p) / len(x)
            more = backward(weights, x, np.stack([-slope, slope], axis=1))[0]
            g = along(lambda g, m: g + m, g, more)
        weights = descent(weights, g)
    return weights


def pretraining(weights, _, updates, *, first_updates, alpha, **settings):
    descent = Descent(**settings)
    for update in range(updates):
        if update == first_updates:
            mixed = along(lambda w, o: alpha * w + (1 - alpha) * o, weights, again(update))
            weights, descent = mixed, Descent(**settings)
        points = elsewhere(update) if update < first_updates else batch(update)
        weights = descent(weights, of_loss(weights, *points))
    return weights


def reinforce(weights, _, updates, *, baseline="running", decay=0.99, **settings):
    descent, mean = Descent(**settings), 0.0
    for update in range(updates):
        x, y = batch(update)
        scores = logits(weights, x)[1]
        action = np.asarray(jax.random.categorical(key_of(update, 1), np.float32(scores)))
        reward = (action == y).astype(float)
        ahead = reward - (mean if baseline == "running" else 0)
        slope = ahead[:, None] * (softmax(scores) - np.eye(2)[action]) / len(x)
        weights = descent(weights, backward(weights, x, slope)[0])
        mean = decay * mean + (1 - decay) * reward.mean()
    return weights


_SGD = {"learning_rate": 0.1, "momentum": 0.5, "weight_decay": 0.05}
_STAGES = {"learning_rate": 0.05, "momentum": 0.5, "weight_decay": 0.01, "first_updates": 3}

REFERENCES = {
    "adversarial": (
        adversarial,
        [
            _SGD | {"epsilon": 0.5, "steps": 4, "step_size": 3.0},
            _SGD | {"epsilon": 0.8, "steps": 3, "random_start": False},
        ],
    ),
    "jtt": (jtt, [_STAGES | {"upweight": 6.0}]),
    "useful": (useful, [_STAGES]),
    "group-dro": (group_dro, [_SGD | {"group_step": 0.7}]),
    "last-layer": (
        last_layer,
        [_STAGES | {"held_out": 0.5, "inverse_penalty": 2.0, "refits": 3, "iterations": 5000}],
    ),
    "d-bat": (d_bat, [_STAGES | {"alpha": 0.7}]),
    "pretraining": (pretraining, [_STAGES | {"alpha": 0.3}]),
    "reinforce": (
        reinforce,
        [_SGD | {"baseline": "running", "decay": 0.6}, _SGD | {"baseline": "none"}],
    ),
}
