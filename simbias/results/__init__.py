"""What is kept: run directories of Parquet rows and safetensors weights."""

from simbias.results.records import load_stack
from simbias.results.store import Store, StoreError
from simbias.results.summary import Summary, summarise

__all__ = ["Store", "StoreError", "Summary", "load_stack", "summarise"]
