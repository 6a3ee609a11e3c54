"""Draw the gallery from the recorded runs beside it; or record runs first.

    python figures/make.py
    python figures/make.py --record pitfalls=runs/pitfalls-standard phase=runs/phase-standard
    python figures/make.py --pairs runs/prefer-standard runs/prefer-found runs/prefer-memorised
    python figures/make.py --paper standard=runs/reproduce-pitfalls-standard

A record holds what the figures need of a run: every row, the traces and weights of the networks
that are drawn, the bounds, the verdicts with their evidence, and one network as it was halfway to
its transition.
"""

import argparse
import csv
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import duckdb
import numpy as np
from safetensors.numpy import load_file, save_file

import simbias
from simbias import papers, plots
from simbias.bounds.preference import NetworkPair
from simbias.experiments import Replica, arrays, row_name
from simbias.plots.personas import display_of
from simbias.plots.run import Chosen, most_cut, networks_name
from simbias.plots.visibility import VisibilityRow
from simbias.registry import FIGURES
from simbias.results import Store, load_stack, summarise
from simbias.results.bounds import read_all
from simbias.results.claims import read_verdicts
from simbias.results.lineages import lineage_stacks
from simbias.results.preference import network_pairs
from simbias.runner.claims import open_store
from simbias.tables.reproduction import reproduction_page
from simbias.training import replay, stop
from simbias.training.jobs import Job
from simbias.training.words import phrases, value_words

HERE = Path(__file__).parent
RECORDED = HERE / "recorded"
NARROW, WIDE, JUMPING = (2, 10, 50), "(100,1)", 20  # dimensions drawn; cell drawn; of the jump
NOISE = 0.1  # of the cell whose bounds are drawn
HALFWAY = "halfway.safetensors"
PAIRS = "preference.csv"
# the comparisons of pairs that are drawn, with the names of their panels
DRAWN = {
    "explicit against stuck, d 50": "explicit against stuck, d 50",
    "trained from l2-norm against stuck, d 50": "trained rule against stuck, d 50",
    "cheapest against stuck, weight decay 5e-5, budget 25k, d 20": "cheap path against stuck, d 20",
    "learned against stuck, n 10,000, budget 60k, d 20": "escaped against stuck, d 20",
    "explicit against learned, d 10": "explicit against learned, d 10",
}
# the families of claims that are drawn together
PAGES = {
    "claims": (
        "bias", "conclusion", "enough", "shift", "solutions", "stopping", "theorem", "validation",
    ),
    "claims-bounds": ("validity", "vacuity", "ranking"),
    "claims-certify": ("certify",),
    "claims-prefers": ("prefers",),
}  # fmt: skip
COARSE = {"claims-certify": 200}  # dots an inch of a page-long figure


def main() -> None:
    """Record with ``--record``, then draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    names = ", ".join(RECORDS)
    parser.add_argument("--record", nargs="+", default=[], metavar="NAME=DIR", help=names)
    parser.add_argument("--pairs", nargs="+", type=Path, metavar="DIR", help="runs of prefer")
    parser.add_argument("--paper", metavar="PRESET=DIR", help="what simbias reproduce has made")
    options = parser.parse_args()
    simbias.configure()
    if options.paper:
        record_paper(*options.paper.split("=", 1))
    if options.pairs:
        record_pairs(options.pairs)
    for words in options.record:
        name, _, run = words.partition("=")
        if name not in RECORDS or not run:
            parser.error(f"--record: got {words}, allowed: NAME=DIR, NAME one of {names}")
        RECORDS[name](Store(run))
    with tempfile.TemporaryDirectory() as folder:
        runs = {}
        for name in RECORDS:
            with tarfile.open(RECORDED / f"{name}.tar.xz") as archive:
                archive.extractall(Path(folder, name), filter="data")
            runs[name] = Store(Path(folder, name))
        for name, (run, draw) in GALLERY.items():
            path = Path(folder, f"{name}.png")
            png = draw(runs[run]).save(path, dpi=COARSE.get(name, plots.DPI))[0]
            (HERE / png.name).write_bytes(png.read_bytes())
            print(HERE / png.name, flush=True)


def wide(store: Store) -> str:
    """The cell of the networks whose training and islands are shown."""
    for summary in summarise(store):
        if (summary.task, summary.network) == ("noisy-lms-7", WIDE):
            return summary.cell
    raise ValueError(f"pitfalls: no cell noisy-lms-7 {WIDE}")


def narrow(store: Store, dim: int) -> str:
    """The cell of two hidden layers and n = 40,000 at a dimension."""
    for summary in summarise(store):
        if summary.network == "(100,2)" and summary.settings == {"dim": dim, "n_train": 40_000}:
            return summary.cell
    raise ValueError(f"phase: no cell (100,2), n = 40,000 at dim {dim}")


def jumper(store: Store) -> tuple[str, int, int]:
    """The network with the latest transition at ``JUMPING``: its cell, seed, and half the way."""
    name = narrow(store, JUMPING)
    (transitions,) = (summary.transitions for summary in summarise(store) if summary.cell == name)
    assert transitions is not None
    position = int(np.argmax(np.where(np.isfinite(transitions.updates), transitions.updates, -1)))
    half = int(transitions.updates[position] / 2) // stop.COARSE * stop.COARSE
    return name, transitions.seeds[position], half


def record_pitfalls(store: Store) -> None:
    """Keep a run of the suite ``pitfalls``."""
    stack = load_stack(store, wide(store))
    pack(store, "pitfalls", [row_name(Job(stack.cell, seed)) for seed in stack.seeds])


def record_phase(store: Store) -> None:
    """Keep a run of the suite ``phase``, and the jumping network on its way."""
    networks = [(narrow(store, dim), 0) for dim in NARROW]
    name, seed, half = jumper(store)
    names = []
    for cell, drawn_seed in [*networks, (name, seed)]:
        stack = load_stack(store, cell, seed=drawn_seed)
        names.append(row_name(Job(stack.cell, drawn_seed)))
    on_its_way = replay(stack.cell, half, seeds=[seed])
    with tempfile.TemporaryDirectory() as folder:
        save_file(arrays.tensors(on_its_way, 0), Path(folder, HALFWAY))
        pack(store, "phase", names, Path(folder, HALFWAY))


def pack(
    store: Store,
    name: str,
    weights: Sequence[str] = (),
    *others: Path,
    folders: Sequence[str] = ("networks", "traces"),
    keep: Callable[[Path], bool] = lambda path: True,
) -> None:
    """Write an archive; the same run gives the same bytes, on any machine and at any time."""

    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.mtime, member.uid, member.gid, member.uname, member.gname = 0, 0, 0, "", ""
        return member

    RECORDED.mkdir(exist_ok=True)
    files = [path for folder in folders for path in sorted((store.directory / folder).glob("*.*"))]
    files = [path for path in files if keep(path)]
    files += [store.weights_path(network) for network in sorted(weights)]
    with tarfile.open(RECORDED / f"{name}.tar.xz", "w:xz", preset=9) as archive:
        for path in [store.directory / "run.toml", *files]:
            archive.add(path, path.relative_to(store.directory), filter=plain)
        for path in others:
            archive.add(path, path.name, filter=plain)


def record_personas(store: Store) -> None:
    """The rows and traces of networks, and the figure's numbers, for which weights are read."""
    table = FIGURES.factory("personas")(Chosen(store))[1].tables()["noise"]
    with (RECORDED / PERSONAS).open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table)
        for panel, label, *numbers in zip(*table.values(), strict=True):
            writer.writerow([panel, label, *(f"{number:.6g}" for number in numbers)])
    pack(store, "noise-personas")


def answered(_: Store) -> plots.Display:
    """Whose answers networks give, as was recorded."""
    numbers: dict[tuple[str, float], dict[str, list[list[float]]]] = {}
    with (RECORDED / PERSONAS).open() as file:
        for row in csv.DictReader(file):
            kind, _, proportion = row.pop("panel").rpartition(", ")
            lines = numbers.setdefault((kind, float(proportion)), {})
            lines.setdefault(row.pop("label"), []).append(list(map(float, row.values())))
    return display_of(
        {
            panel: [plots.NoiseLine(label, *np.array(rows).T) for label, rows in lines.items()]
            for panel, lines in numbers.items()
        }
    )


def record_collapse_claims(store: Store) -> None:
    """The verdicts, and of the lineages those of networks, which are drawn."""
    stacks = [stack for stack in lineage_stacks(store) if stack.cell.lineages == 1]
    names = {row_name(Replica(stack.cell, seed)) for stack in stacks for seed in stack.seeds}

    def keep(path: Path) -> bool:
        if path.parent.name == "generations":
            rows = duckdb.read_parquet(str(path)).aggregate("max(lineages)").fetchall()
            return bool(rows[0][0] == 1)
        return path.parent.name in OF_CLAIMS or path.stem in names

    pack(store, "claims-collapse", folders=(*OF_CLAIMS, *MOMENTS), keep=keep)


ASKED = ("doses", "effects", "decoded", "alike", "seeds")  # figures of the suite ``directions``
PERSONAS = "personas.csv"  # whose answers networks give, without their weights
OF_CLAIMS = ("said", "verdicts", "evidence")  # tables of a run of claims
JUDGED = ("claims", "claims-directions", "claims-learners", "claims-noise")  # such runs
MOMENTS = ("generations", "traces", "weights")  # tables of lineages, and their moments
OF_LINEAGES = ("lineages", "tails", "threshold")  # figures of them
LEARNERS = ("networks", "solutions", "estimators")  # tables of what stands on a leaderboard
BOARDS = ("mitigation", "mitigation-tuned")  # runs with one

RECORDS: dict[str, Callable[[Store], None]] = {
    "pitfalls": record_pitfalls,
    "phase": record_phase,
    "bounds": lambda run: pack(run, "bounds", folders=("networks", "traces", "bounds")),
    "certify": lambda run: pack(run, "certify", folders=("networks", "traces", "bounds")),
    **{name: partial(pack, name=name, folders=OF_CLAIMS) for name in JUDGED},
    **{name: partial(pack, name=name, folders=(*LEARNERS, "traces")) for name in BOARDS},
    "mitigation-tune": lambda run: pack(run, "mitigation-tune"),
    "noise": lambda run: pack(run, "noise"),
    "noise-digits": lambda run: pack(run, "noise-digits"),
    "noise-personas": record_personas,
    "massive-noise": lambda run: pack(run, "massive-noise"),
    "compute": lambda run: pack(run, "compute"),
    "directions": lambda run: pack(run, "directions", folders=("directions", "traces")),
    "collapse": lambda run: pack(run, "collapse", folders=MOMENTS),
    "collapse-decodings": lambda run: pack(run, "collapse-decodings", folders=MOMENTS),
    "claims-collapse": record_collapse_claims,
}


def of_run(
    kind: str, choose: Callable[[Store], Chosen] = Chosen
) -> Callable[[Store], plots.Display]:
    """A registered figure, of the part of a run that is chosen."""
    return lambda store: FIGURES.factory(kind)(choose(store))[1]


def boundary_at(dim: int) -> Callable[[Store], plots.Display]:
    """The boundary of one network of the phase suite."""
    return of_run("boundary", lambda store: Chosen(store, narrow(store, dim), seed=0))


def first_slab(store: Store) -> Chosen:
    """The first network of the wide cell, across its first slab."""
    return Chosen(store, wide(store), seed=0, coordinate=1)


def jump(halfway: bool) -> Callable[[Store], plots.Display]:
    """The boundary of the jumping network, halfway to its transition or at its end."""

    def draw(store: Store) -> plots.Display:
        name, seed, _ = jumper(store)
        stack = load_stack(store, name, seed=seed)
        coordinate = most_cut(stack)
        if halfway:
            tensors = load_file(store.directory / HALFWAY)
            stack = arrays.stack_from_tensors(stack.cell, {seed: tensors}, stack.traces)
        display = plots.boundary(stack, seed=seed, coordinate=coordinate)
        display.name += f", after {value_words(int(stack.updates[0]))} updates"
        return display

    return draw


def certified(store: Store) -> plots.Display:
    """Every bound on the wide cell: the same network, n and noise as in the other figures."""
    for cell, _ in read_all(store):
        if (cell.task.name, cell.network.label, cell.n_train) == ("noisy-lms-7", WIDE, 40_000):
            if cell.task.settings["noise"] == NOISE:
                _, display = FIGURES.factory("bounds")(Chosen(store, cell.name))
                # the other figures do not name it either
                display.name = display.name.replace(f"{phrases({'noise': NOISE})}, ", "")
                return display
    raise ValueError(f"bounds: no cell noisy-lms-7 {WIDE} with noise {NOISE}")


def judged(families: Sequence[str]) -> Callable[[Store], plots.Display]:
    """The verdicts on the claims of some families."""
    return lambda store: plots.claims(
        [row for row in read_verdicts(store) if row["family"] in families]
    )


def visible(store: Store) -> plots.Display:
    """What shifts cost the networks of the wide cell, and what reveals them, as was recorded."""
    with (RECORDED / "visibility.csv").open() as file:
        rows = [
            VisibilityRow(row.pop("shift"), *map(float, row.values()))
            for row in csv.DictReader(file)
        ]
    name = networks_name(load_stack(store, wide(store)))
    return plots.VisibilityDisplay(name, 0.8, tuple(rows))


def record_paper(preset: str, run: str) -> None:
    """Write page and figure of a reproduction, complete or not, without its networks."""
    paper, store = papers.load("pitfalls"), open_store(Path(run))
    ours = papers.reproductions(paper, preset, store)
    command = f"simbias reproduce {paper.name} --preset {preset}"
    (HERE / "paper.md").write_text(reproduction_page(paper, preset, ours, command))
    with tempfile.TemporaryDirectory() as folder:
        png = plots.reproduction(paper, ours).save(Path(folder, "reproduction.png"), dpi=200)[0]
        (HERE / png.name).write_bytes(png.read_bytes())


def record_pairs(runs: Sequence[Path]) -> None:
    """Keep the pairs of networks of several runs of the suite ``prefer``."""
    rows = []
    for run in runs:
        evaluated = read_all(Store(run))
        dims = {cell.task.dim for cell, _ in evaluated}
        pairs, kinds = network_pairs(evaluated)
        for pair in pairs:
            comparison = f"{pair.comparison}, {phrases({'dim': min(dims)})}"
            rows += [
                (comparison, *pair.seeds, name, kinds[name], value, pair.others[name])
                for name, value in pair.values.items()
                if name in pair.others and not np.isnan([value, pair.others[name]]).any()
            ]
    with (RECORDED / PAIRS).open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(
            ("comparison", "seed", "other_seed", "name", "kind", "log10", "other_log10")
        )
        writer.writerows([*row[:-2], *(f"{log:.6g}" for log in row[-2:])] for row in rows)


def preferred(_: Store) -> plots.Display:
    """Which network each number prefers, in the comparisons that are drawn, as was recorded."""
    pairs, kinds = recorded_pairs()
    drawn = [
        pair._replace(comparison=DRAWN[pair.comparison])
        for pair in pairs
        if pair.comparison in DRAWN
    ]
    order = list(DRAWN.values())
    return plots.preference(sorted(drawn, key=lambda pair: order.index(pair.comparison)), kinds)


def recorded_pairs() -> tuple[list[NetworkPair], dict[str, str]]:
    """The pairs as they were recorded, and the kind of each number."""
    values: dict[tuple[str, tuple[int, int]], tuple[dict[str, float], dict[str, float]]] = {}
    kinds = {}
    with (RECORDED / PAIRS).open() as file:
        for row in csv.DictReader(file):
            seeds = int(row["seed"]), int(row["other_seed"])
            sides = values.setdefault((row["comparison"], seeds), ({}, {}))
            for side, log in zip(sides, (row["log10"], row["other_log10"]), strict=True):
                side[row["name"]] = float(log)
            kinds[row["name"]] = row["kind"]
    return [NetworkPair(*key, *sides) for key, sides in values.items()], kinds


GALLERY: dict[str, tuple[str, Callable[[Store], plots.Display]]] = {
    "boundary": ("pitfalls", of_run("boundary", first_slab)),
    "training": ("pitfalls", of_run("training", lambda store: Chosen(store, wide(store)))),
    "table": ("pitfalls", of_run("table")),
    "islands": ("pitfalls", of_run("islands", first_slab)),
    "visibility": ("pitfalls", visible),
    "preference": ("pitfalls", preferred),
    "phase": ("phase", of_run("phase")),
    **{f"boundary-d{dim}": ("phase", boundary_at(dim)) for dim in NARROW},
    "before-transition": ("phase", jump(True)),
    "after-transition": ("phase", jump(False)),
    "bounds": ("bounds", certified),
    "discrimination": ("bounds", of_run("discrimination")),
    "certify": ("certify", of_run("certify")),
    **{name: ("claims", judged(families)) for name, families in PAGES.items()},
    "leaderboard": ("mitigation", of_run("leaderboard")),
    "leaderboard-tuned": ("mitigation-tuned", of_run("leaderboard")),
    **{name: (name, of_run("noise")) for name in ("noise", "noise-digits", "massive-noise")},
    "personas": ("noise-personas", answered),
    "compute": ("compute", of_run("compute")),
    **{kind: ("directions", of_run(kind)) for kind in ASKED},
    **{name: ("collapse", of_run(name)) for name in OF_LINEAGES},
    "degradation": ("claims-collapse", of_run("degradation")),
    "decodings": ("collapse-decodings", of_run("degradation")),
    "claims-collapse": ("claims-collapse", of_run("claims")),
    "claims-directions": ("claims-directions", judged(("directions",))),
    "claims-convergence": ("claims-directions", judged(("convergence",))),
    **{name: (name, of_run("claims")) for name in JUDGED[2:]},
}

if __name__ == "__main__":
    main()
