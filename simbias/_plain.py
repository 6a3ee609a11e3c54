"""Aliases of what files and tables hold. Nothing is imported here: listing names costs nothing."""

from typing import Any

Settings = dict[str, Any]  # a TOML or JSON table: numbers, strings, lists and tables of such
TableRow = dict[str, Any]  # values by column, which Parquet and SQL do not type
Answer = tuple[Any, ...]  # a row of what SQL answers, which DuckDB does not type
