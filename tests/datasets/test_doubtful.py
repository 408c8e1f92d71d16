"""Names that may not be what they seem: which are told of, and that ordinary ones are not."""

import ast
import itertools

import numpy as np
import pandas
import pytest

from tgap.core import DataError
from tgap.datasets.reading.alike import alike, meaning, number
from tgap.datasets.reading.cells import label_names
from tgap.datasets.reading.doubtful import (
    warn_of_contradictions,
    warn_of_joined,
    warn_of_near,
    warn_of_no_labels,
)

CIFAR = (
    "apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus "
    "butterfly camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch "
    "crab crocodile cup dinosaur dolphin elephant flatfish forest fox girl hamster house "
    "kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle "
    "mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree "
    "plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark "
    "shrew skunk skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table "
    "tank telephone television tiger tractor train trout tulip turtle wardrobe whale "
    "willow_tree wolf woman worm"
).split()
CHEST = (
    "No_Finding Atelectasis Cardiomegaly Effusion Infiltration Mass Nodule Pneumonia Pneumothorax "
    "Consolidation Edema Emphysema Fibrosis Pleural_Thickening Hernia"
).split()
CODES = (
    "cat car male female T1 T2 normal abnormal gradeA gradeB stage1 stage2 left right left_lung "
    "right_lung hypotension hypertension benign malignant typical atypical vii viii type_I type_II "
    "A+ A- ER+ ER- smoker nonsmoker abduction adduction interstitial"
).split()


def told_of(counts: dict[str, int], caplog: pytest.LogCaptureFixture) -> str:
    caplog.clear()
    warn_of_near(counts, "labels")
    warn_of_no_labels(counts)
    return caplog.text


@pytest.mark.parametrize("names", [CIFAR, CHEST, [str(n) for n in range(20)], CODES])
@pytest.mark.parametrize("rare", [100, 5])
def test_ordinary_names_are_not_told(
    names: list[str], rare: int, caplog: pytest.LogCaptureFixture
) -> None:
    for turn in range(2):  # every pair of neighbours, either being the rare one
        counts = {name: (rare, 100)[(n + turn) % 2] for n, name in enumerate(names)}
        assert told_of(counts, caplog) == ""


@pytest.mark.parametrize(
    ("rare", "common", "apart"),
    [
        ("mass", "masses", 1),
        ("nodules", "Nodule", 1),
        ("carcinom", "carcinoma", 1),
        ("oedema", "edema", 1),
        ("hot dog", "hotdog", 1),
        ("lung nodules", "lung nodule", 1),
        ("carc", "carcinoma", 5),
        ("pneumotorax", "pneumothorax", 5),
        ("melanmoa", "melanoma", 5),
        ("cardiomegalie", "cardiomegaly", 5),
    ],
)
def test_names_nearly_alike_are_told(
    rare: str, common: str, apart: int, caplog: pytest.LogCaptureFixture
) -> None:
    """From so many times as many images on."""
    told = f"labels that are written nearly alike: '{rare}' (1 image) and '{common}' ({apart} image"
    assert told in told_of({rare: 1, common: apart, "nevus": 9}, caplog)
    if apart > 1:
        assert told_of({rare: 1, common: apart - 1, "nevus": 9}, caplog) == ""


def test_one_of_many_names_is_no_other_one_shortened(caplog: pytest.LogCaptureFixture) -> None:
    counts = dict.fromkeys(CIFAR, 100) | {"bee": 1, "sea": 1, "plat": 1}
    assert told_of(counts, caplog) == ""


def test_names_are_written_nearly_alike_in_linear_time(caplog: pytest.LogCaptureFixture) -> None:
    letters = "bcdfghjklm"
    names = ["".join(each) for each in itertools.product(letters, repeat=4)]
    assert told_of(dict.fromkeys(names, 1), caplog) == ""


@pytest.mark.parametrize(
    ("text", "value"), [("0,5", "0.5"), ("1,50", "1.50"), ("1,234", None), ("1,2,3", None)]
)
def test_a_comma_may_be_a_decimal_point(text: str, value: str | None) -> None:
    assert number(text) == value


def test_marks_behind_a_name_do_not_count() -> None:
    assert {meaning(text) for text in ("edema", "Edema?", "edema .", "edema!!")} == {"edema"}
    assert meaning("?") == "?"
    assert meaning("A+") != meaning("A")


@pytest.mark.parametrize(
    ("names", "groups"),
    [
        ("yes y 1 no N 0", [["yes", "y", "1"], ["no", "N", "0"]]),
        ("oui True non maybe", [["oui", "True"]]),
        ("ja da no en", []),  # languages
        ("0 1 2 yes", []),
        ("N F", []),
        ("positive negative unknown", []),
    ],
)
def test_yes_and_no_in_several_words(names: str, groups: list[list[str]]) -> None:
    assert alike(names.split()) == groups


def test_nothing_beside_something(caplog: pytest.LogCaptureFixture) -> None:
    names = ["healthy", "no_glasses", "Edema"]
    held = np.array([[1, 0, 0], [1, 1, 0], [1, 0, 1], [0, 1, 1], [0, 1, 1]], dtype=bool)
    warn_of_contradictions(held, names, list("abcde"))
    assert "'healthy' stands alone in 2 images and" in caplog.text
    assert "in 1: c (Edema); correct" in caplog.text
    assert "no_glasses" not in caplog.text  # which is an attribute, as most have others too


def test_named_labels_are_as_they_are(caplog: pytest.LogCaptureFixture) -> None:
    rows = [("mass",), ("masses",), ("misc",)]
    assert label_names(rows, ["mass", "masses", "misc"]) == ("mass", "masses", "misc")
    assert caplog.text == ""
    assert label_names(rows, []) == ("mass", "masses", "misc")
    assert "if that is what they are called, name all labels by dataset.labels" in caplog.text
    with pytest.raises(DataError, match=r"the same: 'a' \(1 image\) and 'A' \(2 images\)"):
        label_names([("a",), ("A",), ("A",)], [])


LISTS = {
    "of Python": {
        "['normal']": "normal",
        "['edema', ' pleural effusion']": "edema|pleural effusion",
        "[]": "",
    },
    "of JSON": {'["normal"]': "normal", '["edema", "d\'accord"]': "edema|d'accord"},
    "of numpy": {"['normal']": "normal", "['edema' 'mass']": "edema|mass"},
    "beside plain cells": {"normal": "normal", "['edema', ' mass']": "edema|mass"},
    "of numpy, beside plain cells": {"normal": "normal", "['edema' 'mass']": "edema|mass"},
}


@pytest.mark.parametrize("how", LISTS)
def test_what_is_told_of_lists_as_text_works_when_typed(how, caplog):
    """The advice itself is run."""
    warn_of_joined(dict.fromkeys(LISTS[how], 5), "labels", "|")
    told = caplog.records[0].getMessage()
    advice = told.partition("(in pandas: ")[2].removesuffix(")")
    imported, _, code = advice.rpartition("import ast, and ")
    names = {"column": pandas.Series(list(LISTS[how])), "ast": ast if "import" in advice else None}
    exec(f"answer = {imported}{code}", names)
    assert names["answer"].tolist() == list(LISTS[how].values())
