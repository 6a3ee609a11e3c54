"""Writers killed at random moments beside each other and beside readers: nothing lost or doubled.

    python tests/test_stress.py --kills 100 --writers 8 --readers 24

Each round has a directory of its own: writers run the same suite into it, are killed and start
again, while readers read; in the end every row is that of a run that nobody disturbed.
"""

import argparse
import contextlib
import io
import multiprocessing
import os
import random
import signal
import tempfile
import time
from functools import partial
from pathlib import Path

import pytest

SUITE = """
name = "tiny"
summary = "three cells of three networks, in one compiled group"
source = "none"

[tasks.noisy-lms-7]
n_train = 1000
method = { name = "sgd", learning_rate = 0.1, momentum = 0.9 }

[presets.full]
summary = "one size"
seeds = 3
n_certify = 2000
stop = { max_updates = 1000, check_every = 50 }

[[presets.full.cells]]
task = "noisy-lms-7"
network = { name = "mlp", width = 4 }
stop = { train_accuracy = [0.8, 0.9, 1.0] }
"""
APART = ("train_seconds", "validate_seconds", "finished", "device", "checksum")
NETWORKS = 9
MOMENTS = ("any", "while it writes", "after a row", "while it compacts")
CLAIMS = "pending/networks/claim/*"
PLACES = ("networks/*.parquet", "pending/networks/*.parquet")


def called(*words):
    """Exit code and errors of a command line."""
    from simbias.cli import main

    errors = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
        return main([str(word) for word in words]), errors.getvalue()


def rows(directory):
    """Every row by cell and seed, without what differs between two runs; a row twice is a fault."""
    from simbias.results import Store

    notes = []
    names, answers = Store(directory, note=notes.append).query("SELECT * FROM networks")
    assert not notes, notes
    kept = {}
    for values in answers:
        row = dict(zip(names, values, strict=True))
        assert (row["cell"], row["seed"]) not in kept, f"doubled: {row['cell']} {row['seed']}"
        kept[row["cell"], row["seed"]] = {key: row[key] for key in row if key not in APART}
    return kept


def write(suite, directory):
    """One life of a writer, without the figure that takes it as long as all its networks."""
    from simbias.plots import run

    run.draw = lambda *_: [suite.with_suffix(".png")]
    os.nice(3)
    code, errors = called("run", suite, "--preset", "full", "--out", directory, "--cores", "1")
    if code or errors:
        Path(f"{directory}.{os.getpid()}.failed").write_text(f"exit code {code}: {errors}")


def read(directory, expected, seed, pause):
    """Read until the round is over: rows are right, and those that there were are still there."""
    os.nice(3)
    chosen, seen, reads = random.Random(seed), set(), 0
    try:
        while not Path(f"{directory}.over").exists():
            if Path(directory, "run.toml").exists():
                kept = rows(directory)
                assert seen <= set(kept), f"lost: {seen - set(kept)}"
                for place, row in kept.items():
                    assert row == expected[place], f"different: {place}"
                seen = set(kept)
                every, different = raw_rows(directory)
                assert every == different, f"doubled for another reader: {every - different}"
                result = called(chosen.choice(["status", "table"]), directory)
                assert result == (0, ""), result
                reads += 1
            time.sleep(chosen.uniform(0, pause))
    except BaseException as error:
        Path(f"{directory}.{os.getpid()}.failed").write_text(f"reader: {error!r}")
    Path(f"{directory}.{os.getpid()}.reads").write_text(str(reads))


def written(directory):
    """The files that rows are in."""
    return {path for place in PLACES for path in directory.glob(place)}


def raw_rows(directory):
    """How many rows another reader finds, and how many of them are of different networks."""
    import duckdb

    sql = f"SELECT count(*), count(DISTINCT (cell, seed)) FROM '{directory}/networks/*.parquet'"
    with duckdb.connect(config={"threads": 1}) as connection:
        try:
            return connection.execute(sql).fetchall()[0]
        except duckdb.IOException:  # none yet, or one that was moved meanwhile
            return 0, 0


def sought(moment, running, directory, life, chosen):
    """The writer to kill, when its moment has come; None where all are done."""
    end = time.monotonic() + chosen.uniform(0, life if moment == "any" else 3 * life)
    before = written(directory)
    while time.monotonic() < end:
        time.sleep(0.005)
        alive = {str(process.pid): process for process in running if process.is_alive()}
        if not alive:
            return None
        if moment == "while it writes":
            at_it = {path.name.split(".")[1] for path in directory.glob("*/.*.tmp")} & set(alive)
            if at_it:
                return alive[min(at_it)]
        if moment == "while it compacts":
            at_it = {path.name.split(".")[0] for path in directory.glob(CLAIMS)} & set(alive)
            if at_it:
                return alive[min(at_it)]
        if moment == "after a row" and written(directory) != before:
            break
    return chosen.choice([process for process in running if process.is_alive()] or [None])


def stress(kills, writers, readers, folder, *, each=10, seed=0, say=print):
    """Rounds of at most ``each`` kills; returns kills, reads and what went wrong."""
    os.environ |= {"XDG_CACHE_HOME": str(folder / "cache"), "JAX_ENABLE_COMPILATION_CACHE": "true"}
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["simbias.cli", "simbias.runner.execute", "simbias.plots.run"])
    suite = folder / "tiny.toml"
    suite.write_text(SUITE)
    suite.with_suffix(".png").touch()

    def begin(target, *arguments):
        process = context.Process(target=target, args=arguments)
        process.start()
        return process

    for name in ("warm", "undisturbed"):
        clock = time.monotonic()
        begin(write, suite, folder / name).join()
    life = time.monotonic() - clock  # of one writer alone
    expected = rows(folder / "undisturbed")
    assert len(expected) == NETWORKS
    say(f"a run that nobody disturbs: {len(expected)} rows in {life:.1f} s")
    chosen, killed, reads, torn, wrong = random.Random(seed), 0, 0, 0, []
    while killed < kills:
        directory = folder / f"round-{killed}"
        wanted = min(each, kills - killed)
        running = [begin(write, suite, directory) for _ in range(writers)]
        reading = [begin(read, directory, expected, i, 2 * readers) for i in range(readers)]
        present: list[str] = []
        for moment in chosen.choices(MOMENTS, k=wanted):
            victim = sought(moment, running, directory, life, chosen)
            if victim is None:
                break  # all writers are done
            victim.kill()
            victim.join()
            if victim.exitcode == -signal.SIGKILL:
                killed += 1
                present.append(str(len(written(directory))))
                torn += bool(list(directory.glob(f"*/.{victim.pid}.*.tmp")))
            running[running.index(victim)] = begin(write, suite, directory)
        for process in running:
            process.join()
        Path(f"{directory}.over").touch()
        for process in reading:
            process.join()
        kept = rows(directory)
        raw = raw_rows(directory)
        wrong += [f"another reader finds {raw}"] if raw != (NETWORKS, NETWORKS) else []
        wrong += [path.read_text() for path in folder.glob(f"{directory.name}.*.failed")]
        wrong += [f"lost {place}" for place in set(expected) - set(kept)]
        wrong += [f"different {place}" for place in kept if kept[place] != expected.get(place)]
        reads += sum(int(path.read_text()) for path in folder.glob(f"{directory.name}.*.reads"))
        aside = len(list(directory.glob("set-aside/*/*")))
        say(
            f"{killed} kills, {torn} of them while a file was written; files there at each:"
            f" {' '.join(present)}; {len(kept)} rows in the end, {aside} files set aside, {reads}"
            f" reads; wrong: {wrong or 'nothing'}"
        )
    return killed, reads, wrong


@pytest.mark.slow
def test_nothing_is_lost_doubled_or_different_whoever_is_killed(tmp_path):
    killed, reads, wrong = stress(8, 2, 2, tmp_path, each=4)
    assert killed == 8 and reads > 4 and wrong == []


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for option, default in (("--kills", 100), ("--writers", 8), ("--readers", 24), ("--each", 10)):
        parser.add_argument(option, type=int, default=default)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        killed, reads, wrong = stress(
            options.kills,
            options.writers,
            options.readers,
            Path(folder),
            each=options.each,
            say=partial(print, flush=True),
        )
    print(f"{killed} kills, {options.writers} writers, {options.readers} readers, {reads} reads")
    print(f"rows lost, doubled or different, and failures: {len(wrong)}")
