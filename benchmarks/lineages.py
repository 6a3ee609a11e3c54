"""How fast lineages run: Gaussian generations a second, and the closed forms at full size.

    python benchmarks/lineages.py

100,000 lineages of 20 points and 10,000 of 1,000, 100 generations each, from points that are drawn,
with every mean over lineages held against its closed form within simultaneous 99% limits.
"""

import time

from simbias._devices import configure
from simbias.generations import LineageCell, agreement, lineages, moments, pooled

SIZES = ((20, 10, 10_000), (1000, 10, 1_000))  # points, seeds, lineages of each
GENERATIONS = 100


def main() -> None:
    """Run the replaced lineages of both sizes and print what they took."""
    configure()
    for points, seeds, count in SIZES:
        for ddof in (0, 1):
            cell = LineageCell.of(
                {"name": "normal"},
                {"name": "gaussian", "ddof": ddof},
                {"name": "replace"},
                points=points,
                generations=GENERATIONS,
                lineages=count,
            )
            lineages(cell, seeds)  # compiles
            wall, cpu = time.perf_counter(), time.process_time()
            parts = [moments(lineages(cell, seed)) for seed in range(seeds)]
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            joined = {name: pooled([part[name] for part in parts]) for name in parts[0]}
            entries = agreement({cell: joined})
            worst = max(entries, key=lambda entry: entry.off)
            rate = seeds * count * GENERATIONS / wall
            print(
                f"{points} points, ddof {ddof}: {seeds * count} lineages in {wall:.1f} s"
                f" ({cpu:.1f} s of cores), {rate:,.0f} generations/s;"
                f" {len(entries)} means, the farthest {worst.measure} at generation"
                f" {worst.generation}: {worst.off:.2f} of its limit",
                flush=True,
            )


if __name__ == "__main__":
    main()
