"""Setting JAX up: the cache of compiled programs, and the answers to a late or a wrong call."""

import os
import subprocess
import sys
import zlib

import jax
import pytest

import simbias
from simbias import _devices, _programs

CACHE = (
    "jax_compilation_cache_dir",
    "jax_enable_compilation_cache",
    "jax_persistent_cache_min_compile_time_secs",
)
DRAW = """
import simbias
simbias.configure(1)
import jax
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)  # all, however busy the machine
hits = []
jax.monitoring.register_event_listener(lambda name, **_: hits.append(name))
x, _ = simbias.tasks.get("noisy-lms-5", dim=4).sample(jax.random.key(0), 50)
print(float(abs(x).sum()))
print(sum(name.endswith("compilation_cache/cache_hits") for name in hits))
"""


def python(code, **environment):
    """Runs code in a new process, in which warnings are errors."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )


def drawn(**environment):
    """The sum of drawn points, and how many programs came from the cache, in a new process."""
    done = python(DRAW, **{"JAX_ENABLE_COMPILATION_CACHE": "true"} | environment)
    points, hits = done.stdout.split()
    return float(points), int(hits)


@pytest.fixture(scope="module")
def cold(tmp_path_factory):
    """What a process with an empty cache says, and where its cache then is."""
    home = tmp_path_factory.mktemp("cold")
    return drawn(XDG_CACHE_HOME=str(home)), home


@pytest.mark.thorough
def test_a_second_process_finds_the_programs_compiled_unless_they_are_spoilt(cold):
    first, home = cold
    kept = [path.name for path in home.glob("simbias/compiled/*/*-cache")]
    warm = drawn(XDG_CACHE_HOME=str(home))
    assert kept
    assert warm[1] > first[1]  # even a cold process may meet one program twice
    assert warm[0] == first[0]
    for i, entry in enumerate(home.glob("simbias/compiled/*/*-cache")):
        entry.write_bytes((b"", b"foreign", entry.read_bytes()[:-20])[i % 3])
    again = drawn(XDG_CACHE_HOME=str(home))  # every warning is an error there
    assert again == first
    left = [path.name for path in home.glob("simbias/compiled/*/*-cache")]
    assert sorted(left) == sorted(kept)


@pytest.mark.slow
def test_a_cache_that_cannot_be_written_changes_nothing(cold, tmp_path):
    (tmp_path / "file").write_text("no directory")
    blocked = drawn(XDG_CACHE_HOME=str(tmp_path / "file"))
    elsewhere = drawn(JAX_COMPILATION_CACHE_DIR=str(tmp_path / "mine"))
    assert blocked[0] == elsewhere[0] == cold[0][0]
    assert blocked[1] == 0
    assert list((tmp_path / "mine").iterdir())


def test_the_folder_names_the_processor_and_the_libraries(monkeypatch):
    here = _programs.cache_directory()
    monkeypatch.setattr(_programs, "_features", lambda: "another processor")
    assert _programs.cache_directory() != here
    monkeypatch.undo()
    monkeypatch.setattr(_programs, "version", lambda name: "0.0.1")
    assert _programs.cache_directory() != here


def test_a_late_call_that_asks_for_other_devices_is_refused():
    simbias.configure(2)
    with pytest.raises(RuntimeError, match="^cores: got 3, but JAX has started with 2 CPU devices"):
        simbias.configure(3)


def test_a_late_call_sets_what_it_can_and_says_what_it_cannot(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(_devices, "usable_cores", lambda: 3)
    before = {name: jax.config.values[name] for name in CACHE}
    jax.config.update("jax_enable_compilation_cache", True)
    jax.config.update("jax_compilation_cache_dir", None)
    try:
        for call in (simbias.configure, lambda: simbias.configure(4)):
            jax.config.update("jax_compilation_cache_dir", None)
            with pytest.raises(
                (RuntimeWarning, RuntimeError), match="^cores: got .*2 CPU"
            ) as raised:
                call()
            assert "\n" not in str(raised.value)
            folder = jax.config.values["jax_compilation_cache_dir"]
            assert folder == str(_programs.cache_directory()) and folder.startswith(str(tmp_path))
    finally:
        for name, value in before.items():
            jax.config.update(name, value)


def test_on_an_accelerator_the_number_of_cpu_devices_does_not_matter(monkeypatch):
    monkeypatch.setattr(_devices, "platform", lambda: "gpu")
    simbias.configure(3)


@pytest.mark.parametrize(
    ("chosen", "process", "processes", "placed"),
    [
        (None, 0, 1, ("0", 0.75)),
        (None, 2, 3, ("0", 0.375)),
        (None, 1, 2, ("1", 0.75)),
        ("GPU-a,GPU-b,GPU-c", 4, 6, ("GPU-b", 0.375)),
        ("3", 1, 4, ("3", 0.1875)),
        ("", 0, 2, None),
        ("-1", 0, 2, None),
    ],
)
def test_processes_divide_the_gpus_and_their_memory(
    chosen, process, processes, placed, tmp_path, monkeypatch
):
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    monkeypatch.setattr(_devices, "_DEVICES", tmp_path)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("XLA_PYTHON_CLIENT_MEM_FRACTION", raising=False)
    if chosen is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    environment = _devices.placement(process, processes)
    if placed is None:
        assert environment == {}
    else:
        assert environment.pop("CUDA_VISIBLE_DEVICES") == placed[0]
        assert float(environment.pop("XLA_PYTHON_CLIENT_MEM_FRACTION")) == placed[1]
        assert environment == {}


def test_processes_divide_the_memory_that_jax_is_told_to_take(tmp_path, monkeypatch):
    (tmp_path / "nvidia0").touch()
    monkeypatch.setattr(_devices, "_DEVICES", tmp_path)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("XLA_PYTHON_CLIENT_MEM_FRACTION", ".9")
    environment = _devices.placement(0, 3)
    assert float(environment["XLA_PYTHON_CLIENT_MEM_FRACTION"]) == pytest.approx(0.3)
    monkeypatch.setenv("XLA_PYTHON_CLIENT_MEM_FRACTION", "half")
    with pytest.raises(ValueError, match="^XLA_PYTHON_CLIENT_MEM_FRACTION: got 'half', allowed"):
        _devices.placement(0, 3)


def test_a_platform_that_is_not_there_is_one_line_in_every_command_and_call(tmp_path):
    commands = ("doctor", "run pitfalls --dry-run", f"claims run --out {tmp_path / 'claims'}")
    code = f"""
import contextlib, io
from simbias.cli import main
for command in {commands}:
    err = io.StringIO()
    with contextlib.redirect_stderr(err):
        assert main(command.split()) == 2
    print(err.getvalue(), end="")
import simbias
for call in (simbias.configure, lambda: simbias.tasks.get("lms-5").sample(None, 2)):
    try:
        call()
    except ValueError as error:
        print("simbias:", error)
"""
    done = python(code, JAX_PLATFORMS="cuda")
    lines = done.stdout.splitlines()
    assert len(lines) == 5
    for line in lines:
        assert line.startswith("simbias: JAX_PLATFORMS: got 'cuda', allowed: what JAX can start")
    assert "Traceback" not in done.stderr


# -- entries of the cache -------------------------------------------------------------------


def spoilt(folder):
    """What may lie in a cache that JAX cannot read, by name."""
    sound = zlib.compress(b"1234" + bytes(1000))
    flipped = bytearray(sound)
    flipped[len(sound) // 2] ^= 4
    (folder / "empty-cache").touch()
    (folder / "cut-cache").write_bytes(sound[:-3])
    (folder / "flipped-cache").write_bytes(flipped)
    (folder / "foreign-cache").write_text("no program")
    (folder / "folder-cache").mkdir()
    os.mkfifo(folder / "pipe-cache")
    (folder / "link-cache").symlink_to(folder / "nowhere")
    (folder / "sound-cache").write_bytes(sound)
    (folder / "notes.txt").write_text("mine")


@pytest.mark.parametrize("seen", ("", "[]", "{", '{"sound-cache": 3}'))
def test_entries_that_cannot_be_read_are_removed_once_and_nothing_else(seen, tmp_path, monkeypatch):
    monkeypatch.setattr(_programs, "_unpacker", lambda: zlib.decompress)
    spoilt(tmp_path)
    (tmp_path / _programs._READ).write_text(seen)
    assert _programs._is_sound(tmp_path)
    left = {"sound-cache", "notes.txt", _programs._READ}
    assert {path.name for path in tmp_path.iterdir()} == left
    # what was found readable is not read again, until it changes
    monkeypatch.setattr(_programs, "_unpacker", lambda: pytest.fail)
    assert _programs._is_sound(tmp_path)
    monkeypatch.setattr(_programs, "_unpacker", lambda: zlib.decompress)
    (tmp_path / "sound-cache").write_bytes(b"no longer")
    assert _programs._is_sound(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == left - {"sound-cache"}


def test_an_entry_that_cannot_be_removed_leaves_the_cache_unused(tmp_path, monkeypatch):
    (tmp_path / "full-cache").mkdir()
    (tmp_path / "full-cache" / "file").touch()
    assert not _programs._is_sound(tmp_path)
    (tmp_path / "file").touch()
    assert not _programs._is_sound(tmp_path / "file" / "below")


@pytest.mark.parametrize("cores", (0, -1, 1.5, True))
def test_bad_core_counts_are_answered_in_one_line(cores):
    with pytest.raises(ValueError, match="^cores: got"):
        simbias.configure(cores)


@pytest.mark.parametrize("maps, let_go", [(500, False), (501, True)])
def test_programs_are_let_go_before_a_process_may_map_no_more(maps, let_go, tmp_path, monkeypatch):
    cleared = []
    monkeypatch.setattr(jax, "clear_caches", lambda: cleared.append(True))
    limit, mapped = tmp_path / "limit", tmp_path / "maps"
    limit.write_text("1000\n")
    mapped.write_text("a map\n" * maps)
    _programs.make_room(limit, mapped)
    _programs.make_room(tmp_path / "of another system", mapped)
    assert cleared == [True] * let_go
