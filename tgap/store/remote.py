"""A second level of the store: a bucket or a folder that several machines share.

An artifact's files lie in ``<url>/<stage>/<key>/<digest of their SHA-256>/``, and its manifest,
written last, in ``<url>/<stage>/<key>/manifest.json``. So nothing is renamed, which buckets cannot,
and two machines that send the same key at once write the same bytes to the same places, or to
different folders, of which the manifest names one.
"""

import functools
import logging
import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from tgap.core import StoreError
from tgap.core.digest import digest_of
from tgap.store.manifest import MALFORMED, MANIFEST, file_problems, understood
from tgap.store.spec import Spec

VARIABLE = "TGAP_STORE_REMOTE"
"""The environment variable that names it; it is in no key."""
LARGEST_MANIFEST = 64 * 2**20
"""Bytes of one that are read."""

log = logging.getLogger(__name__)


class Remote:
    """A folder of artifacts behind a URL.

    It never costs a result: what fails is told once, and not tried again by this process.

    Args:
        url: Of fsspec's: ``s3://bucket/folder``, ``gs://...``, ``file:///mnt/shared``.

    Raises:
        StoreError: If there is no such kind of URL, or its package is missing.
    """

    def __init__(self, url: str) -> None:
        from fsspec.core import url_to_fs

        self.name = re.sub("//[^/@]*@", "//***@", url)
        try:
            # What other machines send meanwhile is to be seen.
            self._files, path = url_to_fs(url, use_listings_cache=False)
        except (ImportError, ValueError) as error:
            raise StoreError(
                f"{VARIABLE}={self.name}: {error}; take a URL that fsspec knows, such as "
                "s3://bucket/folder or file:///mnt/shared, and its package (pip install "
                "'tgap[remote]' has the one for S3)"
            ) from error
        self._path = path.rstrip("/")
        self.is_away = False
        """Whether something failed."""
        self._damaged: set[str] = set()

    def has(self, specs: Collection[Spec]) -> set[str]:
        """Keys of those artifacts that it has, as far as it says: nothing is checked yet."""
        if self.is_away:
            return set()
        try:
            # A listing spares the question after each that is not there, as most may be.
            listed = {stage: self._listed(stage) for stage in {spec.stage for spec in specs}}
            return {
                spec.key
                for spec in specs
                if spec.key in listed[spec.stage]
                and self._files.exists(f"{self._place(spec.stage, spec.key)}/{MANIFEST}")
            }
        except Exception as error:  # each kind of URL has errors of its own
            self._give_up("read", error)
            return set()

    def _listed(self, stage: str) -> set[str]:
        try:
            names = self._files.ls(f"{self._path}/{stage}", detail=False)
        except FileNotFoundError:
            return set()
        return {name.rstrip("/").rpartition("/")[2] for name in names}

    def fetch(self, spec: Spec, folder: Path) -> Mapping[str, Any] | None:
        """Fetch an artifact.

        Args:
            spec: What it is.
            folder: An empty one. What it holds is an artifact only if a manifest is given back.

        Returns:
            The manifest, every file of which was found right; ``None`` if it has none such.
        """
        if self.is_away:
            return None
        try:
            manifest, problem = self._fetched(spec, folder)
        except Exception as error:  # each kind of URL has errors of its own
            self._give_up("read", error)
            return None
        if problem:
            log.warning(
                "artifact %s in %s is damaged: %s; it is not used", spec, self.name, problem
            )
            self._damaged.add(spec.key)
            return None
        return manifest

    def _fetched(self, spec: Spec, folder: Path) -> tuple[Mapping[str, Any] | None, str | None]:
        place = self._place(spec.stage, spec.key)
        try:
            if self._files.info(f"{place}/{MANIFEST}")["size"] > LARGEST_MANIFEST:
                return None, f"its {MANIFEST} is too large"
            text = self._files.cat_file(f"{place}/{MANIFEST}")
        except FileNotFoundError:
            return None, None
        try:
            # Names of files too, before any is written.
            manifest, problem = understood(text.decode("utf-8"), spec)
        except MALFORMED as error:
            problem = f"its {MANIFEST} cannot be read ({error})"
        if problem:
            return None, problem
        (folder / MANIFEST).write_bytes(text)
        return manifest, self._fetch_files(place, manifest, folder)

    def _fetch_files(self, place: str, manifest: Mapping[str, Any], folder: Path) -> str | None:
        """Fetch what a manifest lists; what is wrong with it, if anything."""
        for name, recorded in manifest["files"].items():
            source = f"{place}/{_files_digest(manifest)}/{name}"
            try:
                about = self._files.info(source)
            except FileNotFoundError:
                return f"{name} is missing"
            if about["type"] != "file" or about.get("islink"):
                return f"{name} is no file, but a link or a folder"
            if about["size"] != recorded["size"]:
                return f"{name} has {about['size']} bytes instead of {recorded['size']}"
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            self._files.get_file(source, str(folder / name))
        return next(file_problems(folder, manifest), None)

    def send(self, folder: Path, manifest: Mapping[str, Any]) -> bool:
        """Send an artifact that is whole, unless it is there.

        Args:
            folder: Its folder.
            manifest: Its manifest.

        Returns:
            Whether it was sent.

        Raises:
            StoreError: If it was removed or set aside here meanwhile, which says nothing of what
                is there.
        """
        if self.is_away:
            return False
        stage, key = manifest["spec"]["stage"], manifest["key"]
        place = self._place(stage, key)
        try:
            if key not in self._damaged and self._files.exists(f"{place}/{MANIFEST}"):
                return False
            for name in manifest["files"]:
                target = f"{place}/{_files_digest(manifest)}/{name}"
                self._files.makedirs(target.rpartition("/")[0], exist_ok=True)
                self._files.put_file(str(folder / name), target)
            self._files.pipe_file(f"{place}/{MANIFEST}", (folder / MANIFEST).read_bytes())
        except Exception as error:  # each kind of URL has errors of its own
            if not all((folder / name).is_file() for name in (MANIFEST, *manifest["files"])):
                raise StoreError("it was removed or set aside while it was sent") from error
            self._give_up("write", error)
            return False
        self._damaged.discard(key)
        return True

    def _place(self, stage: str, key: str) -> str:
        return f"{self._path}/{stage}/{key}"

    def _give_up(self, action: str, error: Exception) -> None:
        self.is_away = True
        reason = re.sub("//[^/@ ]*@", "//***@", str(error).strip().partition("\n")[0][:300])
        log.warning(
            "cannot %s %s=%s (%s); the store goes on without it: what is missing there is sent by "
            "the next run, or by `tgap store push`",
            action,
            VARIABLE,
            self.name,
            reason or type(error).__name__,
        )


def remote() -> Remote | None:
    """The second level that the environment names, if any; raises as ``Remote``."""
    url = os.environ.get(VARIABLE, "").strip()
    return _remote(url) if url else None


@functools.cache
def _remote(url: str) -> Remote:
    return Remote(url)


def _files_digest(manifest: Mapping[str, Any]) -> str:
    return digest_of({name: recorded["sha256"] for name, recorded in manifest["files"].items()})
