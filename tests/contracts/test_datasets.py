"""What every dataset must keep, whichever it is."""

import dataclasses

import numpy as np
import pytest

from tgap.composition import registry
from tgap.core import ImageSet
from tgap.datasets.base import Dataset
from tgap.datasets.phantom_xray import PhantomXray

KNOWN = {"digits"}


def ready() -> list[str]:
    """Datasets that load without being told of a folder."""
    names = []
    for name in registry.names("dataset"):
        fields = dataclasses.fields(registry.component_class("dataset", name))
        if all(f.name not in ("path", "root", "folder") for f in fields):
            names.append(name)
    return names


def make(name: str) -> Dataset:
    """The dataset by its defaults, if it draws its images a few of them.

    Its required parts, if it has some, are phantoms, each part others.
    """
    cls = registry.component_class("dataset", name)
    fields = dataclasses.fields(cls)
    settings = {"images": 400} if any(f.name == "images" for f in fields) else {}
    parts = [f.name for f in fields if required(f)]
    return cls(
        **settings, **{part: PhantomXray(images=100, seed=i) for i, part in enumerate(parts)}
    )


def required(field: dataclasses.Field) -> bool:
    return field.default is field.default_factory is dataclasses.MISSING


@pytest.fixture(scope="module", params=ready())
def loaded(request: pytest.FixtureRequest) -> tuple[Dataset, ImageSet]:
    dataset = make(request.param)
    return dataset, dataset.load()


def test_known_ones_are_found() -> None:
    assert set(registry.names("dataset")) >= KNOWN
    assert set(ready()) >= KNOWN


@pytest.mark.parametrize("name", registry.names("dataset"))
def test_says_what_it_is(name: str) -> None:
    cls = registry.component_class("dataset", name)
    assert issubclass(cls, Dataset)
    assert cls.stem() == name
    assert len(cls.__doc__ or "") > 40
    assert not (cls.__doc__ or "").startswith(f"{cls.__name__}(")  # the one dataclass writes


def test_prompts_get_a_domain(loaded: tuple[Dataset, ImageSet]) -> None:
    assert loaded[0].domain.strip()


def test_every_label_has_images_and_lacks_some(loaded: tuple[Dataset, ImageSet]) -> None:
    data = loaded[1]
    assert len(data.label_names) >= 2
    assert len(set(data.label_names)) == len(data.label_names)
    assert all(0 < count < len(data) for count in data.label_counts().values())


def test_images_have_the_size_that_the_class_names(loaded: tuple[Dataset, ImageSet]) -> None:
    dataset, data = loaded
    if dataset.image_size is not None:
        assert data.images.shape[1:3] == (dataset.image_size, dataset.image_size)


def test_order_never_changes(loaded: tuple[Dataset, ImageSet]) -> None:
    again = make(loaded[0].stem()).load()
    for name in ("images", "labels", "findings", "patients"):
        assert np.array_equal(getattr(again, name), getattr(loaded[1], name))


def test_loading_leaves_the_instance_and_global_random_state(
    loaded: tuple[Dataset, ImageSet],
) -> None:
    dataset = loaded[0]
    fields, state = dataclasses.asdict(dataset), np.random.get_state()[1].copy()
    dataset.load()
    assert dataclasses.asdict(dataset) == fields
    assert np.array_equal(np.random.get_state()[1], state)


def test_files_are_known_of_every_image_asked_for_or_of_none(
    loaded: tuple[Dataset, ImageSet],
) -> None:
    dataset, data = loaded
    originals = dataset.originals(data.take(np.array([3, 1])))
    assert originals is None or len(originals) == 2
