"""The two classifiers: weights as safetensors, how images go in, and code that scores one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tgap.classifiers.base import Classifier, LibraryNetwork
from tgap.composition.building import build
from tgap.composition.schema import data_of
from tgap.core import DataError, Doubles, Images, Weights
from tgap.core.files import write_arrays, write_json
from tgap.core.foreign import json_in
from tgap.pipeline.evidence import RunEvidence
from tgap.pipeline.result import Result

SIDES = ("synthetic", "real")
"""What they were trained on."""
CONFIG = "config.json"


@dataclass(frozen=True)
class ExportedClassifier:
    """What was written of a classifier.

    Args:
        library: Whose network it is; empty = tgap's own.
        code: Lines that make the library's network.
        config: As ``config.json`` has it.
    """

    library: str
    code: str
    config: Mapping[str, Any]


def write_classifiers(result: Result, folder: Path) -> ExportedClassifier:
    """Write ``synthetic.safetensors``, ``real.safetensors`` and ``config.json``.

    Of a known library's network the weights have the library's names.

    Args:
        result: Of the run.
        folder: Empty.
    """
    classifier, evidence = result.run.classifier, RunEvidence(result)
    code, library, image_size, scaling = "", "", None, {}
    for side in SIDES:
        weights = evidence.fitted(side)
        network = classifier.without_tgap(weights)
        write_arrays(folder / f"{side}.safetensors", _arrays(network, weights))
        if network is not None:
            code, library, image_size = network.code, network.library, network.image_size
            scaling[side] = {name: weights[f"input_{name}"].tolist() for name in ("mean", "std")}
    config = {
        "labels": list(result.dataset().label_names),
        "input_shape": weights["input_shape"].tolist(),
        "library": library or "tgap",
        "image_size": image_size,
        "scaling": scaling,
        "classifier": data_of(classifier) | {"device": "auto"},
    }
    write_json(folder / CONFIG, config)
    return ExportedClassifier(library, code, config)


def _arrays(network: LibraryNetwork | None, weights: Weights) -> Weights:
    return weights if network is None else network.state


def load_classifier(folder: Path, trained_on: str) -> Callable[[Images], Doubles]:
    """A classifier that was exported, of tgap's own kinds.

    Args:
        folder: That ``tgap export`` wrote.
        trained_on: ``synthetic`` or ``real``.

    Returns:
        A function of ``(N, H, W, C)`` uint8 images, of the shape that ``config.json`` says, to
        probabilities ``(N, L)``.

    Raises:
        DataError: If it is no such folder, or holds another library's network.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file
    from scipy.special import expit

    if trained_on not in SIDES:
        raise DataError(f"trained_on must be one of {', '.join(SIDES)}, got '{trained_on}'")
    try:
        config = json_in(folder / CONFIG)
        data, library = config["classifier"], config["library"]
        weights: Weights = dict(load_file(folder / f"{trained_on}.safetensors"))
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise DataError(
            f"{folder} holds no classifier of tgap export ({error}); give the folder 'classifier' "
            "of an export"
        ) from error
    if library != "tgap":
        raise DataError(f"{folder} holds a network of {library}: classify.py in it loads it")
    classifier: Classifier = build(Classifier, data, "classifier")  # type: ignore[type-abstract]
    return lambda images: np.asarray(expit(classifier.score(weights, images).astype(np.float64)))
