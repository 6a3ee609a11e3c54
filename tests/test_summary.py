"""Means over seeds: their interval by hand, and where there is none to be shown."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from simbias.results.summary import INTERVAL, mean_over_seeds
from simbias.tables.summary import caption, mean_text


def test_the_interval_of_three_seeds_is_students():
    mean = mean_over_seeds([0.90, 0.92, None, 0.94], 0.95)
    # standard error .02/sqrt(3), times the .975 quantile of t with two degrees of freedom, 4.3027
    assert mean.value == pytest.approx(0.92) and mean.half == pytest.approx(0.049683, abs=1e-6)
    assert (mean.low, mean.high) == pytest.approx((0.870317, 0.969683), abs=1e-6)
    assert mean_text(mean) == "0.920 ±0.050"


def test_a_mean_cannot_be_changed_after_it_was_made():
    with pytest.raises(FrozenInstanceError):
        mean_over_seeds([0.5], None).value = 1.0


@pytest.mark.parametrize("values", ([1.0], [1.0, 1.0, 1.0], [0.3, 0.3]))
def test_seeds_that_are_all_the_same_leave_nothing_to_say_of_their_spread(values):
    mean = mean_over_seeds(values, None)
    assert mean.value == values[0] and np.isnan([mean.half, mean.low, mean.high]).all()
    assert mean_text(mean) == f"{values[0]:.3f}"


def test_a_half_width_that_rounds_to_nothing_is_not_printed_as_none():
    assert mean_text(mean_over_seeds([0.5, 0.50001, 0.5], None)) == "0.500 ±<0.001"


def test_a_memorised_fraction_may_lie_below_0_and_a_proportion_may_not():
    assert mean_over_seeds([0.0, 0.02], None).low == 0
    assert mean_over_seeds([0.0, 0.02], None, least=-1.0).low == pytest.approx(
        0.01 - 12.7062 * 0.01, abs=1e-5
    )


def test_seeds_some_of_which_never_arrive_have_no_finite_mean_and_no_interval():
    mean = mean_over_seeds([200.0, np.inf], None, most=np.inf)
    assert np.isinf(mean.value) and np.isnan(mean.half)


def test_the_caption_calls_the_interval_approximate():
    assert INTERVAL.startswith("approximate") and INTERVAL in caption([])
