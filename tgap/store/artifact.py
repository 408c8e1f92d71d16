"""A finished artifact, whose files are checked again when they are read."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from safetensors import SafetensorError

from tgap.core import StoreError
from tgap.core.digest import digest_of
from tgap.core.files import read_array
from tgap.core.foreign import json_in
from tgap.store.manifest import file_problem
from tgap.store.vouched import Vouched


@dataclass(frozen=True)
class Artifact:
    """A finished artifact.

    Args:
        key: Its key.
        stage: Its stage.
        folder: Where its files are; not to be written to.
        manifest: Specification, files with size and SHA-256, seconds, versions, time of making.
        reused: Whether it was in the store already.
        seconds: What making it took, when it was made; before an interruption too.
    """

    key: str
    stage: str
    folder: Path
    manifest: Mapping[str, Any]
    reused: bool
    seconds: float

    @property
    def times(self) -> Mapping[str, float]:
        """Seconds of parts of the making, by name, as far as they were told."""
        times: Mapping[str, float] = self.manifest.get("times", {})
        return times

    def path(self, name: str) -> Path:
        """Path of a file or sub-folder.

        Raises:
            StoreError: If there is none of that name.
        """
        files = self.manifest["files"]
        asked = [each for each in files if each == name or each.startswith(f"{name}/")]
        if not asked:
            raise StoreError(
                f"artifact {self.stage} {self.key} has no '{name}'; "
                f"it has {', '.join(sorted(files))}"
            )
        for each in asked:
            self._check(each)
        return self.folder / name

    def _check(self, name: str) -> None:
        """See that a file is still what it was when the artifact was found."""
        try:
            path, recorded = self.folder / name, self.manifest["files"][name]
            problem = file_problem(path, path.lstat(), name, recorded, Vouched(self.folder))
        except OSError as error:
            problem = f"{name} cannot be read ({error.strerror or error})"
        if problem:
            raise StoreError(
                f"artifact {self.stage} {self.key} in {self.folder} is damaged: {problem}; start "
                "again: it is then made anew"
            )

    def read_json(self, name: str) -> Any:
        """The value of a JSON file."""
        with self._reading(name) as path:
            return json_in(path)

    def read_array(self, name: str, mmap: bool = False) -> NDArray[Any]:
        """The array of a ``.npy`` file; with ``mmap`` it is read-only and stays on disk."""
        with self._reading(name) as path:
            return read_array(path, mmap=mmap)

    def read_arrays(self, name: str) -> dict[str, NDArray[Any]]:
        """The arrays of a safetensors file by name."""
        from safetensors.numpy import load_file

        with self._reading(name) as path:
            return dict(load_file(path))

    @contextmanager
    def _reading(self, name: str) -> Iterator[Path]:
        path = self.path(name)
        try:
            yield path
        except (ValueError, EOFError, OSError, SafetensorError) as error:
            raise StoreError(
                f"cannot read {path}: {error}; "
                f"delete the folder {self.folder} to have it made again"
            ) from error


def content_digest(artifact: Artifact) -> str:
    """A digest of an artifact's files."""
    files = artifact.manifest["files"].items()
    return digest_of({name: recorded["sha256"] for name, recorded in files})
