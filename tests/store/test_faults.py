"""Faults of all kinds in a small store: nothing wrong is ever read, and all is made again."""

import errno
import json
import logging
import os
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import tgap.core.digest
import tgap.store.store
import tgap.store.vouched
from tgap.core import StoreError
from tgap.core.files import write_array, write_arrays, write_json
from tgap.store import Artifact, Spec, Store
from tgap.store.damaged import KEPT, remove

Content = dict[str, bytes]
LARGE = 4000
"""Files above this size are large ones here."""
FRESH = 0.01
"""Seconds after which a change of a file counts as an old one here."""


def make_images(folder: Path) -> None:
    write_array(folder / "images.npy", np.arange(5000, dtype=np.uint8))
    write_json(folder / "names.json", {"labels": ["odd", "even"]})


def make_selection(folder: Path) -> None:
    write_array(folder / "indices.npy", np.arange(9))
    write_json(folder / "notes.json", {"of": "selection"})


def make_generator(folder: Path) -> None:
    (folder / "model" / "unet").mkdir(parents=True)
    write_arrays(folder / "model" / "unet" / "weights.safetensors", {"w": np.arange(1200.0)})
    write_json(folder / "model" / "index.json", {"unet": 1})
    write_json(folder / "losses.json", [0.5, 0.25])


MADE: tuple[tuple[Spec, Callable[[Path], None]], ...] = (
    (Spec("dataset", {"dataset": "a"}), make_images),
    (Spec("selection", {"size": 9}), make_selection),
    (Spec("selection", {"size": 9.0}), make_selection),
    (Spec("generator", {"steps": 2}), make_generator),
)


def content(folder: Path) -> Content:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in files
        if path.name != "manifest.json"
    }


def read(artifact: Artifact) -> Content:
    """Read as stages do: by the names that the manifest has, through the artifact."""
    return {name: artifact.path(name).read_bytes() for name in artifact.manifest["files"]}


# Faults: each gets an artifact's folder, the store and a random generator


def any_file(folder: Path, rng: random.Random) -> Path:
    return rng.choice([path for path in sorted(folder.rglob("*")) if path.is_file()])


def flipped_bit(store: Store, folder: Path, rng: random.Random) -> None:
    path = any_file(folder, rng)
    data = bytearray(path.read_bytes())
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


def flipped_bit_with_its_time_kept(store: Store, folder: Path, rng: random.Random) -> None:
    path = any_file(folder, rng)
    times = path.stat()
    data = bytearray(path.read_bytes())
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    with path.open("rb+") as file:
        file.write(data)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def truncated(store: Store, folder: Path, rng: random.Random) -> None:
    path = any_file(folder, rng)
    os.truncate(path, rng.randrange(path.stat().st_size))


def deleted(store: Store, folder: Path, rng: random.Random) -> None:
    any_file(folder, rng).unlink()


def lists_no_files(store: Store, folder: Path, rng: random.Random) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"] = {}
    if rng.random() < 0.5:
        del manifest["digest"], manifest["times"]
    (folder / "manifest.json").write_text(json.dumps(manifest))


def another(store: Store, folder: Path, rng: random.Random) -> Path:
    """The folder of another artifact, which is whole."""
    folders = [store.root / spec.stage / spec.key for spec, _ in MADE]
    return rng.choice([other for other in folders if other != folder])


def other_manifest(store: Store, folder: Path, rng: random.Random) -> None:
    shutil.copy(another(store, folder, rng) / "manifest.json", folder / "manifest.json")


def other_artifact(store: Store, folder: Path, rng: random.Random) -> None:
    remove(folder)
    shutil.copytree(another(store, folder, rng), folder)


def noise_in_a_large_file(store: Store, folder: Path, rng: random.Random) -> None:
    large = [p for p in folder.rglob("*") if p.is_file() and p.stat().st_size > LARGE]
    path = rng.choice(large or [any_file(folder, rng)])
    with path.open("rb+") as file:
        file.seek(rng.randrange(path.stat().st_size))
        file.write(rng.randbytes(min(400, path.stat().st_size - file.tell())))


def killed(store: Store, folder: Path, rng: random.Random) -> None:
    """A process was killed while it made the artifact."""
    remove(folder)
    half = store.root / "tmp" / f"{folder.parent.name}-{folder.name}.{tgap.store.store._host()}.1"
    half.mkdir(parents=True)
    (half / "half.npy").write_bytes(rng.randbytes(100))


def stale_temporary(store: Store, folder: Path, rng: random.Random) -> None:
    """Of a process that had our number, and something that is no folder at all."""
    killed(store, folder, rng)
    name = f"{folder.parent.name}-{folder.name}.{tgap.store.store._host()}"
    ours = store.root / "tmp" / f"{name}.{os.getpid()}"
    if rng.random() < 0.5:
        ours.mkdir()
        (ours / "images.npy").write_bytes(rng.randbytes(100))
    else:
        ours.write_bytes(rng.randbytes(100))


def folder_in_a_files_place(store: Store, folder: Path, rng: random.Random) -> None:
    path = rng.choice([folder, any_file(folder, rng)])
    remove(path)
    path.mkdir()


def file_in_a_folders_place(store: Store, folder: Path, rng: random.Random) -> None:
    folders = [path for path in sorted(folder.rglob("*")) if path.is_dir()]
    path = rng.choice([folder, *folders])
    remove(path)
    path.write_bytes(rng.randbytes(50))


def link_out(store: Store, folder: Path, rng: random.Random) -> None:
    path = rng.choice([folder, any_file(folder, rng), folder / "more.json"])
    outside = store.root.parent / "outside"
    remove(outside)
    if rng.random() < 0.5 and path.exists():  # what it leads to has the right bytes
        path.rename(outside)
    elif rng.random() < 0.5:
        outside.write_bytes(rng.randbytes(100))
    remove(path)
    path.symlink_to(outside)


def file_more(store: Store, folder: Path, rng: random.Random) -> None:
    (any_file(folder, rng).parent / "more.npy").write_bytes(rng.randbytes(100))


def garbled_voucher(store: Store, folder: Path, rng: random.Random) -> None:
    for path in (store.root / "vouched").glob("*.json"):
        data = bytearray(path.read_bytes())
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        path.write_bytes(data)
    noise_in_a_large_file(store, folder, rng)


@contextmanager
def failing(name: str, number: int, good: int) -> Iterator[None]:
    """Let a function of ``os`` fail after so many good calls."""
    real, calls = getattr(os, name), iter(range(10**6))

    def fail(*args: object, **kwargs: object) -> object:
        if next(calls) >= good:
            raise OSError(number, os.strerror(number))
        return real(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, name, fail)
        yield


IN_FILES = (
    flipped_bit,
    flipped_bit_with_its_time_kept,
    truncated,
    deleted,
    lists_no_files,
    other_manifest,
    other_artifact,
    noise_in_a_large_file,
    killed,
    stale_temporary,
    folder_in_a_files_place,
    file_in_a_folders_place,
    link_out,
    file_more,
    garbled_voucher,
)
OF_THE_SYSTEM = {"no space": (errno.ENOSPC, "fsync"), "permission": (errno.EACCES, "rename")}


def inject(root: Path, faults: int, seed: int) -> Counter[str]:
    """Injure a store so many times, and read all of it after each fault.

    Returns:
        How often a fault was healed, refused at first, and how often something wrong was read.
    """
    rng, found = random.Random(seed), Counter[str]()
    store = Store(root / "store")
    right = {}
    for spec, make in MADE:
        right[spec.key] = content(store.get_or_make(spec, make).folder)
    for _ in range(faults):
        spec, make = rng.choice(MADE)
        held = store.get_or_make(spec, make)
        if vouched := rng.random() < 0.5:  # large files are not read again unless they change
            time.sleep(FRESH * 1.2)
            store.get_or_make(spec, make)
        kind = rng.choice([*IN_FILES, *OF_THE_SYSTEM])
        system = OF_THE_SYSTEM[kind] if isinstance(kind, str) else None
        injure = rng.choice((deleted, truncated)) if isinstance(kind, str) else kind
        injure(store, held.folder, rng)
        time.sleep(FRESH * 1.2 * vouched)
        found["faults"] += 1
        found[f"wrong: {injure.__name__}, late"] += not same_or_refused(held, right[spec.key])
        if rng.random() < 0.5:
            tgap.core.digest._remembered.clear()  # as in a new process
        store = Store(root / "store")
        if system is not None:
            with failing(system[1], system[0], rng.randrange(3)):
                found["refused"] += not read_all(store, right, found, f"{kind}")
            store = Store(root / "store")
        assert read_all(store, right, found, injure.__name__)
        store.verify(store.get_or_make(spec, make))
    assert len(list((root / "store" / "damaged").iterdir())) <= KEPT
    assert list((root / "store" / "tmp").iterdir()) == []
    return found


def read_all(store: Store, right: dict[str, Content], found: Counter[str], kind: str) -> bool:
    """Read every artifact, made again where need be; whether none was refused."""
    for spec, make in MADE:
        try:
            artifact = store.get_or_make(spec, make)
            found[f"wrong: {kind}"] += read(artifact) != right[spec.key]
            found["healed"] += not artifact.reused
        except StoreError:
            return False
    return True


def same_or_refused(artifact: Artifact, right: Content) -> bool:
    """Whether an artifact that was found before the fault is read right or not at all."""
    for name, data in right.items():
        try:
            if artifact.path(name).read_bytes() != data:
                return False
        except StoreError:
            continue
    return True


def check(root: Path, faults: int, seed: int, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tgap.store.vouched, "SMALL_BYTES", LARGE)
        patch.setattr(tgap.core.digest, "FRESH_NS", int(FRESH * 1e9))
        patch.setattr(os, "fsync", lambda descriptor: None)  # nobody cuts the power here
        with caplog.at_level(logging.WARNING):
            found = inject(root, faults, seed)
    wrong = {kind: number for kind, number in found.items() if kind.startswith("wrong") and number}
    assert wrong == {}
    assert found["faults"] == faults
    assert found["healed"] >= 0.8 * faults
    assert found["refused"] >= faults // 60
    assert caplog.text.count("it is made again, what was there lies in") >= 0.5 * faults


def test_nothing_wrong_is_read_after_faults_of_all_kinds(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    check(tmp_path, 60, 0, caplog)


@pytest.mark.long
def test_nothing_wrong_is_read_after_1000_faults(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    check(tmp_path, 1000, 1, caplog)
