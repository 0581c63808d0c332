"""The two clocks make the same Schedule, byte for byte, and count the same."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rtsim.clocks import compiled, engine_for, simpy_clock
from rtsim.clocks import simulate as simulate_with
from rtsim.clocks import tally as tally_with
from rtsim.errors import UnknownName
from rtsim.scenario import Scenario
from tests.contract.scenarios import RULES, scenarios


def assert_same(scenario: Scenario, warmup: int) -> None:
    reference, fast = simpy_clock.simulate(scenario, spans=True), compiled.simulate(scenario, spans=True)
    assert reference.diff(fast) is None
    for (name, mine), (_, theirs) in zip(reference.arrays(), fast.arrays(), strict=True):
        assert mine.dtype == theirs.dtype, name
        assert mine.tobytes() == theirs.tobytes(), name
    counted, count = reference.tally(warmup), compiled.tally(scenario, warmup)
    assert counted == count
    assert counted.delay_counts.tolist() == count.delay_counts.tolist()
    assert counted.statistics() == count.statistics()


@pytest.mark.parametrize("rule", RULES)
def test_clocks_on_any_scenario_agree_to_the_byte(rule: str) -> None:
    @settings(max_examples=60, suppress_health_check=list(HealthCheck))
    @given(scenarios(rule, max_workers=80), st.integers(0, 10**6))
    def check(scenario: Scenario, warmup: int) -> None:
        assert_same(scenario, warmup % scenario.steps)

    check()


LARGE = [
    ("max_time", "lognorm(mean=1.2s, cv=0.05)", 80, {}),
    ("max_time(window=50, quantile=p90)", "gamma(mean=300ms, cv=0.5)", 30, {}),
    ("exp_time", "pareto(mean=400ms, alpha=1.5)", 40, {"mailbox": "fifo(3)"}),
    ("phase_locked", "mixture(0.5: 1us, 0.5: 500ms)", 31, {"dispatch_time": "exp(mean=2ms)"}),
    (
        "time_triggered(deadline=40steps, late=release)",
        "exp(mean=300ms)",
        64,
        {"step_time": "gamma(mean=16ms, cv=0.2)"},
    ),
    ("earliest_deadline(deadline=30steps)", "lognorm(mean=300ms, cv=0.3)", 20, {}),
    ("chunking(size=9)", "uniform(1ms, 300ms)", 7, {}),
    ("pipeline(layers=30)", "gamma(mean=400ms, cv=0.3)", 1, {"mailbox": "fifo(2)"}),
    ("unstaggered", "contention(84ms, factor=3, calm=1s, slow=300ms)", 9, {}),
    ("sequential(order=learn_act)", "30ms", 1, {"learning_time": "exp(mean=200ms)"}),
    ("max_time", "500ms", 30, {"learning_time": "lognorm(mean=1s, cv=0.4)", "learners": 9, "learning_starts": 500}),
    ("max_time", "500ms", 30, {"learning_time": "gamma(mean=1s, cv=0.4)", "learners": 5, "learner_rule": "parallel"}),
    ("exp_time", "500ms", 30, {"learning_time": "exp(mean=1s)", "learners": 8, "learner_rule": "lock_free"}),
]


@pytest.mark.parametrize(("rule", "inference", "workers", "more"), LARGE, ids=lambda v: str(v)[:30])
def test_clocks_on_long_runs_agree_through_every_refill(rule: str, inference: str, workers: int, more: dict) -> None:
    # 12,000 steps pass several blocks of random numbers and the kernel's tables for steps (8192).
    assert_same(Scenario(rule, inference, workers=workers, steps=12_000, seed=3, **more), warmup=700)


def test_compiled_clock_without_numba_compilation_agrees_too() -> None:
    # The same source as plain Python, which is also how its lines can be covered.
    code = (
        "from tests.identity.test_clock_identity import LARGE, assert_same\n"
        "from rtsim.scenario import Scenario\n"
        "for rule, inference, workers, more in LARGE:\n"
        "    assert_same(Scenario(rule, inference, workers=workers, steps=250, **{**more, 'learning_starts': 0}), 20)\n"
    )
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]


def test_compiled_clock_counting_keeps_no_steps() -> None:
    import tracemalloc

    def peak(steps: int) -> int:
        scenario = Scenario("phase_locked", "lognorm(mean=200ms, cv=0.1)", workers=16, steps=steps)
        compiled.tally(scenario.with_(steps=1000), 100)
        tracemalloc.start()
        compiled.tally(scenario, 100)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    # The ring of steps is a power of two up to 16384; beyond it nothing grows.
    assert peak(400_000) < 1.05 * peak(40_000)


def test_compiled_clock_tables_that_overflow_are_made_larger() -> None:
    # Held for 30,000 steps, more than the ring of 16,384; and a queue longer than its table.
    assert_same(Scenario("time_triggered(deadline=30000steps)", "5ms", workers=2, steps=40_000), 35_000)
    assert_same(Scenario("chunking(size=3000)", "1us", mailbox="fifo(9000)", steps=12_000), 0)


def test_engine_auto_is_a_function_of_the_scenario_alone() -> None:
    small = Scenario("max_time", "84ms", workers=6, steps=1000)
    assert engine_for(small) == "simpy"
    assert engine_for(small, runs=1000) == "compiled"
    assert engine_for(small.with_(steps=10**6)) == "compiled"
    assert engine_for(small, "compiled") == "compiled"
    with pytest.raises(UnknownName, match="compiled"):
        engine_for(small, "compild")


def test_simulate_and_tally_give_the_same_by_either_engine() -> None:
    scenario = Scenario("exp_time", "gamma(mean=84ms, cv=0.3)", workers=6, steps=2000)
    assert simulate_with(scenario, engine="simpy").diff(simulate_with(scenario, engine="compiled")) is None
    assert tally_with(scenario, 50, engine="simpy") == tally_with(scenario, 50, engine="compiled")
    assert simulate_with(scenario, engine="compiled").header["clock"] == "compiled"
