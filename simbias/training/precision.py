"""The precision of the matrix products of updates: of their factors; sums are always float32.

``bfloat16`` keeps 8 bits of each factor of every product and convolution of an update, forward and
backward. Weights, their updates, activations between products and all sums stay in float32, and so
does whatever evaluates a network. Processors and accelerators with bfloat16 units multiply so
faster; on others the numbers are the same. An update is rewritten as JAX has traced it,
so that this holds for any network, loss and method.

``tensorfloat32`` keeps 11 bits, on accelerators that have such units; a processor has none.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal, Var

from simbias._checks import fail, known
from simbias._pinned import lenient
from simbias._types import PyTree

PRECISIONS = ("float32", "tensorfloat32", "bfloat16")
_INLINE = ("jit", "pjit", "closed_call", "custom_jvp_call", "custom_vjp_call", "remat2")
_BODIES = ("jaxpr", "call_jaxpr", "fun_jaxpr")  # under which those keep what they call

Result = TypeVar("Result", bound=PyTree)


def checked_precision(precision: str) -> str:
    """One of ``PRECISIONS``; raises ValueError.

    Examples:
        >>> from simbias.training.precision import checked_precision
        >>> checked_precision("bfloat16")
        'bfloat16'
    """
    return known("precision", precision, PRECISIONS)


def check_device(precision: str, platform: str) -> None:
    """Raise ValueError where the devices have no such products.

    Examples:
        >>> from simbias.training.precision import check_device
        >>> check_device("tensorfloat32", "cpu")
        Traceback (most recent call last):
            ...
        ValueError: precision: got 'tensorfloat32', allowed: float32 or bfloat16 on a processor, ...
    """
    if precision == "tensorfloat32" and platform == "cpu":
        allowed = "float32 or bfloat16 on a processor, which has no products of tensorfloat32"
        raise fail("precision", precision, allowed)


def at_precision(function: Callable[..., Result], precision: str) -> Callable[..., Result]:
    """A function of pytrees of arrays, its products at a precision.

    Args:
        function: pure, as it is traced for a compiled program.
        precision: one of ``PRECISIONS``.

    Examples:
        >>> import jax.numpy as jnp
        >>> from simbias.training.precision import at_precision
        >>> x = jnp.float32([[1.001]])
        >>> square = at_precision(lambda x: x @ x, "bfloat16")
        >>> float(square(x)[0, 0]), bool((x @ x)[0, 0] > 1)
        (1.0, True)
    """
    if precision == "float32":
        return function
    if precision == "tensorfloat32":

        def on_an_accelerator(*arguments: PyTree) -> Result:
            with jax.default_matmul_precision("tensorfloat32"):
                return function(*arguments)

        return on_an_accelerator

    def rounded(*arguments: PyTree) -> Result:
        traced, shape = jax.make_jaxpr(function, return_shape=True)(*arguments)
        values = _evaluate(traced.jaxpr, traced.consts, jax.tree.leaves(arguments))
        result: Result = jax.tree.unflatten(jax.tree.structure(shape), values)
        return result

    return rounded


def _evaluate(jaxpr: Jaxpr, consts: Sequence[object], arguments: Sequence[object]) -> list[PyTree]:
    """The results of a traced function, its products rounded."""
    known_values: dict[Var, object] = dict(zip(jaxpr.constvars, consts, strict=True))
    known_values |= dict(zip(jaxpr.invars, arguments, strict=True))

    def read(atom: Var | Literal) -> PyTree:
        return atom.val if isinstance(atom, Literal) else known_values[atom]

    for equation in jaxpr.eqns:
        inputs = [read(atom) for atom in equation.invars]
        outputs = _applied(equation, inputs)
        known_values |= dict(zip(equation.outvars, outputs, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _applied(equation: PyTree, inputs: list[PyTree]) -> Sequence[PyTree]:
    """The results of one operation on its inputs."""
    name, params = equation.primitive.name, equation.params
    if name in ("dot_general", "conv_general_dilated") and _is_float32(equation):
        return [_product(equation, *inputs)]
    if name in _INLINE:
        body = next(params[key] for key in _BODIES if key in params)
        closed = isinstance(body, ClosedJaxpr)
        return _evaluate(body.jaxpr if closed else body, body.consts if closed else (), inputs)
    rewritten = {key: _rewritten(value) for key, value in params.items()}
    result = equation.primitive.bind(*inputs, **rewritten)
    return result if equation.primitive.multiple_results else [result]


def _is_float32(equation: PyTree) -> bool:
    return all(atom.aval.dtype == jnp.float32 for atom in (*equation.invars, *equation.outvars))


def _product(equation: PyTree, left: jax.Array, right: jax.Array) -> jax.Array:
    """A product of two float32 arrays by bfloat16 factors."""
    params = equation.params | {"precision": None, "preferred_element_type": jnp.float32}
    left, right = (factor.astype(jnp.bfloat16) for factor in (left, right))
    if equation.primitive.name == "dot_general":
        (contracted, others), (batched, _) = params["dimension_numbers"]
        by_columns = left.ndim == 2 and not batched and contracted == (0,)
        if by_columns and jax.default_backend() == "cpu":
            # XLA's fast products take rows there: the transpose, which it would otherwise fold
            # into the product, is made before
            left = jax.lax.optimization_barrier(left.T)
            params["dimension_numbers"] = ((1,), others), ((), ())
    product: jax.Array = equation.primitive.bind(left, right, **params)
    return product


def _rewritten(value: PyTree) -> PyTree:
    """A parameter of an operation, with the bodies of loops and branches rewritten."""
    if isinstance(value, tuple) and value and isinstance(value[0], ClosedJaxpr):
        return tuple(map(_rewritten, value))
    if not isinstance(value, ClosedJaxpr):
        return value
    body = value
    with lenient():
        return jax.make_jaxpr(lambda *inputs: _evaluate(body.jaxpr, body.consts, inputs))(
            *body.in_avals
        )
