"""``tgap store remove``: what is no longer needed, told first, and never what is in use."""

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from tgap.cli.store import AGE, SIZE, WIDTH, counted, found_in, row, shorten_to, size_in_words
from tgap.core import ConfigError
from tgap.core.files import home_folder

if TYPE_CHECKING:
    from tgap.store import Store
    from tgap.store.catalogue import Entry
    from tgap.sweeps.uses import Held, Uses


@click.command
@click.argument("keys", nargs=-1, metavar="[KEY ...]")
@click.option("--stage", metavar="STAGE", help="of this stage only")
@click.option("--older-than", type=AGE, help="made so long ago, e.g. 30d, 12h, 2w")
@click.option("--larger-than", type=SIZE, help="that take more, e.g. 1GB, 500MB")
@click.option("--run", "run_key", metavar="RUN", help="that this run uses, and no other one")
@click.option("--keep-below", type=SIZE, help="the oldest, until the store takes no more")
@click.option("--yes", is_flag=True, help="do not ask")
def remove(
    keys: tuple[str, ...],
    stage: str | None,
    older_than: float | None,
    larger_than: float | None,
    run_key: str | None,
    keep_below: float | None,
    yes: bool,
) -> int:
    """Remove artifacts, the oldest first; says which before it asks.

    Of several options all must hold. A run that needs what was removed makes it again. What a
    running job uses or makes stays.
    """
    from tgap.store.catalogue import named
    from tgap.store.removal import Choice
    from tgap.sweeps.uses import Held, Uses

    if not keys and run_key is None and {stage, older_than, larger_than, keep_below} == {None}:
        raise ConfigError(
            "say what to remove: keys, --stage, --older-than, --larger-than, --run or "
            "--keep-below; all of it: --larger-than 0MB"
        )
    home = home_folder()
    every, uses = found_in(home), Uses(home)
    if stage is not None:
        found_in(home, stage)  # tells of a stage that is none
    wanted: set[str] | None = {named([e.key for e in every], word) for word in keys} or None
    if run_key is not None:
        own = _only_of(run_key, uses)
        wanted = own if wanted is None else wanted & own
    choice = Choice(
        keys=wanted,
        stage=stage,
        older_than=older_than,
        larger_than=larger_than,
        keep_below=keep_below,
    )
    held = Held(home)
    gone = choice.chosen(every, time.time())
    return _remove(every, [entry for entry in gone if not _stays(entry, held)], uses, yes)


def _stays(entry: "Entry", held: "Held") -> bool:
    """Whether a run that goes on holds an artifact, which is told then."""
    if run := held.by(entry.key):
        print(f"stays: {entry}, which run {run[:8]} uses right now")
    return run is not None


def _only_of(word: str, uses: "Uses") -> set[str]:
    """Keys of artifacts that a run uses and no other one."""
    from tgap.sweeps.records import record_named

    run = record_named(home_folder(), word).key
    return {key for key, runs in uses.runs.items() if {one.key for one in runs} == {run}}


def _remove(every: Sequence["Entry"], gone: Sequence["Entry"], uses: "Uses", yes: bool) -> int:
    from tgap.store import Store
    from tgap.store.removal import freed

    if not gone:
        print("nothing to remove")
        return 0
    _tell(every, gone, uses)
    size = size_in_words(freed(every, gone))
    if not (yes or _agreed(f"remove {counted(len(gone), 'artifact')} ({size})?")):
        print("nothing was removed")
        return 1
    kept = Store(home_folder() / "store")
    done = [entry for entry in gone if _removed(entry, kept)]
    print(f"removed {counted(len(done), 'artifact')}, {size_in_words(freed(every, done))}")
    return 0


def _removed(entry: "Entry", kept: "Store") -> bool:
    """Remove an artifact, unless a run uses or makes it that has begun since people were asked."""
    import filelock

    from tgap.sweeps.uses import Held

    try:
        return kept.discard(entry.stage, entry.key, lambda: _stays(entry, Held(home_folder())))
    except filelock.Timeout:
        print(f"stays: {entry}, which is being made or sent right now")
        return False


def _tell(every: Sequence["Entry"], gone: Sequence["Entry"], uses: "Uses") -> None:
    """Say what would go, who uses it, and what that stays was made from it."""
    from tgap.store.catalogue import in_words
    from tgap.store.removal import needed_by

    folders = {entry.folder for entry in gone}
    kept = [entry for entry in every if entry.folder not in folders]
    for entry in gone:
        print(shorten_to(f"  {entry.stage:<12} {row(entry)}  {in_words(entry.content)}", WIDTH))
        facts = []
        if runs := uses.runs.get(entry.key, []):
            facts.append(f"used by {counted(len(runs), 'recorded run')}")
        if needing := needed_by(entry, kept):
            facts.append(f"{counted(len(needing), 'kept artifact')} came of it")
        if facts:
            print(f"{' ' * 15}{', '.join(facts)}")


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise ConfigError(f"{question} Nobody is there to answer: add --yes")
    try:
        return click.confirm(question)
    except click.Abort:  # Ctrl-D
        return False
