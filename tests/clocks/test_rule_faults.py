"""A rule that breaks its contract is stopped by the clock, with one line that says how."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest

from rtsim.clocks import simulate
from rtsim.errors import RtsimError, RuleFault
from rtsim.scenario import Scenario
from rtsim.schedulers import DROP, Program, Rule, RuleSpec, at_step


def start_now(now: int, worker: int, step: int, step_start: int, params: object, state: object) -> int:
    return now


def release_now(
    now: int, worker: int, started: int, observation: int, step: int, step_start: int, params: object, state: object
) -> tuple[int, int]:
    return now, now


def scenario(
    next_start: Callable[..., int] = start_now, on_end: Callable[..., tuple[int, int]] = release_now
) -> Scenario:
    rule = Rule("faulty", "breaks its contract", "this test", lambda options, setting: Program(next_start, on_end))
    return Scenario(RuleSpec(rule, {}), "15ns", step_time=Fraction(10), steps=20)


@pytest.mark.parametrize(
    "next_start",
    [
        lambda now, w, step, *_: now - 1 if now else now,
        lambda now, w, step, *_: at_step(step),
        lambda now, w, step, *_: at_step(step - 1) if step else now,
    ],
    ids=["earlier time", "this step", "earlier step"],
)
def test_next_start_in_the_past_is_a_rule_fault(next_start: Callable[..., int]) -> None:
    with pytest.raises(RuleFault, match="faulty") as caught:
        simulate(scenario(next_start))
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, RtsimError)


@pytest.mark.parametrize(
    "on_end",
    [
        lambda now, w, started, o, step, *_: (now - 1, now),
        lambda now, w, started, o, step, *_: (now, now - 1),
        lambda now, w, started, o, step, *_: (at_step(step), now),
        lambda now, w, started, o, step, *_: (at_step(o), now),
        lambda now, w, started, o, step, *_: (now, at_step(step + 1)),
    ],
    ids=["release earlier", "free earlier", "held for this step", "held for an earlier step", "free at a step"],
)
def test_on_end_in_the_past_is_a_rule_fault(on_end: Callable[..., tuple[int, int]]) -> None:
    with pytest.raises(RuleFault, match="faulty") as caught:
        simulate(scenario(on_end=on_end))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ({"chunk": 2}, "actions_per_inference is 1"),
        ({"stages": 3}, "inferences_in_flight is 1"),
        ({"learns": "after"}, "learns_inline is False"),
    ],
)
def test_rule_whose_program_is_not_what_it_says_is_a_rule_fault(program: dict[str, Any], said: str) -> None:
    rule = Rule("boastful", "", "", lambda options, setting: Program(start_now, release_now, **program))
    with pytest.raises(RuleFault, match=said):
        simulate(Scenario(RuleSpec(rule, {}), "15ns", step_time=Fraction(10), steps=20))


def test_rule_that_drops_everything_never_acts() -> None:
    schedule = simulate(scenario(on_end=lambda now, *_: (DROP, now)), spans=True)
    assert not schedule.acted.any()
    assert schedule.steps["dropped"].sum() == schedule.steps["released"].sum() == 12
    assert schedule.totals["pending"] == 0


def test_rule_that_holds_beyond_the_run_leaves_nothing_behind() -> None:
    schedule = simulate(scenario(on_end=lambda now, *_: (at_step(10**9), now)), spans=True)
    assert not schedule.acted.any()
    assert schedule.steps["released"].sum() == 0
    assert schedule.spans is not None
    assert set(schedule.spans["release_ns"].tolist()) == {-1}


def test_rule_asks_to_be_asked_again_at_any_time_or_step() -> None:
    # Times between steps, and steps further ahead.
    def start(now: int, worker: int, step: int, step_start: int, params: object, state: list[int]) -> int:
        answers = [13, 13, at_step(5), 50]
        answer = answers[state[0]] if state[0] < 4 else at_step(10**6)
        state[0] += 1
        return answer

    rule = Rule("patient", "", "", lambda options, setting: Program(start, release_now, [], [0]))
    schedule = simulate(Scenario(RuleSpec(rule, {}), "15ns", step_time=Fraction(10), steps=20), spans=True)
    assert schedule.spans is not None
    # Starts at 13 (asked at 0, again at 13), and at step 5 exactly.
    assert schedule.spans["start_ns"].tolist() == [13, 50]
    assert schedule.spans["observation"].tolist() == [1, 5]
    assert schedule.acted.tolist() == [i in (3, 7) for i in range(20)]
