"""Rules that are not built in: on the compiled clock if they compile, with the same Schedule."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rtsim.clocks import WORTH_COMPILING, compiled, engine_for, simpy_clock
from rtsim.clocks import simulate as simulate_with
from rtsim.errors import InvalidValue, RuleFault
from rtsim.scenario import Scenario
from rtsim.schedulers import DROP, Program, Rule, RuleSpec, at_step
from rtsim.schedulers.rule import Options, Setting
from rtsim.schedulers.staggered import MAX_TIME, max_time_on_end, sleep_delay
from tests.contract.scenarios import scenarios

Ints = Any


def later(now: int, worker: int, step: int, step_start: int, params: Ints, state: Ints) -> int:
    """Algorithm 1 by way of a function of one's own: the built-in one is a helper here."""
    return sleep_delay(now, worker, step, step_start, params, state)


def held(
    now: int, worker: int, started: int, observation: int, step: int, step_start: int, params: Ints, state: Ints
) -> tuple[int, int]:
    release, free = max_time_on_end(now, worker, started, observation, step, step_start, params, state)
    return release, max(free, now)


def own_max_time(options: Options, setting: Setting) -> Program:
    program = MAX_TIME.prepare(options, setting)
    return replace(program, next_start=later, on_end=held)


OWN_MAX_TIME = replace(MAX_TIME, name="own_max_time", prepare=own_max_time)

PATIENCE = 2


def twice(count: int) -> int:
    return 2 * count


def on_fresh(now: int, worker: int, step: int, step_start: int, params: Ints, state: Ints) -> int:
    return now if now == step_start and step >= twice(worker) else at_step(step + 1)


def impatient(
    now: int, worker: int, started: int, observation: int, step: int, step_start: int, params: Ints, state: Ints
) -> tuple[int, int]:
    """Actions are held a step, or dropped if late; every other one that is late frees its worker later."""
    state[-1] += 1
    if step - observation > PATIENCE:
        return DROP, now + state[-1] % 2 * params[0]
    return at_step(step + 1), now


OWN_IMPATIENT = Rule(
    "own_impatient", "", "", lambda options, setting: Program(on_fresh, impatient, [int(setting.step) // 3], [0, 0])
)


def start_now(now: int, worker: int, step: int, step_start: int, params: Ints, state: Ints) -> int:
    return now


def release_now(
    now: int, worker: int, started: int, observation: int, step: int, step_start: int, params: Ints, state: Ints
) -> tuple[int, int]:
    return now, now


def scenario(
    next_start: Callable[..., Any] = start_now, on_end: Callable[..., Any] = release_now, state: int = 1
) -> Scenario:
    rule = Rule("own", "", "", lambda options, setting: Program(next_start, on_end, [], [0] * state))
    return Scenario(RuleSpec(rule, {}), "15ms", workers=3, step_time="10ms", steps=50)


def assert_same(found: Scenario, warmup: int = 0) -> None:
    reference, fast = simpy_clock.simulate(found, spans=True), compiled.simulate(found, spans=True)
    assert reference.diff(fast) is None
    assert all(a.tobytes() == b.tobytes() for (_, a), (_, b) in zip(reference.arrays(), fast.arrays(), strict=True))
    assert reference.tally(warmup) == compiled.tally(found, warmup)


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(scenarios("max_time"), st.integers(0, 10**6))
def test_own_rule_made_of_a_built_in_one_is_the_same_on_both_clocks(found: Scenario, warmup: int) -> None:
    own = found.with_(rule=RuleSpec(OWN_MAX_TIME, found.rule.options))
    assert_same(own, warmup % own.steps)
    assert simpy_clock.simulate(found).diff(compiled.simulate(own)) is None


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(scenarios("unstaggered"), st.integers(0, 10**6))
def test_own_rule_that_holds_and_drops_is_the_same_on_both_clocks(found: Scenario, warmup: int) -> None:
    assert_same(found.with_(rule=RuleSpec(OWN_IMPATIENT, {})), warmup % found.steps)


def test_own_rule_without_numba_compilation_is_the_same_on_both_clocks() -> None:
    code = (
        "from tests.identity.test_own_rules import *\n"
        "for rule in (RuleSpec(OWN_MAX_TIME, OWN_MAX_TIME.resolve({})), RuleSpec(OWN_IMPATIENT, {})):\n"
        "    assert_same(Scenario(rule, 'gamma(mean=84ms, cv=0.4)', workers=5, steps=400), 30)\n"
    )
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]


def test_own_rule_whose_constant_has_changed_is_compiled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Scenario(RuleSpec(OWN_IMPATIENT, {}), "exp(mean=30ms)", workers=3, step_time="10ms", steps=300)
    before = compiled.simulate(found)
    monkeypatch.setattr(sys.modules[__name__], "PATIENCE", 5)
    assert_same(found)
    assert before.diff(compiled.simulate(found)) is not None


def test_own_rule_is_compiled_by_auto_where_that_pays() -> None:
    long = scenario().with_(steps=WORTH_COMPILING)
    assert engine_for(long) == "compiled"
    assert engine_for(long, "simpy") == "simpy"
    assert engine_for(scenario()) == "simpy"
    assert engine_for(scenario(), runs=10**6) == "compiled"
    assert engine_for(scenario(), "compiled") == "compiled"


# What numba would take for something else than Python does, or not at all.


def answers_half(now: int, worker: int, step: int, step_start: int, params: Ints, state: Ints) -> Any:
    return now / 2


def answers_whether(now: int, worker: int, step: int, step_start: int, params: Ints, state: Ints) -> Any:
    return now >= 0


def half_of(value: int) -> int:
    return int(value / 2)


def through_floats(now: int, worker: int, step: int, step_start: int, params: Ints, state: Ints) -> int:
    return now + half_of(0)


def by_slices(now: int, worker: int, step: int, step_start: int, params: Ints, state: Ints) -> int:
    copy = state[:]
    copy[0] = 1
    return now


def by_text(now: int, worker: int, step: int, step_start: int, params: Ints, state: Ints) -> int:
    return now + len(str(now))


def by_itself(now: int, worker: int, step: int, step_start: int, params: Ints, state: Ints) -> int:
    return by_itself(now, worker - 1, step, step_start, params, state) if worker else now


def with_default(now: int, worker: int, step: int, step_start: int, params: Ints, state: Ints, more: int = 0) -> int:
    return now + more


def appends(now: int, worker: int, step: int, step_start: int, params: Ints, state: Ints) -> int:
    state.append(now)
    return now


class Instance:
    def __call__(self, now: int, *rest: Any) -> int:
        return now


@pytest.mark.parametrize(
    ("next_start", "why"),
    [
        (answers_half, "answers_half returns float64, not a whole number"),
        (answers_whether, "answers_whether returns bool, not a whole number"),
        (through_floats, "half_of computes with float64"),
        (by_slices, "by_slices computes with slice"),
        (by_text, "by_text: "),
        (by_itself, "by_itself calls itself"),
        (with_default, "with_default has a closure or default arguments"),
        (appends, "appends: Unknown attribute 'append'"),
        (Instance(), "is not a plain function"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_own_rule_that_does_not_compile_to_the_same_is_refused_in_one_line(
    next_start: Callable[..., Any], why: str
) -> None:
    found = scenario(next_start)
    for refused in (lambda: engine_for(found, "compiled"), lambda: compiled.simulate(found)):
        with pytest.raises(InvalidValue) as caught:
            refused()
        said = str(caught.value)
        assert said.startswith("rule 'own' cannot be compiled: ")
        assert why in said
        assert said.endswith("the engine simpy runs it, give --engine simpy")
        assert "\n" not in said
        assert len(said) < 250
    assert engine_for(found.with_(steps=WORTH_COMPILING)) == "simpy"


def test_own_rule_that_answers_two_things_of_other_kinds_is_refused() -> None:
    def on_end(
        now: int, worker: int, started: int, observation: int, step: int, step_start: int, params: Ints, state: Ints
    ) -> Any:
        return now, now * 1.0

    with pytest.raises(InvalidValue, match="not two whole numbers"):
        compiled.simulate(scenario(on_end=on_end))


# Faults while it runs are faults on either clock.


def fails(now: int, worker: int, step: int, step_start: int, params: Ints, state: Ints) -> int:
    if params[0] == 0:
        return now + state[len(state) + step]
    if params[0] == 1:
        return now + 1 // (5 - step)
    return now - 1 if step > 5 else now


@pytest.mark.parametrize("engine", ["simpy", "compiled"])
def test_own_rule_made_of_built_in_functions_and_too_small_arrays_is_a_rule_fault(engine: str) -> None:
    # Unchecked machine code would read and write beyond them.
    rule = Rule("own", "", "", lambda options, setting: Program(sleep_delay, release_now, [], [0]))
    with pytest.raises(RuleFault, match="rule own"):
        simulate_with(Scenario(RuleSpec(rule, {}), "15ms", step_time="10ms", steps=50), engine=engine)


@pytest.mark.parametrize("engine", ["simpy", "compiled"])
@pytest.mark.parametrize(("which", "said"), [(0, "IndexError"), (1, "ZeroDivisionError"), (2, "past")])
def test_own_rule_that_fails_while_it_runs_is_a_rule_fault(engine: str, which: int, said: str) -> None:
    rule = Rule("own", "", "", lambda options, setting: Program(fails, release_now, [which], [0]))
    with pytest.raises(RuleFault, match=said) as caught:
        simulate_with(Scenario(RuleSpec(rule, {}), "15ms", step_time="10ms", steps=50), engine=engine)
    assert "rule own" in str(caught.value)
    assert "\n" not in str(caught.value)
