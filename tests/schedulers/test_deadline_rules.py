"""Logical execution time and earliest deadline first, on examples worked out by hand."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtsim.clocks import simulate
from rtsim.errors import InvalidValue
from rtsim.scenario import Scenario
from rtsim.schedule import Schedule
from rtsim.schedulers import DROP, Program, RuleSpec, Setting, Steps, at_step
from rtsim.timing import law


def run(rule: str, inference: str, workers: int, steps: int = 12, step: int = 10) -> Schedule:
    return simulate(Scenario(rule, inference, workers=workers, step_time=Fraction(step), steps=steps), spans=True)


def starts(schedule: Schedule) -> list[tuple[int, int]]:
    """(start, worker) of all finished inferences, in order of start."""
    assert schedule.spans is not None
    return sorted(zip(schedule.spans["start_ns"].tolist(), schedule.spans["worker"].tolist(), strict=True))


# Time-triggered.


def test_time_triggered_lowest_idle_worker_starts_on_every_step() -> None:
    # 35 ns are three and a half steps: worker 0 is idle again at step 4.
    schedule = run("time_triggered(deadline=5steps)", "35ns", workers=6)
    assert starts(schedule) == [(0, 0), (10, 1), (20, 2), (30, 3), (40, 0), (50, 1), (60, 2), (70, 3)]


def test_time_triggered_no_idle_worker_loses_the_slot() -> None:
    schedule = run("time_triggered(deadline=5steps)", "35ns", workers=3, steps=13)
    assert [t for t, _ in starts(schedule)] == [0, 10, 20, 40, 50, 60, 80]
    # Steps 5, 6, 7, then 9, 10, 11: step 8 would have used observation 3.
    assert [i for i, a in enumerate(schedule.acted.tolist()) if a] == [5, 6, 7, 9, 10, 11]


@pytest.mark.parametrize("inference", ["0ns", "1ns", "10ns", "35ns", "50ns"])
def test_time_triggered_action_is_released_exactly_d_steps_later(inference: str) -> None:
    schedule = run("time_triggered(deadline=5steps)", inference, workers=8, steps=50)
    assert schedule.acted.tolist() == [i >= 5 for i in range(50)]
    assert set(schedule.delay_steps.tolist()) == {5}
    assert (schedule.steps["release_ns"] == schedule.steps["time_ns"])[5:].all()
    assert schedule.steps["overwritten"].sum() == schedule.steps["dropped"].sum() == 0


def test_time_triggered_late_actions_are_dropped_and_counted() -> None:
    schedule = run("time_triggered(deadline=3steps)", "35ns", workers=8)
    assert not schedule.acted.any()
    # They end at 35, 45, …, and are counted at the step that reads next.
    assert schedule.steps["dropped"].tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1]
    assert schedule.steps["released"].tolist() == schedule.steps["dropped"].tolist()
    assert schedule.spans is not None
    assert set(schedule.spans["release_ns"].tolist()) == {-1}


def test_time_triggered_late_actions_may_be_released_late() -> None:
    schedule = run("time_triggered(deadline=3steps, late=release)", "35ns", workers=8)
    assert schedule.acted.tolist() == [i >= 4 for i in range(12)]
    assert set(schedule.delay_steps.tolist()) == {4}
    assert schedule.steps["release_ns"][4:7].tolist() == [35, 45, 55]


@pytest.mark.parametrize("late", ["drop", "release"])
def test_time_triggered_inference_that_ends_at_its_deadline_is_in_time(late: str) -> None:
    schedule = run(f"time_triggered(deadline=3steps, late={late})", "30ns", workers=8)
    assert schedule.acted.tolist() == [i >= 3 for i in range(12)]
    assert set(schedule.delay_steps.tolist()) == {3}


def test_time_triggered_functions_hold_release_and_drop() -> None:
    program = RuleSpec.of("time_triggered(deadline=3steps)").program(Setting(2, law("35ns"), Fraction(10)))

    def end(now: int, step: int) -> tuple[int, int]:
        return program.on_end(now, 0, 0, 4, step, step * 10, program.params, program.state)

    assert end(65, 6) == (at_step(7), 65)
    assert end(70, 7) == (70, 70)
    assert end(71, 7) == (DROP, 71)
    assert end(95, 9) == (DROP, 95)


def test_time_triggered_start_between_steps_waits_for_the_next() -> None:
    program = RuleSpec.of("time_triggered(deadline=3steps)").program(Setting(2, law("35ns"), Fraction(10)))

    def start(now: int, step: int, worker: int) -> int:
        return program.next_start(now, worker, step, step * 10, program.params, program.state)

    assert start(45, 4, 0) == at_step(5)
    assert start(50, 5, 1) == 50
    assert start(50, 5, 0) == at_step(6)


@pytest.mark.parametrize(
    ("option", "inference", "step", "expected"),
    [
        ("p50", "uniform(60ms, 100ms)", "20ms", 4),
        ("p51", "uniform(60ms, 100ms)", "20ms", 5),
        ("p100", "uniform(60ms, 100ms)", "20ms", 5),
        ("80ms", "1ms", "20ms", 4),
        ("81ms", "1ms", "20ms", 5),
        ("1ns", "1ms", "20ms", 1),
        ("0ms", "1ms", "20ms", 1),
        ("p50", "0ms", "20ms", 1),
        ("7steps", "1ms", "20ms", 7),
        ("16742706ns", "1ms", "59.7275fps", 1),
        # A step of the Game Boy is 16742706 or 16742707 ns: one of them need not cover the longer.
        ("16742707ns", "1ms", "59.7275fps", 2),
        ("33485412ns", "1ms", "59.7275fps", 2),
        ("33485413ns", "1ms", "59.7275fps", 3),
    ],
)
@pytest.mark.parametrize("rule", ["time_triggered", "earliest_deadline"])
def test_deadline_option_is_the_fewest_steps_that_cover_it(
    rule: str, option: str, inference: str, step: str, expected: int
) -> None:
    text = f"{rule}(deadline={option}" + (", give_up=0ms)" if rule == "earliest_deadline" else ")")
    scenario = Scenario(text, inference, step_time=step)
    assert scenario.program().params[0] == expected


@settings(max_examples=300)
@given(
    st.fractions(min_value=1, max_value=10**6, max_denominator=10**4),
    st.integers(0, 10**7),
)
def test_deadline_of_a_time_is_covered_by_that_many_steps_wherever_they_start(period: Fraction, time: int) -> None:
    setting = Setting(1, law("1s"), period)
    count = setting.steps(time / 1e9, "deadline")
    # The shortest span of D steps of a fixed rate is ⌊D · period⌋ ns.
    assert math.floor(count * period) >= time
    assert count == 1 or math.floor((count - 1) * period) < time


@pytest.mark.parametrize(
    ("rate", "time", "expected"), [("60fps", "50ms", 3), ("60fps", "100ms", 6), ("24fps", "125ms", 3)]
)
def test_deadline_of_whole_steps_of_a_rate_is_that_many(rate: str, time: str, expected: int) -> None:
    # Three steps of 60 Hz are 50 ms, to the nanosecond and wherever they start.
    scenario = Scenario(f"time_triggered(deadline={time})", "1ms", step_time=rate)
    assert scenario.program().params[0] == expected


def test_deadline_default_covers_nearly_all_inferences() -> None:
    scenario = Scenario("time_triggered", "lognorm(mean=84ms, cv=0.3)")
    deadline = scenario.program().params[0]
    assert deadline == math.ceil(scenario.inference_time.quantile(0.9999) / scenario.step_mean)
    assert RuleSpec.of("time_triggered").options["late"] == "drop"


@pytest.mark.parametrize("rule", ["time_triggered", "earliest_deadline"])
def test_deadline_of_a_quantile_covers_the_dispatch_time(rule: str) -> None:
    # 30 ms and 5 ms: four steps of 10 ms.
    scenario = Scenario(rule, "30ms", workers=8, step_time="10ms", steps=60, dispatch_time="5ms")
    assert scenario.program().params[0] == 4
    assert simulate(scenario).acted.tolist() == [i >= 4 for i in range(60)]


# Earliest deadline first.


def slots(give_up: str = "15ns", deadline: str = "4steps", late: str = "drop", workers: int = 3) -> Program:
    text = f"earliest_deadline(deadline={deadline}, give_up={give_up}, late={late})"
    return RuleSpec.of(text).program(Setting(workers, law("20ns"), Fraction(10)))


def ask(program: Program, now: int, worker: int = 0) -> int:
    step = now // 10
    return program.next_start(now, worker, step, step * 10, program.params, program.state)


def end(program: Program, now: int, worker: int = 0) -> tuple[int, int]:
    step = now // 10
    return program.on_end(now, worker, 0, 0, step, step * 10, program.params, program.state)


def test_earliest_deadline_each_step_opens_one_slot() -> None:
    program = slots()
    assert ask(program, 0, 0) == 0  # takes the slot due at step 4
    assert ask(program, 0, 1) == at_step(1)  # none is open
    assert ask(program, 10, 1) == 10  # due at step 5
    assert ask(program, 25, 2) == 25  # due at step 6, read at once
    assert end(program, 29, 0) == (at_step(4), 29)
    assert end(program, 31, 1) == (at_step(5), 31)
    assert end(program, 55, 2) == (at_step(6), 55)


def test_earliest_deadline_oldest_slot_that_can_be_met_is_taken_first() -> None:
    program = slots()
    # At t = 35 the slots due at 4, 5, 6, 7 are open, with 5, 15, 25, 35 ns left.
    assert ask(program, 35, 0) == 35
    assert end(program, 40, 0) == (at_step(5), 40)
    assert ask(program, 40, 0) == 40
    assert end(program, 45, 0) == (at_step(6), 45)


def test_earliest_deadline_slot_with_less_time_left_than_needed_is_given_up() -> None:
    program = slots()
    # At t = 36 there are 4, 14, 24, 34 ns left: two are given up.
    assert ask(program, 36, 0) == 36
    assert end(program, 40, 0) == (at_step(6), 40)
    assert ask(program, 40, 1) == 40
    assert end(program, 45, 1) == (at_step(7), 45)


def test_earliest_deadline_no_slot_that_can_be_met_waits_for_the_next_step() -> None:
    program = slots(give_up="39ns")
    assert ask(program, 2, 0) == at_step(1)
    assert ask(program, 10, 0) == 10


@pytest.mark.parametrize(("late", "expected"), [("drop", DROP), ("release", 41)])
def test_earliest_deadline_late_action_is_dropped_or_released(late: str, expected: int) -> None:
    program = slots(late=late)
    ask(program, 0, 0)
    assert end(program, 41, 0) == (expected, 41)
    other = slots(late=late)
    ask(other, 0, 0)
    assert end(other, 40, 0) == (40, 40)


def test_earliest_deadline_uses_the_time_that_time_triggered_loses() -> None:
    # 35 ns, three workers: at t = 35 worker 0 takes the slot of step 3 on observation 3.
    schedule = run("earliest_deadline(deadline=8steps, give_up=35ns)", "35ns", workers=3, steps=30)
    assert starts(schedule)[:8] == [(0, 0), (10, 1), (20, 2), (35, 0), (45, 1), (55, 2), (70, 0), (80, 1)]
    assert schedule.steps["observation"].tolist()[8:16] == [0, 1, 2, 3, 4, 5, 7, 8]


def test_earliest_deadline_enough_workers_act_on_every_step_after_the_first_d() -> None:
    schedule = run("earliest_deadline(deadline=5steps)", "35ns", workers=4, steps=60)
    assert schedule.acted.tolist() == [i >= 5 for i in range(60)]


def test_earliest_deadline_adaptive_give_up_rises_on_late_and_falls_on_timely_actions() -> None:
    # Lowest: the median, 20 ms; highest: 400 steps of 10 ms; one late action moves it a hundredth
    # of the way, a timely one a hundredth of that back.
    text = "earliest_deadline(deadline=400steps)"
    program = RuleSpec.of(text).program(Setting(1, law("lognorm(mean=20ms, cv=0.0001)"), Fraction(10**7)))
    lowest = program.state[1]
    assert lowest == pytest.approx(20e6, rel=1e-6)
    gain = (4_000_000_000 - lowest) // 100

    def finish(late: bool) -> int:
        program.state[2] = 10
        program.on_end(int(1.5e7), 0, 0, 0, 11 if late else 1, 0, program.params, program.state)
        return program.state[1]

    assert finish(late=False) == lowest
    assert finish(late=True) == lowest + gain
    assert finish(late=False) == lowest + gain - gain // 100
    for _ in range(150):
        finish(late=True)
    assert program.state[1] == 4_000_000_000
    for _ in range(20_000):
        finish(late=False)
    assert program.state[1] == lowest


def test_earliest_deadline_fixed_give_up_does_not_adapt() -> None:
    program = slots()
    for now in (0, 41, 77, 95):
        ask(program, now)
        end(program, now + 60)
        assert program.state[1] == 15


def test_earliest_deadline_that_no_inference_could_meet_is_refused() -> None:
    with pytest.raises(InvalidValue, match="later deadline"):
        slots(give_up="41ns")
    assert ask(slots(give_up="40ns"), 0) == 0
    with pytest.raises(InvalidValue, match="later deadline"):
        Scenario("earliest_deadline(deadline=1steps)", "84ms").program()


def test_deadline_above_the_limit_is_refused() -> None:
    with pytest.raises(InvalidValue, match="146 years"):
        Scenario("time_triggered(deadline=1000000000steps)", "1ms", step_time="10s").program()
    with pytest.raises(InvalidValue, match="p100"):
        Scenario("time_triggered(deadline=p100)", "exp(1ms)").program()


def test_deadline_option_keeps_what_was_given() -> None:
    assert RuleSpec.of("time_triggered", deadline="40steps").options["deadline"] == Steps(40)
    assert RuleSpec.of("time_triggered", deadline=Steps(40)).options["deadline"] == Steps(40)
    assert RuleSpec.of("time_triggered", deadline=0.5).options["deadline"] == 0.5
