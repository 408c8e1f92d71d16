"""One case of the corpus."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tgap.core import ImageSet


@dataclass(frozen=True, kw_only=True)
class Case:
    """Files that somebody has, made here, and the right answer to them.

    Args:
        name: Of the test.
        make: Writes the files into an empty folder.
        words: What a person types behind ``tgap data``. The current folder is that of the files,
            and ``dataset.path=.`` comes first.
        tells: Regular expressions, each found in what the terminal shows, in any order.
        untold: Regular expressions that must not be found there.
        refused: Whether the command must end with an error, and keep no images in the store.
        read: Asserts the right pixels, labels, patients, ... of what was read.
        runs: Whether the shortest run goes through with the same words too.
    """

    name: str
    make: Callable[[Path], None]
    words: Sequence[str] = ("dataset=image_folder",)
    tells: Sequence[str] = ()
    untold: Sequence[str] = ()
    refused: bool = False
    read: Callable[[ImageSet], None] | None = None
    runs: bool = False
