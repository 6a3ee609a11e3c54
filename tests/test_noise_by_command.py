"""Bad noise by the command line: one line, exit code 2, and nothing is written."""

import re

import numpy as np
import pytest
from command_line import call

SUITE = """
name = "bad"
summary = "noise that is refused"
source = "none"

[tasks]

[presets.only]
summary = "one cell"
seeds = 1
n_certify = 2000
n_train = 1000

[[presets.only.cells]]
network = {{ name = "mlp", width = 8 }}
method = {{ name = "sgd", learning_rate = 0.1 }}
stop = {{ max_updates = 200 }}
batch = 10
{cell}
"""
NOISE = 'task = "mixture"\nlabel_noise = {'  # the rest follows


def images(folder, shape, labels):
    """MNIST's one file, of images of a shape."""
    folder.mkdir()
    parts = {f"x_{part}": np.zeros(shape, "uint8") for part in ("train", "test")}
    parts |= {f"y_{part}": np.arange(shape[0]) % labels for part in ("train", "test")}
    np.savez(folder / "mnist.npz", **parts)


# an array in a suite is a product of its values: what is one itself stands in another
@pytest.mark.parametrize(
    ("cell", "words"),
    [
        (f"{NOISE} alpha = -1 }}", "alpha: got -1, allowed: a number in"),
        (f"{NOISE} form = 'soft' }}", "alpha: got None"),
        (f"{NOISE} alpha = 1, concentration = 2 }}", "concentration: got 2"),
        (f"{NOISE} alpha = 1, target = 'far' }}", "target: unknown name 'far'"),
        (
            f"{NOISE} alpha = 1, concentration = 0.5, target = [[1, 0]] }}",
            "a class for each of 10 classes",
        ),
        (f"{NOISE} matrix = [[[0.5, 0.6], [0, 1]]] }}", "whose rows add up to 1"),
        (f"{NOISE} matrix = [[[1, 0], [0, 1]]] }}", "allowed: 10 rows"),
        (
            f"n_train = 1000000\n{NOISE} alpha = 1e6, form = 'realised' }}",
            r"allowed: what fits into .* memory; this needs 2e\+04 GB",
        ),
        ("task = { name = 'mnist', folder = 'FOLDER/small' }", "allowed: .points, 28, 28."),
        ("task = { name = 'mnist', folder = 'FOLDER/two' }", "allowed: every label from 0 to 9"),
        ("task = { name = 'mnist', folder = 'FOLDER/none' }", "allowed: one with mnist.npz or"),
        ("task = { name = 'personas', proportion = 0.1 }", "proportion: got 0.1, allowed: more"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_and_nothing_is_written(tmp_path, cell, words):
    images(tmp_path / "small", (20, 8, 8), 10)
    images(tmp_path / "two", (20, 28, 28), 2)
    suite = tmp_path / "bad.toml"
    suite.write_text(SUITE.format(cell=cell.replace("FOLDER", str(tmp_path))))
    code, out, err = call("run", suite, "--preset", "only", "--out", tmp_path / "run")
    assert code == 2 and out == "" and err.count("\n") == 1
    assert re.search(words, err), err
    assert not (tmp_path / "run").exists()
