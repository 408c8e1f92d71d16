"""Training batches in other styles: what mixes, what is left alone, and what it is good for."""

import dataclasses

import numpy as np
import pytest
import torch

import tgap
from tests.classifiers.conftest import fitted, image_set, two_kinds
from tgap.classifiers.augments.base import Augment, moments
from tgap.classifiers.augments.dsu import Dsu
from tgap.classifiers.augments.fourier import Fourier
from tgap.classifiers.augments.mixstyle import Mixstyle
from tgap.classifiers.augments.none import NoAugment
from tgap.classifiers.networks.network import Network
from tgap.classifiers.small_cnn import SmallCnn
from tgap.classifiers.timm import Timm
from tgap.core import ConfigError, ImageSet
from tgap.core.spectra import restyled
from tgap.datasets.digits import Digits
from tgap.metrics.classification import macro_auroc


def maps(count: int = 5) -> torch.Tensor:
    rng = np.random.default_rng(0)
    spread = rng.uniform(0.5, 3, (count, 4, 1, 1))
    return torch.from_numpy(rng.normal(rng.normal(size=(count, 4, 1, 1)), spread, (count, 4, 6, 7)))


def test_mixed_statistics_are_those_of_the_formula() -> None:
    augment, given = Mixstyle(alpha=0.4, probability=1.0), maps()
    mixed = moments(augment.maps(given, np.random.default_rng(7)))
    rng = np.random.default_rng(7)
    rng.random()
    order = rng.permutation(5)
    own = rng.beta(0.4, 0.4, (5, 1, 1, 1))
    for statistic, before in zip(mixed, moments(given), strict=True):
        expected = own * before.numpy() + (1 - own) * before.numpy()[order]
        np.testing.assert_allclose(statistic.numpy(), expected, rtol=1e-5)


def test_drawn_statistics_are_those_of_the_formula() -> None:
    augment, given = Dsu(scale=0.5, probability=1.0), maps()
    drawn = moments(augment.maps(given, np.random.default_rng(7)))
    rng = np.random.default_rng(7)
    rng.random()
    noise = rng.standard_normal((2, 5, 4, 1, 1)) / 2
    for number, before in enumerate(part.numpy() for part in moments(given)):
        expected = before + noise[number] * np.sqrt(before.var(axis=0) + 1e-6)
        got = np.abs(expected) if number else expected  # a negative deviation turns the map round
        np.testing.assert_allclose(drawn[number].numpy(), got, rtol=1e-4, atol=1e-5)


def test_drawn_statistics_vary_as_widely_as_the_batchs() -> None:
    given, rng = maps(40), np.random.default_rng(0)
    means = [moments(Dsu(probability=1.0).maps(given, rng))[0].numpy() for _ in range(300)]
    own = moments(given)[0].numpy()
    np.testing.assert_allclose(np.mean(means, axis=0), own, atol=0.3)
    ratio = np.std(means, axis=0).mean(axis=0) / own.std(axis=0)
    np.testing.assert_allclose(ratio, 1, atol=0.1)


def test_no_gradient_flows_through_mixed_statistics() -> None:
    """As if they were numbers: the gradient is the ratio of the deviations."""
    given = maps().requires_grad_(True)
    changed = Mixstyle(probability=1.0).maps(given, np.random.default_rng(1))
    changed.sum().backward()
    ratio = moments(changed.detach())[1] / moments(given.detach())[1]
    torch.testing.assert_close(given.grad, ratio.expand_as(given), rtol=1e-4, atol=0)


@pytest.mark.parametrize("augment", [Mixstyle(probability=0.0), Dsu(probability=0.0)])
def test_a_probability_of_0_changes_nothing(augment: Augment) -> None:
    rng = np.random.default_rng(0)
    assert all(torch.equal(augment.maps(maps(), rng), maps()) for _ in range(20))


def test_a_scale_and_a_share_of_0_change_nothing() -> None:
    rng, batch = np.random.default_rng(0), torch.arange(96, dtype=torch.uint8).reshape(2, 6, 8, 1)
    torch.testing.assert_close(Dsu(scale=0.0, probability=1.0).maps(maps(), rng), maps())
    assert torch.equal(Fourier(share=0.0).images(batch, rng), batch)


def test_amplitudes_come_from_another_image_of_the_batch_in_part() -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (6, 8, 8, 1)).astype(np.uint8)
    batch, rng = torch.from_numpy(pixels), np.random.default_rng(5)
    order, mixture = rng.permutation(6), rng.random(6, np.float32)
    expected = restyled(batch, batch[torch.from_numpy(order)], 0.1, torch.from_numpy(mixture))
    assert torch.equal(Fourier(share=0.1).images(batch, np.random.default_rng(5)), expected)


@dataclasses.dataclass(kw_only=True)
class Watching(Mixstyle):
    """Notes how many images each batch of maps is of."""

    def _maps(self, maps: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        SEEN.append(len(maps))
        return super()._maps(maps, rng)


SEEN: list[int] = []


def test_only_training_batches_of_a_fit_are_changed() -> None:
    SEEN.clear()
    train = styled(60, 0)
    classifier, weights, _ = fitted(SmallCnn(device="cpu", epochs=2, augment=Watching()), train)
    held_back = round(0.15 * 60)
    assert sum(SEEN) == 2 * 2 * (60 - held_back)  # epochs, stages
    SEEN.clear()
    classifier.score(weights, train.images)
    classifier.features(weights, train.images)
    classifier.restandardised(weights, train.images)
    adapted = [
        one.adapt(weights, train, np.random.default_rng(0))
        for one in (classifier, dataclasses.replace(classifier, augment=NoAugment()))
    ]
    assert SEEN == []
    assert all((adapted[0][name] == adapted[1][name]).all() for name in weights)


def test_weights_with_styles_are_of_the_same_network() -> None:
    train = styled(60, 0)
    plain, mixed = (
        fitted(SmallCnn(device="cpu", epochs=1, augment=augment), train)[1]
        for augment in (NoAugment(), Mixstyle(probability=1.0))
    )
    assert {name: a.shape for name, a in plain.items()} == {n: a.shape for n, a in mixed.items()}
    assert (plain["head.weight"] != mixed["head.weight"]).any()


@dataclasses.dataclass(kw_only=True)
class Unknown(Network):
    """Names no stage."""

    smallest = 4

    def _network(self, channels, labels):
        raise NotImplementedError

    def _scaling(self, images):
        raise NotImplementedError


def test_a_network_that_names_no_stage_is_told() -> None:
    (said,) = Unknown(augment=Dsu()).check()
    assert said.startswith(
        "augment=dsu changes feature maps behind early stages, and 'unknown+dsu'"
    )
    assert "choose classifier/augment=fourier" in said
    assert Unknown(augment=Fourier()).check() == []
    assert Unknown().check() == []


def test_stages_of_timms_networks_are_their_own() -> None:
    stages = ["features.backbone.layer1", "features.backbone.layer2"]
    assert Timm(model="test_resnet").early_stages() == stages
    (said,) = Timm(model="test_vit", augment=Mixstyle()).check()
    assert "'timm+mixstyle' names none" in said


def test_classifiers_of_before_keep_their_keys() -> None:
    assert "augment" not in SmallCnn().identity()
    assert SmallCnn(augment=Fourier()).identity()["augment"]["share"] == 0.01
    assert SmallCnn().title() == "small_cnn"
    assert SmallCnn(augment=Fourier()).title() == "small_cnn+fourier"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["classifier.augment.share=1.1"], "classifier.augment.share must be at most 1, got 1.1"),
        (["classifier/augment=mixstyle", "classifier.augment.alpha=0"], "must be at least 0.01"),
        (["classifier/augment=dsu", "classifier.augment.probability=2"], "must be at most 1"),
        (["classifier/augment=mixup"], "no classifier/augment is named 'mixup'"),
        (["classifier=linear_probe"], "the classifier that is chosen has no part 'augment'"),
    ],
)
def test_what_cannot_be_is_refused(words: list[str], said: str) -> None:
    chosen = any(word.startswith("classifier/augment") for word in words)
    with pytest.raises(ConfigError) as error:
        tgap.compose(*([] if chosen else ["classifier/augment=fourier"]), *words)
    assert said in str(error.value)


def styled(count: int, seed: int, agree: float = 0.5) -> ImageSet:
    """A disc on the left or right of noise; darker (gamma) on the right as often as ``agree``."""
    rng, right = np.random.default_rng(seed), np.arange(count) % 2 == 1
    down, across = np.mgrid[:16, :16]
    centre = np.where(right, 9, 6) + rng.integers(-1, 2, count)
    disc = (down - 8) ** 2 + (across - centre[:, None, None]) ** 2 < 9
    pixels = np.clip(90 + 50 * disc + rng.normal(0, 35, disc.shape), 0, 255)
    dark = np.where(rng.random(count) < agree, right, ~right)
    gamma = np.where(dark, 1.5, 1 / 1.5) * 2 ** rng.uniform(-0.3, 0.3, count)
    pixels = 255 * (pixels / 255) ** gamma[:, None, None]
    return image_set(pixels[..., None].astype(np.uint8), two_kinds(~right), ("left", "right"))


def test_a_style_that_misleads_elsewhere_is_learnt_less() -> None:
    """The gamma of 8 in 10 training images goes with their label, where they are tested of 2."""
    augments = {"none": NoAugment(), "fourier": Fourier(), "mixstyle": Mixstyle(), "dsu": Dsu()}
    found: dict[str, list[float]] = {name: [] for name in augments}
    for seed in range(5):
        train, test = styled(160, seed, 0.8), styled(300, 1000 + seed, 0.2)
        for name, augment in augments.items():
            classifier = SmallCnn(device="cpu", shift=0, augment=augment)
            weights = classifier.fit(train, np.random.default_rng(seed))
            found[name].append(macro_auroc(classifier.score(weights, test.images), test.labels))
    means = {name: float(np.mean(aurocs)) for name, aurocs in found.items()}
    assert means["fourier"] > means["none"] + 0.05, means
    assert means["mixstyle"] > means["none"] + 0.02, means
    assert means["dsu"] > means["none"], means


def test_where_nothing_is_moved_little_is_lost() -> None:
    """Real digits by real ones."""
    data = Digits().load()
    order = np.random.default_rng(0).permutation(len(data)).astype(np.int64)
    train, test = data.take(order[:300]), data.take(order[300:800])
    aurocs = {}
    for augment in (NoAugment(), Fourier(), Mixstyle(), Dsu()):
        classifier = SmallCnn(device="cpu", augment=augment)
        weights = classifier.fit(train, np.random.default_rng(0))
        aurocs[augment.stem()] = macro_auroc(classifier.score(weights, test.images), test.labels)
    assert min(aurocs.values()) > aurocs["none"] - 0.01, aurocs
