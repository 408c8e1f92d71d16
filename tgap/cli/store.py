"""``tgap store``: what is kept, whether it is whole, why two keys differ, and what may go."""

import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import click

from tgap.cli.terminal import shown
from tgap.core import ConfigError, StoreError
from tgap.core.files import home_folder

if TYPE_CHECKING:
    from tgap.store import Store
    from tgap.store.catalogue import Entry
    from tgap.sweeps.records import Record

WIDTH = 80
"""Columns of a line."""
UNITS = {"kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}
AGES = {"m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
NAMED = 5
"""Runs that are named."""


@click.group(invoke_without_command=True)
@click.pass_context
def store(context: click.Context) -> int:
    """List, check, compare and remove what is kept.

    Keys of artifacts may be shortened to their first letters.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
    return 2  # a command's own code takes its place


class _Amount(click.ParamType):  # type: ignore[type-arg]  # plain in older versions
    """A number with a unit."""

    def __init__(self, name: str, units: Mapping[str, float], example: str) -> None:
        self.name, self.units, self.example = name, units, example

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The amount in seconds or bytes."""
        if isinstance(value, float):
            return value
        found = re.fullmatch(rf"(\d+\.?\d*) ?({'|'.join(self.units)})", value, re.IGNORECASE)
        if found is None:
            units = ", ".join(self.units)
            self.fail(f"a number with one of {units}, such as {self.example}; got '{value}'")
        factors = {unit.lower(): factor for unit, factor in self.units.items()}
        return float(found[1]) * factors[found[2].lower()]


AGE = _Amount("AGE", AGES, "30d")
SIZE = _Amount("SIZE", UNITS, "1GB")


@store.command(name="list")
@click.argument("stage", required=False)
def show(stage: str | None) -> int:
    """List artifacts by stage: key, size, age, what they are, and which runs use them."""
    from tgap.store.catalogue import in_words, room_of
    from tgap.sweeps.uses import Uses

    home = home_folder()
    found = found_in(home, stage)
    uses = Uses(home)
    for name in dict.fromkeys(entry.stage for entry in found):
        here = [entry for entry in found if entry.stage == name]
        print(f"{name}: {counted(len(here), 'artifact')}, {size_in_words(room_of(here))}")
        for entry in here:
            words = in_words(entry.content) if entry.content else "damaged: tgap store verify"
            print(shorten_to(f"  {row(entry)}  {words}", WIDTH))
            print(_used_by(uses.runs.get(entry.key, [])))
    print(f"all: {counted(len(found), 'artifact')}, {size_in_words(room_of(found))}")
    _tell_damaged(home / "store")
    return 0


def found_in(home: Path, stage: str | None = None) -> list["Entry"]:
    """Artifacts of the store, or of a stage of it.

    Raises:
        ConfigError: If there are none.
    """
    from tgap.core import nearest
    from tgap.store.catalogue import entries

    every = entries(home / "store")
    if not every:
        raise ConfigError(f"the store {home / 'store'} is empty; tgap run makes artifacts")
    found = [entry for entry in every if stage in (None, entry.stage)]
    if stage is not None and not found:
        stages = list(dict.fromkeys(entry.stage for entry in every))
        raise ConfigError(f"the store has nothing of a stage '{stage}'{nearest(stage, stages)}")
    return found


def row(entry: "Entry") -> str:
    """An artifact's key, size and age in columns."""
    from tgap.store.catalogue import SHORT, room_of

    size, age = size_in_words(room_of([entry])), age_in_words(time.time() - entry.made)
    return f"{entry.key[:SHORT]}  {size:>7}  {age:>8}"


def shorten_to(line: str, width: int) -> str:
    """A line that is no wider, its columns left as they are."""
    indent = line[: len(line) - len(line.lstrip())]
    if len(line) <= width:
        return line
    return f"{indent}{line.strip()[: width - len(indent) - 4]} ..."


def _used_by(runs: Sequence["Record"]) -> str:
    keys = [record.key[:8] for record in runs]
    more = f" and {len(keys) - NAMED} more" if len(keys) > NAMED else ""
    text = f"used by {', '.join(keys[:NAMED])}{more}" if keys else "used by no recorded run"
    return fill(text, WIDTH, initial_indent=" " * 12, subsequent_indent=" " * 12)


def _tell_damaged(root: Path) -> None:
    from tgap.store.damaged import DAMAGED

    aside = list((root / DAMAGED).iterdir()) if (root / DAMAGED).is_dir() else []
    if aside:
        files = [p for p in (root / DAMAGED).rglob("*") if p.is_file() and not p.is_symlink()]
        size = size_in_words(sum(path.stat().st_size for path in files))
        print(f"set aside as damaged: {len(aside)}, {size}; store/{DAMAGED} may be deleted")


@store.command
@click.option("--mend", is_flag=True, help="move what is damaged aside, so that it is made again")
@click.argument("keys", nargs=-1, metavar="[KEY ...]")
def verify(keys: tuple[str, ...], mend: bool) -> int:
    """Read every byte of the store, or of some artifacts, and name what is damaged.

    The exit code is 1 if anything is.
    """
    from tgap.store import Store
    from tgap.store.catalogue import named, problems_of, room_of

    home = home_folder()
    every = found_in(home)
    chosen = {named([entry.key for entry in every], word) for word in keys}
    found = [entry for entry in every if not keys or entry.key in chosen]
    damaged = 0
    for entry in found:
        problems = problems_of(entry)
        damaged += bool(problems)
        for problem in problems:
            print(_wrapped(f"damaged: {entry}: {problem}"))
        if problems and mend:
            print(f"  {_mended(Store(home / 'store'), entry)}")
    size = size_in_words(room_of(found))
    print(f"{counted(len(found), 'artifact')}, {size}: {damaged or 'nothing'} damaged")
    if damaged and not mend:
        print("the next run that needs them makes them again; --mend moves them aside now")
    return 1 if damaged else 0


def _mended(store: "Store", entry: "Entry") -> str:
    """Move a damaged artifact aside, and say where it is now."""
    import filelock

    from tgap.store.catalogue import problems_of

    try:
        aside = store.set_aside(entry.stage, entry.key, lambda: bool(problems_of(entry)))
    except filelock.Timeout:
        return "left there: it is being made right now"
    return f"moved to {shown(aside)}" if aside else "it was made anew meanwhile, and is whole"


@store.command
def push() -> int:
    """Send what the second level (TGAP_STORE_REMOTE) does not have yet."""
    from tgap.store.behind import Unsent
    from tgap.store.catalogue import problems_of
    from tgap.store.manifest import read_manifest
    from tgap.store.remote import VARIABLE, remote

    home = home_folder()
    level, found, unsent = remote(), found_in(home), Unsent(home / "store")
    if level is None:
        raise ConfigError(
            f"there is no second level: set {VARIABLE} to a URL, e.g. s3://bucket/folder or "
            "file:///mnt/shared"
        )
    sent, damaged = 0, 0
    for entry in found:
        problems = problems_of(entry)
        try:
            if not problems:
                sent += level.send(entry.folder, read_manifest(entry.folder))
                if not level.is_away:
                    unsent.drop((entry.stage, entry.key))
        except StoreError as error:  # a run that goes on found it damaged just now
            problems = [str(error)]
        if problems:
            damaged += 1
            print(_wrapped(f"damaged, and not sent: {entry}: {problems[0]}"))
    print(f"sent {sent} of {counted(len(found), 'artifact')} to {level.name}")
    return 1 if damaged or level.is_away else 0


@store.command
@click.argument("key")
@click.argument("other")
def why(key: str, other: str) -> int:
    """Say what differs between two artifacts, also through what they were made from.

    Artifacts that were removed count too, if a recorded run used them.
    """
    from tgap.store.catalogue import SHORT, entries, named
    from tgap.store.why import differences
    from tgap.sweeps.uses import Uses

    home = home_folder()
    stored = {entry.key: entry.content for entry in entries(home / "store") if entry.content}
    contents = Uses(home).contents | stored
    one, two = (named(contents, word) for word in (key, other))
    for each in (one, two):
        print(f"{contents[each]['stage']} {each[:SHORT]}")
    print("differ in (first | second):")
    for line in differences(contents, one, two):
        print(_wrapped(f"  {line}"))
    return 0


def _wrapped(line: str) -> str:
    return fill(line, WIDTH, subsequent_indent=" " * 6, break_on_hyphens=False)


def counted(number: int, noun: str) -> str:
    """``1 artifact``, ``2 artifacts``."""
    return f"{number} {noun}{'s' if number != 1 else ''}"


def size_in_words(size: float) -> str:
    """Bytes in a unit that suits.

    >>> size_in_words(12), size_in_words(1_234_000), size_in_words(29.4e9)
    ('12 B', '1.2 MB', '29 GB')
    """
    for unit, factor in reversed(UNITS.items()):
        if size >= factor:
            amount = size / factor
            return f"{amount:.1f} {unit}" if amount < 9.95 else f"{amount:.0f} {unit}"
    return f"{size:.0f} B"


def age_in_words(seconds: float) -> str:
    """Seconds in a unit that suits.

    >>> age_in_words(7), age_in_words(5400), age_in_words(3 * 86400)
    ('0 min', '90 min', '3 days')
    """
    if seconds < 2 * 3600:
        return f"{seconds // 60:.0f} min"
    return f"{seconds // 3600:.0f} h" if seconds < 2 * 86_400 else f"{seconds // 86_400:.0f} days"
