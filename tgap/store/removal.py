"""What may be removed from a store, and what that means for the rest."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from tgap.store.catalogue import Entry, room_of


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which artifacts are to go; those that all conditions hold of.

    Args:
        keys: Only these, if not ``None``.
        stage: Only of this one.
        older_than: Only those made so many seconds ago.
        larger_than: Only those of more bytes.
        keep_below: Only so many of them, the oldest first, that the store has no more bytes.
    """

    keys: Collection[str] | None = None
    stage: str | None = None
    older_than: float | None = None
    larger_than: float | None = None
    keep_below: float | None = None

    def chosen(self, every: Sequence[Entry], now: float) -> list[Entry]:
        """The artifacts, the oldest first."""
        found = [
            entry
            for entry in every
            if (self.keys is None or entry.key in self.keys)
            and self.stage in (None, entry.stage)
            and (self.older_than is None or now - entry.made > self.older_than)
            and (self.larger_than is None or room_of([entry]) > self.larger_than)
        ]
        found.sort(key=lambda entry: (entry.made, entry.stage, entry.key))
        if self.keep_below is None:
            return found
        return found[: self._enough(every, found, self.keep_below)]

    def _enough(self, every: Sequence[Entry], found: Sequence[Entry], below: float) -> int:
        """How many must go: by halving, as what is left shrinks with each."""
        least, most = 0, len(found)
        while least < most:
            number = (least + most) // 2
            gone = {entry.folder for entry in found[:number]}
            if room_of(entry for entry in every if entry.folder not in gone) <= below:
                most = number
            else:
                least = number + 1
        return least


def needed_by(entry: Entry, kept: Sequence[Entry]) -> list[Entry]:
    """Artifacts that are kept and were made from one."""
    return [other for other in kept if entry.key in other.upstream.values()]


def freed(every: Sequence[Entry], gone: Sequence[Entry]) -> int:
    """Bytes that become free: a file that a kept artifact shares does not."""
    folders = {entry.folder for entry in gone}
    return room_of(every) - room_of(entry for entry in every if entry.folder not in folders)
