"""Methods on ensembles: every step is taken member by member, as if each were trained alone.

So a method never sees more than one network, and what it does with a gradient (its norm, a sign, an
average) is of one member alone. Members share the batches; each has a random key of its own.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from simbias._types import Params, PyTree
from simbias.networks import Ensemble, Network
from simbias.training.method import Batch, Hyper, Method, State, Step

Result = TypeVar("Result")


def member_by_member(method: Method, network: Network) -> Method:
    """The method that trains each member of an ensemble; of any other network, the method itself.

    Args:
        method: trains one member.
        network: whose parameters, and the state beside them, have the members on a leading axis.
    """
    if not isinstance(network, Ensemble):
        return method
    member, numbers = network.member, jnp.arange(network.members)

    def stepping(step: Step) -> Step:
        def of_all(
            hyper: Hyper, params: Params, state: State, batch: Batch
        ) -> tuple[Params, State]:
            def of_member(own: PyTree, i: Int[Array, ""]) -> tuple[Params, State]:
                own_params, own_state = own
                key = jax.random.fold_in(batch.key, i)
                return step(hyper, own_params, own_state, replace(batch, network=member, key=key))

            return _each(of_member, (params, state), numbers)

        return of_all

    def init(hyper: Hyper, params: Params, n_train: int) -> State:
        return _each(lambda own, _: method.init(hyper, own, n_train), params, numbers)

    def evaluated(hyper: Hyper, params: Params, state: State) -> Params:
        assert method.evaluated is not None
        of_member = method.evaluated
        return _each(lambda own, _: of_member(hyper, *own), (params, state), numbers)

    second = method.second
    return replace(
        method,
        init=init,
        step=stepping(method.step),
        evaluated=None if method.evaluated is None else evaluated,
        second=None
        if second is None
        else second._replace(enter=stepping(second.enter), step=stepping(second.step)),
    )


def _each(
    function: Callable[[PyTree, Int[Array, ""]], Result], trees: PyTree, numbers: Int[Array, " n"]
) -> Result:
    """A function of each member and its number, one after the other, as seeds are on a core."""
    mapped: Result = jax.lax.map(lambda pair: function(*pair), (trees, numbers))
    return mapped
