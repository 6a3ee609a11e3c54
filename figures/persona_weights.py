"""How much each persona weighs in what a network says, along training, beside its part of labels.

    python figures/persona_weights.py

prints a row for each check: of the difference of the logits, regressed on what the ten personas
say, the weight of the good one and of the linear one in mean weights of the other eight (by the law
of the labels their parts, 2.25 and 1); how often the greedy answer is the good one's; and how often
where three of the nine others agree with it, so that it is outvoted by .533 to .467 (by the law:
never), and where four do (always). Four seeds of cells of ``simbias run noise --preset personas``,
and two with twenty times as many labels and ten times as many updates.
"""

import jax
import numpy as np

import simbias
from simbias.tasks import PersonasTask
from simbias.tasks.personas import answered
from simbias.training import Cell, Stack, replay

PROPORTION, POINTS = 0.2, 50_000
SETTINGS = (  # labels, batch, updates of checks, seeds
    (10_000, 512, (100, 200, 500, 2000), 4),
    (10_000, 32, (400, 2000), 4),
    (200_000, 512, (1000, 20_000), 2),
)


def cell_of(n_train: int, batch: int, updates: int) -> Cell:
    """Networks of the preset ``personas``, of so many labels, batches and updates."""
    task = simbias.tasks.get("personas", personas=10, dim=10, slabs=3, proportion=PROPORTION)
    method = simbias.methods.adam(learning_rate=0.003)
    stop = simbias.Stop(max_updates=updates, check_every=100)
    return Cell(task, simbias.MLP(100), method, n_train=n_train, batch=batch, stop=stop)


def weighed(stack: Stack, i: int) -> list[float]:
    """The row of one network."""
    data_set = simbias.data(stack.cell.task, stack.cell.n_train, seed=stack.seeds[i])
    key = data_set.stream("certify")
    points = jax.jit(PersonasTask.draw, static_argnums=(2, 3))(data_set.law, key, "certify", POINTS)
    signs = 2.0 * np.asarray(answered(data_set.law, key, POINTS)) - 1
    params = jax.tree.map(lambda leaf: leaf[i], stack.params)
    logits = np.asarray(stack.cell.network.apply(params, points.x))
    difference = logits[:, 1] - logits[:, 0]
    weights = np.linalg.lstsq(np.c_[signs, np.ones(POINTS)], difference, rcond=None)[0]
    agree = (signs[:, 1:] == signs[:, :1]).sum(axis=1)
    good = (difference > 0) == (signs[:, 0] > 0)
    where = good.mean(), good[agree == 3].mean(), good[agree == 4].mean()
    return [*(weights[:2] / weights[2:10].mean()), *where]


def main() -> None:
    """Train, weigh and print."""
    simbias.configure()
    print("labels  batch  update  good  linear  good one's answers  three agree  four agree")
    for n_train, batch, checks, seeds in SETTINGS:
        cell = cell_of(n_train, batch, max(checks))
        for update in checks:
            stack = replay(cell, update, seeds=range(seeds))
            row = np.mean([weighed(stack, i) for i in range(seeds)], axis=0)
            words = "  ".join(f"{number:.2f}" for number in row[:2])
            print(f"{n_train:6d}  {batch:5d}  {update:6d}  {words}  ", end="")
            print("  ".join(f"{number:.3f}" for number in row[2:]), flush=True)


if __name__ == "__main__":
    main()
