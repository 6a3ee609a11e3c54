"""What is estimated, with how sure it is."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class Estimate(NamedTuple):
    """A number a network with its confidence interval; NaN where there is nothing to estimate."""

    value: Float[np.ndarray, " seeds"]
    low: Float[np.ndarray, " seeds"]
    high: Float[np.ndarray, " seeds"]
