"""The clock told event by event, against the naive oracle."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtsim import Scenario
from rtsim.clocks.running import Landed, Learning, Lost, Published, Read, Started, events
from rtsim.errors import RuleFault
from rtsim.schedulers.registry import register
from rtsim.schedulers.rule import Program, Rule
from tests import oracle
from tests.contract.scenarios import RULES, scenarios


def told(scenario: Scenario) -> list:
    """Events up to the read of the scenario's last step."""
    found = []
    for event in events(scenario):
        found.append(event)
        if isinstance(event, Read) and event.step == scenario.steps - 1:
            return found
    raise AssertionError


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=40)
@given(data=st.data())
def test_events_random_scenario_are_those_of_the_oracle(rule: str, data: st.DataObject) -> None:
    scenario = data.draw(scenarios(rule))
    found, naive = told(scenario), oracle.Oracle(scenario)
    naive.run()

    begun = {event.decision: event for event in found if isinstance(event, Started)}
    assert list(begun) == list(range(len(begun)))
    # One that reads an observation, learns first and has not begun to infer when the run ends is not the oracle's.
    expected = [(i.worker, i.count, i.observation, i.version, i.component) for i in naive.inferences]
    shown = [(e.worker, e.inference, e.observation, e.version, e.component) for e in begun.values()]
    assert shown[: len(expected)] == expected
    assert len(shown) - len(expected) in ((0, 1) if scenario.program().learns == "before" else (0,))

    reads = [event for event in found if isinstance(event, Read)]
    for read, row in zip(reads, naive.rows, strict=True):
        assert read.time_ns == row["time_ns"]
        assert read.position == row["chunk_index"]
        by = begun.get(read.decision)
        assert (row["worker"], row["inference"]) == ((by.worker, by.inference) if by else (-1, -1))
    lost = sum(event.actions for event in found if isinstance(event, Lost))
    assert lost == sum(row["overwritten"] + row["dropped"] for row in naive.rows)


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=20)
@given(data=st.data())
def test_events_random_scenario_come_in_order_and_settle_every_action_once(rule: str, data: st.DataObject) -> None:
    scenario = data.draw(scenarios(rule))
    left: dict[int, int] = {}
    time, step, over = 0, -1, True
    for event in told(scenario):
        assert event.time_ns >= time
        time = event.time_ns
        if isinstance(event, Published):
            assert over
            assert event.step == step + 1
            step, over = event.step, False
        elif isinstance(event, Started):
            assert event.observation == step
            left[event.decision] = scenario.program().chunk
        elif isinstance(event, Lost):
            left[event.decision] -= event.actions
        elif isinstance(event, Read):
            assert event.step == step
            over = True
            if event.decision >= 0:
                left[event.decision] -= 1
    assert all(count >= 0 for count in left.values())


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=30)
@given(data=st.data())
def test_events_updates_begin_and_land_with_the_versions_and_data_of_the_oracle(rule: str, data: st.DataObject) -> None:
    scenario = data.draw(scenarios(rule).filter(lambda s: s.learning_time is not None))
    naive = oracle.Oracle(scenario)
    naive.run()
    version, step, begun, updates, ahead = 0, -1, {}, [], []
    for event in told(scenario):
        if isinstance(event, Published):
            step = event.step
        elif isinstance(event, Learning):
            assert (event.step, event.version) == (step, version)
            assert event.learner not in begun
            begun[event.learner] = event
        elif isinstance(event, Landed):
            gradients = [begun.pop(k) for k in event.learners]
            for each in [min(gradients, key=lambda g: (g.time_ns, g.step))] if event.merged else gradients:
                version += 1
                updates.append((each.time_ns, event.time_ns, each.step, each.version, version))
                assert event.merged or each.learner == naive.updates[version - 1]["learner"]
        elif isinstance(event, Started):
            ahead.append(event.version - version)
    keys = ("start_ns", "land_ns", "data_step", "read_version", "version")
    assert updates == [tuple(update[key] for key in keys) for update in naive.updates]
    # What learns first is told of when it looks.
    assert set(ahead) <= ({0, 1} if scenario.program().learns == "before" else {0})


def test_events_do_not_end_and_keep_only_what_is_under_way() -> None:
    scenario = Scenario("unstaggered", "30ms", workers=3, step_time="10ms", steps=1)
    stream = events(scenario)
    last = next(itertools.islice(stream, 20_000, None))
    assert last.time_ns > 20 * 10**9
    clock = stream.gi_frame.f_locals["clock"]
    assert len(clock._left) <= 6
    assert len(clock._observations) <= 6
    assert all(len(column) <= 6 for column in clock.inferences.values())


def test_events_of_a_rule_that_fails_say_which_rule() -> None:
    def next_start(now, worker, step, step_start, params, state):
        return [][0]

    def on_end(now, worker, started, observation, step, step_start, params, state):
        return now, now

    register(Rule("faulty", "fails", "a test", prepare=lambda options, setting: Program(next_start, on_end)))
    with pytest.raises(RuleFault, match="faulty"):
        list(itertools.islice(events(Scenario("faulty", "1ms")), 10))
