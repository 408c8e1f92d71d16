"""Every factor and finding changes the picture where it should."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from tgap.core import Images
from tgap.datasets.phantoms.anatomy import draw_chest, shape_of
from tgap.datasets.phantoms.factors import FINDINGS, draw_factors, severity_of
from tgap.datasets.phantoms.findings import deform, strength
from tgap.datasets.phantoms.picture import draw, draw_all

SIZE = 64
Row = dict[str, Any]


def healthy(**factors: Any) -> Row:
    """A patient without findings, upright and unmarked, with the mean of everything else."""
    row = draw_factors(1, 0).row(0)
    row |= {severity_of(name): 0.0 for name in FINDINGS}
    row |= {"view": "PA", "sex": "M", "text": "", "rotation": 0.0, "build": 0.0, "noise": 0.0}
    row |= {"shift_x": 0.0, "shift_y": 0.1, "zoom": 1.2, "exposure": 0.0, "inspiration": 0.0}
    return row | factors


def change(finding: str, severity: float = 1.0, **factors: Any) -> NDArray[np.float64]:
    """Brightness that a finding adds."""
    row = healthy(**factors)
    with_it = row | {severity_of(finding): severity}
    return (draw(with_it, SIZE).astype(float) - draw(row, SIZE))[..., 0]


def region(name: str, side: int = -1) -> NDArray[np.bool_]:
    """Parts of the healthy chest: ``lung``, its ``base`` and ``apex``, the ``heart``."""
    row = healthy()
    chest = draw_chest(row, shape_of(row), SIZE)
    lung = chest.lung[side] > 0.8
    return {
        "lung": lung,
        "base": lung & (chest.y > 0.15),
        "apex": lung & (chest.y < -0.35),
        "heart": chest.heart > 0.8,
    }[name]


@pytest.mark.parametrize("finding", FINDINGS)
def test_a_finding_is_seen_and_more_so_when_severe(finding: str) -> None:
    mild, severe = (np.abs(change(finding, s)).mean() for s in (0.05, 1.0))
    assert severe > mild > 0.15
    assert np.abs(change(finding, 0.05)).max() > 20


@pytest.mark.parametrize("finding", FINDINGS)
def test_the_seeds_of_one_finding_do_not_disturb_another(finding: str) -> None:
    other = "Mass" if finding != "Mass" else "Nodule"
    alone = change(finding)
    base = healthy(**{severity_of(other): 0.5})
    both = draw(base | {severity_of(finding): 1.0}, SIZE).astype(float) - draw(base, SIZE)
    assert np.corrcoef(alone.ravel(), both.ravel())[0, 1] > 0.75


def test_cardiomegaly_widens_the_heart() -> None:
    def width(severity: float) -> int:
        row = healthy(cardiomegaly_severity=severity)
        chest = draw_chest(row, deform(row, shape_of(row)), 256)
        return int((chest.heart > 0.5).any(axis=0).sum())

    widths = [width(severity) for severity in (0.0, 0.1, 0.5, 1.0)]
    assert widths == sorted(set(widths))
    assert widths[-1] > 1.25 * widths[0]
    inside = change("Cardiomegaly")
    assert inside[region("lung", 1) & ~region("heart")].max() > 40


@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize(
    ("finding", "where"),
    [
        ("Effusion", "base"),
        ("Atelectasis", "base"),
        ("Consolidation", "lung"),
        ("Pneumonia", "lung"),
        ("Infiltration", "lung"),
        ("Mass", "lung"),
        ("Nodule", "lung"),
        ("Pleural_Thickening", "lung"),
    ],
)
def test_opacities_brighten_their_own_lung(finding: str, where: str, side: int) -> None:
    place = {f"{finding.lower()}_side": float(side), f"{finding.lower()}_place": 0.45}
    added = change(finding, **place)
    own, other = added[region(where, side)].mean(), added[region(where, -side)].mean()
    assert own > 2
    assert own > 1.3 * other


def test_effusion_fills_the_lung_from_below() -> None:
    added = change("Effusion", 0.5, effusion_side=-1.0, effusion_place=0.9)
    assert added[region("base")].mean() > 10
    assert abs(added[region("apex")]).mean() < 1


def test_pneumothorax_darkens_the_outer_lung_and_takes_its_vessels() -> None:
    added = change("Pneumothorax", pneumothorax_side=-1.0)
    assert added[region("apex")].mean() < -15
    assert abs(added[region("lung", 1)]).max() < 3


def test_emphysema_darkens_and_lengthens_the_lungs() -> None:
    added = change("Emphysema")
    assert added[region("lung")].mean() < -10
    row = healthy(emphysema_severity=1.0)
    before, after = shape_of(row), deform(row, shape_of(row))
    assert all(after.base[side] > before.base[side] for side in (-1, 1))
    assert all(after.drop[side] < before.drop[side] for side in (-1, 1))


def test_edema_brightens_around_the_hila_and_fibrosis_at_the_bases() -> None:
    edema, fibrosis = change("Edema"), change("Fibrosis", 0.3)
    lungs = region("lung", -1) | region("lung", 1)
    x = np.broadcast_to((np.arange(SIZE) + 0.5) / SIZE * 2 - 1, (SIZE, SIZE))
    y = x.T
    middle = (np.abs(x) < 0.4) & (np.abs(y) < 0.25)
    assert edema[lungs & middle].mean() > 2 * edema[lungs & ~middle].mean() > 0
    assert fibrosis[region("base")].mean() > 3 * fibrosis[region("apex")].mean() > -1


def test_hernia_shows_air_behind_the_heart() -> None:
    added = change("Hernia")
    assert added[region("heart")].min() < -15
    assert abs(added[region("apex")]).max() < 3


def test_atelectasis_raises_the_dome_of_its_side() -> None:
    row = healthy(atelectasis_severity=1.0, atelectasis_side=1.0)
    before, after = shape_of(row), deform(row, shape_of(row))
    assert after.base[1] < before.base[1]
    assert after.base[-1] == before.base[-1]


def test_strength_is_zero_only_without_the_finding() -> None:
    assert strength(healthy(), "Mass") == 0
    assert 0.3 < strength(healthy(mass_severity=1e-6), "Mass") < 0.5
    assert strength(healthy(mass_severity=1.0), "Mass") == pytest.approx(1)


@pytest.mark.parametrize("size", [16, 32, 64, 100, 256, 1024])
def test_every_size_shows_the_same_chest(size: int) -> None:
    row = healthy(noise=0.01)
    image = draw(row, size)
    assert image.shape == (size, size, 1)
    assert image.dtype == np.uint8
    assert 40 < image.std() < 90
    reference = _reduced(draw(row, 64), 16)
    if size % 16 == 0:
        assert np.abs(_reduced(image, 16) - reference).mean() < 12


def _reduced(image: Images, size: int) -> NDArray[np.float64]:
    step = len(image) // size
    return image[..., 0].reshape(size, step, size, step).mean(axis=(1, 3))


@pytest.mark.parametrize(
    ("factor", "values"),
    [
        ("view", ("PA", "AP")),
        ("sex", ("M", "F")),
        ("text", ("", "PORTABLE")),
        ("rotation", (0.0, 0.05)),
        ("zoom", (1.1, 1.3)),
        ("exposure", (0.0, 0.05)),
        ("lung_base", (0.4, 0.5)),
        ("clavicle_height", (-0.66, -0.6)),
        ("noise", (0.0, 0.03)),
        ("rib_spacing", (0.145, 0.16)),
        ("collimation_top", (-0.05, 0.05)),
    ],
)
def test_factors_are_seen(factor: str, values: tuple[Any, Any]) -> None:
    first, second = (draw(healthy(**{factor: value}), SIZE).astype(float) for value in values)
    assert np.abs(first - second).mean() > 0.2


def test_images_of_a_patient_are_more_alike_than_those_of_strangers() -> None:
    factors = draw_factors(400, 0)
    patient = factors.columns["patient"]
    images = np.stack([draw(factors.row(i), 32) for i in range(400)]).astype(float)
    distance = cdist(images.reshape(400, -1), images.reshape(400, -1))
    same = patient[:, None] == patient[None, :]
    np.fill_diagonal(same, False)
    other = patient[:, None] != patient[None, :]
    assert distance[same].mean() < 0.92 * distance[other].mean()


@pytest.mark.parametrize("workers", [1, 3])
def test_threads_and_order_do_not_matter(workers: int) -> None:
    factors = draw_factors(70, 5)
    found = np.zeros((70, 32, 32, 1), np.uint8)

    def put(index: int, image: Images) -> None:
        found[index] = image

    draw_all(factors, 32, put, workers=workers)
    expected = np.stack([draw(factors.row(i), 32) for i in reversed(range(70))])[::-1]
    assert np.array_equal(found, expected)


def test_drawing_leaves_row_and_global_random_state() -> None:
    row = draw_factors(8, 0).row(7)
    before, state = dict(row), np.random.get_state()[1].copy()
    draw(row, 32)
    assert row == before
    assert np.array_equal(np.random.get_state()[1], state)


def test_an_error_in_a_thread_is_not_lost() -> None:
    def put(index: int, image: Images) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        draw_all(draw_factors(40, 0), 16, put)
