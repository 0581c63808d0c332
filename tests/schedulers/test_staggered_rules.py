"""Algorithms 1 and 2 of Riemer et al. 2025 and phase locking, on examples worked out by hand."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtsim.clocks import simulate
from rtsim.errors import InvalidValue
from rtsim.scenario import Scenario
from rtsim.schedulers import Program, RuleSpec, Setting
from rtsim.timing import law

STEP = Fraction(10)


def prepared(text: str, workers: int, inference: str = "100ns") -> Program:
    return RuleSpec.of(text).program(Setting(workers, law(inference), STEP))


class Bench:
    """A rule asked by hand: neither steps nor observations matter to these rules."""

    def __init__(self, text: str, workers: int, inference: str = "100ns") -> None:
        self.program = prepared(text, workers, inference)

    def start(self, now: int, worker: int) -> int:
        p = self.program
        return p.next_start(now, worker, 0, 0, p.params, p.state)

    def end(self, now: int, worker: int, tau: int) -> int:
        """The release; these rules free the worker at the same time."""
        p = self.program
        release, free = p.on_end(now, worker, now - tau, 0, 0, 0, p.params, p.state)
        assert release == free
        return release

    def sleeps(self, now: int, worker: int) -> int:
        """How long an idle worker sleeps before it starts; it does start after that."""
        answer = self.start(now, worker)
        if answer > now:
            assert self.start(answer, worker) == answer
        return answer - now


def releases(rule: str, inference: str, workers: int, count: int, step: int = 10) -> list[list[int]]:
    """The first ``count`` releases of each worker, ns."""
    schedule = simulate(Scenario(rule, inference, workers=workers, step_time=Fraction(step), steps=1000), spans=True)
    spans = schedule.spans
    assert spans is not None
    return [spans["release_ns"][spans["worker"] == w][:count].tolist() for w in range(workers)]


# Algorithm 1.


def test_max_time_new_maximum_makes_others_wait_by_how_far_they_come_after() -> None:
    # Listing, lines 279-283: dist(x, y) = (x − y) mod N places after y, times δτ/N.
    bench = Bench("max_time", 4)
    assert bench.end(100, worker=1, tau=100) == 100
    assert [bench.sleeps(200, w) for w in (2, 3, 0, 1)] == [25, 50, 75, 0]


def test_max_time_shorter_inference_is_held_until_the_maximum() -> None:
    # Listing, line 285: sleep(max − τ), then register the action.
    bench = Bench("max_time", 4)
    bench.end(100, worker=1, tau=100)
    assert bench.end(140, worker=2, tau=80) == 160
    assert bench.end(150, worker=3, tau=100) == 150
    assert [bench.sleeps(300, w) for w in range(4)] == [75, 0, 25, 50]


def test_max_time_rising_maximum_spreads_only_the_difference() -> None:
    bench = Bench("max_time", 3)
    bench.end(100, worker=0, tau=90)
    bench.end(110, worker=0, tau=100)
    # A share is a third of 100, rounded up once: not 30 and then 10/3 rounded for itself.
    assert [bench.sleeps(200, w) for w in range(3)] == [0, 34, 68]


@settings(max_examples=150)
@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=30), st.integers(1, 40), st.booleans())
def test_max_time_rises_in_many_parts_spread_what_one_rise_would(times: list[int], workers: int, warm: bool) -> None:
    # ⌈max/N⌉ for every place after worker 0, whatever the maximum was on the way.
    initial = times[0] if warm else 0
    bench = Bench(f"max_time(initial_max={initial}ns)" if warm else "max_time", workers)
    for tau in times:
        bench.end(10**13, worker=0, tau=tau)
    share = math.ceil(Fraction(max(times), workers))
    assert [bench.sleeps(10**13, w) for w in range(workers)] == [w * share for w in range(workers)]


def test_max_time_delay_is_slept_once() -> None:
    bench = Bench("max_time", 2)
    bench.end(100, worker=0, tau=100)
    assert bench.sleeps(100, 1) == 50
    assert bench.sleeps(300, 1) == 0


@pytest.mark.parametrize(("rule", "kept"), [("max_time", 10), ("max_time(printed=true)", 0)])
def test_max_time_what_others_add_during_a_sleep_is_kept_unless_as_printed(rule: str, kept: int) -> None:
    # As printed the delay is zeroed after the sleep, so an addition made meanwhile is lost.
    bench = Bench(rule, 4)
    bench.end(100, worker=1, tau=100)
    assert bench.start(160, worker=2) == 185
    bench.end(170, worker=1, tau=140)
    assert bench.start(185, worker=2) == 185
    assert bench.sleeps(400, 2) == kept
    # Those who were not asleep keep theirs either way: 3 places after, (100 + 40)·3/4.
    assert bench.sleeps(400, 0) == 105


@pytest.mark.parametrize(("rule", "kept"), [("exp_time", 20), ("exp_time(printed=true)", 0)])
def test_exp_time_what_others_add_during_a_sleep_is_kept_unless_as_printed(rule: str, kept: int) -> None:
    bench = Bench(rule, 2)
    bench.end(100, worker=0, tau=100)
    assert bench.start(110, worker=1) == 160
    # The mean rises from 100 to 140: worker 1 is one place after worker 0.
    bench.end(150, worker=0, tau=180)
    assert bench.start(160, worker=1) == 160
    assert bench.sleeps(400, 1) == kept


def test_max_time_printed_run_differs_only_when_a_maximum_rises_during_a_sleep() -> None:
    constant = [
        simulate(Scenario(rule, "84ms", workers=5, steps=300)) for rule in ("max_time", "max_time(printed=true)")
    ]
    assert constant[0].diff(constant[1]) is None
    spread = [
        simulate(Scenario(rule, "lognorm(mean=84ms, cv=0.3)", workers=5, steps=300))
        for rule in ("max_time", "max_time(printed=true)")
    ]
    assert spread[0].diff(spread[1]) is not None


@pytest.mark.parametrize(("tau", "workers"), [(60, 4), (61, 4), (7, 3), (1, 5), (1000, 7)])
def test_max_time_constant_times_cold_start_offsets_are_k_tau_over_n(tau: int, workers: int) -> None:
    # All start at 0 and end at τ. Worker 0 is first and makes worker k wait k·⌈τ/N⌉.
    share = math.ceil(Fraction(tau, workers))
    found = releases("max_time", f"{tau}ns", workers, 4)
    for k, times in enumerate(found):
        assert times == [tau, *(tau + k * share + j * tau for j in (1, 2, 3))]


@pytest.mark.parametrize(("maximum", "workers"), [(90, 3), (100, 3), (64, 5)])
def test_max_time_warm_start_offsets_are_k_max_over_n(maximum: int, workers: int) -> None:
    found = releases(f"max_time(initial_max={maximum}ns)", "60ns", workers, 3)
    share = math.ceil(Fraction(maximum, workers))
    assert found == [[k * share + j * maximum for j in (1, 2, 3)] for k in range(workers)]


def test_max_time_warm_start_offsets_may_come_from_a_quantile() -> None:
    # uniform(60, 100): the 0.75 quantile is 90 ns.
    bench = Bench("max_time(initial_max=p75)", 3, "uniform(60ns, 100ns)")
    assert [bench.sleeps(0, w) for w in range(3)] == [0, 30, 60]
    assert bench.end(100, worker=0, tau=70) == 120


def test_max_time_epsilon_offsets_are_k_epsilon_over_n() -> None:
    # Listing, line 270: delay = ε (processnum − 1)/N with processnum from 1.
    bench = Bench("max_time(epsilon=40ns)", 4)
    assert [bench.sleeps(0, w) for w in range(4)] == [0, 10, 20, 30]
    both = Bench("max_time(epsilon=40ns, initial_max=60ns)", 4)
    assert [both.sleeps(0, w) for w in range(4)] == [0, 25, 50, 75]


# Its estimators.


def window_estimates(times: list[int], window: int, level: Fraction, initial: int = 0) -> list[int]:
    """The same by sorting with numpy; the rank of the quantile is ⌈level · n⌉."""
    found, estimate = [], initial
    history: list[int] = []
    for tau in times:
        history.append(tau)
        recent = np.sort(np.array(history[-window:], dtype=np.int64))
        value = int(recent[max(math.ceil(level * len(recent)), 1) - 1])
        estimate = value if len(history) >= window else max(estimate, value)
        found.append(estimate)
    return found


TAUS = st.lists(st.integers(0, 50), min_size=1, max_size=60)


def run_estimator(rule: str, times: list[int]) -> list[int]:
    bench = Bench(rule, 1)
    found = []
    for tau in times:
        release = bench.end(1000, worker=0, tau=tau)
        assert release == 1000 + max(bench.program.state[0] - tau, 0)
        found.append(bench.program.state[0])
    return found


@settings(max_examples=150)
@given(TAUS, st.sampled_from(["max_time", "phase_locked"]))
def test_estimator_without_a_window_is_the_running_maximum(times: list[int], rule: str) -> None:
    bench, found = Bench(rule, 1), []
    for tau in times:
        bench.end(1000, worker=0, tau=tau)
        found.append(bench.program.state[0])
    assert found == np.maximum.accumulate(np.array(times)).tolist()


@settings(max_examples=300)
@given(
    TAUS,
    st.integers(1, 12),
    st.sampled_from([None, "p1", "p10", "p33.3", "p50", "p90", "p99.9", "p100"]),
    st.sampled_from([0, 20, 70]),
)
def test_estimator_with_a_window_equals_the_sorted_window(
    times: list[int], window: int, quantile: str | None, initial: int
) -> None:
    level = Fraction(1) if quantile is None else Fraction(quantile[1:]) / 100
    option = "" if quantile is None else f", quantile={quantile}"
    text = f"max_time(window={window}, initial_max={initial}ns{option})"
    assert run_estimator(text, times) == window_estimates(times, window, level, initial)


def test_estimator_quantile_without_a_window_takes_the_last_thousand() -> None:
    times = np.random.default_rng(0).integers(0, 10**6, 1500).tolist()
    assert run_estimator("max_time(quantile=p90)", times) == window_estimates(times, 1000, Fraction(9, 10))


def test_estimator_tiny_quantile_is_the_smallest_of_the_window() -> None:
    # Above 0, as the option demands; rounded to a millionth it is 0.
    times = [5, 3, 8, 9, 7, 4, 6]
    assert run_estimator("max_time(window=3, quantile=p0.00004)", times) == window_estimates(
        times, 3, Fraction("0.00004") / 100
    )


def test_max_time_falling_maximum_makes_the_nearer_ones_wait_more() -> None:
    # The design's reading of "wait more closer to the current process": (N − dist)·|δ|/N.
    bench = Bench("max_time(window=2)", 4)
    bench.end(100, worker=0, tau=100)
    for w in range(4):
        bench.sleeps(200, w)
    bench.end(260, worker=1, tau=60)
    assert [bench.sleeps(300, w) for w in range(4)] == [0, 0, 0, 0]
    bench.end(320, worker=2, tau=60)
    assert [bench.sleeps(400, w) for w in range(4)] == [2 * 40 // 4, 1 * 40 // 4, 0, 3 * 40 // 4]


# Algorithm 2.


def test_exp_time_rising_mean_spreads_like_algorithm_one_and_holds_nothing() -> None:
    bench = Bench("exp_time", 4)
    assert bench.end(100, worker=0, tau=100) == 100
    assert [bench.sleeps(200, w) for w in range(4)] == [0, 25, 50, 75]
    # Mean (100 + 140)/2 = 120: δ = 20 from worker 3; worker 0 comes one place after it.
    assert bench.end(250, worker=3, tau=140) == 250
    assert [bench.sleeps(300, w) for w in range(4)] == [5, 10, 15, 0]


def test_exp_time_falling_mean_makes_the_nearer_ones_wait_more() -> None:
    bench = Bench("exp_time", 4)
    bench.end(100, worker=0, tau=100)
    for w in range(4):
        bench.sleeps(200, w)
    # Mean (100 + 60)/2 = 80: |δ| = 20 from worker 1.
    assert bench.end(260, worker=1, tau=60) == 260
    assert [bench.sleeps(300, w) for w in range(4)] == [1 * 20 // 4, 0, 3 * 20 // 4, 2 * 20 // 4]


def test_exp_time_printed_falling_mean_uses_the_listing_of_the_paper() -> None:
    # Listing, line 937: (N − 1) · dist · |δ| / N, more for those farther away.
    bench = Bench("exp_time(printed=true)", 4)
    bench.end(100, worker=0, tau=100)
    for w in range(4):
        bench.sleeps(200, w)
    bench.end(260, worker=1, tau=60)
    assert [bench.sleeps(300, w) for w in range(4)] == [3 * 3 * 20 // 4, 0, 3 * 1 * 20 // 4, 3 * 2 * 20 // 4]


def test_exp_time_mean_is_that_of_all_inferences_rounded_down() -> None:
    bench = Bench("exp_time", 2)
    times = np.random.default_rng(1).integers(0, 1000, 300)
    for index, tau in enumerate(times.tolist()):
        bench.end(5000, worker=index % 2, tau=tau)
        assert bench.program.state[0] == int(times[: index + 1].sum()) // (index + 1)


@pytest.mark.parametrize(("tau", "workers"), [(60, 4), (61, 4), (7, 3)])
def test_exp_time_constant_times_cold_start_offsets_are_k_tau_over_n(tau: int, workers: int) -> None:
    share = math.ceil(Fraction(tau, workers))
    found = releases("exp_time", f"{tau}ns", workers, 4)
    for k, times in enumerate(found):
        assert times == [tau, *(tau + k * share + j * tau for j in (1, 2, 3))]


# Phase locking.


def test_phase_locked_releases_lie_on_the_worker_s_own_grid() -> None:
    # Maximum 100 of worker 0 at t = 100: worker k's grid is 100 + 25k + multiples of 100.
    bench = Bench("phase_locked", 4)
    assert bench.end(100, worker=0, tau=100) == 100
    assert bench.end(110, worker=1, tau=90) == 125
    assert bench.end(125, worker=1, tau=90) == 125
    assert bench.end(126, worker=1, tau=90) == 225
    assert bench.end(160, worker=2, tau=80) == 250
    assert bench.start(176, 3) == 275
    assert bench.start(275, 3) == 275
    assert bench.start(301, 0) == 400


def test_phase_locked_new_maximum_anchors_the_grid_at_this_action() -> None:
    bench = Bench("phase_locked", 4)
    bench.end(100, worker=0, tau=100)
    # Worker 2 takes 120 and ends at 300: its action goes out at once, and worker k's grid is
    # now 300 + (k − 2)·30 + multiples of 120.
    assert bench.end(300, worker=2, tau=120) == 300
    assert [bench.start(300, w) for w in range(4)] == [360, 390, 300, 330]


def test_phase_locked_before_any_inference_starts_at_once() -> None:
    bench = Bench("phase_locked", 3)
    assert [bench.start(7, w) for w in range(3)] == [7, 7, 7]


def test_phase_locked_warm_start_begins_on_the_grid() -> None:
    bench = Bench("phase_locked(initial_max=90ns)", 3)
    assert [bench.start(0, w) for w in range(3)] == [0, 30, 60]
    assert [bench.start(31, w) for w in range(3)] == [90, 120, 60]


def test_phase_locked_after_the_last_rise_releases_are_equally_spaced() -> None:
    scenario = Scenario("phase_locked", "lognorm(mean=84ms, cv=0.1)", workers=7, steps=4000)
    spans = simulate(scenario, spans=True).spans
    assert spans is not None
    times = spans["end_ns"] - spans["start_ns"]
    rises = np.flatnonzero(times == np.maximum.accumulate(times))
    last = int(rises[-1])
    cycle, anchor_worker = int(times[last]), int(spans["worker"][last])
    anchor = int(spans["end_ns"][last]) - anchor_worker * cycle // 7
    later = (spans["release_ns"] > spans["end_ns"][last] + cycle) & (spans["start_ns"] > spans["end_ns"][last])
    assert later.sum() > 500
    phases = (spans["release_ns"][later] - anchor) % cycle
    assert phases.tolist() == [w * cycle // 7 for w in spans["worker"][later].tolist()]


@pytest.mark.parametrize("rule", ["max_time", "phase_locked"])
def test_staggered_rule_window_above_the_limit_is_refused(rule: str) -> None:
    with pytest.raises(InvalidValue, match="100000"):
        prepared(f"{rule}(window=100001)", 1)


def test_staggered_rule_warm_start_of_an_unbounded_quantile_is_refused() -> None:
    with pytest.raises(InvalidValue, match="p100"):
        prepared("max_time(initial_max=p100)", 1, "exp(84ms)")
