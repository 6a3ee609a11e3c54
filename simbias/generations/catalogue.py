"""The generators and their sources, by name."""

from collections.abc import Callable, Mapping

from simbias._types import Settings
from simbias.generations.chains import bigrams
from simbias.generations.gaussian import gaussian
from simbias.generations.generator import Generator
from simbias.generations.histogram import histogram
from simbias.generations.labeller import labeller
from simbias.generations.mixture import mixture
from simbias.generations.regression import least_squares

Make = Callable[[Settings, Settings], Generator]

GENERATORS: Mapping[str, Make] = {
    "gaussian": gaussian,
    "histogram": histogram,
    "least-squares": least_squares,
    "labeller": labeller,
    "bigrams": bigrams,
    "mixture": mixture,
}
# the generator that each source is learned by
SOURCES: Mapping[str, Make] = {
    "normal": gaussian,
    "long-tail": histogram,
    "line": least_squares,
    "two-classes": labeller,
    "chain": bigrams,
    "text": bigrams,
    "two-blobs": mixture,
}
