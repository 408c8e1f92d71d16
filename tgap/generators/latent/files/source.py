"""Where a generator's files are: a local folder, one file of weights, or the hub's cache."""

import dataclasses
import logging
import re
from dataclasses import dataclass
from pathlib import Path

from tgap.core import DataError
from tgap.core.digest import canonical_json, remembered_file_digest, text_digest
from tgap.core.files import expanded
from tgap.core.network import why_no_hub
from tgap.generators.base import Shapes
from tgap.generators.latent.files.folder import (
    GET_IT_AGAIN,
    file_problems,
    folder_problems,
    names_in,
)
from tgap.generators.latent.files.header import PICKLES, converting, shapes_in
from tgap.generators.latent.files.layouts import Layout

HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")
HUB_DEFAULT = "main"
READ = 60  # seconds that the hub may take to answer a question
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """A model's files on this machine.

    Args:
        layout: What they are.
        folder: Configs, tokenizer, and the weights unless there is a ``file``.
        file: All weights in one safetensors file, as the original release has them.
        title: Its name in messages, with the commit if it came from the hub.
        remedy: What to do about missing and broken files of the folder.
        commit: Of the folder, if it came from the hub.
    """

    layout: Layout
    folder: Path
    file: Path | None
    title: str
    remedy: str
    commit: str = ""

    def problems(self) -> list[str]:
        """What is wrong with the files, as sentences; neither torch nor weights are loaded."""
        problems = folder_problems(self.folder, self.layout, self.file is None, self.remedy)
        if self.file is not None and not problems:
            problems = file_problems(self.file, self.layout)
        return problems

    def shapes(self) -> dict[str, Shapes]:
        """Shapes of the weights that are read, by component and name.

        Raises:
            DataError: If a file is missing or broken.
        """
        if self.file is not None:
            tensors = shapes_in(self.file, self.remedy)
            return {
                name: {key: size for key, size in tensors.items() if key.startswith(part.prefix)}
                for name, part in self.layout.parts.items()
                if part.prefix
            }
        parts: dict[str, dict[str, tuple[int, ...]]] = {}
        for file in self.layout.used(names_in(self.folder)):
            if file.endswith(".safetensors"):  # one of several, where weights are in shards
                own = parts.setdefault(file.partition("/")[0], {})
                own |= shapes_in(self.folder / file, self.remedy)
        return dict(parts)

    def digest(self) -> str:
        """Hash of the content of the files that are read, by their names; places do not count."""
        names = self.layout.used(names_in(self.folder), weights=self.file is None)
        # links are followed: the hub's cache links each file to a blob elsewhere
        files = {name: (self.folder / name).resolve() for name in names}
        if self.file is not None:
            files["weights"] = self.file.resolve()
        digests = {name: remembered_file_digest(path) for name, path in files.items()}
        return text_digest(canonical_json(digests))


def is_hub_id(named: str) -> bool:
    """Whether a path is of the hub, and not of a folder or file here."""
    return HUB_ID.fullmatch(named) is not None and not expanded(named).exists()


def find(
    path: str, revision: str | None, config: str | None, download: bool, layout: Layout
) -> Source:
    """Find a generator's files.

    Args:
        path: A diffusers folder, a ``.safetensors`` file, or a hub id ``owner/name``.
        revision: Branch, tag or commit of a hub id.
        config: For a file: a folder or hub id with the configs and the tokenizer.
        download: Whether what is not in the hub's cache is fetched.
        layout: What it should be.

    Raises:
        DataError: If it is not there, or is something else; what is wrong with the files
            themselves is told by ``Source.problems``.
    """
    place = expanded(path)
    if place.suffix in PICKLES and not place.is_dir():
        raise DataError(
            f"'{path}' is not loaded, because a {place.suffix} file can run code; take the "
            f".safetensors file that is published beside it, or {converting(place)}"
        )
    if place.is_file() or place.suffix == ".safetensors":
        return _single_file(path, place, revision, config, download, layout)
    if config is not None:
        raise DataError(
            f"generator.config is for a single file, and generator.path '{path}' is none: it has "
            "its own configs; set generator.config=null"
        )
    return _folder(path, revision, True, download, layout, "generator.path")


def _single_file(
    path: str, place: Path, revision: str | None, config: str | None, download: bool, layout: Layout
) -> Source:
    if not layout.single_file:
        raise DataError(
            f"generator.path must be a diffusers folder or a hub id of a {layout.pipeline}, got "
            f"the file '{path}'"
        )
    if not place.is_file():
        raise DataError(f"file '{path}' (generator.path) does not exist")
    if place.suffix != ".safetensors":
        raise DataError(f"generator.path must be a folder or a .safetensors file, got '{path}'")
    if config is None:
        raise DataError(
            f"'{path}' holds weights only; set generator.config to a diffusers folder or hub id "
            "that has the configs and the tokenizer of its architecture, e.g. generator.config="
            "stable-diffusion-v1-5/stable-diffusion-v1-5 for Stable Diffusion 1.x"
        )
    configs = _folder(config, revision, False, download, layout, "generator.config")
    title = f"{path} with the configs of {configs.title}"
    return dataclasses.replace(configs, file=place, title=title)


def _folder(
    named: str, revision: str | None, weights: bool, download: bool, layout: Layout, key: str
) -> Source:
    place = expanded(named)
    if place.is_dir():
        if revision is not None:
            raise DataError(
                f"generator.revision is for hub ids, and {key} '{named}' is a local folder; set "
                "generator.revision=null (a preset sets it to a commit of its own hub id), or "
                "rename the folder if you meant the hub's"
            )
        return Source(layout, place, None, named, GET_IT_AGAIN)
    if not HUB_ID.fullmatch(named):
        raise DataError(
            f"generator folder '{named}' does not exist; {key} must be a local diffusers folder of "
            f"a {layout.pipeline}"
            + (", a .safetensors file" if layout.single_file and weights else "")
            + " or a hub id (owner/name)"
        )
    local = f"{key}=<local folder>" + (" generator.revision=null" if revision else "")
    return _snapshot(named, revision or HUB_DEFAULT, weights, download, layout, key, local)


def _snapshot(
    hub_id: str, revision: str, weights: bool, download: bool, layout: Layout, key: str, local: str
) -> Source:
    from huggingface_hub import constants

    wanted = f"{hub_id} at revision {revision}"
    by_hand = f"`hf download {hub_id} --revision {revision}`, or {local}"
    remedies = by_hand if download else f"generator.download=true, {by_hand}"
    # The cache first, even if told to fetch: a snapshot that is whole needs no question to the hub.
    folder = _cached(hub_id, revision)
    whole = folder is not None and not folder_problems(folder, layout, weights)
    asked = not whole and (download or constants.HF_HUB_OFFLINE)
    if offline := why_no_hub() if asked else None:
        remedies += f" ({offline})"
    if not whole and download and not offline:
        folder = _fetched(hub_id, revision, weights, layout, by_hand)
    if folder is None:
        raise DataError(
            f"'{hub_id}' ({key}) is no folder here, and {wanted} is not in the hub's cache "
            f"{constants.HF_HUB_CACHE}; get it by {remedies}"
        )
    title, remedy = f"{hub_id} at commit {folder.name}", f"get {wanted} by {remedies}"
    return Source(layout, folder, None, title, remedy, folder.name)


def _cached(hub_id: str, revision: str) -> Path | None:
    """The folder in the hub's cache, whole or not."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(hub_id, revision=revision, local_files_only=True))
    except LocalEntryNotFoundError as error:
        partial = getattr(error, "snapshot_path", None)
        return None if partial is None else Path(partial)
    except HFValidationError as error:
        raise DataError(f"'{hub_id}' is no folder here and no hub id: {error}") from error


def _fetched(hub_id: str, revision: str, weights: bool, layout: Layout, remedies: str) -> Path:
    """Fetch the files that are read, and no others."""
    from huggingface_hub import HfApi, snapshot_download

    wanted = f"{hub_id} at revision {revision}"
    try:
        info = HfApi().model_info(hub_id, revision=revision, timeout=READ)
        names = [file.rfilename for file in info.siblings or ()]
        lacking = [name for name in layout.required_weights() if not layout.weights(name, names)]
        if weights and lacking:
            raise DataError(
                f"{wanted} has no safetensors weights of its {', '.join(lacking)}; choose another "
                f"revision, or another id of a {layout.pipeline}"
            )
        used = layout.used(names, weights)
        log.info("fetching %d files of %s at commit %s", len(used), hub_id, info.sha)
        # by the branch's name, so that the cache finds it by that name again
        return Path(snapshot_download(hub_id, revision=revision, allow_patterns=used))
    # Whatever goes wrong between here and the hub: no connection, no such id, no permission, ...
    except (OSError, ValueError, RuntimeError) as error:
        raise DataError(
            f"{wanted} cannot be fetched ({type(error).__name__}: {error}); get it by {remedies}"
        ) from error
