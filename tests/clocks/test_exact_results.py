"""Statements about a rule that hold exactly for constant times."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

import rtsim
from rtsim.clocks import simulate
from rtsim.scenario import Scenario

#: Steps of 1 to 60 units; a unit is 1 ns or about a millisecond.
PERIODS = st.one_of(
    st.fractions(min_value=1, max_value=60, max_denominator=50),
    st.sampled_from([Fraction(10**13, 597_275), Fraction(50_000_000, 3), Fraction(20_000_000)]),
)


@settings(max_examples=50)
@given(
    period=PERIODS,
    share=st.fractions(min_value=Fraction(1, 4), max_value=1, max_denominator=997),
    workers=st.integers(1, 12),
    rule=st.sampled_from(["max_time", "phase_locked", "max_time(printed=true)"]),
)
@example(Fraction(10**13, 597_275), Fraction(1), 8, "max_time")
@example(Fraction(7, 3), Fraction(1), 12, "max_time")
def test_max_time_enough_workers_act_on_every_step_after_the_first_two_cycles(
    period: Fraction, share: Fraction, workers: int, rule: str
) -> None:
    # Remark 2 for Algorithm 1, in whole ns: N times the shortest step covers τ.
    tau = int(workers * math.floor(period) * share)
    scenario = Scenario(rule, f"{tau}ns", workers=workers, step_time=period, steps=1000)
    schedule = simulate(scenario)
    warm = int(np.searchsorted(schedule.steps["time_ns"], 2 * tau, side="left"))
    found = schedule.statistics(warmup_steps=warm)
    assert found.inaction_fraction == 0
    assert found.interaction_steps == 1
    assert found.interaction_steps_var == 0


@settings(max_examples=60)
@given(period=st.integers(2, 60), workers=st.integers(1, 12), more=st.integers(1, 200))
def test_max_time_too_few_workers_leave_the_inaction_of_the_capacity_limit(
    period: int, workers: int, more: int
) -> None:
    # One release every τ/N: with constant times Algorithm 1 reaches the capacity limit. Gaps are
    # ⌈τ/N⌉, and what is left, at least τ/N − (N−1)²/N, for the last: with N (N−1) ns to spare it
    # is no shorter than a step either.
    tau = workers * (period + workers - 1) + more
    scenario = Scenario("max_time", f"{tau}ns", workers=workers, step_time=Fraction(period), steps=2000)
    schedule = simulate(scenario)
    warm = int(np.searchsorted(schedule.steps["time_ns"], 2 * tau, side="left"))
    found = schedule.statistics(warmup_steps=warm)
    # In H steps each of N workers releases ⌊H/τ⌋ or ⌈H/τ⌉ times.
    assert abs(found.inaction_fraction - scenario.capacity_limit) <= workers / found.steps + 1e-12
    assert found.overwritten == 0


def test_max_time_a_million_steps_at_the_game_boy_rate_has_no_inaction() -> None:
    # Eight workers, τ = eight of the shorter steps of 16742706 ns: not one step is missed.
    scenario = Scenario("max_time", f"{8 * 16_742_706}ns", workers=8, step_time="59.7275fps", steps=1_000_000)
    schedule = simulate(scenario)
    assert int(schedule.steps["time_ns"][-1]) == round(999_999 * Fraction(10**13, 597_275))
    found = schedule.statistics(warmup_steps=16)
    assert found.inaction_fraction == 0
    assert found.interaction_steps_var == 0
    # Starts are at the exact offsets k·τ//N, so that every delay is 8 steps or one more.
    assert set(schedule.delay_steps[16:].tolist()) <= {8, 9}


# Sequential interaction.


@settings(max_examples=50)
@given(
    step=st.integers(1, 50),
    inference=st.integers(1, 300),
    learning=st.one_of(st.none(), st.integers(0, 300)),
    order=st.sampled_from(["act_learn", "learn_act"]),
)
def test_sequential_interaction_time_is_the_longer_of_step_and_inference_with_learning(
    step: int, inference: int, learning: int | None, order: str
) -> None:
    # Remark 1 (Riemer et al. 2025) with learning in the same process.
    total = inference + (learning or 0)
    schedule = simulate(
        Scenario(
            f"sequential(order={order})",
            f"{inference}ns",
            step_time=Fraction(step),
            steps=4000,
            learning_time=None if learning is None else f"{learning}ns",
        )
    )
    acted = np.flatnonzero(schedule.acted)
    assume(len(acted) > 10)
    gaps = len(acted) - 1
    mean = (acted[-1] - acted[0]) * step / gaps
    # The first and the last action are used less than a step after their release.
    assert abs(mean - max(step, total)) <= step / gaps
    found = schedule.statistics().interaction_time_s
    assert found == pytest.approx(mean / 1e9, rel=1e-12)


@settings(max_examples=50)
@given(
    step=st.integers(1, 50),
    inference=st.integers(1, 300),
    learning=st.one_of(st.none(), st.integers(0, 300)),
    order=st.sampled_from(["act_learn", "learn_act"]),
)
def test_sequential_waiting_for_observations_interacts_every_whole_number_of_steps(
    step: int, inference: int, learning: int | None, order: str
) -> None:
    total = inference + (learning or 0)
    schedule = simulate(
        Scenario(
            f"sequential(order={order}, wait_observation=true)",
            f"{inference}ns",
            step_time=Fraction(step),
            steps=1500,
            learning_time=None if learning is None else f"{learning}ns",
        )
    )
    acted = np.flatnonzero(schedule.acted)
    assume(len(acted) > 2)
    assert set(np.diff(acted).tolist()) == {-(-total // step)}


# Learning from every transition.


@settings(max_examples=40)
@given(step=st.integers(1, 10), learning=st.integers(5, 400), batch=st.integers(1, 8), learners=st.integers(1, 12))
def test_round_robin_learns_from_every_transition_iff_there_are_enough_learners(
    step: int, learning: int, batch: int, learners: int
) -> None:
    # Each of N learners lands B transitions every τ_L: N·B·τ_M/τ_L per step, at least one iff
    # N >= ⌈τ_L/(B τ_M)⌉.
    schedule = simulate(
        Scenario(
            "unstaggered",
            f"{step}ns",
            step_time=Fraction(step),
            steps=1000,
            learning_time=f"{learning}ns",
            learner_rule="round_robin",
            learners=learners,
            batch=batch,
        )
    )
    warm = learners * batch + -(-learning // step) + 1
    found = schedule.statistics(warmup_steps=warm)
    rate = Fraction(learners * batch * step, learning)
    # Over a window of T steps each learner lands ⌊T/τ_L⌋ times, or one or two more at its ends.
    assert abs(found.transitions_per_step - float(rate)) <= 2 * learners * batch / found.steps + 1e-9
    enough = learners >= -(-learning // (batch * step))
    assert enough == (rate >= 1)
    if enough:
        assert found.transitions_per_step >= 1 - 2 * learners * batch / found.steps


# A long run.

HOUR = """
import pathlib, resource, sys, time
from rtsim import Scenario, simulate
begin = time.perf_counter()
schedule = simulate(
    Scenario("max_time(initial_max=p99.99)", "lognorm(mean=1.1s, cv=0.02)", workers=72, step_time="59.7275fps",
             steps=215_019)
)
found = schedule.statistics(warmup_steps=300)
status = pathlib.Path("/proc/self/status")
if status.exists():  # Linux counts the process that started this one in ru_maxrss
    peak = 1024 * next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM"))
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(len(schedule), found.inaction_fraction, peak, time.perf_counter() - begin)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no resource module")
def test_game_boy_hour_with_72_workers_stays_below_half_a_gigabyte() -> None:
    # 3600 s · 59.7275 Hz = 215,019 steps. Threads of numeric libraries are not what is measured.
    environment = {**os.environ, "PYTHONPATH": str(Path(rtsim.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    begin = time.perf_counter()
    result = subprocess.run([sys.executable, "-c", HOUR], env=environment, capture_output=True, text=True, check=True)
    steps, inaction, peak, seconds = result.stdout.split()
    assert int(steps) == 215_019
    # 72 workers · 16.7 ms = 1.205 s: enough until a new maximum moves the offsets.
    assert float(inaction) < 0.05
    assert int(peak) < 500 * 2**20
    print(f"peak {int(peak) / 2**20:.0f} MiB, {float(seconds):.1f} s of {time.perf_counter() - begin:.1f} s")
