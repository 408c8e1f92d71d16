"""Folders and words of names that seem to be labels, and are not taken for them."""

import logging
from collections import Counter, defaultdict
from collections.abc import Sequence

from tgap.core.words import word
from tgap.datasets.reading.alike import meaning
from tgap.datasets.reading.doubtful import words_in
from tgap.datasets.reading.notes import first, many

log = logging.getLogger(__name__)
MOST_WORDS, FEWEST = 5, 3
"""Labels in names are so few different words, each of so many images or more."""
_LABELS = frozenset(
    "neg negative pos positive normal abnormal healthy sick ill disease diseased tb tuberculosis "
    "benign malignant cancer cancerous tumor tumour covid pneumonia bacteria bacterial virus viral "
    "infected uninfected parasitized nevus melanoma lesion control effusion edema oedema "
    "pneumothorax cardiomegaly nodule mass fracture fractured glaucoma cataract retinopathy drusen "
    "glioma meningioma adenoma carcinoma polyp ulcer stroke hemorrhage haemorrhage".split()
)
"""Words that name labels, whatever the pictures."""


def tell_words_in_names(files: Sequence[str], labels: Sequence[str]) -> None:
    """Tell of words in files' names that seem to be the labels, where folders are taken for these.

    They are the first or last word of all names, numbers aside, the same few ones in each label's
    folder, and half of them are words that name labels.

    Args:
        files: Paths of the images.
        labels: The label of each, which is a folder's name.
    """
    names = [_words(file) for file in files]
    if not all(names) or len(set(labels)) < 2:
        return
    for where, place in (("end", -1), ("begin", 0)):
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for words, label in zip(names, labels, strict=True):
            counts[label][words[place]] += 1
        total = sum(counts.values(), Counter[str]())
        if (
            2 <= len(total) <= MOST_WORDS
            and min(total.values()) >= FEWEST
            and all(its.keys() == total.keys() for its in counts.values())
            and 2 * len(_LABELS & total.keys()) >= len(total)
            and total.keys().isdisjoint(map(meaning, counts))
        ):
            log.warning(
                "the labels are the folders %s, but in each of them names %s with %s: if these "
                "words are the labels, put the images into a folder for each, or name a table of "
                "files and labels by dataset.table",
                first(sorted(counts)),
                where,
                " or ".join(f"'{word}' ({many(count)})" for word, count in sorted(total.items())),
            )
            return


def labels_in_names(files: Sequence[str]) -> str:
    """The end of a sentence on files whose names begin with few words; empty if they do not."""
    words = [its[0] if (its := _words(file)) else "" for file in files]
    counts = Counter(words)
    if not 2 <= len(counts) <= MOST_WORDS or "" in counts or min(counts.values()) < FEWEST:
        return ""
    told = " or ".join(f"'{word}' ({many(count)})" for word, count in sorted(counts.items()))
    return (
        f"; names in {files[0].rpartition('/')[0]} begin with {told}: if these are the "
        "labels, move the files into a folder for each word, or write them into a table of two "
        "columns, file and label (a line: "
        f"{files[0]},{words[0]}), and let dataset.path be this table"
    )


def _words(file: str) -> list[str]:
    """The words of a file's name, without numbers."""
    stem = file.rpartition("/")[2].rpartition(".")[0]
    return [word for word in words_in(stem) if not word.isdecimal()]


def tell_nested_labels(files: Sequence[str], labels: Sequence[str], level: int) -> None:
    """Tell of folders below a label's folder that are called as another label is.

    Args:
        files: Paths of the images.
        labels: The label of each, which is a folder's name.
        level: Which folder of a path that is, 1 being the first.
    """
    meant = {meaning(label): label for label in labels}
    nested: Counter[tuple[str, str, str]] = Counter()
    for file, label in zip(files, labels, strict=True):
        folders = file.split("/")[:-1]
        for depth, folder in enumerate(folders[level:], level + 1):
            other = meant.get(meaning(folder), label)
            if other != label:
                nested["/".join(folders[:depth]), label, other] += 1
                break
    if nested:
        log.warning(
            "folders below a label's are called as another label is: %s; if they lie there by "
            'mistake, move them, or leave them out by "dataset.exclude=%s"',
            _told(nested),
            word(sorted(f"{path}/*" for path, _, _ in nested)),
        )


def _told(nested: Counter[tuple[str, str, str]]) -> str:
    return first(
        [
            f"{path} ({many(count)}, which {'counts' if count == 1 else 'count'} as '{label}', "
            f"not as '{other}')"
            for (path, label, other), count in nested.items()
        ]
    )
