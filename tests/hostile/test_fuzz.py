"""Readers of strangers' files give a value or say what is wrong, whatever the bytes are."""

import contextlib
import gzip
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tgap.cli.main import command
from tgap.core import Checkpoint, TgapError
from tgap.core.files import read_array, write_sealed
from tgap.datasets.reading.pixels import read_image
from tgap.datasets.reading.tables import read_table
from tgap.generators.latent.files.header import shapes_in
from tgap.store import Spec, Store
from tgap.sweeps.records import records
from tgap.tracking import Journal
from tgap.tracking.beat import Beat, beat_of
from tgap.tracking.ghosts import close_ghosts

EXAMPLES, MANY = 25, int(os.environ.get("TGAP_FUZZ_EXAMPLES", "2000"))
"""Of each reader, in the ordinary tests and in long ones."""

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
CELLS = st.text("ab,;|\"'\n\r\t\0 é=#-0.9\ufeff", max_size=12)
NAMES = ["event", "time", "step", "values", "numbers", "params", "tags", "path", "name", "status"]
EVENT = st.fixed_dictionaries(
    {
        "event": st.sampled_from(["start", "metrics", "tags", "artifact", "end", "x"]),
        "time": st.integers(0, 9) | VALUES,
    },
    optional=dict.fromkeys(NAMES[2:], VALUES),
)
NUMBERS = st.integers() | st.floats() | st.sampled_from([10**19, 10**400])
START = {"event": "start", "time": 9, "name": "n", "experiment": "e", "params": {}, "tags": {}}
BEAT = {"time": 9.0, "host": "h", "pid": 1, "doing": "drawing", "done": 1, "total": 2, "since": 1.0}
PLANNED = {"method": "m", "method_key": "k", "size": 5, "seed": 1, "settings": {}, "key": "run"}
SPEC = {"layout": 3, "stage": "vectors", "identity": {"a": 1}, "upstream": {}}
HEAD = {"owner": {}, "place": {}, "done": 1, "after": 0, "seconds": 1.0}
ENDED = {"event": "end", "status": "FAILED"}
DEEP = "[" * 100_000
ROWS = ["method", "method_key", "size", "seed", "settings", "is_control", "split", "evaluation_key"]


@st.composite
def spoiled(draw: st.DrawFn, sound: bytes) -> bytes:
    """Sound bytes with some of them changed, left out, repeated or cut off."""
    data = bytearray(sound)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        new = draw(st.binary(max_size=6))
        match draw(st.sampled_from(["change", "insert", "cut", "repeat"])):
            case "change":
                data[at : at + len(new)] = new
            case "insert":
                data[at:at] = new
            case "cut":
                del data[at : at + draw(st.integers(1, 64))]
            case _:
                data[at:at] = data[at : at + 64]
    return bytes(data)


def value_or_refusal(read: Callable[[], object]) -> None:
    with contextlib.suppress(TgapError):
        read()


def near(sound: dict[str, Any]) -> st.SearchStrategy[str]:
    """JSON near a sound object: some of it left out, or of another kind; or nested too deeply."""
    entries = {name: st.just(value) | NUMBERS | VALUES for name, value in sound.items()}
    objects = st.fixed_dictionaries({}, optional=entries)
    mostly = objects.map(lambda some: sound | some) | objects | VALUES
    return mostly.map(json.dumps) | st.sampled_from([DEEP, DEEP.replace("[", '{"a":')])


READERS: dict[str, Callable[[int], None]] = {}
"""Reads so many examples, by what is read."""


def fuzzed(*strategies: st.SearchStrategy[Any]) -> Callable[[Callable[..., None]], None]:
    """Make a function that reads examples one of the readers."""

    def decorate(reader: Callable[..., None]) -> None:
        def read(examples: int) -> None:
            health = [HealthCheck.too_slow, HealthCheck.data_too_large]
            limits = settings(
                max_examples=examples, deadline=5000, database=None, suppress_health_check=health
            )
            limits(given(*strategies)(reader))()

        READERS[reader.__name__] = read

    return decorate


TABLE = "file,label,patient\na.png,cat,1\nb.png,dog,2\n"


@fuzzed(st.lists(st.lists(CELLS, max_size=4), max_size=4), spoiled(TABLE.encode()), st.booleans())
def tables(cells: list[list[str]], data: bytes, packed: bool) -> None:
    Path("a.csv").write_text("\n".join(",".join(row) for row in cells), "utf-8", newline="")
    Path("b.csv").write_bytes(data)
    Path("c.csv.gz").write_bytes(gzip.compress(data) if packed else data)
    for name in ("a.csv", "b.csv", "c.csv.gz"):
        value_or_refusal(lambda name=name: read_table(Path(name)))


@fuzzed(st.lists(VALUES, max_size=4), spoiled(b'{"file": "a.png", "label": "cat"}\n' * 3))
def tables_of_objects(values: list[object], data: bytes) -> None:
    Path("a.jsonl").write_text("\n".join(map(json.dumps, values)))
    Path("b.jsonl").write_bytes(data)
    for name in ("a.jsonl", "b.jsonl"):
        value_or_refusal(lambda name=name: read_table(Path(name)))


@fuzzed(st.lists(EVENT | VALUES, max_size=4), st.dictionaries(st.sampled_from(ROWS), VALUES))
def journals_and_records(events: list[object], row: dict[str, object]) -> None:
    journal = Journal(Path("home/journal/single/key"))
    files = journal.folder / "files"
    files.mkdir(parents=True, exist_ok=True)
    (journal.folder / "journal.jsonl").write_text("".join(json.dumps(e) + "\n" for e in events))
    (journal.folder / "pushed.json").write_text(json.dumps(row))
    (files / "row.json").write_text(json.dumps(row))
    (files / "config.yaml").write_text(json.dumps(row))
    value_or_refusal(journal.events)
    journal.pushed("sqlite:///x.db")
    for record in records(Path("home")):
        _ = record.metrics, record.status, record.name, record.tags, record.params
        value_or_refusal(record.run)
        value_or_refusal(lambda record=record: record.costs)


@fuzzed(near(BEAT), near(START), near(PLANNED))
def signs_of_life_and_plans(beat: str, start: str, planned: str) -> None:
    for run_key in ("sweep", "run"):
        folder = Path("home/journal/sweeps") / run_key
        (folder / "files").mkdir(parents=True, exist_ok=True)
        (folder / "journal.jsonl").write_text(start + "\n")
        (folder / "progress.json").write_text(beat)
        (folder / "files" / "planned.json").write_text(f"[{planned}]")
        found = beat_of(folder)
        assert found is None or isinstance(found, Beat)
    assert command(["status"]) in (0, 1, 2)
    close_ghosts(Path("home"), lambda journal: None)


@fuzzed(near(SPEC), near(SPEC))
def what_runs_used(spec: str, other: str) -> None:
    store = Store(Path("home/store"))
    made = store.get_or_make(Spec("vectors", {"a": 1}), lambda folder: np.save(folder / "x", 1))
    for name, text in (("a1", spec), ("b2", other)):
        files = Path("home/journal/single") / name / "files"
        files.mkdir(parents=True, exist_ok=True)
        (files.parent / "journal.jsonl").write_text(
            "".join(json.dumps(e) + "\n" for e in (START, {**START, **ENDED}))
        )
        (files / "artifacts.json").write_text(f'{{"scores": {{"spec": {text}}}}}')
    assert command(["store", "list"]) == 0
    assert command(["store", "why", made.key, made.key]) == 0


@fuzzed(near(HEAD), near({"losses": [1.0]}))
def checkpoints(head: str, numbers: str) -> None:
    arrays = {"__numbers__": np.frombuffer(numbers.encode(), np.uint8)}
    path = Path("kept/checkpoint.0000000001.safetensors")
    path.parent.mkdir(exist_ok=True)
    with contextlib.suppress(ValueError, TgapError):  # no head that could be written
        write_sealed(path, json.loads(head) if len(head) < 10_000 else {}, arrays)
    Checkpoint(path.parent, {}).load("step", 10)


@fuzzed(spoiled(json.dumps({"key": "k", "spec": {}, "files": {}, "seconds": 1.0}).encode()), VALUES)
def manifests(data: bytes, value: object) -> None:
    store, spec = Store(Path("store")), Spec("vectors", {"a": 1}, {})
    made = store.get_or_make(spec, lambda folder: np.save(folder / "x.npy", np.arange(2)))
    manifest = made.folder / "manifest.json"
    sound = json.loads(manifest.read_text())
    for text in (data, json.dumps(value).encode(), json.dumps({**sound, "files": value}).encode()):
        manifest.write_bytes(text)
        value_or_refusal(lambda: store.find(spec))


def array(rows: int) -> bytes:
    """A sound array as numpy writes it."""
    file = io.BytesIO()
    np.save(file, np.ones((rows, 3)))
    return file.getvalue()


@fuzzed(spoiled(array(1)), spoiled(array(9)[:128]))
def arrays(data: bytes, head: bytes) -> None:
    for content in (data, head):
        Path("a.npy").write_bytes(content)
        for mmap in (False, True):
            with contextlib.suppress(ValueError):
                read_array(Path("a.npy"), mmap=mmap)


def picture(name: str) -> bytes:
    """A small sound image in a format."""
    file = io.BytesIO()
    Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).save(file, name)
    return file.getvalue()


FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "WEBP", "PPM", "GIF")


@fuzzed(st.tuples(*(spoiled(picture(name)) for name in FORMATS)))
def images(several: tuple[bytes, ...]) -> None:
    for data in several:
        value_or_refusal(lambda data=data: read_image(data, "L"))


@fuzzed(
    spoiled(b"\x3d\0\0\0\0\0\0\0" + b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}' * 2)
)
def headers_of_weights(data: bytes) -> None:
    Path("a.safetensors").write_bytes(data)
    value_or_refusal(lambda: shapes_in(Path("a.safetensors"), "get it again"))


@pytest.mark.parametrize("name", READERS)
def test_a_reader_gives_a_value_or_refuses(name: str) -> None:
    READERS[name](EXAMPLES)


@pytest.mark.long
@pytest.mark.parametrize("name", READERS)
def test_it_does_so_with_many(name: str) -> None:
    READERS[name](MANY)
