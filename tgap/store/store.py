"""The artifact store: what a stage made, kept by what it is, and never made twice.

An artifact is a folder ``<root>/<stage>/<key>/`` with a manifest. It is made in ``<root>/tmp`` and
renamed into place when every byte is on disk, so a folder at a key is whole or not there at all.
``<root>/locks`` holds one lock per key, ``<root>/partial`` what an interrupted process can go on
with.
"""

import errno
import functools
import logging
import os
import platform
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import filelock
from safetensors import SafetensorError

from tgap.core import StoreError
from tgap.core.files import cannot_write, error_number, locked, remedy, sync, writing
from tgap.store.artifact import Artifact
from tgap.store.behind import Unsent, send_behind, send_left, sending, wait_until_sent
from tgap.store.damaged import remove, set_aside
from tgap.store.left import BESIDE, beside, lock_path, sweep
from tgap.store.manifest import MALFORMED, MANIFEST, file_problems, seal, understood
from tgap.store.remote import remote
from tgap.store.spec import Spec
from tgap.store.vouched import Vouched

MIN_FREE_MB = 500

EARLIER = "earlier"
"""Seconds that making an artifact took before it was interrupted."""

Make = Callable[[Path], Mapping[str, float] | None]
"""Fills a folder."""

DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)

log = logging.getLogger(__name__)


class Store:
    """A folder of artifacts.

    Whenever an artifact is found, its manifest, the names and sizes of its files and their SHA-256
    are checked, and that of a file again when it is read: of files up to 64 MB once per process
    (about 40 ms for one of that size), of larger ones (sets of images, full models) once after each
    change; see ``Vouched``. ``verify`` reads every byte whatever was found before.

    Args:
        root: The store's folder, made when first needed. Left-overs there of processes that were
            killed are removed, those of other hosts when they are old.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().absolute()
        self.waited = 0.0
        """Seconds spent so far for artifacts that other processes were making."""
        sweep(self.root, _host())

    def check_writable(self) -> list[str]:
        """What stands in the way of writing, as sentences; tries to write a file."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.root) as file:
                file.write(b"tgap")
                file.flush()
                os.fsync(file.fileno())  # a full disk may be noticed no earlier
            free_mb = shutil.disk_usage(self.root).free // 2**20
        except OSError as error:
            return [cannot_write("the store", self.root, error)]
        if free_mb < MIN_FREE_MB:  # what the runs at hand need is forecast elsewhere
            return [
                f"the store {self.root} has {free_mb} MB of free space, it needs at least "
                f"{MIN_FREE_MB} MB: {remedy(errno.ENOSPC)}"
            ]
        try:
            remote()
        except StoreError as error:
            return [str(error)]
        return []

    def find(self, spec: Spec) -> Artifact | None:
        """The artifact if it is there and whole, without waiting for one that is being made.

        Raises:
            StoreError: If the store may not be read.
        """
        try:
            return self._load(spec)
        except _DamagedError:
            return None  # get_or_make mends it, under the lock

    def find_or_fetch(self, spec: Spec) -> Artifact | None:
        """The artifact if it is there, or in the second level, from which it is fetched then.

        Raises:
            StoreError: If the store may not be read, or not be written to.
        """
        artifact = self.find(spec)
        if artifact is not None or remote() is None:
            return artifact
        with self._alone(spec, lambda: False):
            return self.find(spec) or self._fetched(spec)

    def only_elsewhere(self, specs: Collection[Spec]) -> set[str]:
        """Keys of artifacts that are not here and would be fetched from the second level."""
        if (level := remote()) is None:
            return set()
        missing = {spec.key: spec for spec in specs if self.find(spec) is None}
        return level.has(list(missing.values()))

    def is_being_made(self, spec: Spec) -> bool:
        """Whether another process is at work on it; it may have ended when this is read."""
        try:
            with locked(self._lock_path(_lock_name(spec)), f"{spec}", wait=False):
                return False
        except filelock.Timeout:
            return True

    def get_or_make(
        self,
        spec: Spec,
        make: Make,
        *,
        resumable: bool = False,
        meanwhile: Callable[[], bool] = lambda: False,
    ) -> Artifact:
        """The artifact from the store, or made now.

        Two processes never make the same artifact at once: the second waits, then reuses. What the
        second level has (``TGAP_STORE_REMOTE``) is fetched, and what is made is sent there behind
        the work (``wait_until_sent``). A damaged artifact is moved to ``<root>/damaged`` and made
        again, with a warning.

        Args:
            spec: What it is.
            make: Writes its files into the empty folder it is given; plain files and folders only.
                May return seconds by name, which differ from time to time and so are no content:
                ``EARLIER`` is added to those that making took, the rest stands in the manifest.
            resumable: If the process was interrupted or killed while making it, ``make`` is given
                the folder as it was left, and ``beside`` it what else it keeps, and goes on.
            meanwhile: Called while another process makes it, again and again until it says that
                there was nothing to do; only then this process waits.

        Raises:
            StoreError: If the store cannot be written; nothing half-made is left at the key.
            ContractError: If ``make`` wrote nothing, a link, or a file named as the manifest.
        """
        artifact = self.find(spec)  # without the lock: reading a store needs no right to write
        if artifact is not None:
            return artifact
        with self._alone(spec, meanwhile):
            try:
                artifact = self._load(spec)  # again: another process may have made it meanwhile
            except _DamagedError as error:
                # Under the lock, so that nobody moves away what another has just mended.
                with writing(f"{spec}", self._folder(spec)):
                    aside = set_aside(self.root, self._folder(spec))
                log.warning("%s; it is made again, what was there lies in %s", error, aside)
            artifact = artifact or self._fetched(spec)
            if artifact is None:
                artifact = self._make(spec, make, resumable)
                Vouched(artifact.folder).vouch(artifact.manifest["files"])
        if not artifact.reused and remote() is not None:
            send_behind(self.root, (spec.stage, spec.key))
        return artifact

    def send_left(self) -> None:
        """Have what earlier processes could not send to the second level sent behind the work."""
        send_left(self.root)

    def wait_until_sent(self) -> None:
        """Wait until the second level has what was made; what fails there is told."""
        wait_until_sent(self.root)

    @contextmanager
    def _alone(self, spec: Spec, meanwhile: Callable[[], bool]) -> Iterator[None]:
        """Inside, no other process makes the artifact."""
        path, busy = self._lock_path(_lock_name(spec)), True
        with ExitStack() as held:
            while busy:
                try:
                    held.enter_context(locked(path, f"{spec}", wait=False))
                    break
                except filelock.Timeout:
                    busy = meanwhile()
            else:
                start = time.perf_counter()
                held.enter_context(locked(path, f"{spec}"))
                self.waited += time.perf_counter() - start
            yield

    def verify(self, artifact: Artifact) -> None:
        """Read every file of an artifact and compare its SHA-256 with the manifest's.

        Raises:
            StoreError: Naming all files that are missing, differ, or do not belong there.
        """
        try:
            wrong = list(file_problems(artifact.folder, artifact.manifest))
        except OSError as error:
            wrong = [f"it cannot be read ({error})"]
        if wrong:
            raise StoreError(
                f"artifact {artifact.stage} {artifact.key} is damaged: {', '.join(wrong)}; "
                f"delete the folder {artifact.folder} to have it made again"
            )

    def discard(self, stage: str, key: str, held: Callable[[], bool] = lambda: False) -> bool:
        """Remove an artifact; who is killed meanwhile leaves a temporary folder, not half of it.

        Args:
            stage: Its stage.
            key: Its key.
            held: Whether something uses it, in which case it stays; asked when nobody can be
                making it any more.

        Returns:
            Whether it was removed.

        Raises:
            StoreError: If it cannot be removed.
            filelock.Timeout: If a process is making or sending it.
        """
        folder, name = self.root / stage / key, f"{stage}-{key}"
        with (
            locked(self._lock_path(name), name, wait=False),
            sending(self.root, (stage, key)),
            writing(name, folder),
        ):
            temporary = self.root / "tmp" / f"{name}.{_host()}.{os.getpid()}"
            remove(temporary)
            temporary.parent.mkdir(parents=True, exist_ok=True)
            if held():
                return False
            os.rename(folder, temporary)
            remove(temporary)
            Vouched(folder).path.unlink(missing_ok=True)
            return True

    def set_aside(self, stage: str, key: str, damaged: Callable[[], bool]) -> Path | None:
        """Move a damaged artifact out of the way, as ``get_or_make`` does; raises as ``discard``.

        Args:
            stage: Its stage.
            key: Its key.
            damaged: Whether it still is; asked when nobody can be making it anew any more.

        Returns:
            Where it lies now; ``None`` if it was mended meanwhile.
        """
        folder, name = self.root / stage / key, f"{stage}-{key}"
        with locked(self._lock_path(name), name, wait=False), writing(name, folder):
            return set_aside(self.root, folder) if damaged() else None

    def _folder(self, spec: Spec) -> Path:
        return self.root / spec.stage / spec.key

    def _load(self, spec: Spec) -> Artifact | None:
        folder = self._folder(spec)
        try:
            manifest, problem = understood((folder / MANIFEST).read_text("utf-8"), spec)
            problem = problem or next(file_problems(folder, manifest, Vouched(folder)), None)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            if not os.path.lexists(folder):  # a link that leads nowhere is damage
                return None
            problem = f"it has no {MANIFEST}"
        except OSError as error:  # perhaps passing: no reason to throw an artifact away
            raise StoreError(f"cannot read {folder}: {error}; {remedy(error.errno)}") from error
        except MALFORMED as error:
            problem = f"its {MANIFEST} cannot be read ({error})"
        if problem:
            raise _DamagedError(f"artifact {spec} in {folder} is damaged: {problem}")
        return Artifact(spec.key, spec.stage, folder, manifest, True, manifest["seconds"])

    def _fetched(self, spec: Spec) -> Artifact | None:
        """The artifact from the second level, put into its place, if it is there."""
        if (level := remote()) is None:
            return None
        folder, temporary = self._folder(spec), self._temporary(spec, resumable=False)
        with writing(f"{spec}", folder):
            try:
                remove(temporary)
                temporary.mkdir(parents=True)
                manifest = level.fetch(spec, temporary)
                if manifest is None:
                    return None
                for path in [*temporary.rglob("*"), temporary]:
                    sync(path)
                folder.parent.mkdir(parents=True, exist_ok=True)
                if theirs := self._put(temporary, folder, spec):
                    return theirs
                sync(folder.parent)
            finally:
                remove(temporary)
        Vouched(folder).vouch(manifest["files"])
        log.info("fetched %s from %s", spec, level.name)
        return Artifact(spec.key, spec.stage, folder, manifest, True, manifest["seconds"])

    def _make(self, spec: Spec, make: Make, resumable: bool) -> Artifact:
        folder, temporary = self._folder(spec), self._temporary(spec, resumable)
        if resumable:
            self._adopt(spec, temporary)
        resumes = resumable and temporary.exists()
        if resumes:
            log.info("going on with %s, which was interrupted", spec)
        else:
            log.debug("making %s", spec)
        keep = made = False  # what a process that is killed leaves is kept all the same
        try:
            with writing(f"{spec}", temporary):
                if not resumes:
                    remove(temporary)  # of a dead process of our number
                temporary.mkdir(parents=True, exist_ok=True)
            start = time.perf_counter()
            times = _call(make, temporary, spec)
            seconds = time.perf_counter() - start + times.pop(EARLIER, 0.0)
            with writing(f"{spec}", folder):
                # Content before names: after a power cut, a name must not stand for missing bytes.
                manifest = seal(temporary, spec, seconds, times)
                if remote() is not None:
                    Unsent(self.root).note((spec.stage, spec.key))
                folder.parent.mkdir(parents=True, exist_ok=True)
                if theirs := self._put(temporary, folder, spec):
                    made = True
                    return theirs
                made = True
                sync(folder.parent)
        except KeyboardInterrupt:
            # Goes on another time; after an error the same would fail again.
            keep = resumable
            raise
        finally:
            if not keep:  # gone already if all went well
                _clear(temporary, made)
        return Artifact(spec.key, spec.stage, folder, manifest, False, seconds)

    def _put(self, temporary: Path, folder: Path, spec: Spec) -> Artifact | None:
        """Put a whole artifact into its place, or give what another host has put there meanwhile.

        That happens only to a process that was suspended, or cut off from the disk, for so long
        that its lock was taken over.
        """
        try:
            os.rename(temporary, folder)  # in one step, as both are on one disk
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            return self._load(spec)
        return None

    def _adopt(self, spec: Spec, temporary: Path) -> None:
        """Take what another host was interrupted in: a job may be queued again on another node.

        Its lock is ours now, so nobody goes on with it there.
        """
        left = [
            path
            for path in sorted(temporary.parent.glob(f"{_lock_name(spec)}.*"))
            if not path.name.endswith(BESIDE)
        ]
        if left and temporary not in left:
            with writing(f"{spec}", temporary):
                if beside(left[0]).exists():
                    os.replace(beside(left[0]), beside(temporary))
                os.replace(left[0], temporary)

    def _temporary(self, spec: Spec, resumable: bool) -> Path:
        """Where an artifact is made; ours alone under its lock, which may not reach other hosts."""
        if resumable:  # found again by the next process, so without our number
            return self.root / "partial" / f"{_lock_name(spec)}.{_host()}"
        return self.root / "tmp" / f"{_lock_name(spec)}.{_host()}.{os.getpid()}"

    def _lock_path(self, name: str) -> Path:
        return lock_path(self.root, name)


class _DamagedError(StoreError):
    """What is at a key is not the whole artifact."""


def _clear(temporary: Path, made: bool) -> None:
    """Remove what is left of making an artifact; if it was not made, not what was kept beside."""
    shutil.rmtree(temporary, ignore_errors=True)  # what went wrong before says more
    if made:
        shutil.rmtree(beside(temporary), ignore_errors=True)
    elif beside(temporary).is_dir():  # an error such as a full disk may pass
        temporary.mkdir(exist_ok=True)


def _call(make: Make, folder: Path, spec: Spec) -> dict[str, float]:
    try:
        times = make(folder)
        return dict(times) if isinstance(times, Mapping) else {}  # a lambda returns anything
    except (OSError, SafetensorError) as error:
        # A failed write of numpy or safetensors comes without a number; the latter's text tells of
        # quotas too, which the room on the disk does not show.
        number = error_number(error)
        if number is None and shutil.disk_usage(folder).free < 2**20:
            number = errno.ENOSPC
        # Other errors of this kind are the maker's own, e.g. an image that it cannot read.
        if number not in DISK_ERRORS:
            raise
        reason = OSError(number, os.strerror(number))
        raise StoreError(cannot_write(f"{spec}", folder, reason)) from error


def _lock_name(spec: Spec) -> str:
    return f"{spec.stage}-{spec.key}"


@functools.cache
def _host() -> str:
    # Dots divide the parts of a temporary folder's name, stars and brackets mean more to glob.
    return re.sub("[^A-Za-z0-9-]", "-", platform.node())
