"""Everything that decides a Schedule: its values, its text, and what is refused."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtsim.clocks import simulate
from rtsim.errors import InvalidValue, RtsimError, UnknownName
from rtsim.scenario import Mailbox, Scenario, spell_step_time
from rtsim.schedulers import RuleSpec
from rtsim.timing import Constant, law, step_period
from tests.contract.scenarios import RULES, scenarios


@settings(max_examples=200)
@given(st.sampled_from(RULES).flatmap(scenarios))
def test_scenario_settings_are_read_back_as_the_same_scenario(scenario: Scenario) -> None:
    text = json.dumps(scenario.to_json())
    again = Scenario.from_json(json.loads(text))
    assert again == scenario
    assert json.dumps(again.to_json()) == text


@settings(max_examples=30)
@given(st.sampled_from(RULES).flatmap(lambda rule: scenarios(rule, max_steps=40)))
def test_scenario_read_back_from_a_schedule_makes_the_same_bytes(scenario: Scenario) -> None:
    schedule = simulate(scenario)
    again = simulate(Scenario.from_json(schedule.settings))
    assert again.to_bytes() == schedule.to_bytes()


@pytest.mark.parametrize(
    "step",
    [
        "59.7275fps",
        "60fps",
        "50fps",
        "29.97fps",
        "16.7ms",
        "16.7427064ms",
        "1ns",
        "2.5ns",
        0.02,
        Fraction(20_000_000),
        Fraction(10**13, 597_275),
        Fraction(50_000_000, 3),
        "exp(mean=16ms)",
        "lognorm(mean=16ms, cv=0.1)",
        Fraction(100_000_001, 7),
        Fraction(59_000_001, 59),
        "lognorm(mean=16ms, cv=0.12345678)",
    ],
)
def test_scenario_step_time_is_read_back_as_the_same(step: Any) -> None:
    scenario = Scenario("unstaggered", "84ms", step_time=step)
    assert Scenario.from_json(scenario.to_json()).step_time == scenario.step_time


@settings(max_examples=300)
@given(st.one_of(st.integers(1, 10**6).map(lambda n: f"{n / 1000}fps"), st.integers(1, 10**9).map(lambda n: f"{n}ns")))
def test_spell_step_time_of_a_text_is_read_back_as_the_same(text: str) -> None:
    period = step_period(text)
    assert step_period(spell_step_time(period)) == period


def test_scenario_values_are_read_from_texts_and_numbers() -> None:
    scenario = Scenario("max_time", 0.084, 3, "50fps", 100, 7, "fifo(4)", "1ms", "0.2", "lock_free", 2, 10, 32)
    assert scenario.rule == RuleSpec.of("max_time")
    assert scenario.inference_time == Constant(0.084)
    assert scenario.dispatch_time == Constant(0.001)
    assert scenario.learning_time == Constant(0.2)
    assert scenario.step_time == Fraction(20_000_000)
    assert scenario.mailbox == Mailbox("fifo", 4)
    settings = scenario.to_json()
    assert step_period(settings.pop("step_time")) == 20_000_000
    assert settings == {
        "rule": "max_time",
        "inference_time": "84ms",
        "workers": 3,
        "steps": 100,
        "seed": 7,
        "mailbox": "fifo(4)",
        "dispatch_time": "1ms",
        "learning_time": "200ms",
        "learner_rule": "lock_free",
        "learners": 2,
        "learning_starts": 10,
        "batch": 32,
    }


def test_scenario_with_changes_keeps_the_rest() -> None:
    scenario = Scenario("max_time", "84ms", workers=3, mailbox="fifo(4)", learning_time="1s")
    other = scenario.with_(workers=5)
    assert other.workers == 5
    assert other.with_(workers=3) == scenario
    # From one process to many and back: the learner rule follows.
    assert scenario.with_(rule="sequential").learner.inline
    assert not scenario.with_(rule="sequential").with_(rule="max_time").learner.inline


def test_scenario_default_step_is_the_game_boy_s() -> None:
    assert Scenario("max_time", "84ms").step_time == Fraction(10**13, 597_275)


def test_scenario_constant_law_of_a_step_time_is_a_fixed_rate() -> None:
    assert Scenario("max_time", "84ms", step_time=Constant(0.02)).step_time == Fraction(20_000_000)
    assert Scenario("max_time", "84ms", step_time=law("exp(20ms)")).step_time == law("exp(20ms)")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("latest", Mailbox()),
        (" latest ", Mailbox()),
        ("fifo(4)", Mailbox("fifo", 4)),
        (" fifo ( 12 ) ", Mailbox("fifo", 12)),
    ],
)
def test_mailbox_text_is_read_and_spelt(text: str, expected: Mailbox) -> None:
    assert Mailbox.of(text) == expected
    assert Mailbox.of(expected) is expected
    assert Mailbox.of(str(expected)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "fifo",
        "fifo()",
        "fifo(0)",
        "fifo(00)",
        "fifo(-1)",
        "fifo(1.5)",
        "fifo(4",
        "lifo(4)",
        "latest(1)",
        "fifo(9999999999)",
    ],
)
def test_mailbox_bad_text_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(InvalidValue, match=r"fifo\(n\)") as caught:
        Mailbox.of(text)
    assert "\n" not in str(caught.value)


BAD = [
    ({"workers": 0}, "workers 0"),
    ({"workers": -3}, "workers -3"),
    ({"workers": 1.5}, "workers 1.5"),
    ({"workers": True}, "workers True"),
    ({"workers": "3"}, "workers"),
    ({"workers": None}, "workers None"),
    ({"workers": 10**9}, "workers"),
    ({"steps": 0}, "steps 0"),
    ({"steps": 10**10}, "steps"),
    ({"steps": 20.5}, "steps 20.5"),
    ({"seed": -1}, "seed -1"),
    ({"seed": 2**63}, "seed"),
    ({"learners": 0}, "learners 0"),
    ({"learning_starts": -1}, "learning_starts -1"),
    ({"batch": 0}, "batch 0"),
    ({"mailbox": "lifo"}, "lifo"),
    ({"rule": "nothing"}, "nothing"),
    ({"learner_rule": "nothing"}, "nothing"),
    ({"learner_rule": "sequential"}, "auto"),
    ({"inference_time": "-1ms"}, "-1"),
    ({"inference_time": float("nan")}, "nan"),
    ({"dispatch_time": "inf"}, "inf"),
    ({"learning_time": "wobble(1ms)"}, "wobble"),
    ({"step_time": "0ms"}, "step time"),
    ({"step_time": 0}, "step time"),
    ({"step_time": "-16ms"}, "-16"),
    ({"step_time": "0.5ns"}, "1 ns"),
    ({"step_time": Fraction(1, 2)}, "1 ns"),
    ({"step_time": Fraction(10**16)}, "1e6 s"),
    ({"step_time": "2e6s"}, "1e6 s"),
    ({"step_time": "nan"}, "nan"),
    ({"step_time": "exp(mean=0.4ns)"}, "1 ns"),
    ({"step_time": "empirical(0ms, 0ms)"}, "1 ns"),
    ({"step_time": "contention(16ms, factor=2, calm=1s, slow=1s)"}, "contention"),
    ({"step_time": "60kg"}, "kg"),
]


@pytest.mark.parametrize(("changes", "said"), BAD, ids=lambda v: str(v)[:40])
def test_scenario_bad_value_is_refused_in_one_line(changes: dict[str, Any], said: str) -> None:
    settings = {"rule": "max_time", "inference_time": "84ms", **changes}
    with pytest.raises(RtsimError) as caught:
        Scenario(**settings)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, ValueError)
    with pytest.raises(RtsimError):
        Scenario.from_json(settings)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"rule": "max_time"},
        {"rule": "max_time", "inference_time": "84ms", "wobble": 1},
        {"rule": "max_time", "inference_time": None},
        {"rule": "max_time", "inference_time": [84]},
        {"rule": "max_time", "inference_time": "84ms", "mailbox": 5},
        {"rule": "max_time", "inference_time": "84ms", "step_time": None},
        {"rule": "max_time", "inference_time": "84ms", "learner_rule": 5},
        [],
        5,
        {"rule": 5, "inference_time": "84ms"},
    ],
    ids=str,
)
def test_scenario_from_foreign_settings_is_refused(data: Any) -> None:
    with pytest.raises(RtsimError) as caught:
        Scenario.from_json(data)
    assert "\n" not in str(caught.value)


def test_scenario_unknown_rule_lists_the_known_ones() -> None:
    with pytest.raises(UnknownName, match="phase_locked"):
        Scenario("phase_lock", "84ms")


def test_scenario_profile_learning_time_is_that_of_its_batch() -> None:
    # The published profile has no learning times; the message names the batch.
    with pytest.raises(InvalidValue, match="batch 8"):
        Scenario("max_time", "84ms", learning_time="profile:paper#1M", batch=8)


# Its derived quantities.


@pytest.mark.parametrize(
    ("rule", "workers", "limit"),
    [
        # max(0, 1 − N k τ_M/τ̄): step 10 ms, inference 200 ms.
        ("max_time", 9, 0.55),
        ("unstaggered", 20, 0.0),
        ("unstaggered", 21, 0.0),
        ("time_triggered", 1, 0.95),
        ("sequential", 9, 0.95),
        ("one_step_lag", 9, 0.95),
        ("chunking(size=4)", 3, 0.4),
        ("chunking(size=4, growth=1)", 3, 0.85),
        ("pipeline(layers=8)", 5, 0.6),
        ("pipeline(layers=8, skip=true)", 1, 0.6),
    ],
)
def test_capacity_limit_is_its_closed_form(rule: str, workers: int, limit: float) -> None:
    assert Scenario(rule, "200ms", workers, "10ms").capacity_limit == pytest.approx(limit, abs=1e-12)
    # Any law of that mean, with steps of any law of theirs, and overheads added.
    other = Scenario(rule, "gamma(mean=200ms, cv=0.7)", workers, "exp(mean=10ms)")
    assert other.capacity_limit == pytest.approx(limit, abs=1e-12)


def test_capacity_limit_counts_the_dispatch_time() -> None:
    scenario = Scenario("max_time", "150ms", 9, "10ms", dispatch_time="exp(mean=50ms)")
    assert scenario.inference_mean == pytest.approx(0.2)
    assert scenario.capacity_limit == pytest.approx(0.55)
    assert Scenario("max_time", "0ms").capacity_limit == 0


def test_capacity_limit_under_contention_counts_inferences_not_time() -> None:
    # Half of the time ten times slower: a worker makes 0.5/100 + 0.5/1000 inferences per ms.
    scenario = Scenario("max_time", "contention(exp(mean=100ms), factor=10, calm=1s, slow=1s)", 1, "10ms")
    assert scenario.inference_mean == pytest.approx(0.55)
    assert scenario.capacity_limit == pytest.approx(1 - 10 * (0.5 / 100 + 0.5 / 1000))


def test_capacity_limit_while_annealing_is_that_of_the_shortest_state() -> None:
    scenario = Scenario("max_time", "anneal(20ms, 400ms, start=0.5, end=0, over=100)", 1, "10ms")
    assert scenario.capacity_limit == pytest.approx(1 - 10 / 210)


@settings(max_examples=200)
@given(
    st.sampled_from(["unstaggered", "chunking(size=3)", "pipeline(layers=5)"]),
    st.integers(1, 40),
    st.integers(1, 10**6),
    st.integers(1, 10**5),
)
def test_capacity_limit_any_times_equals_the_exact_fraction(rule: str, workers: int, inference: int, step: int) -> None:
    scenario = Scenario(rule, f"{inference}us", workers, f"{step}us", steps=100)
    count = {"unstaggered": workers, "chunking(size=3)": 3 * workers, "pipeline(layers=5)": 5}[rule]
    assert scenario.capacity_limit == pytest.approx(float(max(0, 1 - Fraction(count * step, inference))), abs=1e-12)


def test_scenario_means_are_those_of_its_laws() -> None:
    scenario = Scenario("chunking(size=3, growth=0.5)", "exp(mean=100ms)", step_time="uniform(10ms, 30ms)")
    assert scenario.step_mean == pytest.approx(0.02)
    assert scenario.duration_law.mean == pytest.approx(0.2)
    assert Scenario("max_time", "84ms").step_mean == pytest.approx(1 / 59.7275)
    setting = scenario.setting()
    assert setting.workers == 1
    assert float(setting.step) == pytest.approx(2e7)
    assert Scenario("max_time", "84ms").setting().step == Fraction(10**13, 597_275)


def test_scenario_integers_of_numpy_become_ints() -> None:
    scenario = Scenario("max_time", "84ms", workers=np.int64(3), steps=np.int32(20), seed=np.uint8(7))  # type: ignore[arg-type]
    assert [type(v) for v in (scenario.workers, scenario.steps, scenario.seed)] == [int, int, int]
    assert json.loads(json.dumps(scenario.to_json()))["workers"] == 3


def test_scenario_travels_and_serves_as_a_key() -> None:
    import pickle

    scenario = Scenario(
        "time_triggered(deadline=p99.999999)", "contention(84ms, factor=2, calm=1s, slow=1s)", learning_time="1s"
    )
    again = pickle.loads(pickle.dumps(scenario))
    assert again == scenario
    assert {scenario: 1}[again] == 1
