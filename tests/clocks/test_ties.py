"""What happens at the same instant, and the delays that follow from it."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtsim.clocks import simulate
from rtsim.scenario import Scenario
from rtsim.schedule import Schedule
from rtsim.schedulers.registry import BUILTIN


def run(
    rule: str, inference: str, workers: int = 1, steps: int = 60, step: object = Fraction(10), **rest: object
) -> Schedule:
    scenario = Scenario(rule, inference, workers=workers, step_time=step, steps=steps, **rest)  # type: ignore[arg-type]
    return simulate(scenario, spans=True)


@pytest.mark.parametrize(
    "rule", ["unstaggered", "sequential", "max_time", "exp_time", "phase_locked", "chunking(size=1)"]
)
@pytest.mark.parametrize("k", [1, 2, 3, 7])
def test_inference_of_exactly_k_steps_has_delay_k(rule: str, k: int) -> None:
    # An inference that ends at the start of a step is in time for it.
    schedule = run(rule, f"{10 * k}ns")
    assert schedule.acted.tolist() == [i >= k and i % k == 0 for i in range(60)]
    assert set(schedule.delay_steps.tolist()) == {k}


@pytest.mark.parametrize("rule", ["unstaggered", "max_time", "exp_time"])
@pytest.mark.parametrize("k", [1, 2, 7])
def test_inference_of_one_nanosecond_more_than_k_steps_has_delay_k_plus_one(rule: str, k: int) -> None:
    schedule = run(f"{rule}", f"{10 * k + 1}ns", step=Fraction(10))
    assert int(schedule.delay_steps[0]) == k + 1


def test_inference_of_one_nanosecond_less_than_k_steps_has_delay_k() -> None:
    assert run("sequential(wait_observation=true)", "29ns").delay_steps.tolist()[:3] == [3, 3, 3]


def test_action_released_at_a_step_overwrites_one_released_between_steps() -> None:
    # Worker 0 (stretched to 25 by its start) and worker 1 release at 20 and 20: the later worker wins.
    schedule = run("unstaggered", "20ns", workers=2)
    assert schedule.steps["worker"][[2, 4, 6]].tolist() == [1, 1, 1]
    assert schedule.steps["overwritten"][[2, 4, 6]].tolist() == [1, 1, 1]


def test_worker_freed_at_a_step_reads_the_observation_of_that_step() -> None:
    schedule = run("unstaggered", "20ns")
    assert schedule.spans is not None
    assert schedule.spans["observation"].tolist()[:4] == [0, 2, 4, 6]


def test_rule_memory_is_updated_by_all_ends_before_any_start() -> None:
    # Both workers end at 30 with different times; worker 0 must already know worker 1's maximum
    # when it is asked: dist(0, 1) = 1 place later, 10/2 ns.
    schedule = run("max_time(initial_max=20ns)", "30ns", workers=2, steps=12)
    assert schedule.spans is not None
    # Offsets 0 and 10: worker 0 ends at 30 and adds 10·1/2 = 5 to worker 1's next sleep.
    mine = schedule.spans["worker"] == 1
    assert schedule.spans["start_ns"][mine].tolist()[:3] == [10, 45, 75]


# Zero times.


@pytest.mark.parametrize(
    "rule",
    [
        "sequential",
        "unstaggered",
        "max_time",
        "exp_time",
        "phase_locked",
        "chunking(size=1)",
        "pipeline",
        "pipeline(skip=true)",
    ],
)
@pytest.mark.parametrize("step", ["10ns", "59.7275fps", "exp(mean=16ms)"])
def test_zero_inference_time_is_the_pausing_mdp(rule: str, step: str) -> None:
    schedule = run(rule, "0ns", step=step)
    assert schedule.acted.all()
    assert not schedule.delay_steps.any()
    for name in ("start_ns", "end_ns", "release_ns"):
        assert np.array_equal(schedule.steps[name], schedule.steps["time_ns"])


@pytest.mark.parametrize(
    ("rule", "delay"),
    [("one_step_lag", 1), ("time_triggered(deadline=3steps)", 3), ("earliest_deadline(deadline=3steps)", 3)],
)
def test_zero_inference_time_of_a_rule_that_holds_actions_has_its_delay(rule: str, delay: int) -> None:
    schedule = run(rule, "0ns", workers=3)
    assert schedule.acted.tolist() == [i >= delay for i in range(60)]
    assert set(schedule.delay_steps.tolist()) == {delay}


@pytest.mark.parametrize("rule", ["unstaggered", "max_time", "exp_time", "phase_locked"])
def test_zero_inference_time_every_worker_infers_once_per_observation(rule: str) -> None:
    schedule = run(rule, "0ns", workers=4)
    assert schedule.steps["released"].tolist() == [4] * 60
    assert schedule.steps["overwritten"].tolist() == [3] * 60
    assert set(schedule.steps["worker"].tolist()) == {3}
    assert schedule.busy_ns.tolist() == [0] * 4


@pytest.mark.parametrize("rule", sorted(BUILTIN))
def test_sometimes_zero_inference_time_is_used_at_most_once_per_worker_and_observation(rule: str) -> None:
    schedule = run(
        rule, "mixture(0.7: 0ns, 0.3: 25ns)", workers=3, steps=400, learning_time="mixture(0.5: 0ns, 0.5: 7ns)"
    )
    spans = schedule.spans
    assert spans is not None
    zero = spans["start_ns"] == spans["end_ns"]
    keys = list(zip(spans["worker"][zero].tolist(), spans["observation"][zero].tolist(), strict=True))
    assert len(keys) > 20
    assert len(set(keys)) == len(keys)


def test_zero_learning_time_after_acting_keeps_one_action_per_step() -> None:
    schedule = run("sequential", "0ns", learning_time="0ns")
    assert schedule.acted.all()
    assert schedule.updates["data_step"].tolist() == list(range(60))
    # Acting comes first: step i acts with the parameters of i updates.
    assert schedule.steps["version"].tolist() == list(range(60))
    before = run("sequential(order=learn_act)", "0ns", learning_time="0ns")
    assert before.steps["version"].tolist() == list(range(1, 61))


def test_zero_inference_time_after_learning_starts_on_the_next_unread_observation() -> None:
    # Learning takes a step and a half: starts at 0, 15, 30, …; mean interaction time 15 ns.
    schedule = run("sequential(order=learn_act)", "0ns", learning_time="15ns", steps=1000)
    found = schedule.statistics(warmup_steps=10).interaction_steps
    assert found == pytest.approx(1.5, abs=0.01)


# The delay by its definition.

STEPS = st.one_of(
    st.fractions(min_value=1, max_value=50, max_denominator=60),
    st.sampled_from(["empirical(3ns, 10ns, 29ns)", "exp(mean=20ns)", "uniform(1ns, 40ns)", "empirical(0ns, 8ns)"]),
)


@settings(max_examples=150)
@given(
    step=STEPS,
    tau=st.integers(0, 200),
    seed=st.integers(0, 1000),
    rule=st.sampled_from(["sequential(wait_observation=true)", "one_step_lag"]),
)
def test_delay_inference_started_at_a_step_is_the_first_step_it_is_ready_for(
    step: object, tau: int, seed: int, rule: str
) -> None:
    # delay = min{d : t_{i+d} >= t_i + τ}; one-step lag has at least 1.
    schedule = run(rule, f"{tau}ns", step=step, steps=120, seed=seed)
    times = schedule.steps["time_ns"]
    for at in np.flatnonzero(schedule.acted).tolist():
        i = int(schedule.steps["observation"][at])
        assert schedule.steps["start_ns"][at] == times[i]
        ready = int(np.searchsorted(times, times[i] + tau, side="left"))
        assert at == max(ready, i + (rule == "one_step_lag"))


@settings(max_examples=100)
@given(step=STEPS, low=st.integers(0, 100), seed=st.integers(0, 1000), workers=st.integers(1, 5))
def test_delay_unaligned_start_is_at_least_the_ceiling_and_its_action_takes_the_next_step(
    step: object, low: int, seed: int, workers: int
) -> None:
    schedule = run("unstaggered", f"uniform({low}ns, {low + 50}ns)", workers, 120, step, seed=seed)
    times, steps = schedule.steps["time_ns"], schedule.steps
    for at in np.flatnonzero(schedule.acted).tolist():
        assert at == int(np.searchsorted(times, steps["release_ns"][at], side="left"))
        assert steps["observation"][at] == int(np.searchsorted(times, steps["start_ns"][at], side="right")) - 1


@settings(max_examples=60)
@given(k=st.integers(1, 9), part=st.integers(1, 9))
def test_delay_unaligned_start_of_equal_steps_is_the_ceiling_or_one_more(k: int, part: int) -> None:
    # Definition 1 has ⌈τ/τ_M⌉ alone; with unaligned starts one more occurs as well.
    tau = 10 * (k - 1) + part
    schedule = run("unstaggered", f"{tau}ns", steps=400)
    assert set(schedule.delay_steps.tolist()) <= {k, k + 1}
    assert schedule.delay_steps[0] == k


# The queue.


@pytest.mark.parametrize("capacity", [1, 2, 5])
def test_queue_full_drops_the_newest_and_keeps_the_order(capacity: int) -> None:
    schedule = run("unstaggered", "10ns", workers=4, steps=20, mailbox=f"fifo({capacity})")
    # Four come before every step from 1 on, one is taken.
    kept = min(capacity, 4)
    assert schedule.steps["released"].tolist() == [0] + [4] * 19
    assert schedule.steps["dropped"].tolist()[1] == 4 - kept
    assert schedule.steps["dropped"][capacity + 1 :].tolist() == [3] * (19 - capacity)
    assert schedule.totals["pending"] == capacity - 1
    keys = list(zip(schedule.steps["observation"][1:].tolist(), schedule.steps["worker"][1:].tolist(), strict=True))
    assert keys == sorted(keys)


def test_queue_of_one_keeps_the_first_where_the_mailbox_keeps_the_last() -> None:
    first = run("unstaggered", "10ns", workers=3, mailbox="fifo(1)")
    last = run("unstaggered", "10ns", workers=3)
    assert set(first.steps["worker"][1:].tolist()) == {0}
    assert set(last.steps["worker"][1:].tolist()) == {2}
    assert first.steps["dropped"][1:].tolist() == last.steps["overwritten"][1:].tolist() == [2] * 59


# Overheads and components.


def test_dispatch_time_lengthens_the_inference_that_the_rule_sees() -> None:
    whole = run("max_time", "30ns", workers=4)
    parts = run("max_time", "25ns", workers=4, dispatch_time="5ns")
    assert whole.diff(parts) is None
    # The draws of the inference itself are not touched by it.
    bare = run("unstaggered", "lognorm(mean=30ns, cv=0.5)", workers=2)
    more = run("unstaggered", "lognorm(mean=30ns, cv=0.5)", workers=2, dispatch_time="100ns")
    assert bare.spans is not None
    assert more.spans is not None
    for worker in (0, 1):
        a, b = ((s["end_ns"] - s["start_ns"])[s["worker"] == worker] for s in (bare.spans, more.spans))
        assert np.array_equal(a[: len(b)] + 100, b)


def test_component_of_a_mixture_is_recorded_where_its_action_is_used() -> None:
    schedule = run("unstaggered", "mixture(0.25: 15ns, 0.75: 35ns)", workers=3, steps=300)
    acted = schedule.acted
    times = (schedule.steps["end_ns"] - schedule.steps["start_ns"])[acted]
    assert set(times.tolist()) == {15, 35}
    assert np.array_equal(schedule.steps["component"][acted], (times == 35).astype(np.int8))
    assert (schedule.steps["component"][~acted] == -1).all()


def test_annealed_components_move_from_the_first_law_to_the_second() -> None:
    # Probability 1 at first, 0 after ten inferences of the worker.
    schedule = run("unstaggered", "anneal(15ns, 35ns, start=1, end=0, over=10)", workers=2, steps=300)
    spans = schedule.spans
    assert spans is not None
    times = spans["end_ns"] - spans["start_ns"]
    assert (times[spans["inference"] == 0] == 15).all()
    assert (times[spans["inference"] >= 10] == 35).all()
    middle = times[(spans["inference"] > 0) & (spans["inference"] < 10)]
    assert set(middle.tolist()) == {15, 35}
