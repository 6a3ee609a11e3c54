"""The files beside the rows of a run directory: weights, traces and checkpoints, each checked.

A row has the checksums of its files. What was kept before there were checksums passes.
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
from simbias.results.schema import TRACES, UNKNOWN, Known

# what tells that a file from before checksums is one of a network
_OF_A_NETWORK = {"rotation", "fitted_since", "updates", "end", "seconds"}
_IN_TRAINING = {"trace"}
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
    def known(self) -> Mapping[str, Known]:
        """What is known of each sound row, by the hash that names its files."""

    # -- of what has ended --------------------------------------------------------------------

    def _write_files(
        self,
        name: str,
        columns: Sequence[Column],
        trace: Sequence[Mapping[str, object]],
        tensors: Mapping[str, np.ndarray] | None,
    ) -> dict[str, str]:
        """Write the files of a row; returns the columns with their checksums.

        Args:
            name: the hash of the row.
            columns: what the trace's file has.
            trace: its rows; no file where there are none.
            tensors: the weights; no file where there are none.

        Raises:
            StoreError: they could not be written.
        """
        found: dict[str, str] = {}
        if tensors is not None:
            found["weights_checksum"] = checksums.of_tensors(tensors)
            files.write(self.weights_path(name), lambda path: save_file(dict(tensors), path))
        if trace:

            def write(temporary: Path) -> None:
                parquet.write(temporary, columns, trace)
                found["trace_checksum"] = checksums.of_bytes(temporary.read_bytes())

            files.write(self.trace_path(name), write)
        return found

    def weights_path(self, name: str) -> Path:
        """Where the tensors beside a row are."""
        return self.directory / "weights" / f"{name}.safetensors"

    def trace_path(self, name: str) -> Path:
        """Where the trace of a row is."""
        return self.directory / "traces" / f"{name}.parquet"

    def weights(self, name: str, rows: Mapping[str, Known] | None = None) -> dict[str, np.ndarray]:
        """The tensors beside a row; raises StoreError where they are not those it speaks of.

        Args:
            name: the hash of the row.
            rows: what ``known`` gives, where it is at hand.
        """
        path = self.weights_path(name)

        def load() -> tuple[dict[str, np.ndarray], str]:
            found, _ = tensors.load(path)
            return found, checksums.of_tensors(found)

        return self._matching(path, "weights_checksum", load, rows)

    def trace(self, name: str, columns: Sequence[str]) -> np.ndarray:
        """The trace of a row as float32 (checks, columns); none where none was kept.

        Raises:
            StoreError: it cannot be read, or is not that of which the row speaks.
        """
        path = self.trace_path(name)
        if not self._matching(path, "trace_checksum", partial(tensors.file_checksum, path)):
            return np.zeros((0, len(columns)), np.float32)
        rows, faults = parquet.read(TRACES, path)
        for fault in faults:
            raise StoreError(f"cannot read {path}: {fault.why}")
        found = [[row[name] for name in columns] for row in rows]
        return np.array(found, np.float32).reshape(len(rows), len(columns))

    # -- checkpoints ------------------------------------------------------------------------

    def write_checkpoint(self, name: str, tensors: Mapping[str, np.ndarray]) -> None:
        """Keep the state of what is under way; raises StoreError."""
        seal = {"network": name, CHECKSUM.name: checksums.of_tensors(tensors)}
        files.write(self._checkpoint(name), lambda path: save_file(dict(tensors), path, seal))

    def checkpoint(self, name: str) -> dict[str, np.ndarray] | None:
        """The state of what is under way; None where none was kept; raises StoreError."""
        path = self._checkpoint(name)
        if not path.is_file():
            return None
        found, seal = tensors.load(path)
        if not seal:
            _refuse_others(path, found, _IN_TRAINING)
        elif seal != {"network": name, CHECKSUM.name: checksums.of_tensors(found)}:
            raise unusable(path, checksums.CHANGED)
        return found

    def drop_checkpoint(self, name: str) -> None:
        """Forget the state of what has ended."""
        self._checkpoint(name).unlink(missing_ok=True)

    # -- inside -------------------------------------------------------------------------------

    def _checkpoint(self, name: str) -> Path:
        return self.directory / "checkpoints" / f"{name}.safetensors"

    def _weighed(self) -> set[str]:
        """The rows that have tensors beside them."""
        return {path.stem for path in (self.directory / "weights").glob("*.safetensors")}

    def _other_traces(self, paths: Sequence[Path]) -> list[Fault]:
        """The traces that are not those of which rows speak."""
        present = {path.stem for path in paths}
        rows = self.known()
        kept = {name for name, row in rows.items() if row.trace_checksum}
        found = []
        for name in sorted(present | kept):
            path = self.trace_path(name)
            try:
                self._matching(path, "trace_checksum", partial(tensors.file_checksum, path), rows)
            except StoreError as error:
                found.append(Fault(path, error.why))
        return found

    def _broken(self) -> list[Fault]:
        """Weights and checkpoints that cannot be used; reads what has changed."""
        found = []
        rows = self.known()
        kept = {name for name, row in rows.items() if row.weights_checksum}
        whole = [self.weights_path(name) for name in sorted(self._weighed() | kept)]
        whole += sorted((self.directory / "checkpoints").glob("*.safetensors"))
        for path in whole:
            row = rows.get(path.stem)
            now = (row and row.weights_checksum, *stamp(path))
            if self._verified.get(path) == now:
                continue
            try:
                if path.parent.name == "checkpoints":
                    self.checkpoint(path.stem)
                else:
                    there = self.weights(path.stem, rows)
                    if row is not None and row.weights_checksum is None:
                        _refuse_others(path, there, _OF_A_NETWORK)
                self._verified[path] = now
            except StoreError as error:
                found.append(Fault(path, error.why))
        return found

    def _matching(
        self,
        path: Path,
        column: str,
        load: Callable[[], tuple[T, str]],
        rows: Mapping[str, Known] | None = None,
    ) -> T:
        """A file of a row; raises StoreError where it is not the one that the row speaks of."""
        row = (self.known() if rows is None else rows).get(path.stem, UNKNOWN)
        for _ in range(2):  # another process may have written both in between
            content, found = load()
            if getattr(row, column) in (None, found):
                return content
            row = self.known().get(path.stem, row)
        raise unusable(path, checksums.CHANGED if found else "it is missing")


def _refuse_others(path: Path, found: Mapping[str, np.ndarray], needed: set[str]) -> None:
    """Raise StoreError for a file without the tensors that it would have."""
    missing = sorted(needed - set(found))
    if missing:
        raise unusable(path, f"no tensor {missing[0]}: not a file of simbias")
