"""The update of each method written down in NumPy, on a network whose gradient is too.

The network has one hidden layer of ReLU units. A method's function takes the weights, a function
(weights, update, **changes) -> gradient, the number of updates and the settings, and returns the
weights that are measured.
"""

import jax
import numpy as np

from simbias import MLP
from simbias._keys import stream

NETWORK = MLP(3, 1)
PARAMS = jax.device_get(NETWORK.init(jax.random.key(3), (2,), 2))
RANDOM = np.random.default_rng(0)
LABELS = np.tile([1, 0], 20)
POINTS = RANDOM.normal(np.where(LABELS[:, None] == 1, [1.0, 0.5], [-1.0, -0.5]), 0.2)
BATCH = 8  # rows of an update


def key_of(update):
    """The random key of an update."""
    return jax.random.fold_in(jax.random.key(0), update)


def rows_of(update):
    return (BATCH * update + np.arange(BATCH)) % len(LABELS)


def logits(weights, x):
    first, last = (weights["layers"][i] for i in (0, 1))
    hidden = np.maximum(x @ first["kernel"] + first["bias"], 0)
    return hidden, hidden @ last["kernel"] + last["bias"]


def softmax(scores):
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def gradient(weights, update, *, x=None, targets=None, penalty=0.0):
    """Of the mean cross-entropy of a batch's rows, and a penalty on the mean squared logit."""
    x = POINTS[rows_of(update)] if x is None else x
    targets = np.eye(2)[LABELS[rows_of(update)]] if targets is None else targets
    hidden, scores = logits(weights, x)
    slope = (softmax(scores) - targets) / len(x) + penalty * 2 * scores / scores.size
    last = weights["layers"][1]["kernel"]
    back = slope @ last.T * (hidden > 0)
    return {
        "layers": {
            0: {"kernel": x.T @ back, "bias": back.sum(axis=0)},
            1: {"kernel": hidden.T @ slope, "bias": slope.sum(axis=0)},
        }
    }


def mean_loss(weights):
    scores = np.asarray(logits(weights, POINTS)[1], np.float64)
    return -np.log(softmax(scores)[np.arange(len(LABELS)), LABELS]).mean()


def zeros(weights):
    return jax.tree.map(np.zeros_like, weights)


def along(function, *trees):
    return jax.tree.map(function, *trees)


def norm(tree):
    return np.sqrt(sum((leaf**2).sum() for leaf in jax.tree.leaves(tree)))


def constant(update):
    return 1.0


def sgd(
    weights,
    gradient,
    updates,
    *,
    learning_rate,
    momentum=0.0,
    weight_decay=0.0,
    nesterov=False,
    schedule=constant,
    path=None,
):
    """torch.optim.SGD as its documentation states it (dampening 0)."""
    velocity = zeros(weights)
    for update in range(updates):
        g = along(lambda g, w: g + weight_decay * w, gradient(weights, update), weights)
        velocity = along(lambda v, g: momentum * v + g, velocity, g)
        move = along(lambda v, g: g + momentum * v, velocity, g) if nesterov else velocity
        rate = learning_rate * schedule(update)
        weights = along(lambda w, m, rate=rate: w - rate * m, weights, move)
        if path is not None:
            path.append(weights)
    return weights


def adam(weights, gradient, updates, *, learning_rate, b1, b2, eps, weight_decay=0.0):
    m, v = zeros(weights), zeros(weights)
    for update in range(updates):
        g = gradient(weights, update)
        m = along(lambda m, g: b1 * m + (1 - b1) * g, m, g)
        v = along(lambda v, g: b2 * v + (1 - b2) * g**2, v, g)
        seen = 1 - b1 ** (update + 1), 1 - b2 ** (update + 1)

        def moved(w, m, v, seen=seen):
            adapted = m / seen[0] / (np.sqrt(v / seen[1]) + eps)
            return w - learning_rate * (adapted + weight_decay * w)

        weights = along(moved, weights, m, v)
    return weights


def rmsprop(weights, gradient, updates, *, learning_rate, decay, eps, momentum):
    v, u = zeros(weights), zeros(weights)
    for update in range(updates):
        g = gradient(weights, update)
        v = along(lambda v, g: decay * v + (1 - decay) * g**2, v, g)
        u = along(
            lambda u, g, v: momentum * u + learning_rate * g / np.sqrt(v + eps), u, g, v
        )  # fmt: skip
        weights = along(lambda w, u: w - u, weights, u)
    return weights


def orthogonal(matrix):
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (np.linalg.norm(x) + 1e-8)
    for _ in range(5):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x.T if tall else x


def muon(weights, gradient, updates, *, learning_rate, beta, weight_decay, adam_learning_rate):
    m = zeros(weights)
    second = zeros(weights)  # of biases, which are Adam's
    for update in range(updates):
        g, t = gradient(weights, update), update + 1
        decays = along(lambda g: beta if g.ndim == 2 else 0.9, g)
        m = along(lambda m, g, decay: decay * m + (1 - decay) * g, m, g, decays)
        second = along(lambda v, g: 0.999 * v + 0.001 * g**2, second, g)

        def moved(w, m, v, g, t=t):
            decay = beta if w.ndim == 2 else 0.9
            ahead = decay * m / (1 - decay ** (t + 1)) + (1 - decay) * g / (1 - decay**t)
            if w.ndim < 2:
                return w - adam_learning_rate * ahead / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
            step = np.sqrt(max(1, w.shape[1] / w.shape[0])) * orthogonal(ahead)
            return w - learning_rate * (step + weight_decay * w)

        weights = along(moved, weights, m, second, g)
    return weights


def lion(weights, gradient, updates, *, learning_rate, b1, b2, weight_decay):
    m = zeros(weights)
    for update in range(updates):
        g = gradient(weights, update)

        def moved(w, m, g):
            return w - learning_rate * (np.sign(b1 * m + (1 - b1) * g) + weight_decay * w)

        weights = along(moved, weights, m, g)
        m = along(lambda m, g: b2 * m + (1 - b2) * g, m, g)
    return weights


def sam(weights, gradient, updates, *, rho, unit=np.ones_like, **settings):
    def beside(weights, update):
        scaled = along(lambda w, g: unit(w) * g, weights, gradient(weights, update))
        worst = along(lambda w, s: w + rho * unit(w) * s / norm(scaled), weights, scaled)
        return gradient(worst, update)

    return sgd(weights, beside, updates, **settings)


def asam(weights, gradient, updates, **settings):
    return sam(weights, gradient, updates, unit=np.abs, **settings)


def spectral_decoupling(weights, gradient, updates, *, penalty, **settings):
    return sgd(weights, lambda w, i: gradient(w, i, penalty=penalty), updates, **settings)


def label_smoothing(weights, gradient, updates, *, smoothing, **settings):
    def smoothed(weights, update):
        soft = (1 - smoothing) * np.eye(2)[LABELS[rows_of(update)]] + smoothing / 2
        return gradient(weights, update, targets=soft)

    return sgd(weights, smoothed, updates, **settings)


def mixup(weights, gradient, updates, *, alpha, **settings):
    def mixed(weights, update):
        share_key, order_key = jax.random.split(stream(key_of(update), "mixup"))
        share = float(jax.random.beta(share_key, alpha, alpha))
        order = np.asarray(jax.random.permutation(order_key, BATCH))
        x, targets = POINTS[rows_of(update)], np.eye(2)[LABELS[rows_of(update)]]
        x, targets = (share * part + (1 - share) * part[order] for part in (x, targets))
        return gradient(weights, update, x=x, targets=targets)

    return sgd(weights, mixed, updates, **settings)


def ema(weights, gradient, updates, *, decay, **settings):
    path, average = [], weights
    sgd(weights, gradient, updates, path=path, **settings)
    for later in path:
        average = along(lambda a, w: decay * a + (1 - decay) * w, average, later)
    return average


def swa(weights, gradient, updates, *, start, every, budget=200, **settings):
    path = []
    sgd(weights, gradient, updates, path=path, **settings)
    return along(lambda *taken: np.mean(taken, axis=0), *path[round(start * budget) :: every])
