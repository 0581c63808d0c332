"""Sizes of the paper's ResNets against the published counts and an independent closed form."""

from __future__ import annotations

import math

import pytest

from rtsim.errors import InvalidValue
from rtsim.networks import PUBLISHED_K, activation_count, blocks, filters, parameter_count, size_label

#: Published sizes, Riemer et al. 2025, Sec. 5 and App. A ("55k" and "70k": the authors' README).
PUBLISHED = {
    15: ((0.0625, 55e3), (1, 1e6), (7, 10e6), (29, 100e6), (98, 1e9)),
    30: ((0.0625, 70e3), (0.75, 1e6), (4.75, 10e6), (18.5, 100e6), (63, 1e9)),
}


@pytest.mark.parametrize("depth", [15, 30])
def test_parameter_count_published_models_is_within_a_tenth_of_the_label(depth: int) -> None:
    # The labels are one digit, rounded: the worst is 0.90M, which the paper calls 1M.
    for k, label in PUBLISHED[depth]:
        assert abs(parameter_count(k, depth) / label - 1) < 0.10, (k, label)


@pytest.mark.parametrize(("depth", "k", "label"), [(15, 0.0625, 55e3), (30, 0.0625, 70e3)])
def test_parameter_count_smallest_models_is_within_two_percent(depth: int, k: float, label: float) -> None:
    # These labels have two digits. A 30-convolution net that pools like the other has 54.7 thousand.
    assert abs(parameter_count(k, depth) / label - 1) < 0.02


@pytest.mark.parametrize(("k", "text"), [(1, "0.90M"), (7, "10.4M"), (29, "105M"), (98, "1.01B")])
def test_parameter_count_depth_15_has_the_digits_reported(k: float, text: str) -> None:
    scale, digits = (1e9, 2) if text.endswith("B") else (1e6, len(text[:-1].partition(".")[2]))
    assert f"{parameter_count(k) / scale:.{digits}f}{text[-1]}" == text


@pytest.mark.parametrize("k", [0.0625, 0.75, 1, 4.75, 7, 18.5, 29, 63, 98])
@pytest.mark.parametrize("actions", [1, 6, 18])
def test_parameter_count_whole_filters_equals_the_polynomial(k: float, actions: int) -> None:
    # Summed by hand: 9·in·out + out per convolution, with 16k and 32k filters and 1568k or
    # 2048k inputs of the linear layer. All terms are whole numbers, exact in a double.
    assert parameter_count(k, 15, actions) == 96768 * k**2 + 803360 * k + 512 + 513 * actions
    assert parameter_count(k, 30, actions) == 235008 * k**2 + 1049600 * k + 512 + 513 * actions


def test_blocks_last_flattens_to_1568k_and_2048k() -> None:
    for k in (0.0625, 1, 98):
        for depth, flattened in ((15, 1568 * k), (30, 2048 * k)):
            last = blocks(k, depth)[-1]
            assert last.filters * last.side**2 == flattened


def test_filters_fraction_is_cut() -> None:
    assert filters(0.7) == (11, 22)


@pytest.mark.parametrize("k", [0, -1, 0.06, math.nan, math.inf, 1e5, True, "1", None])
def test_filters_wrong_k_is_refused_with_the_value(k: object) -> None:
    with pytest.raises(InvalidValue, match=r"k .*filter.*give e\.g\.") as caught:
        filters(k)  # type: ignore[arg-type]
    assert repr(k) in str(caught.value)


@pytest.mark.parametrize("depth", [0, 16, True, 15.5])
def test_blocks_wrong_depth_is_refused_naming_both(depth: object) -> None:
    with pytest.raises(InvalidValue, match="15 or 30"):
        blocks(1, depth)  # type: ignore[arg-type]


@pytest.mark.parametrize("actions", [0, -1, 1.5, True])
def test_parameter_count_wrong_actions_is_refused(actions: object) -> None:
    with pytest.raises(InvalidValue, match="actions"):
        parameter_count(1, 15, actions)  # type: ignore[arg-type]


@pytest.mark.parametrize("depth", [15, 30])
def test_size_label_published_models_is_the_papers(depth: int) -> None:
    labels = [size_label(parameter_count(k, depth)) for k in PUBLISHED_K[depth]]
    assert labels == [{15: "55k", 30: "70k"}[depth], "1M", "10M", "100M", "1B"]


@pytest.mark.parametrize(
    ("parameters", "label"),
    [(1, "1"), (24, "25"), (999, "1k"), (1_100_000, "1M"), (1_300_000, "1.5M"), (899_999, "900k"), (3 * 10**12, "3T")],
)
def test_size_label_other_sizes_rounds_to_half_a_digit(parameters: int, label: str) -> None:
    assert size_label(parameters) == label


def test_size_label_zero_is_refused() -> None:
    with pytest.raises(InvalidValue, match="parameters 0"):
        size_label(0)


def test_activation_count_k1_is_the_hand_count() -> None:
    # 16 filters: 82² + 11·40²; 32: 38² + 11·18²; 32: 16² + 11·7².
    assert activation_count(1) == 16 * (6724 + 17600) + 32 * (1444 + 3564) + 32 * (256 + 539)
