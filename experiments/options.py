"""Runs every option through the whole line, and prints the table of ``docs/options.md``.

python -m experiments.options FOLDER [group ...]     (all: about half an hour on two cores)

The folder takes the store and the made data; run again, it goes on. Groups choose among the rows.
"""

import os
import sys
from pathlib import Path

import numpy as np

ROWS: dict[str, dict[str, str]] = {
    "selector": {
        "random": "",
        "whole": "selector=whole",
        "stratified": "selector=stratified",
        "subclass": "selector=subclass",
        "pixel_spectral": "selector=pixel_spectral",
        "pixel_kmeans": "selector=pixel_kmeans",
        "clip_spectral": "selector=clip_spectral",
        "clip_kmeans": "selector=clip_kmeans",
        "spectral on the classifier's features": "selector=clip_spectral "
        "selector/embedder=classifier selector.name=classifier_spectral",
        "clip_kmeans, water-filling, closest": "selector=clip_kmeans "
        "selector/allocate=water_filling selector/pick=closest",
        "clip_kmeans, temperature, farthest-first": "selector=clip_kmeans "
        "selector/allocate=temperature selector/pick=farthest_first",
        "clip_spectral, proportional, patient cap 1": "selector=clip_spectral "
        "selector/allocate=proportional selector.max_per_patient=1",
    },
    "prompts": {"findings": "prompts=findings"},
    "protocol": {"thesis (1,000 in total)": "protocol=thesis size=1000"},
    "classifier": {
        "logistic_regression": "classifier=logistic_regression",
        "linear_probe": "classifier=linear_probe",
        "timm (resnet18)": "classifier=timm",
        "chexnet (from scratch, no mirroring)": "classifier=chexnet classifier.weights=null "
        "classifier.flip=false",
    },
    "dataset": {
        "image_folder (letters, CSV)": "dataset=image_folder dataset.path=LETTERS "
        "dataset.table=metadata.csv dataset.findings_column=findings "
        "dataset.patient_column=patient dataset.size=32 dataset.domain=letter",
        "huggingface (digits, saved)": "dataset=huggingface dataset.path=SAVED dataset.size=32 "
        "dataset.domain='handwritten digit'",
        "phantom_xray (64 x 64)": "dataset=phantom_xray dataset.images=6000 "
        "generator.image_size=64",
        "medmnist (digits, npz)": "dataset=medmnist dataset.path=NPZ dataset.margin=2 "
        "dataset.labels=[even,odd] dataset.domain='handwritten digit'",
    },
}


def make_data(folder: Path) -> dict[str, str]:
    """Data of other kinds: letters in files and a table, digits as Hugging Face and MedMNIST."""
    import io

    from datasets import ClassLabel, Dataset, Features, Image
    from PIL import Image as Pillow

    from experiments.letters_folder import main as make_letters
    from tgap.datasets.digits import Digits

    letters, saved, npz = folder / "letters", folder / "saved", folder / "pneumoniamnist.npz"
    if not letters.exists():
        make_letters([str(letters)])
    data = Digits().load()
    odd = data.labels[:, 1].astype(np.int64)
    if not saved.exists():
        files = []
        for image in data.images:
            buffer = io.BytesIO()
            Pillow.fromarray(image[..., 0]).save(buffer, "PNG")
            files.append({"bytes": buffer.getvalue(), "path": None})
        kinds = Features({"image": Image(), "label": ClassLabel(names=["even", "odd"])})
        Dataset.from_dict({"image": files, "label": odd}, kinds).save_to_disk(saved)
    if not npz.exists():
        small, order = data.images[:, 2:-2, 2:-2, 0], np.random.default_rng(0).permutation(5000)
        parts = np.split(order, [3500, 4000])
        arrays = {}
        for name, rows in zip(("train", "val", "test"), parts, strict=True):
            arrays |= {f"{name}_images": small[rows], f"{name}_labels": odd[rows, None]}
        np.savez(npz, **arrays)
    return {"LETTERS": str(letters), "SAVED": str(saved), "NPZ": str(npz)}


def main() -> None:
    """Run all rows and print the table."""
    import shlex

    import tgap

    folder = Path(sys.argv[1]).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["TGAP_HOME"] = str(folder / ".tgap")
    made = make_data(folder)
    print("| group | option | overrides | TSTR | TRTS | TRTR | FTER |")
    print("|---|---|---|---:|---:|---:|---:|")
    for group in sys.argv[2:] or ROWS:
        for option, line in ROWS[group].items():
            words = shlex.split(line)
            for name, path in made.items():
                words = [word.replace(name, path) for word in words]
            m = tgap.run(*words, track=False).metrics
            figures = [f"{m[k]:.3f}" for k in ("tstr/auroc", "trts/auroc", "trtr/auroc", "fter")]
            cells = [group, option, f"`{line}`" if line else "", *figures]
            print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
