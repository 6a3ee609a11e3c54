"""Rows become large files: whoever is stopped at whatever moment, each is there, and there once.

The table is one of this file: rows know nothing of networks.

Longer than 400 lines because its processes, planted kills and readers share one table of toys.
"""

import multiprocessing
import os
import random
import shutil
import struct
import subprocess
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

import duckdb
import pytest

from simbias.experiments.table import CHECKSUM, Column, Table
from simbias.results import lease, parquet
from simbias.results.files import Fault, StoreError
from simbias.results.rows import Rows

TOYS = Table(
    "toys",
    (
        Column("name", "VARCHAR", "of the toy", needed=True),
        Column("price", "DOUBLE", "of it"),
        Column("sold", "BOOLEAN", "whether it is"),
        CHECKSUM,
    ),
    entry="name",
    final="sold",
)


def opened(directory):
    return Rows(directory, TOYS, lambda price, sold: (price, sold), ("price", "sold"))


def put(rows, name, price, *, sold=True):
    rows.write({name: {"name": name, "price": price, "sold": sold}})


def prices(directory):
    """What a reader that has just come finds, in either way of reading."""
    known, faults = opened(directory).index()
    assert not faults
    with parquet.connect() as connection:
        assert not opened(directory).fill(connection)
        pairs = connection.execute("SELECT name, price FROM toys").fetchall()
    by_name = {name: price for name, (price, _) in known.items()}
    assert len(dict(pairs)) == len(pairs)
    assert by_name.items() <= dict(pairs).items()  # a row may have been written in between
    return by_name


def raw(directory):
    """What any other reader finds, which must not be a row twice."""
    if not list((directory / "toys").glob("*.parquet")):
        return {}
    with duckdb.connect() as connection:
        answer = connection.execute(f"SELECT name, price FROM '{directory}/toys/*.parquet'")
        pairs = answer.fetchall()
    assert len(dict(pairs)) == len(pairs), f"doubled: {sorted(pairs)}"
    return dict(pairs)


def settled(directory):
    return list((directory / "toys").iterdir())


class Killed(BaseException):
    """What a process that is killed does not notice."""


@pytest.fixture
def killed(monkeypatch):
    """Runs something until its n-th change of the disk; returns whether it got that far."""

    def run(work, moment):
        count = 0

        def counting(real):
            def call(*arguments, **named):
                nonlocal count
                count += 1
                if count > moment:
                    raise Killed
                return real(*arguments, **named)

            return call

        with monkeypatch.context() as patch:
            for name in ("rename", "replace", "unlink", "rmdir", "fsync"):
                patch.setattr(os, name, counting(getattr(os, name)))
            patch.setattr(parquet, "copy", counting(parquet.copy))
            for name in ("give_back", "release"):  # all that a dying process would do as well
                real = getattr(lease.Lease, name)
                patch.setattr(lease.Lease, name, counting(real))
            try:
                work()
            except Killed:
                return True
        return False

    monkeypatch.setattr(lease, "lives", lambda pid: False)
    return run


def test_rows_of_an_ended_group_become_one_file(tmp_path):
    rows = opened(tmp_path)
    for i in range(3):
        put(rows, f"toy {i}", i / 10)
    assert raw(tmp_path) == {} and len(prices(tmp_path)) == 3
    rows.compact()
    assert len(settled(tmp_path)) == 1 and raw(tmp_path) == prices(tmp_path)
    assert raw(tmp_path) == {f"toy {i}": i / 10 for i in range(3)}
    assert not list((tmp_path / "pending" / "toys").iterdir())
    put(rows, "toy 3", 0.3)
    rows.compact()
    assert len(settled(tmp_path)) == 2 and len(raw(tmp_path)) == 4


@pytest.mark.thorough
def test_a_process_killed_at_any_moment_loses_doubles_and_changes_nothing(tmp_path, killed):
    rows = opened(tmp_path / "before")
    put(rows, "settled", 0.1)
    put(rows, "changed", 0.2)
    rows.compact()
    put(rows, "changed", 0.3)
    put(rows, "new", 0.4)
    moment, stopped = 0, True
    while stopped:
        place = shutil.copytree(tmp_path / "before", tmp_path / str(moment))
        expected = {"settled": 0.1, "changed": 0.3, "new": 0.4}
        stopped = killed(opened(place).compact, moment)
        assert prices(place) == expected, moment
        assert raw(place).items() <= expected.items() | {("changed", 0.2)}, moment
        put(opened(place), "newer", 0.5)
        opened(place).compact()
        assert raw(place) == prices(place) == expected | {"newer": 0.5}, moment
        moment += 1
    assert moment > 12


@pytest.mark.slow
def test_a_process_killed_twice_at_any_moments_loses_nothing(tmp_path, killed):
    for moment in range(0, 12, 3):
        for second in range(0, 16, 3):
            place = tmp_path / f"{moment} {second}"
            for name in "ab":
                put(opened(place), name, 0.1)
            killed(opened(place).compact, moment)
            put(opened(place), "b", 0.2)
            killed(opened(place).compact, second)
            assert prices(place) == {"a": 0.1, "b": 0.2}
            assert raw(place).items() <= {("a", 0.1), ("b", 0.1), ("b", 0.2)}
            opened(place).compact()
            assert raw(place) == {"a": 0.1, "b": 0.2}


def test_a_process_lives_until_it_has_ended_whoevers_it_is(monkeypatch):
    process = subprocess.Popen(["sleep", "60"])
    assert lease.lives(process.pid)
    process.kill()
    process.wait()
    assert not lease.lives(process.pid)

    def refuse(pid, signal):
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)  # it is another user's
    assert lease.lives(process.pid)


def test_one_that_was_taken_for_dead_settles_nothing_when_it_goes_on(tmp_path, monkeypatch):
    rows, real = opened(tmp_path), lease.Lease.settle
    put(rows, "a", 0.1)
    monkeypatch.setattr(lease, "lives", lambda pid: False)
    lost = []

    def slow(claim, name):
        if not lost:
            lost.append(name)
            opened(tmp_path).compact()  # another process takes over
            assert raw(tmp_path) == {"a": 0.1}
            put(opened(tmp_path), "b", 0.2)
        real(claim, name)

    monkeypatch.setattr(lease.Lease, "settle", slow)
    assert rows.compact() == {} and lost
    assert raw(tmp_path) == {"a": 0.1} and prices(tmp_path) == {"a": 0.1, "b": 0.2}
    rows.compact()
    assert raw(tmp_path) == {"a": 0.1, "b": 0.2}


def test_nobody_compacts_beside_another(tmp_path, monkeypatch):
    rows, real = opened(tmp_path), parquet.copy
    put(rows, "a", 0.1)
    beside = []

    def slow(*arguments, **values):
        if len(arguments) == 4 and not beside:
            put(opened(tmp_path), "b", 0.2)
            beside.append(opened(tmp_path).compact())
            assert raw(tmp_path) == {} and len(prices(tmp_path)) == 2
        real(*arguments, **values)

    monkeypatch.setattr(parquet, "copy", slow)
    rows.compact()
    assert beside == [{}] and raw(tmp_path) == {"a": 0.1}


def test_who_would_compact_waits_for_another_as_long_as_it_is_told(tmp_path, monkeypatch):
    rows = opened(tmp_path)
    put(rows, "a", 0.1)
    held, naps = opened(tmp_path)._claim(0), []

    def rest(seconds):
        naps.append(seconds)
        held.give_back()

    monkeypatch.setattr(time, "sleep", rest)
    assert rows.compact() == {} and raw(tmp_path) == {} and not naps
    assert rows.compact(wait=60) == {} and raw(tmp_path) == {"a": 0.1} and len(naps) == 1


@pytest.mark.parametrize(
    ("holder", "name"), [(lease.Places, "_scan"), (lease.Places, "_claimed"), (parquet, "fill")]
)
@pytest.mark.parametrize("whole", [True, False])
def test_a_reader_misses_nothing_that_is_moved_while_it_looks(
    tmp_path, monkeypatch, holder, name, whole
):
    real = getattr(holder, name)
    for moment in range(4):
        place = tmp_path / str(moment)
        rows = opened(place)
        for price in (0.1, 0.2):  # the settled row is claimed again
            put(rows, "a", price)
            put(rows, f"b {price}", price)
            if price == 0.1:
                rows.compact()
        count = 0

        def moved(*arguments, place=place, moment=moment, **named):
            nonlocal count
            count += 1
            if count == moment + 1 and whole:
                opened(place).compact()
            elif count == moment + 1:  # a compaction that goes no further
                claim = lease.Places(place, "toys").claim()
                for path in settled(place):
                    claim.take(path)
            return real(*arguments, **named)

        with monkeypatch.context() as patch:
            patch.setattr(holder, name, moved)
            known, faults = opened(place).index()
        assert not faults and {key: price for key, (price, _) in known.items()} == {
            "a": 0.2,
            "b 0.1": 0.1,
            "b 0.2": 0.2,
        }


def test_a_full_disk_leaves_every_row_where_it_was(tmp_path, monkeypatch):
    rows = opened(tmp_path)
    put(rows, "a", 0.1)
    rows.compact()
    put(rows, "a", 0.2)
    put(rows, "b", 0.3)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")}

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("simbias.results.rows.sync", full)
    with pytest.raises(StoreError, match=r"cannot write \S+toys: .*No space left"):
        rows.compact()
    monkeypatch.undo()
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")} == before
    assert not list(tmp_path.rglob(".*"))
    rows.compact()
    assert raw(tmp_path) == {"a": 0.2, "b": 0.3}


def test_what_is_final_stands_whenever_it_was_written(tmp_path):
    for order in ((True, False), (False, True)):
        for between in (lambda rows: None, Rows.compact):
            rows = opened(tmp_path / f"{order} {between}")
            for sold in order:
                put(rows, "a", float(sold), sold=sold)
                between(rows)
            assert prices(rows.directory) == {"a": 1.0}
            rows.compact()
            assert raw(rows.directory) == {"a": 1.0}


def test_a_changed_row_of_a_large_file_does_not_take_the_others_along(tmp_path):
    rows = opened(tmp_path)
    for i in range(5):
        put(rows, f"toy {i}", i / 7)
    rows.compact()
    (path,) = settled(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content.replace(struct.pack("<d", 3 / 7), struct.pack("<d", 0.5)))
    known, faults = opened(tmp_path).index()
    assert sorted(known) == ["toy 0", "toy 1", "toy 2", "toy 4"]
    ((where, why),) = faults
    assert where == path and why.startswith("1 of 5 rows: changed")
    aside = rows.compact(damaged=[path])
    assert aside[path.name].exists() and sorted(raw(tmp_path)) == sorted(known)
    assert prices(tmp_path).keys() == known.keys()


def test_an_entry_is_left_out_of_a_large_file_and_the_file_kept_aside(tmp_path):
    rows = opened(tmp_path)
    for i in range(3):
        put(rows, f"toy {i}", i / 7)
    rows.compact()
    (path,) = settled(tmp_path)
    aside = rows.compact(without=["toy 1"])
    assert sorted(raw(tmp_path)) == ["toy 0", "toy 2"] == sorted(prices(tmp_path))
    assert aside[path.name].parent == tmp_path / "set-aside" / "toys"


def test_many_small_files_become_one(tmp_path, monkeypatch):
    monkeypatch.setattr("simbias.results.rows._MANY", 3)
    rows = opened(tmp_path)
    for i in range(6):
        put(rows, f"toy {i}", i / 7)
        rows.compact()
        assert len(settled(tmp_path)) <= 3 and len(raw(tmp_path)) == i + 1


def test_a_directory_that_cannot_be_written_is_read(tmp_path):
    rows = opened(tmp_path)
    put(rows, "a", 0.1)
    rows.compact()
    put(rows, "b", 0.2)
    every = [tmp_path, *(path for path in tmp_path.rglob("*"))]
    before = {path: path.stat().st_mtime_ns for path in every}
    assert prices(tmp_path) == {"a": 0.1, "b": 0.2}
    assert {path: path.stat().st_mtime_ns for path in every} == before


def write_on(directory, names, seed):
    """A life of a writer: rows in an order of its own, compacted as it goes."""
    chosen = random.Random(seed)
    rows = opened(directory)
    for name in chosen.sample(names, len(names)):
        put(rows, name, float(name))
        if chosen.random() < 0.5:
            rows.compact()
    rows.compact(wait=60)


def read_on(directory, failed):
    """Readers, of either kind, until the end."""
    seen = set()
    try:
        while not (directory / "over").exists():
            priced = prices(directory)
            assert seen <= set(priced), f"lost: {seen - set(priced)}"
            assert all(price == float(name) for name, price in priced.items())
            seen = set(priced)
            try:
                raw(directory)
            except duckdb.IOException:  # a file that was moved before it was opened
                pass
    except BaseException:
        failed.write_text(traceback.format_exc())


def test_a_file_that_is_away_for_a_moment_is_no_fault(tmp_path, monkeypatch):
    rows, fill, faults = opened(tmp_path), parquet.fill, []
    put(rows, "a", 1.0)
    rows.compact()
    (path,) = (tmp_path / "toys").glob("*.parquet")

    def once_away(connection, name, columns, directory, paths, **more):
        filled = fill(connection, name, columns, directory, [] if not faults else paths, **more)
        if not faults:  # another process has it, and will put it back
            faults.append(Fault(path, "No such file"))
            return list(faults)
        return filled

    monkeypatch.setattr(parquet, "fill", once_away)
    assert opened(tmp_path).index() == ({"a": (1.0, True)}, [])
    assert len(faults) == 1


@pytest.mark.slow
def test_writers_killed_beside_readers_lose_double_and_change_nothing(tmp_path):
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["simbias.results.rows", "pytest"])
    names, chosen, kills = [str(i) for i in range(20)], random.Random(0), 0
    directory = tmp_path / "run"
    directory.mkdir()

    def begin(target, *arguments):
        process = context.Process(target=target, args=arguments)
        process.start()
        return process

    reading = [begin(read_on, directory, tmp_path / f"{i}.failed") for i in range(2)]
    writing = [begin(write_on, directory, names, i) for i in range(3)]
    caught = 0  # while they compact
    while kills < 30:
        end = time.monotonic() + chosen.uniform(0, 4)
        while time.monotonic() < end:
            time.sleep(0.001)
            pids = {path.name.split(".")[0] for path in directory.glob("pending/toys/claim/*")}
            at_it = [place for place, child in enumerate(writing) if str(child.pid) in pids]
            if at_it and kills % 2:
                break
        place = at_it[0] if at_it else chosen.randrange(len(writing))
        caught += bool(at_it)
        time.sleep(chosen.uniform(0, 0.2))
        writing[place].kill()
        writing[place].join()
        kills += writing[place].exitcode < 0
        writing[place] = begin(write_on, directory, names, 100 + kills)
    for process in writing:
        process.join()
        assert process.exitcode == 0
    (directory / "over").touch()
    for process in reading:
        process.join()
    assert [path.read_text() for path in tmp_path.glob("*.failed")] == []
    expected = {name: float(name) for name in names}
    assert raw(directory) == prices(directory) == expected and caught > 9


def test_rows_that_end_together_are_one_file_in_which_each_stands_for_itself(tmp_path):
    rows = opened(tmp_path)
    put(rows, "ball", 1.0)
    names = ["doll", "ball", "kite"]
    rows.write({name: {"name": name, "price": 5.0, "sold": name != "ball"} for name in names})
    (written,) = (tmp_path / "pending" / "toys").glob("doll-*")
    assert prices(tmp_path) == {"ball": 1.0, "doll": 5.0, "kite": 5.0}  # what is final stands
    put(rows, "kite", 6.0)  # written later
    assert prices(tmp_path)["kite"] == 6.0
    content = written.read_bytes()
    written.write_bytes(content[:-30])
    known, faults = opened(tmp_path).index()
    assert set(known) == {"ball", "kite"} and len(faults) == 1
    change = "SELECT * REPLACE (CASE WHEN name = 'kite' THEN 7.0 ELSE price END AS price)"
    written.write_bytes(content)
    duckdb.execute(f"COPY ({change} FROM '{written}') TO '{written}.new' (FORMAT parquet)")
    written.with_name(f"{written.name}.new").replace(written)
    known, faults = opened(tmp_path).index()
    assert {name: price for name, (price, _) in known.items()}["doll"] == 5.0
    assert [fault.why[:11] for fault in faults] == ["1 of 3 rows"]
    written.write_bytes(content)
    rows.compact()
    assert raw(tmp_path) == {"ball": 1.0, "doll": 5.0, "kite": 6.0}


def test_threads_may_read_the_index_at_once(tmp_path):
    for name in "abc":
        put(opened(tmp_path), name, 0.1)

    def slow(price):
        time.sleep(0.02)  # others come in between
        return price

    rows = Rows(tmp_path, TOYS, slow, ["price"])
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: rows.index(), range(4)))
    assert answers == [({"a": 0.1, "b": 0.1, "c": 0.1}, [])] * 4
