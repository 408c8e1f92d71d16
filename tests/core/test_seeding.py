import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tgap.core import ContractError, isolated, rng_for
from tgap.core.seeding import noise_seeds, seed_for

NAMES = st.lists(st.text(max_size=4) | st.integers(-3, 3), max_size=3)


@pytest.mark.parametrize(
    ("names", "seed"),
    [
        (("generate", 0), 6327576038869036801),
        (("split", 1, "a", 2), 2049576932190952785),
        (("finetune", 7, "ü"), 8514382854947810839),
    ],
)
def test_seeds_never_change_between_versions(names, seed):
    assert seed_for(*names) == seed


def test_noise_seeds_never_change_between_versions():
    assert noise_seeds(0, 0, 2) == [2313632087129025006, 1161128471536057131]
    assert noise_seeds(5, 1, 1) == [3862698318207420606]


@given(st.text(), st.integers(-(2**70), 2**70), NAMES)
def test_a_seed_is_in_range_and_depends_on_nothing_but_its_names(scope, run_seed, names):
    seed = seed_for(scope, run_seed, *names)
    assert 0 <= seed < 2**63
    seed_for("another", 1)
    rng_for(scope, run_seed).random()
    assert seed_for(scope, run_seed, *names) == seed


@given(NAMES, NAMES)
def test_different_names_have_different_seeds(one, other):
    same = [(type(n), n) for n in one] == [(type(n), n) for n in other]
    assert (seed_for("s", 0, *one) == seed_for("s", 0, *other)) == same


def test_scopes_and_seeds_do_not_meet():
    scopes = ("select", "finetune", "generate", "classify")
    assert len({seed_for(scope, seed) for scope in scopes for seed in range(250)}) == 1000


def test_names_cannot_be_glued_together():
    glued = {seed_for("a", 1, *names) for names in (("b", "c"), ("bc",), ('b","c',), ("b", 1, "c"))}
    assert len(glued) == 4
    assert seed_for("a", 1, "1") != seed_for("a", 1, 1)


def test_numpy_integers_count_as_integers():
    assert seed_for("a", np.int64(3), np.uint8(4)) == seed_for("a", 3, 4)


def test_other_names_are_refused():
    with pytest.raises(ContractError, match=r"must be text or integers, got \('a', 0, 0\.5\)"):
        seed_for("a", 0, 0.5)


def test_generators_of_the_same_names_draw_the_same_numbers():
    draws = rng_for("select", 3, "even").random(5)
    np.testing.assert_array_equal(rng_for("select", 3, "even").random(5), draws)
    assert not np.isin(rng_for("select", 3, "odd").random(5), draws).any()


@given(st.integers(0, 2**62), st.integers(0, 3), st.integers(0, 30), st.integers(0, 30))
def test_an_image_keeps_its_noise_however_many_there_are(seed, label, few, more):
    assert noise_seeds(seed, label, few + more)[:few] == noise_seeds(seed, label, few)


def test_every_image_has_noise_of_its_own():
    drawn = [s for seed in (0, 1) for label in (0, 1) for s in noise_seeds(seed, label, 500)]
    assert len(set(drawn)) == 2000


def global_states():
    import torch

    return (
        random.getstate(),
        [np.array(part).tolist() for part in np.random.get_state()],
        torch.get_rng_state().tolist(),
        [state.tolist() for state in torch.cuda.get_rng_state_all()]
        if torch.cuda.is_available()
        else [],
    )


def draw_from_global_states():
    import torch

    return random.random(), np.random.random(), torch.rand(()).item()


def test_isolated_code_draws_the_same_and_leaves_global_states_alone():
    before = global_states()
    with isolated(7):
        first = draw_from_global_states()
    draw_from_global_states()
    middle = global_states()
    with isolated(7):
        second = draw_from_global_states()
    assert first == second
    assert global_states() == middle != before


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_isolated_restores_on_any_exception(error):
    before = global_states()
    with pytest.raises(error), isolated(1):  # noqa: PT012 the draw comes first on purpose
        draw_from_global_states()
        raise error
    assert global_states() == before


def test_isolated_seeds_differ_in_all_their_bits():
    drawn = set()
    for seed in (1, 1 + 2**32, 1 + 2**62):
        with isolated(seed):
            drawn.add((np.random.random(), random.random()))
    assert len({a for a, _ in drawn}) == len({b for _, b in drawn}) == 3


def test_isolated_blocks_nest():
    with isolated(1):
        alone = draw_from_global_states(), draw_from_global_states()
    with isolated(1):
        first = draw_from_global_states()
        with isolated(2):
            draw_from_global_states()
        assert (first, draw_from_global_states()) == alone


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_isolated_refuses_seeds_out_of_range(seed):
    with pytest.raises(ContractError, match=rf"in \[0, 2\*\*63\), got {seed}"), isolated(seed):
        pass


def test_isolated_covers_cuda():
    import torch

    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    before = global_states()
    drawn = []
    for _ in range(2):
        with isolated(3):
            drawn.append(torch.rand(4, device="cuda").tolist())
    assert drawn[0] == drawn[1]
    assert global_states() == before
