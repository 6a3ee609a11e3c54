"""What training minimises: losses of a point, from its logits and its label."""

from simbias.losses.functions import cross_entropy, hinge, logistic, square
from simbias.losses.loss import Loss, get, names

__all__ = ["Loss", "cross_entropy", "get", "hinge", "logistic", "names", "square"]
