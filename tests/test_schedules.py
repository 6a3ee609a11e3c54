"""Learning-rate schedules: by what an update multiplies the rate, and how they are named."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from test_methods import batch_of

from simbias import sgd
from simbias.methods.schedules import checked_schedule, proportion


@pytest.mark.parametrize(
    ("schedule", "right"),
    [  # at updates 0, 5, 9, 10, 55, 99 of 100
        ({"name": "constant", "warmup": 10}, [0.1, 0.6, 1, 1, 1, 1]),
        ("cosine", [1, (1 + np.cos(0.05 * np.pi)) / 2, (1 + np.cos(0.09 * np.pi)) / 2,
                    (1 + np.cos(0.1 * np.pi)) / 2, (1 + np.cos(0.55 * np.pi)) / 2,
                    (1 + np.cos(0.99 * np.pi)) / 2]),
        ({"name": "cosine", "warmup": 10, "final": 0.2},
         [0.1, 0.6, 1, 1, 0.6, 0.2 + 0.4 * (1 + np.cos(89 / 90 * np.pi))]),
        ({"name": "step", "every": 10}, [1, 1, 1, 0.1, 1e-5, 1e-9]),
        ({"name": "step", "every": 45, "factor": 0.5, "warmup": 10}, [0.1, 0.6, 1, 1, 0.5, 0.5]),
    ],
)  # fmt: skip
def test_a_schedule_multiplies_the_learning_rate_by_what_it_says(schedule, right):
    rule = checked_schedule(schedule)
    method = sgd(schedule=schedule)
    assert method.settings["schedule"] == rule and "schedule" not in sgd().settings
    factors = [
        float(proportion(rule, replace(batch_of(method, update), budget=jnp.int32(100))))
        for update in (0, 5, 9, 10, 55, 99)
    ]
    np.testing.assert_allclose(factors, right, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        (3, "^schedule: got 3, allowed: a name, or a table"),
        ({"warmup": 3}, "^schedule: unknown name None, known: constant, cosine, step"),
        ({"name": "step"}, "^schedule: key 'every' is missing"),
        ({"name": "step", "every": 0}, "^schedule: every: got 0, allowed: an integer >= 1"),
        ({"name": "step", "every": 9, "factor": 0}, "^schedule: factor: got 0, allowed: .*0, 1"),
        ({"name": "cosine", "every": 9}, "^schedule: key: unknown name 'every'"),
        ({"name": "cosine", "final": 2}, "^schedule: final: got 2, allowed: a number in .0, 1"),
        ({"name": "cosine", "warmup": -1}, "^schedule: warmup: got -1, allowed: an integer >= 0"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused_in_one_line(schedule, words):
    with pytest.raises(ValueError, match=words):
        sgd(schedule=schedule)


def test_a_schedule_is_named_by_what_departs_from_its_defaults():
    assert sgd(schedule={"name": "constant", "warmup": 0}) == sgd()
    step = {"name": "step", "every": 9}
    assert sgd(schedule={**step, "factor": 0.1}).settings["schedule"] == step
    assert sgd().update_rule is not None
    for other in (sgd(schedule="cosine"), sgd(schedule=step), sgd(nesterov=True)):
        assert other.update_rule is None  # bounds that read the rule are not about these
