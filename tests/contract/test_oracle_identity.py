"""The SimPy clock against the naive oracle, column for column."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtsim.clocks import simulate
from rtsim.scenario import Scenario
from rtsim.schedule import Schedule
from rtsim.schedulers.registry import BUILTIN
from tests import oracle
from tests.contract.scenarios import RULES, scenarios


def difference(clock: Schedule, other: Schedule) -> str | None:
    """The first difference in any column or total, in words."""
    for table in ("steps", "updates", "spans"):
        assert list(getattr(clock, table)) == list(getattr(other, table))
    return clock.diff(other)


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=150)
@given(data=st.data())
def test_simpy_clock_random_scenario_equals_oracle(rule: str, data: st.DataObject) -> None:
    scenario = data.draw(scenarios(rule))
    found = difference(simulate(scenario, spans=True), oracle.simulate(scenario))
    assert found is None, f"{scenario.to_json()}\n{found}"


def test_rules_of_random_scenarios_are_all_built_in_ones() -> None:
    # A new rule must be given random options in scenarios.py.
    assert set(RULES) == set(BUILTIN)


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=15)
@given(data=st.data())
def test_rule_functions_memory_in_int64_arrays_gives_the_same_schedule(rule: str, data: st.DataObject) -> None:
    # The compiled clock runs the same source on int64 arrays.
    scenario = data.draw(scenarios(rule, max_steps=60))
    assert difference(oracle.simulate(scenario, arrays=True), oracle.simulate(scenario)) is None


@pytest.mark.parametrize("order", ["act_learn", "learn_act"])
def test_simpy_clock_zero_inference_with_learning_equals_oracle(order: str) -> None:
    # The inference at the end of the learning read observation 0; observation 1 is still unread.
    scenario = Scenario(f"sequential(order={order})", "0ms", step_time="10ms", learning_time="15ms", steps=20)
    assert difference(simulate(scenario, spans=True), oracle.simulate(scenario)) is None


def test_simpy_clock_merged_update_of_unequal_starts_equals_oracle() -> None:
    # An update of zero length keeps its learner from starting again before the next observation.
    scenario = Scenario(
        "unstaggered",
        "5ms",
        step_time="10ms",
        learning_time="mixture(0.5: 0ms, 0.5: 3ms)",
        learner_rule="parallel",
        learners=2,
        steps=50,
    )
    assert difference(simulate(scenario, spans=True), oracle.simulate(scenario)) is None


@pytest.mark.parametrize(
    ("rule", "inference", "learning"),
    [
        ("unstaggered", "10s", None),
        ("pipeline(layers=2)", "10s", None),
        ("unstaggered", "10ms", "10s"),
        ("sequential", "10ms", "10s"),
    ],
)
def test_busy_times_run_that_ends_in_the_middle_count_up_to_the_last_step(
    rule: str, inference: str, learning: str | None
) -> None:
    scenario = Scenario(rule, inference, step_time="20ms", learning_time=learning, steps=51)
    schedule = simulate(scenario)
    if learning is None:
        # One second of 51 steps; the first stage of two takes 5 s.
        assert schedule.busy_ns.tolist() == [10**9]
    else:
        begin = 0 if rule == "unstaggered" else 10_000_000
        assert schedule.learner_busy_ns.tolist() == [10**9 - begin]


@settings(max_examples=60)
@given(data=st.data(), rule=st.sampled_from([r for r in RULES if r != "pipeline"]))
def test_busy_times_of_what_has_ended_are_the_sum_of_the_spans(rule: str, data: st.DataObject) -> None:
    scenario = data.draw(scenarios(rule))
    schedule = simulate(scenario, spans=True)
    spans, last = schedule.spans, schedule.steps["time_ns"][-1]
    assert spans is not None
    for worker, busy in enumerate(schedule.busy_ns.tolist()):
        mine = spans["worker"] == worker
        ended = int((spans["end_ns"] - spans["start_ns"])[mine].sum())
        # One inference may be in flight at the last step.
        started = int(spans["end_ns"][mine][-1]) if mine.any() else 0
        assert ended <= busy <= ended + int(last) - started
