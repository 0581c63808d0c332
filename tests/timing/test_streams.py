"""Random streams, spells of slowness, and the times at which steps start."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from rtsim.clocks import simulate
from rtsim.errors import InvalidValue
from rtsim.scenario import Scenario
from rtsim.timing import BlockStream, Contention, Spells, StepClock, law, step_period
from rtsim.timing.streams import BLOCK, FixedRate

LOGNORMAL = law("lognorm(mean=84ms, cv=0.3)")
PURPOSES = ("inference", "learning", "dispatch", "step", "spells")


def first_draws(purpose: str, index: int, seed: int = 0, count: int = 5) -> list[tuple[int, int]]:
    return list(itertools.islice(BlockStream(LOGNORMAL, seed, purpose, index), count))


def test_stream_same_name_has_the_same_draws() -> None:
    assert first_draws("inference", 3, count=3000) == first_draws("inference", 3, count=3000)


def test_stream_any_other_name_has_other_draws() -> None:
    names = [(p, i, s) for p in PURPOSES for i in range(20) for s in range(3)]
    found = {tuple(first_draws(*name)) for name in names}
    assert len(found) == len(names)


def test_stream_draws_are_plain_ints_whichever_way_they_are_taken() -> None:
    blocks = BlockStream(LOGNORMAL, 1, "inference", 0)
    durations = np.concatenate([blocks.block()[0] for _ in range(4)])
    one_by_one = list(itertools.islice(BlockStream(LOGNORMAL, 1, "inference", 0), len(durations)))
    assert [d for d, _ in one_by_one] == durations.tolist()
    assert all(type(d) is int and type(c) is int for d, c in one_by_one)


def test_stream_law_that_changes_counts_all_draws_of_the_stream() -> None:
    # One probability for the first 1,500 draws of a stream, across its blocks, another afterwards.
    draws = list(
        itertools.islice(BlockStream(law("anneal(1ms, 2ms, start=1, end=0, over=1500)"), 0, "inference", 0), 4000)
    )
    assert all(d == 2_000_000 and c == 1 for d, c in draws[1500:])
    # In the second block the chance is 1 − 1024/1500 = 0.32 at its beginning: seed 0, the chance
    # that none of 300 draws with at least 0.12 is short is below 1e-16.
    assert any(c == 0 for _, c in draws[1024:1324])


def test_stream_draws_of_two_workers_are_uncorrelated() -> None:
    # Seed 0, 20,480 pairs; the correlation of independent pairs is normal with standard
    # deviation 1/√n in good approximation, so 6/√n has false-alarm rate 2e-9.
    a, b = (
        np.concatenate([stream.block()[0] for _ in range(21)])
        for stream in (BlockStream(LOGNORMAL, 0, "inference", w) for w in (0, 1))
    )
    assert abs(np.corrcoef(a, b)[0, 1]) < 6 / math.sqrt(len(a))


def test_stream_same_uniforms_serve_every_law() -> None:
    # Common random numbers: the j-th draw sits at the same quantile of either law.
    one = first_draws("inference", 2, count=500)
    other = list(itertools.islice(BlockStream(law("exp(mean=1s)"), 0, "inference", 2), 500))
    for (a, _), (b, _) in zip(one, other, strict=True):
        assert LOGNORMAL.cdf(a / 1e9) == pytest.approx(law("exp(mean=1s)").cdf(b / 1e9), abs=1e-6)


def inference_times(rule: str, workers: int, **settings: object) -> dict[tuple[int, int], int]:
    scenario = Scenario(rule, "lognorm(mean=84ms, cv=0.3)", workers=workers, steps=400, **settings)  # type: ignore[arg-type]
    spans = simulate(scenario, spans=True).spans
    assert spans is not None
    keys = zip(spans["worker"].tolist(), spans["inference"].tolist(), strict=True)
    return dict(zip(keys, (spans["end_ns"] - spans["start_ns"]).tolist(), strict=True))


@pytest.mark.parametrize(
    ("rule", "settings"),
    [
        ("max_time", {}),
        ("exp_time", {}),
        ("phase_locked", {}),
        ("time_triggered", {}),
        ("earliest_deadline", {}),
        ("chunking(size=2)", {}),
        ("unstaggered", {"mailbox": "fifo(4)"}),
        ("unstaggered", {"learning_time": "exp(100ms)", "learners": 3}),
        ("unstaggered", {"step_time": "exp(16ms)"}),
    ],
)
def test_inference_times_same_worker_and_count_are_the_same_under_every_rule(
    rule: str, settings: dict[str, object]
) -> None:
    reference = inference_times("unstaggered", workers=3)
    found = inference_times(rule, 5, **settings)
    shared = reference.keys() & found.keys()
    assert len(shared) > 50
    assert all(reference[key] == found[key] for key in shared)


# Spells.

CONTENTION = Contention(LOGNORMAL, factor=2.5, calm=0.9, slow=0.3)


def test_spells_same_seed_are_shared_however_far_they_were_extended() -> None:
    far, near = Spells(CONTENTION, 7, 0), Spells(CONTENTION, 7, 0)
    far.extend_to(10**13)
    for now in range(0, 10**13, 10**11):
        near.extend_to(now)
    count = len(near.switches)
    assert near.switches == far.switches[:count]
    assert near.switches[-1] > 10**13 - 10**11
    assert all(a < b for a, b in itertools.pairwise(far.switches))
    assert all(type(t) is int for t in far.switches)


def test_spells_of_other_laws_and_seeds_differ() -> None:
    found = set()
    for seed, index in [(0, 0), (0, 1), (0, 2), (1, 0)]:
        spells = Spells(CONTENTION, seed, index)
        spells.extend_to(0)
        found.add(tuple(spells.switches[:4]))
    assert len(found) == 4


@settings(max_examples=200)
@given(st.integers(0, 10**15), st.integers(0, 40), st.sampled_from([-1, 0, 1]), st.sampled_from([1, 1.5, 2.345, 1000]))
def test_spells_stretch_is_exact_in_slow_spells_and_nothing_in_calm_ones(
    duration: int, switch: int, offset: int, factor: float
) -> None:
    spells = Spells(Contention(LOGNORMAL, factor, 0.9, 0.3), 11, 0)
    spells.extend_to(0)
    now = spells.switches[switch] + offset
    # The first spell is calm; a spell begins at its switch.
    slow = sum(1 for t in spells.switches if t <= now) % 2 == 1
    assert slow == ((switch + (offset < 0)) % 2 == 0)
    thousandths = round(factor * 1000)
    assert spells.stretch(duration, now) == (duration * thousandths // 1000 if slow else duration)


def test_spells_first_one_is_calm() -> None:
    for seed in range(30):
        assert Spells(CONTENTION, seed, 0).stretch(1000, 0) == 1000


def test_spells_share_of_slow_time_is_slow_over_both() -> None:
    # Seed 5, m = 20,000 pairs of spells. With exponential spells S = b·Γ(m) and C = a·Γ'(m),
    # so (S/b)/((S/b) + (C/a)) has the distribution Beta(m, m) exactly; false-alarm rate 1e-7.
    spells = Spells(CONTENTION, 5, 0)
    while len(spells.switches) < 40_000:
        spells.extend_to(spells.switches[-1] if spells.switches else 0)
    lengths = np.diff([0, *spells.switches[:40_000]])
    calm, slow = lengths[0::2].sum() / 0.9, lengths[1::2].sum() / 0.3
    low, high = stats.beta.interval(1 - 1e-7, 20_000, 20_000)
    assert low < slow / (slow + calm) < high
    # And each kind is exponential: Dvoretzky-Kiefer-Wolfowitz with rate 1e-7.
    for kind, mean in ((lengths[0::2], 0.9e9), (lengths[1::2], 0.3e9)):
        distance = stats.kstest(kind, stats.expon(scale=mean).cdf).statistic
        assert distance < math.sqrt(math.log(2e7) / (2 * 20_000))


def test_inference_times_under_contention_slow_down_for_all_workers_together() -> None:
    scenario = Scenario("unstaggered", "contention(50ms, factor=3, calm=1s, slow=500ms)", workers=5, steps=2000, seed=3)
    spans = simulate(scenario, spans=True).spans
    assert spans is not None
    times = spans["end_ns"] - spans["start_ns"]
    assert set(times.tolist()) == {50_000_000, 150_000_000}
    spells = Spells(scenario.inference_time, 3, 0)  # type: ignore[arg-type]
    spells.extend_to(int(spans["end_ns"].max()))
    slow = np.searchsorted(spells.switches, spans["start_ns"], side="right") % 2 == 1
    assert np.array_equal(times == 150_000_000, slow)
    for worker in range(5):
        assert 0 < slow[spans["worker"] == worker].sum() < (spans["worker"] == worker).sum()


# Steps.


def half_even(numerator: int, denominator: int) -> int:
    whole, rest = divmod(numerator, denominator)
    if 2 * rest > denominator or (2 * rest == denominator and whole % 2):
        return whole + 1
    return whole


RATES = ["59.7275fps", "60fps", "16.7ms", "50fps", "29.97fps", "1ns", "2.5ns", "144hz", "0.1fps"]


@pytest.mark.parametrize("rate", RATES)
def test_step_clock_fixed_rate_equals_the_rounded_fraction(rate: str) -> None:
    period = step_period(rate)
    clock = StepClock(period, seed=0)
    starts = list(itertools.islice(clock, 3000))
    assert starts == [round(period * i) for i in range(3000)]
    assert all(type(t) is int for t in starts)


def test_step_clock_game_boy_rate_does_not_drift_in_a_million_steps() -> None:
    period = Fraction(10**13, 597_275)
    clock = StepClock(step_period("59.7275fps"), seed=0)
    found = np.concatenate([clock.block() for _ in range(977)])[:1_000_001]
    expected = [half_even(i * period.numerator, period.denominator) for i in range(1_000_001)]
    assert found.tolist() == expected
    # 59.7275 steps a second: step 597,275 starts at 10,000 s sharp.
    assert found[597_275] == 10_000 * 10**9
    assert set(np.diff(found).tolist()) == {16_742_706, 16_742_707}


@settings(max_examples=200)
@given(
    st.fractions(min_value=1, max_value=10**6, max_denominator=10**6),
    st.integers(0, 10**9 - BLOCK),
)
@example(Fraction(5, 2), 0)
@example(Fraction(10**9, 1), 10**9 - BLOCK)
@example(Fraction(16_742_706 * (10**9 - 1) + 1, 10**9 - 1), 10**9 - BLOCK)
def test_fixed_rate_anywhere_equal_the_rounded_fraction(period: Fraction, first: int) -> None:
    found = FixedRate(period).starts(first).tolist()
    assert found == [half_even((first + i) * period.numerator, period.denominator) for i in range(BLOCK)]
    assert all(b > a for a, b in itertools.pairwise(found))


@pytest.mark.parametrize(
    "period",
    [
        Fraction(10**15),
        Fraction(8 * 10**16 - 1, 10**16),
    ],
)
def test_scenario_whose_steps_leave_int64_is_refused_or_exact(period: Fraction) -> None:
    try:
        scenario = Scenario("unstaggered", "1s", step_time=period, steps=20_000)
    except InvalidValue:
        return
    assert isinstance(scenario.step_time, Fraction)
    clock = iter(StepClock(scenario.step_time, 0))
    assert list(itertools.islice(clock, 20_000)) == [
        half_even(i * period.numerator, period.denominator) for i in range(20_000)
    ]


@pytest.mark.parametrize(
    "text", ["exp(mean=16ms)", "empirical(0ns, 3ns)", "uniform(0ns, 2ns)", "mixture(0.5: 0ns, 0.5: 9ms)"]
)
def test_step_clock_stochastic_steps_are_the_running_sum(text: str) -> None:
    lengths = [max(d, 1) for d, _ in itertools.islice(BlockStream(law(text), 9, "step", 0), 2500)]
    starts = list(itertools.islice(StepClock(law(text), 9), 2501))
    assert starts == [0, *itertools.accumulate(lengths)]
    assert min(b - a for a, b in itertools.pairwise(starts)) >= 1
    assert all(type(t) is int for t in starts)
