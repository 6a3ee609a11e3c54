"""Estimates with confidence intervals."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class Estimate(NamedTuple):
    """A number for each network with its confidence interval; NaN where it cannot be estimated.

    Examples:
        >>> import simbias
        >>> data = simbias.data(simbias.tasks.get("lms-5", dim=4), n_train=1000)
        >>> risk = simbias.validate(lambda x: x[:, 0], data, n_certify=10_000).risk
        >>> value, low, high = risk
        >>> value.shape, bool((low <= value).all()), bool((value <= high).all())
        ((1,), True, True)
    """

    value: Float[np.ndarray, " seeds"]
    low: Float[np.ndarray, " seeds"]
    high: Float[np.ndarray, " seeds"]
