"""Aliases that rooms share, and the array dimensions as they appear in signatures.

Dimensions: ``seeds`` networks of a stack; ``rows`` points; ``dim`` input coordinates; ``pieces``
intervals of a one-coordinate law; ``labels`` the two labels, negative first; ``classes`` logits.
Labels are integers, 0 for the negative and 1 for the positive class.
"""

from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key, PyTree, UInt
from numpy.typing import NDArray

from simbias._plain import Answer, Settings, TableRow

__all__ = [
    "Answer", "AnyArray", "AnyStack", "Array", "Bool", "Elementwise", "Float", "Holds", "Int",
    "Key", "Keywords", "Params", "PyTree", "Settings", "TableRow", "UInt",
]  # fmt: skip

AnyArray: TypeAlias = Any  # a NumPy array on the host, a JAX array inside a compiled program
Elementwise = NDArray[np.float64] | np.float64  # what NumPy makes of arrays, and of numbers
Holds = NDArray[np.bool_] | np.bool_  # the same of comparisons
Params: TypeAlias = PyTree  # of float32 arrays, as the network's init returns it
AnyStack: TypeAlias = Any  # a stack, fitted estimators, or what the experiment of a plug-in makes
Keywords = dict[str, Any]  # of Matplotlib's functions, each of which takes others
