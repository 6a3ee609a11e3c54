"""The files beside the rows of a run directory: weights, traces and checkpoints, each checked.

A row holds the checksums of its files. Files from before there were checksums are accepted.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from safetensors.numpy import save_file

from simbias.experiments import Column
from simbias.experiments.table import CHECKSUM
from simbias.results import checksums, files, parquet, tensors
from simbias.results.files import Fault, StoreError, stamp, unusable
from simbias.results.schema import NO_ROW, TRACES, RowIndex

# tensors by which a file without a checksum is known to be of a network, or of one in training
_NETWORK_TENSORS = {"rotation", "fitted_since", "updates", "end", "seconds"}
_CHECKPOINT_TENSORS = {"trace"}
T = TypeVar("T")


class Beside(ABC):
    """The files beside the rows of a run directory.

    Args:
        directory: of the run.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._verified: dict[Path, tuple[object, ...]] = {}

    @abstractmethod
    def known(self) -> Mapping[str, RowIndex]:
        """The ``RowIndex`` of each sound row, by the hash that names its files."""

    # -- files of rows ------------------------------------------------------------------------

    def _write_files(
        self,
        name: str,
        columns: Sequence[Column],
        trace: Sequence[Mapping[str, object]],
        tensors: Mapping[str, np.ndarray] | None,
    ) -> dict[str, str]:
        """Write the files of a row; returns the row's columns that hold their checksums.

        Args:
            name: the hash of the row.
            columns: of the trace file.
            trace: its rows; no file is written where there are none.
            tensors: the weights; no file is written where there are none.

        Raises:
            StoreError: they could not be written.
        """
        hashes: dict[str, str] = {}
        if tensors is not None:
            hashes["weights_checksum"] = checksums.of_tensors(tensors)
            files.write(self.weights_path(name), lambda path: save_file(dict(tensors), path))
        if trace:

            def write(temporary: Path) -> None:
                parquet.write(temporary, columns, trace)
                hashes["trace_checksum"] = checksums.of_bytes(temporary.read_bytes())

            files.write(self.trace_path(name), write)
        return hashes

    def weights_path(self, name: str) -> Path:
        """The path of the tensors of a row."""
        return self.directory / "weights" / f"{name}.safetensors"

    def trace_path(self, name: str) -> Path:
        """The path of the trace of a row."""
        return self.directory / "traces" / f"{name}.parquet"

    def weights(
        self, name: str, rows: Mapping[str, RowIndex] | None = None
    ) -> dict[str, np.ndarray]:
        """The tensors of a row; raises StoreError where they do not match its checksum.

        Args:
            name: the hash of the row.
            rows: the value of ``known``, where it is at hand.
        """
        path = self.weights_path(name)

        def load() -> tuple[dict[str, np.ndarray], str]:
            arrays, _ = tensors.load(path)
            return arrays, checksums.of_tensors(arrays)

        return self._checked_content(path, "weights_checksum", load, rows)

    def trace(self, name: str, columns: Sequence[str]) -> np.ndarray:
        """The trace of a row as float32 (checks, columns); no checks where no file was written.

        Raises:
            StoreError: it cannot be read, or does not match the row's checksum.
        """
        path = self.trace_path(name)
        if not self._checked_content(path, "trace_checksum", partial(tensors.file_checksum, path)):
            return np.zeros((0, len(columns)), np.float32)
        rows, faults = parquet.read(TRACES, path)
        for fault in faults:
            raise StoreError(f"cannot read {path}: {fault.why}")
        values = [[row[name] for name in columns] for row in rows]
        return np.array(values, np.float32).reshape(len(rows), len(columns))

    # -- checkpoints ------------------------------------------------------------------------

    def write_checkpoint(self, name: str, tensors: Mapping[str, np.ndarray]) -> None:
        """Write the state of a replica in training; raises StoreError."""
        seal = {"network": name, CHECKSUM.name: checksums.of_tensors(tensors)}
        files.write(self._checkpoint(name), lambda path: save_file(dict(tensors), path, seal))

    def checkpoint(self, name: str) -> dict[str, np.ndarray] | None:
        """The state of a replica in training; None without a checkpoint; raises StoreError."""
        path = self._checkpoint(name)
        if not path.is_file():
            return None
        arrays, seal = tensors.load(path)
        if not seal:
            _require_tensors(path, arrays, _CHECKPOINT_TENSORS)
        elif seal != {"network": name, CHECKSUM.name: checksums.of_tensors(arrays)}:
            raise unusable(path, checksums.CHANGED)
        return arrays

    def checkpointed(self, name: str) -> int:
        """When the state of a replica in training was written, ns of its file; 0 without one."""
        try:
            return self._checkpoint(name).stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def drop_checkpoint(self, name: str) -> None:
        """Remove the checkpoint of a replica that has ended."""
        self._checkpoint(name).unlink(missing_ok=True)

    # -- inside -------------------------------------------------------------------------------

    def _checkpoint(self, name: str) -> Path:
        return self.directory / "checkpoints" / f"{name}.safetensors"

    def _hashes_with_weights(self) -> set[str]:
        """The hashes of rows that have a file of tensors."""
        return {path.stem for path in (self.directory / "weights").glob("*.safetensors")}

    def _damaged_traces(self, paths: Sequence[Path]) -> list[Fault]:
        """The traces that are missing or do not match the checksum in their row."""
        present = {path.stem for path in paths}
        rows = self.known()
        recorded = {name for name, row in rows.items() if row.trace_checksum}
        faults = []
        for name in sorted(present | recorded):
            path = self.trace_path(name)
            try:
                self._checked_content(
                    path, "trace_checksum", partial(tensors.file_checksum, path), rows
                )
            except StoreError as error:
                faults.append(Fault(path, error.why))
        return faults

    def _damaged_tensors(self) -> list[Fault]:
        """Weights and checkpoints that cannot be used; reads only files that have changed."""
        faults = []
        rows = self.known()
        recorded = {name for name, row in rows.items() if row.weights_checksum}
        paths = [self.weights_path(name) for name in sorted(self._hashes_with_weights() | recorded)]
        paths += sorted((self.directory / "checkpoints").glob("*.safetensors"))
        for path in paths:
            row = rows.get(path.stem)
            mark = (row and row.weights_checksum, *stamp(path))
            if self._verified.get(path) == mark:
                continue
            try:
                if path.parent.name == "checkpoints":
                    self.checkpoint(path.stem)
                else:
                    arrays = self.weights(path.stem, rows)
                    if row is not None and row.weights_checksum is None:
                        _require_tensors(path, arrays, _NETWORK_TENSORS)
                self._verified[path] = mark
            except StoreError as error:
                faults.append(Fault(path, error.why))
        return faults

    def _checked_content(
        self,
        path: Path,
        column: str,
        load: Callable[[], tuple[T, str]],
        rows: Mapping[str, RowIndex] | None = None,
    ) -> T:
        """The content of a row's file; raises StoreError where it does not match its checksum."""
        row = (self.known() if rows is None else rows).get(path.stem, NO_ROW)
        for _ in range(2):  # another process may have written both in between
            content, checksum = load()
            if getattr(row, column) in (None, checksum):
                return content
            row = self.known().get(path.stem, row)
        raise unusable(path, checksums.CHANGED if checksum else "it is missing")


def _require_tensors(path: Path, arrays: Mapping[str, np.ndarray], needed: set[str]) -> None:
    """Raise StoreError for a file that lacks one of the needed tensors."""
    missing = sorted(needed - set(arrays))
    if missing:
        raise unusable(path, f"no tensor {missing[0]}: not a file of simbias")
