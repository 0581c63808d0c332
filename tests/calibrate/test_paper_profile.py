"""The shipped profile ``paper`` holds the published delays, and only those."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest

from rtsim.calibrate import paper_profile
from rtsim.networks import parameter_count
from rtsim.timing.profiles import Profile

#: label: (delay in steps at 59.7275 frames/s, parameters); Riemer et al. 2025 and the authors' README.
PUBLISHED = {
    "55k": (1, 55_000),
    "1M": (5, 1_000_000),
    "10M": (8, 10_000_000),
    "100M": (70, 100_000_000),
    "1B": (596, 1_000_000_000),
    "deep-70k": (3, 70_000),
    "deep-1M": (29, 1_000_000),
    "deep-10M": (47, 10_000_000),
    "deep-100M": (80, 100_000_000),
    "deep-1B": (750, 1_000_000_000),
}


def test_paper_profile_shipped_file_is_what_the_function_writes() -> None:
    assert Profile.load("paper") == paper_profile()


def test_paper_profile_labels_are_the_published_ten() -> None:
    assert {m.label for m in Profile.load("paper").models.values()} == set(PUBLISHED)


@pytest.mark.parametrize("label", PUBLISHED)
def test_paper_profile_delay_in_steps_is_the_published_one(label: str) -> None:
    delay, parameters = PUBLISHED[label]
    model = Profile.load("paper").find(label)
    assert model.parameters == parameters
    assert model.inference is not None
    (stored,) = model.inference.samples_ns
    steps = Fraction(stored, 10**9) * Fraction("59.7275")
    assert math.ceil(steps) == delay
    # Half a step away from both neighbours, so that steps of whole nanoseconds do not matter.
    assert abs(steps - delay + Fraction(1, 2)) < Fraction(1, 10**6)
    assert model.learning == {}
    assert f"{delay} steps" in model.inference.note
    assert "spread" in model.inference.note


def test_paper_profile_one_billion_at_sixty_frames_is_599_steps() -> None:
    # Riemer et al. 2025, App. A: the faster Atari changes only the largest model, 596 to 599.
    profile = Profile.load("paper")
    at_60 = {label: math.ceil(profile.samples(label).samples_ns[0] * 60 / 1e9) for label in list(PUBLISHED)[:5]}
    assert at_60 == {"55k": 1, "1M": 5, "10M": 8, "100M": 70, "1B": 599}


def test_paper_profile_exact_sizes_are_within_a_tenth_of_the_nominal() -> None:
    for key, model in Profile.load("paper").models.items():
        assert key == f"resnet{model.settings['depth']}-k{model.settings['k']:g}"
        exact = parameter_count(model.settings["k"], model.settings["depth"])
        assert abs(exact / model.parameters - 1) < 0.10


def test_paper_profile_description_says_there_is_no_spread() -> None:
    assert "no spread" in Profile.load("paper").description
