"""Where the time of an update goes: the operations of the compiled program, by their proportion.

One network on each core, as the engine trains them: operations with their proportion of the time,
the time of a call, the shape of their result and what they come from.

    python benchmarks/operations.py [--shapes 300,2 100,1]
"""

import argparse
import re
import tempfile
from collections import Counter
from pathlib import Path

from engine import BATCH, LEARNING_RATE, SETTINGS, SHAPES, N

_SHOWN = 12  # operations a table
_LINE = re.compile(r"%(\S+) = \(?(\w+\[[\d,]*\]).*op_name=\"([^\"]*)\"")


def profile(shape: str) -> None:
    """Print the operations of one architecture's update."""
    import jax
    import jax.numpy as jnp

    import simbias
    from simbias.parallel import devices_for, spread
    from simbias.training import fit, jobs
    from simbias.training.problem import problem_of

    width, depth = map(int, shape.split(","))
    cell = simbias.training.Cell(
        simbias.tasks.get("noisy-lms-7"),
        simbias.MLP(width, depth),
        simbias.sgd(learning_rate=LEARNING_RATE, **SETTINGS),
        n_train=N,
        batch=BATCH,
        stop=simbias.Stop(max_updates=1_000_000, check_every=1000),
    )
    devices = devices_for()
    program = fit.program(cell, jobs.N_SELECT)
    problems = [problem_of(cell, seed) for seed in range(len(devices))]
    states = [jax.jit(lambda problem: fit.start(program, problem))(problem) for problem in problems]
    placed = spread(list(zip(problems, states, strict=True)), devices)
    compiled = jobs._compiled(program, devices, False, len(devices))
    compiled = compiled.lower(placed, jnp.int32(1)).compile()
    operations = {name: (kind, source) for name, kind, source in _LINE.findall(compiled.as_text())}
    jax.block_until_ready(compiled(placed, jnp.int32(1)))
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            jax.block_until_ready(compiled(placed, jnp.int32(3)))
        (path,) = Path(folder).rglob("*.xplane.pb")
        data = jax.profiler.ProfileData.from_file(str(path))
    spent: Counter[str] = Counter()
    calls: Counter[str] = Counter()
    for plane in data.planes:
        for line in plane.lines:
            for event in line.events:
                if event.name in operations and not event.name.startswith("while"):
                    spent[event.name] += event.duration_ns
                    calls[event.name] += 1
    total = sum(spent.values())
    updates = 3 * cell.stop.spacing[0] * len(devices)
    print(f"({shape}): {total / updates / 1e3:.0f} us an update")
    for name, time in spent.most_common(_SHOWN):
        kind, source = operations[name]
        source = "/".join(source.split("/")[-2:])
        print(f"  {time / total:4.0%} {time / calls[name] / 1e3:8.1f} us  {kind:<14} {source}")
    print(f"  {1 - sum(t for _, t in spent.most_common(_SHOWN)) / total:4.0%} others", flush=True)


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shapes", nargs="+", default=SHAPES, metavar="WIDTH,DEPTH")
    options = parser.parse_args()
    import simbias

    simbias.configure()
    for shape in options.shapes:
        profile(shape)


if __name__ == "__main__":
    main()
