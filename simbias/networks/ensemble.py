"""Networks of one architecture as one classifier: the mean of their probabilities.

Each member has its own initialisation and is trained by itself, whatever the method is: training
takes every step member by member (``training/members.py``), on one order of batches.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from simbias._checks import fail, instance, whole
from simbias._pinned import pinned
from simbias._types import Params, PyTree, Settings
from simbias.networks.network import Network, get
from simbias.registry import NETWORKS


@dataclass(frozen=True)
class Ensemble:
    """Independent members of one architecture; scores are the log of their mean probability.

    Args:
        member: the architecture of each.
        members: how many there are, 1 to 1000.

    Raises:
        ValueError: a member that is no network or an ensemble itself, or members out of range.

    References:
        B. Lakshminarayanan, A. Pritzel, C. Blundell, "Simple and scalable predictive uncertainty
        estimation using deep ensembles", NeurIPS 2017 (without its adversarial examples).

    Examples:
        >>> import jax
        >>> import simbias
        >>> net = simbias.networks.Ensemble(simbias.MLP(8), members=3)
        >>> net.label
        '3 x (8,1)'
        >>> params = net.init(jax.random.key(0), (4,), 2)
        >>> params["layers"][0]["kernel"].shape
        (3, 4, 8)
        >>> scores = net.apply(params, jax.numpy.ones((5, 4)))
        >>> print(jax.numpy.exp(scores).sum(axis=1).round(5))
        [1. 1. 1. 1. 1.]
    """

    member: Network
    members: int = 5

    def __post_init__(self) -> None:
        instance("member", self.member, Network)
        if isinstance(self.member, Ensemble):
            raise fail("member", self.member.label, "a network that is no ensemble")
        object.__setattr__(self, "members", whole("members", self.members, most=1000))

    @property
    def settings(self) -> Settings:
        """The member's settings, its name under ``of``, and the number of members.

        An ensemble of what has no registered name has a name of its own.
        """
        inner = dict(self.member.settings)
        of = inner.pop("name")
        name = "ensemble" if of in NETWORKS.entries() else f"ensemble of {of}"
        return {"name": name, "members": self.members, "of": of, **inner}

    @property
    def label(self) -> str:
        """Short name for tables and figures."""
        return f"{self.members} x {self.member.label}"

    @pinned
    def init(self, key: Key[Array, ""], shape: tuple[int, ...], classes: int) -> Params:
        """Random parameters: those of the members, on a leading axis."""
        members = [
            self.member.init(jax.random.fold_in(key, i), shape, classes)
            for i in range(self.members)
        ]
        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *members)

    def apply(self, params: Params, x: Float[Array, "rows *shape"]) -> Float[Array, "rows classes"]:
        """The log of the members' mean probability of each class (pure)."""

        def log_probabilities(own: PyTree) -> Float[Array, "rows classes"]:
            return jax.nn.log_softmax(self.member.apply(own, x))

        each = jax.lax.map(log_probabilities, params)
        return jax.nn.logsumexp(each, axis=0) - jnp.log(jnp.float32(self.members))

    def update_flops(self, shape: tuple[int, ...], classes: int) -> int:
        """Floating-point operations of one point's update: those of all members."""
        return self.members * self.member.update_flops(shape, classes)


def ensemble(*, members: int = 5, of: str = "mlp", **settings: object) -> Ensemble:
    """An ensemble of a registered network.

    Args:
        members: how many there are.
        of: the registered name of each.
        settings: the settings of each.

    Raises:
        ValueError: an unknown name or setting, or one out of range.

    Examples:
        >>> import simbias
        >>> simbias.networks.get("ensemble", members=3, width=8, depth=2).label
        '3 x (8,2)'
    """
    if of == "ensemble":
        raise fail("of", of, "a network that is no ensemble")
    return Ensemble(get(of, **settings), members)
