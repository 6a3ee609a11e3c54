"""The generators and their sources, by name."""

from collections.abc import Callable, Mapping

from simbias._checks import fail, known
from simbias._types import Settings
from simbias.generations.autoencoder import autoencoder
from simbias.generations.chains import bigrams
from simbias.generations.classifier import classifier
from simbias.generations.gaussian import gaussian
from simbias.generations.generator import Generator
from simbias.generations.histogram import histogram
from simbias.generations.labeller import labeller
from simbias.generations.language import transformer
from simbias.generations.mixture import mixture
from simbias.generations.regression import least_squares
from simbias.registry import TASKS

Make = Callable[[Settings, Settings], Generator]

GENERATORS: Mapping[str, Make] = {
    "gaussian": gaussian,
    "histogram": histogram,
    "least-squares": least_squares,
    "labeller": labeller,
    "bigrams": bigrams,
    "mixture": mixture,
    "classifier": classifier,
    "autoencoder": autoencoder,
    "transformer": transformer,
}
# the generators that learn from each source; a classifier learns from registered tasks of blocks
SOURCES: Mapping[str, tuple[str, ...]] = {
    "normal": ("gaussian",),
    "long-tail": ("histogram",),
    "line": ("least-squares",),
    "two-classes": ("labeller",),
    "chain": ("bigrams", "transformer"),
    "text": ("bigrams", "transformer"),
    "two-blobs": ("mixture",),
    "digits": ("autoencoder",),
}


def generator_of(source: Settings, generator: Settings) -> Generator:
    """The generator of some settings, with the source's; raises ValueError.

    Examples:
        >>> from simbias.generations.catalogue import generator_of
        >>> generator_of({"name": "normal"}, {"name": "gaussian", "ddof": 0}).settings
        {'ddof': 0}
    """
    name = known("generator: name", generator["name"], GENERATORS)
    own = {key: value for key, value in generator.items() if key != "name"}
    if name == "classifier":
        return classifier(source, own)
    task = known("task: name", source["name"], [*SOURCES, *TASKS.names()])
    if name not in SOURCES.get(task, ()):
        names = [source for source, of in SOURCES.items() if name in of]
        raise fail("task: name", task, f"{' or '.join(names)}, for this generator")
    return GENERATORS[name]({key: value for key, value in source.items() if key != "name"}, own)
