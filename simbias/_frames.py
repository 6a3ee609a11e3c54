"""Tables as pandas data frames, for whoever has pandas installed."""

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any

DataFrame = Any  # of pandas, which need not be installed


def frame(columns: Mapping[str, Iterable[object]]) -> DataFrame:
    """A pandas data frame of columns by name; raises ValueError where pandas is not installed."""
    try:
        pandas = import_module("pandas")
    except ModuleNotFoundError:
        words = "is not installed, and a data frame needs it: pip install pandas"
        raise ValueError(f"pandas {words}") from None
    return pandas.DataFrame({name: list(values) for name, values in columns.items()})
