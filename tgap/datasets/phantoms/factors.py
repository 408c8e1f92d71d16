"""What is known of each phantom before it is drawn: patients, views, anatomy and findings.

Every factor has a random stream of its own, indexed by patient or by image, so that the first k
images of a larger set are the same. Rates follow ChestX-ray14 (Wang et al., ChestX-ray8, CVPR
2017; counts of the 2020 list): 112,120 images of 30,805 patients.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tgap.core import Bools, Indices, rng_for
from tgap.core.seeding import seed_for

Reals = NDArray[np.float64]

COUNTS = {
    "Atelectasis": 11559,
    "Cardiomegaly": 2776,
    "Consolidation": 4667,
    "Edema": 2303,
    "Effusion": 13317,
    "Emphysema": 2516,
    "Fibrosis": 1686,
    "Hernia": 227,
    "Infiltration": 19894,
    "Mass": 5782,
    "Nodule": 6331,
    "Pleural_Thickening": 3385,
    "Pneumonia": 1431,
    "Pneumothorax": 5302,
}
"""Images of each finding among NIH's 112,120."""
FINDINGS = tuple(COUNTS)
RATES = np.array(list(COUNTS.values())) / 112_120

_SICKNESS = 0.33
"""Loading of every finding on how sick a patient is."""
_GROUPS = {
    "fluid": {
        "Effusion": 0.5,
        "Edema": 0.5,
        "Cardiomegaly": 0.5,
        "Atelectasis": 0.4,
        "Infiltration": 0.3,
    },
    "airspace": {"Infiltration": 0.3, "Consolidation": 0.5, "Pneumonia": 0.6, "Edema": 0.3},
    "tumour": {"Mass": 0.5, "Nodule": 0.5},
    "scar": {"Fibrosis": 0.5, "Pleural_Thickening": 0.5},
    "leak": {"Pneumothorax": 0.5, "Emphysema": 0.5},
}
"""Further loadings: findings that come together share a patient's hidden trait."""
_LASTING = 0.75
"""Share of a finding's own variance that stays the same in all images of a patient."""

PATIENT_FACTORS = {
    "build": (0.0, 1.0),  # slim to stout, in standard deviations
    "lung_width": (0.67, 0.03),  # midline to chest wall; lengths are in half image sides
    "lung_apex": (-0.80, 0.03),  # y of the top, downwards
    "lung_base": (0.40, 0.04),  # y of the right dome
    "lung_asymmetry": (0.0, 0.015),
    "dome_drop": (0.16, 0.03),  # from a dome's top to its angle
    "heart_width": (0.30, 0.02),  # half width
    "heart_tilt": (0.35, 0.08),
    "aortic_knob": (0.085, 0.012),
    "mediastinum_width": (0.125, 0.012),
    "rib_spacing": (0.145, 0.008),
    "rib_slope": (0.55, 0.10),
    "rib_contrast": (0.12, 0.02),
    "clavicle_height": (-0.66, 0.03),
    "vessel_contrast": (0.17, 0.03),
    "breast_height": (0.30, 0.06),
    "breast_contrast": (0.09, 0.02),  # drawn for women only
}
"""Mean and standard deviation of what stays the same in a patient, cut at 2.5."""

IMAGE_FACTORS = {
    "rotation": (0.0, 0.025),  # radians
    "shift_x": (0.0, 0.03),
    "shift_y": (0.10, 0.04),
    "zoom": (1.20, 0.04),
    "inspiration": (0.0, 0.025),  # lowers the diaphragm
    "exposure": (0.0, 0.025),
    "contrast": (1.0, 0.06),
    "noise": (0.018, 0.004),
    "collimation_left": (-0.04, 0.03),  # width of the black border; none below 0
    "collimation_right": (-0.04, 0.03),
    "collimation_top": (-0.05, 0.03),
    "collimation_bottom": (-0.05, 0.03),
    "text_x": (0.72, 0.05),
    "text_y": (-0.82, 0.03),
}
"""Mean and standard deviation of what changes from image to image, cut at 2.5."""

_TEXTS = {
    "PA": (("", 0.35), ("L", 0.35), ("R", 0.25), ("PA", 0.05)),
    "AP": (("", 0.20), ("L", 0.15), ("R", 0.10), ("AP", 0.15), ("PORTABLE", 0.40)),
}
"""Marks on the film and their shares, which depend on the view alone."""
_AP_RATE = 0.40
_AP_SICKNESS = 0.27
"""Correlation of an AP view with sickness: NIH's abnormal rates are 53 % (AP) and 42 % (PA)."""
_AGE_SICKNESS = 0.15
_TEST_SHARE = 0.228
"""NIH's test list: 25,596 of 112,120 images."""
_MOST_IMAGES = 184
_PLAIN = 0.75
"""Severity from which a textbook shows a finding."""
_TAIL = 1.24


@dataclass(frozen=True)
class Factors:
    """A table with a row per image.

    Args:
        columns: ``(N,)`` float64 or text by name; ``severity_of`` names a finding's own. Patients
            count from 1, images from 0, and a finding's side is -1 for the patient's right.
    """

    columns: Mapping[str, NDArray[Any]]

    def __len__(self) -> int:
        return len(self.columns["patient"])

    def row(self, index: int) -> dict[str, Any]:
        """One image's factors as plain numbers and text."""
        return {name: column.item(index) for name, column in self.columns.items()}

    def severities(self) -> Reals:
        """``(N, 14)``, in (0, 1] where a finding is present and 0 where it is absent."""
        return np.stack([self.columns[severity_of(name)] for name in FINDINGS], axis=1)

    def findings(self) -> Bools:
        """``(N, 14)``, in the order of ``FINDINGS``."""
        return self.severities() > 0


def severity_of(finding: str) -> str:
    """The column of a finding's severity.

    >>> severity_of("Pleural_Thickening")
    'pleural_thickening_severity'
    """
    return f"{finding.lower()}_severity"


def draw_factors(images: int, seed: int) -> Factors:
    """Draw the factors of the first ``images`` phantoms of a seed.

    Findings are a Gaussian copula: finding f is present where ``z_f = s S + l G + r e_f`` exceeds
    the quantile that leaves its real rate, with sickness ``S``, traits ``G`` of the patient and
    ``e_f`` mostly lasting. Its severity is ``z_f``'s rank among the images that have it, so it is
    uniform and lasts as well.

    Args:
        images: N, at least 1.
        seed: In [0, 2**53], which float64 holds exactly.

    Returns:
        N rows; a longer table begins with the same ones.
    """
    return _factors(*_patients(images, seed), seed)


def draw_typical(images: int, seed: int) -> Factors:
    """Draw the factors of images such as a textbook shows: half healthy, half with one finding.

    Each image is of a patient of its own, who is none of those that ``draw_factors`` draws. All
    findings are as frequent, and severe (from ``_PLAIN`` on). Anatomy varies half as much, views
    are PA, and position, exposure and marks are as they should be, with little noise.

    Args:
        images: N, at least 1.
        seed: In [0, 2**53).
    """
    own_seed = seed_for("phantom textbook", seed) % 2**53
    none = np.zeros(images, np.int64)
    columns = {**_factors(np.arange(images), none, none > 0, own_seed).columns}
    columns["view"], columns["text"] = np.full(images, "PA"), np.full(images, "", dtype="<U8")
    for name, (mean, _) in PATIENT_FACTORS.items():
        columns[name] = (columns[name] + mean) / 2
    for name, (mean, deviation) in IMAGE_FACTORS.items():
        columns[name] = np.full(images, mean - 2.5 * deviation if name == "noise" else mean)
    order = rng_for("phantom", own_seed, "order").permutation(images)
    severity = _PLAIN + (1 - _PLAIN) * _uniform(own_seed, "image", "severity", images)
    for number, finding in enumerate(FINDINGS):
        shown = (order % 2 == 1) & (order // 2 % len(FINDINGS) == number)
        columns[severity_of(finding)] = np.where(shown, severity, 0.0)
    return Factors(columns)


def _factors(patient: Indices, follow_up: Indices, test: Bools, seed: int) -> Factors:
    """The factors of images whose patients are known."""
    images, patients = len(patient), int(patient[-1]) + 1

    def lasting(name: str) -> Reals:
        return _normal(seed, "patient", name, patients)[patient]

    def passing(name: str) -> Reals:
        return _normal(seed, "image", name, images)

    sickness = _mixed(lasting("sickness"), passing("sickness"), 0.6)
    ap = _mixed(sickness, _mixed(lasting("view"), passing("view"), 0.5), _AP_SICKNESS**2)
    view = np.where(ap > NormalDist().inv_cdf(1 - _AP_RATE), "AP", "PA")
    columns: dict[str, NDArray[Any]] = {
        "seed": np.full(images, seed, dtype=np.float64),
        "image": np.arange(images, dtype=np.float64),
        "patient": patient + 1.0,
        "follow_up": follow_up.astype(np.float64),
        "official_test": test.astype(np.float64),
        "view": view,
        "sex": np.where(_uniform(seed, "patient", "sex", patients) < 0.565, "M", "F")[patient],
        "age": _ages(_mixed(lasting("sickness"), lasting("age"), _AGE_SICKNESS**2), follow_up),
        "text": _texts(view, _uniform(seed, "image", "text", images)),
    }
    for name, (mean, deviation) in PATIENT_FACTORS.items():
        columns[name] = mean + deviation * lasting(name).clip(-2.5, 2.5)
    for name, (mean, deviation) in IMAGE_FACTORS.items():
        columns[name] = mean + deviation * passing(name).clip(-2.5, 2.5)
    columns["text_x"] *= np.where(columns["text"] == "R", -1, 1)
    traits = {name: lasting(name) for name in _GROUPS}
    for finding, rate in zip(FINDINGS, RATES, strict=True):
        own = _mixed(lasting(finding), passing(finding), _LASTING)
        columns[severity_of(finding)] = _severity(_latent(finding, sickness, traits, own), rate)
        side = _uniform(seed, "patient", f"{finding} side", patients)[patient]
        columns[f"{finding.lower()}_side"] = np.where(side < 0.5, -1.0, 1.0)
        place = _uniform(seed, "patient", f"{finding} place", patients)
        columns[f"{finding.lower()}_place"] = place[patient]
    return Factors(columns)


def _uniform(seed: int, level: str, name: str, count: int) -> Reals:
    return rng_for("phantom", seed, level, name).random(count)


def _normal(seed: int, level: str, name: str, count: int) -> Reals:
    return rng_for("phantom", seed, level, name).standard_normal(count)


def _mixed(first: Reals, second: Reals, share: float) -> Reals:
    """Unit variance of which ``share`` is the first's."""
    mixed: Reals = np.sqrt(share) * first + np.sqrt(1 - share) * second
    return mixed


def _patients(images: int, seed: int) -> tuple[Indices, Indices, Bools]:
    """Patient, follow-up number and test membership of each image.

    Numbers of images fall off as a power: ``P(K >= k) = (1 + (k - 1) / b) ** -a``, with ``b`` such
    that 57 % of patients have one image. Membership keeps the test share as near as whole
    patients allow from the first patient on.
    """
    b = 1 / (0.432 ** (-1 / _TAIL) - 1)
    u = 1 - _uniform(seed, "patient", "images", images)
    # The longest possible set of patients has one image each.
    counts = np.minimum(np.floor(1 + b * (u ** (-1 / _TAIL) - 1)), _MOST_IMAGES).astype(np.int64)
    patients = int(np.searchsorted(np.cumsum(counts), images)) + 1
    counts = counts[:patients]
    in_test, tested, total = np.zeros(patients, np.bool_), 0, 0
    for index, count in enumerate(counts.tolist()):
        total += count
        in_test[index] = tested + count / 2 < _TEST_SHARE * total
        tested += count * int(in_test[index])
    patient = np.repeat(np.arange(patients, dtype=np.int64), counts)[:images]
    first = np.cumsum(counts) - counts
    return patient, np.arange(images) - first[patient], in_test[patient]


def _ages(latent: Reals, follow_up: Indices) -> Reals:
    """Whole years, NIH's mean and spread; four images a year."""
    years: Reals = np.floor((44 + 15 * latent + follow_up / 4).clip(1, 95))
    return years


def _texts(view: NDArray[np.str_], u: Reals) -> NDArray[np.str_]:
    marks = np.full(len(u), "", dtype="<U8")
    for name, shares in _TEXTS.items():
        texts = np.array([text for text, _ in shares])
        edges = np.cumsum([share for _, share in shares])[:-1]
        marks = np.where(view == name, texts[np.searchsorted(edges, u, side="right")], marks)
    return marks


def _latent(finding: str, sickness: Reals, traits: Mapping[str, Reals], own: Reals) -> Reals:
    loadings = {name: group[finding] for name, group in _GROUPS.items() if finding in group}
    rest = 1 - _SICKNESS**2 - sum(loading**2 for loading in loadings.values())
    shared = sum((loading * traits[name] for name, loading in loadings.items()), np.float64(0))
    latent: Reals = _SICKNESS * sickness + shared + np.sqrt(rest) * own
    return latent


def _severity(latent: Reals, rate: float) -> Reals:
    """0 below the threshold, above it 1 minus the tail left over the rate: uniform on (0, 1]."""
    from scipy.special import ndtr

    present = latent > NormalDist().inv_cdf(1 - rate)
    rank = 1 - ndtr(-latent) / rate
    return np.where(present, rank.clip(1e-6, 1), 0.0)
