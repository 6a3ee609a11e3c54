"""The glossary: array dimensions as they appear in signatures, and shared aliases.

Dimensions: ``seeds`` networks of a stack; ``rows`` points; ``dim`` input coordinates; ``pieces``
intervals of a one-coordinate law; ``labels`` the two labels, negative first; ``classes`` logits.
Labels are integers, 0 for the negative and 1 for the positive class.
"""

from typing import Any

from jaxtyping import Array, Bool, Float, Int, Key, UInt

__all__ = ["AnyArray", "Array", "Bool", "Float", "Int", "Key", "Params", "Settings", "UInt"]

AnyArray = Any  # a NumPy or a JAX array: what crosses between host and device
Params = Any  # a pytree of float32 arrays, as the network's init returns it
Settings = dict[str, Any]  # plain values (numbers, strings, lists, dictionaries), JSON-able
