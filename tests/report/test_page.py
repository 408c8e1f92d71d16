import numpy as np

from tgap.report.page import LogAxis, bars_path, picture


def test_values_stand_between_the_ends_of_an_axis() -> None:
    axis = LogAxis.over([32, 100])
    assert axis.ticks() == [16, 32, 64, 128]
    assert [axis.place(tick) for tick in axis.ticks()] == [0, 1 / 3, 2 / 3, 1]
    assert LogAxis.over([28, 28]).ticks() == [16, 32]


def test_bars_are_as_high_as_square_roots() -> None:
    assert bars_path([4, 0, 1, 0, 0, 0], bins=3) == "M0 100V0.0h1V50.0h1V100.0h1V100Z"
    assert bars_path([0, 0], bins=2) == "M0 100V100.0h1V100.0h1V100Z"


def test_large_pictures_are_reduced() -> None:
    small, large = (np.zeros((side, 2 * side, 3), np.uint8) for side in (40, 400))
    assert picture(small).startswith("data:image/png;base64,")
    assert picture(large).startswith("data:image/jpeg;base64,")
    assert len(picture(large)) < 2000
