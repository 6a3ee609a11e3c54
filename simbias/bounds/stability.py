"""Algorithmic stability of SGD, and which of its assumptions these networks break.

M. Hardt, B. Recht, Y. Singer, "Train faster, generalize better: stability of stochastic gradient
descent" (ICML 2016), theorem 3.12: for a loss in [0, 1] that is beta-smooth and L-Lipschitz in the
weights, and steps a_t <= c/t of plain SGD, the expected gap after T steps is at most
(1 + 1/(beta c))/(n - 1) (2 c L^2)^(1/(beta c + 1)) T^(beta c/(beta c + 1)). A constant step is not
of that form, a ReLU is not smooth, and where matrices multiply no L holds for all weights.
"""

import math

from simbias.bounds.bound import Bound, independent
from simbias.bounds.norms import absorbed, log_spectral_product
from simbias.bounds.observed import Observed
from simbias.bounds.record import Assumption

_KINKS = ("relu", "leaky-relu")


def smooth(observed: Observed) -> Assumption:
    """The gradient is Lipschitz: no unit has a kink."""
    units = sum(observed.sizes[1:-1])
    detail = f"{units} hidden units of {observed.activation}"
    text = "the loss is smooth in the weights"
    return Assumption(text, units == 0 or observed.activation not in _KINKS, detail)


def lipschitz(observed: Observed) -> Assumption:
    """The gradient is bounded over all weights: no two matrices multiply."""
    matrices = len(observed.layers)
    log10 = log_spectral_product(absorbed(observed.layers)) / math.log(10)
    detail = f"{matrices} matrices multiply, product of spectral norms here 10^{log10:.2f}"
    return Assumption("the loss is Lipschitz over all weights", matrices == 1, detail)


def decaying_steps(observed: Observed) -> Assumption:
    """Steps decay at least like c/t."""
    text, steps = "steps decay as c/t", observed.steps
    if steps is None:
        return Assumption(text, False, "the training is not known")
    detail = f"constant, {steps.learning_rate:g} for {steps.updates} updates"
    return Assumption(text, steps.updates <= 1 or steps.learning_rate == 0, detail)


def plain_steps(observed: Observed) -> Assumption:
    """Updates are steps along the gradient, without momentum."""
    text, steps = "updates are plain SGD", observed.steps
    if steps is None:
        return Assumption(text, False, "the training is not known")
    return Assumption(text, steps.momentum == 0, f"momentum {steps.momentum:g}")


stability = Bound(
    name="stability",
    family="stability",
    certifies="an expectation",
    kind="bound",
    constants="Hardt, Recht and Singer 2016, theorem 3.12",
    assumptions=(independent, smooth, lipschitz, decaying_steps, plain_steps),
    invariant=("permutation", "unit-rescaling", "layer-rescaling"),
    compute=None,
    summary="Stability of SGD with decaying steps, smooth loss: its assumptions never hold here.",
)
