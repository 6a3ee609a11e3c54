"""Files as those of MNIST, of made-up images."""

import gzip
from pathlib import Path

import numpy as np


def write_idx(folder: Path, parts: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """The images, gzipped, and the labels of ``train`` and ``t10k``, by MNIST's names."""
    for part, (images, labels) in parts.items():
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(_idx(images)))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(_idx(labels))


def _idx(array: np.ndarray) -> bytes:
    """Two zeros, type 8 (a byte), the number of axes, the length of each, the bytes."""
    lengths = np.array(array.shape, ">u4").tobytes()
    return bytes([0, 0, 8, array.ndim]) + lengths + array.astype("uint8").tobytes()
