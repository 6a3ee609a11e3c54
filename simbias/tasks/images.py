"""Digits: scikit-learn's, and MNIST from files of one's own.

Images are arrays (rows, columns) of numbers in [0, 1]. Nothing is downloaded: files of MNIST are
those of Y. LeCun, C. Cortes, C. Burges (IDX, gzipped or not), or the one ``mnist.npz`` of Keras. A
task is identified by a hash of its points, wherever their files lie.
"""

import gzip
import os
from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from simbias._checks import NotInstalled, fail, place
from simbias.tasks.arrays import ArrayTask

FOLDER = "SIMBIAS_DATA"  # the variable of the environment that names the folder of MNIST's files
_PROPORTIONS = {"train": 0.7, "select": 0.05, "certify": 0.2, "holdout": 0.05}
_SIDE = 28  # of an image of MNIST, pixels
_IDX = {  # of the training images and of the test images, with the labels of each
    "train-images-idx3-ubyte": "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte": "t10k-labels-idx1-ubyte",
}
_NPZ = "mnist.npz"
_loaded: dict[str, ArrayTask] = {}  # MNIST by the hash of its points


def digits(*, points: str | None = None, shares: Mapping[str, float] | None = None) -> ArrayTask:
    """The 1797 images of digits that scikit-learn has, 8 pixels a side.

    Args:
        shares: the proportions of the splits; default .7 to train, .2 to certify.
        points: the hash of the points that are expected, as in the task's settings.

    Raises:
        NotInstalled: scikit-learn is missing.
        ValueError: points of another hash.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("digits")
        >>> task.shape, task.classes, task.most["train"]
        ((8, 8), 10, 1258)
    """
    x, y = _digits()
    proportions = _PROPORTIONS if shares is None else shares
    return _expected(ArrayTask("digits", x, y, proportions=proportions), points)


@lru_cache
def _digits() -> tuple[np.ndarray, np.ndarray]:
    if find_spec("sklearn") is None:
        message = "needs scikit-learn, which is not installed: pip install 'simbias[learners]'"
        raise NotInstalled(f"task: digits {message}")
    data = import_module("sklearn.datasets").load_digits()
    return data.images / 16, data.target


def mnist(*, folder: str | Path | None = None, points: str | None = None) -> ArrayTask:
    """MNIST, from files that are there.

    Args:
        folder: of the four IDX files, or of ``mnist.npz``; default: where the variable
            ``SIMBIAS_DATA`` of the environment says.
        points: the hash of the points that are expected, as in the task's settings.

    Raises:
        ValueError: no files, files of another shape, or points of another hash.

    Examples:
        >>> import simbias
        >>> simbias.tasks.get("mnist", folder="nowhere")
        Traceback (most recent call last):
            ...
        ValueError: folder: got 'nowhere', allowed: one with mnist.npz or MNIST's four IDX files
    """
    if folder is None and points is not None and points in _loaded:
        return _loaded[points]
    folder = os.environ.get(FOLDER) if folder is None else folder
    if folder is None:
        allowed = f"the folder of MNIST's files, here or as {FOLDER} in the environment"
        raise fail("folder", None, allowed)
    task = _expected(_mnist(place("folder", folder)), points)
    _loaded[str(task.settings["points"])] = task
    return task


def _mnist(folder: Path) -> ArrayTask:
    if (folder / _NPZ).exists():
        parts = _of_npz(folder / _NPZ)
    elif all(_idx_file(folder, name) for pair in _IDX.items() for name in pair):
        parts = [(_idx(folder, images), _idx(folder, labels)) for images, labels in _IDX.items()]
    else:
        raise fail("folder", str(folder), f"one with {_NPZ} or MNIST's four IDX files")
    for images, labels in parts:
        sizes = f"shapes {images.shape} and {labels.shape}"
        if images.shape != (len(labels), _SIDE, _SIDE) or labels.ndim != 1:
            raise fail("folder", sizes, f"(points, {_SIDE}, {_SIDE}) and (points,)")
    x = np.concatenate([images for images, _ in parts]).astype(np.float32) / 255
    y = np.concatenate([labels for _, labels in parts])
    missing = sorted(set(range(10)) - set(y.tolist()))
    if missing or y.max() > 9:
        raise fail(
            "folder", f"labels without {missing}, up to {y.max()}", "every label from 0 to 9"
        )
    return ArrayTask("mnist", x, y)


def _of_npz(file: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    try:
        with np.load(file, allow_pickle=False) as arrays:
            return [(arrays[f"x_{part}"], arrays[f"y_{part}"]) for part in ("train", "test")]
    except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
        arrived = f"{file.name} ({' '.join(str(error).split())[:100]})"
        raise fail("folder", arrived, f"{_NPZ} with x_train, y_train, x_test, y_test") from None


def _idx_file(folder: Path, name: str) -> Path | None:
    """The file of this name, gzipped or not, or with a dot where others have a dash."""
    names = [name, name.replace("-idx", ".idx")]
    files = [folder / f"{variant}{end}" for variant in names for end in ("", ".gz")]
    return next((file for file in files if file.is_file()), None)


def _idx(folder: Path, name: str) -> np.ndarray:
    """The array of an IDX file: two zeros, type 8 (a byte), axes, a length for each, the bytes."""
    file = _idx_file(folder, name)
    assert file is not None
    try:
        content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    except (OSError, EOFError) as error:
        raise fail("folder", f"{file.name} ({error})", "IDX files that can be read") from None
    allowed = "an IDX file of bytes, as long as its header says"
    if len(content) < 4 or content[:3] != b"\0\0\x08":
        raise fail("folder", file.name, allowed)
    ends = 4 + 4 * content[3]
    lengths = np.frombuffer(content[4:ends], ">u4") if len(content) >= ends else np.array([])
    body = np.frombuffer(content[ends:], np.uint8)
    if len(lengths) != content[3] or body.size != np.prod(lengths, dtype=np.int64):
        raise fail("folder", file.name, allowed)
    array: np.ndarray = body.reshape(lengths)
    return array


def _expected(task: ArrayTask, points: str | None) -> ArrayTask:
    """The task, where its points have the hash that is expected."""
    if points is not None and points != task.settings["points"]:
        raise fail("points", points, f"{task.settings['points']}, the hash of those that are there")
    return task
