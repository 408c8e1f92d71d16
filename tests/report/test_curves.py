import numpy as np
import pytest
from PIL import Image

from tgap.core.errors import ContractError
from tgap.report.figures import ARM_STYLES, augmentation_curves


def rows(**changed):
    made = []
    for arm in ARM_STYLES:
        for n, auroc in ((10, 0.6), (100, 0.8), (500, 0.9)):
            side = "synthetic" if arm == "synthetic" else "real"
            made.append(
                {"arm": arm, "real_per_label": 0, "synthetic_per_label": 500, "auroc": auroc}
                | {f"{side}_per_label": n}
                | changed
            )
    return made


def colours(path):
    pixels = np.asarray(Image.open(path).convert("RGB")).reshape(-1, 3)
    return {f"#{r:02X}{g:02X}{b:02X}" for r, g, b in np.unique(pixels, axis=0)}


def test_each_arm_is_drawn_in_its_colour_and_the_bytes_repeat(tmp_path):
    for name in ("first.png", "again.png"):
        augmentation_curves(rows(), tmp_path / name)
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "again.png").read_bytes()
    assert {colour for colour, _, _ in ARM_STYLES.values()} <= colours(tmp_path / "first.png")


def test_an_arm_that_is_absent_is_left_out(tmp_path):
    given = [row for row in rows() if row["arm"] != "pretrained"]
    augmentation_curves(given, tmp_path / "three.png")
    found = colours(tmp_path / "three.png")
    assert {arm for arm in ARM_STYLES if ARM_STYLES[arm][0] in found} == {
        "real",
        "mixed",
        "synthetic",
    }


@pytest.mark.parametrize("auroc", [None, float("nan")])
def test_what_is_not_known_has_no_point(tmp_path, auroc):
    augmentation_curves(rows(auroc=auroc), tmp_path / "all.png")
    known = [row | {"auroc": 0.9} if row["arm"] == "real" else row for row in rows(auroc=auroc)]
    augmentation_curves(known, tmp_path / "real.png")
    assert (tmp_path / "all.png").read_bytes() != (tmp_path / "real.png").read_bytes()


def test_the_order_of_rows_does_not_count(tmp_path):
    augmentation_curves(rows(), tmp_path / "a.png")
    augmentation_curves(rows()[::-1], tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_no_rows_and_unknown_arms_are_refused(tmp_path):
    with pytest.raises(ContractError, match=r"curves need rows of the arms real, .*; got no rows"):
        augmentation_curves([], tmp_path / "x.png")
    with pytest.raises(ContractError, match="; got nonsense"):
        augmentation_curves(rows(arm="nonsense"), tmp_path / "x.png")
