"""What several verdicts say alike."""

import math

from tgap.analysis.readings import SCATTER, Numbers
from tgap.metrics.legs import REAL, SYNTHETIC


def one_training(m: Numbers) -> str:
    """What is to be added to a TSTR that is not far from chance."""
    if not abs(m.skill("tstr")) < SCATTER:
        return ""
    return (
        "; this is one training: where nothing is learnt, trainings scatter by about .1, so run "
        "several seeds"
    )


def tstr(m: Numbers) -> str:
    """TSTR with its interval, as far as that is known."""
    lo, hi = m["tstr/auroc/lo"], m["tstr/auroc/hi"]
    if m.undefined("tstr/auroc/lo"):
        interval = " without an interval"
    else:
        interval = f" [{lo:.3f}, {hi:.3f}]" if lo <= hi else ""
    return f"TSTR {m.auroc('tstr'):.3f}{interval}{of_images(m)}"


def trts_beside_trtr(m: Numbers) -> str:
    """With how many synthetic test images there are, as far as that is known."""
    of = f", of {rarer(m, SYNTHETIC)}" if m[SYNTHETIC] >= 0 else ""
    return f"TRTS {m.auroc('trts'):.3f}{of}, TRTR {m.auroc('trtr'):.3f}"


def of_images(m: Numbers) -> str:
    """How many test images an AUROC on real_test is of, as far as that is known."""
    return f", of {rarer(m)}" if m[REAL] >= 0 else ""


def rarer(m: Numbers, side: str = REAL) -> str:
    """Images of one patient say little more than one."""
    number = math.floor(m[side])
    kind = "synthetic test" if side == SYNTHETIC else "test"
    return f"{number} independent {kind} {'image' if number == 1 else 'images'} of the rarer label"


def beside_floor(m: Numbers, name: str) -> str:
    """A fidelity metric, and what other real images reach."""
    return f"{m[f'fidelity/{name}']:.2f}, real images {m[f'fidelity/{name}_floor']:.2f}"


def on_each_side(m: Numbers) -> str:
    """How many images stand behind a finding on fidelity, as far as that is known."""
    return f"; {m['fidelity/n']:.0f} images on each side" if m["fidelity/n"] >= 0 else ""


def vendi_beside_real(m: Numbers) -> str:
    """The Vendi score, and that of real images."""
    return f"Vendi score {m['diversity/vendi']:.1f}, real images {m['diversity/vendi_real']:.1f}"


def percent(share: float) -> str:
    """In whole percent, in tenths below 10 %.

    >>> percent(0.984), percent(0.012)
    ('98 %', '1.2 %')
    """
    return f"{100 * share:.0f} %" if share >= 0.0995 else f"{100 * share:.1f} %"
