"""What is kept: run directories of Parquet rows and safetensors weights."""

from simbias.results.files import StoreError
from simbias.results.records import load_fitted, load_stack
from simbias.results.store import Store
from simbias.results.summary import Summary, summarise

__all__ = ["Store", "StoreError", "Summary", "load_fitted", "load_stack", "summarise"]
