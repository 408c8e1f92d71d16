"""What mistaken commands name: folders of images, configs with mistakes in them, odd files."""

from pathlib import Path

import numpy as np
from PIL import Image

G = "# @package _global_\n"
CONFIGS = {
    "profile/number.yaml": "5\n",
    "profile/list.yaml": "- a\n- b\n",
    "profile/text.yaml": "just words\n",
    "profile/typo.yaml": G + "bugdet: {steps: 5}\n",
    "profile/bool.yaml": G + "tracking: {pictures: maybe}\n",
    "profile/wronggroup.yaml": G + "defaults: [{override /selectr: random}]\n",
    "profile/evaluators.yaml": G + "evaluators: 5\n",
    "profile/twice.yaml": G + "size: 5\nsize: 6\n",
    "profile/anchor.yaml": G + "size: &a [*a]\n",
    "profile/target.yaml": G + "selector: {_target_: os.system}\n",
    "profile/hydra.yaml": G + "hydra: {run: {dir: /tmp/elsewhere}}\n",
    "profile/nested.yaml": G + "budget: 5\n",
    "profile/recursive.yaml": G + "defaults: [recursive, _self_]\n",
    "selector/number.yaml": "5\n",
    "selector/wrong_type.yaml": "defaults: [random, _self_]\nmax_per_patient: many\n",
    "selector/null_type.yaml": "defaults: [random, _self_]\nname: null\n",
    "selector/list_type.yaml": "defaults: [random, _self_]\nmax_per_patient: [1]\n",
    "selector/map_type.yaml": "defaults: [random, _self_]\nname: {a: 1}\n",
    "selector/unknown.yaml": "defaults: [random, _self_]\nmax_per_patiens: 1\n",
    "selector/broken.yaml": "a: [1, 2\nb: }\n",
    "selector/tabs.yaml": "defaults:\n\t- random\n",
    "selector/alias.yaml": "a: *nothing\n",
    "selector/empty.yaml": "",
    "selector/badbase.yaml": "defaults: [randm, _self_]\n",
    "selector/latin.yaml": "name: \xe9\n",
}


def write(folder: Path) -> None:
    """All of them, into an empty folder."""
    rng = np.random.default_rng(0)
    for name, count in {"pets": 20, "pets2": 20, "few": 1}.items():
        for label in ("cat", "dog"):
            _images(folder / name / label, count, rng)
    for label in ("crow", "jay"):
        _images(folder / "birds" / label, 10, rng)
    (folder / "empty").mkdir()
    (folder / "table.csv").write_text("file,label\nnowhere.png,cat\n")
    for name in ("weights.bin", "weights.ckpt"):
        (folder / name).write_bytes(b"\x80\x04x")
    for name, text in CONFIGS.items():
        path = folder / "confs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "latin-1" if "latin" in name else "utf-8")


def _images(folder: Path, count: int, rng: np.random.Generator) -> None:
    folder.mkdir(parents=True)
    for number in range(count):
        picture = Image.fromarray(rng.integers(0, 256, (32, 32), dtype=np.uint8))
        picture.save(folder / f"{number}.png")
