"""Learner rules: when updates start, and in which order they land."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtsim.clocks import simulate
from rtsim.errors import InvalidValue, UnknownName
from rtsim.scenario import Scenario
from rtsim.schedule import Schedule
from rtsim.schedulers import LEARNER_RULES, at_step, find_learner
from rtsim.schedulers.learners import state_size


class Bench:
    def __init__(self, name: str, learners: int, starts: int = 0, batch: int = 1) -> None:
        self.rule = find_learner(name)
        self.params = [learners, starts, batch]
        self.state = [0] * state_size(learners)

    def begin(self, learner: int) -> None:
        assert self.rule.may_start(7, learner, 10**6, self.params, self.state) == 7

    def landing(self, learner: int) -> list[int]:
        room = [-1] * self.params[0]
        count = self.rule.on_learned(learner, self.params, self.state, room)
        return room[:count]


def learn(rule: str, learning: str, learners: int, steps: int = 60, **settings: object) -> Schedule:
    return simulate(
        Scenario(
            "unstaggered",
            "10ns",
            step_time=Fraction(10),
            steps=steps,
            learning_time=learning,
            learner_rule=rule,
            learners=learners,
            **settings,  # type: ignore[arg-type]
        )
    )


def test_round_robin_updates_finished_out_of_order_land_in_the_order_they_began() -> None:
    bench = Bench("round_robin", 3)
    for learner in (0, 1, 2):
        bench.begin(learner)
    assert bench.landing(2) == []
    assert bench.landing(1) == []
    assert bench.landing(0) == [0, 1, 2]
    for learner in (1, 0):
        bench.begin(learner)
    assert bench.landing(0) == []
    bench.begin(2)
    assert bench.landing(1) == [1, 0]
    assert bench.landing(2) == [2]


@settings(max_examples=100)
@given(st.integers(1, 6), st.lists(st.tuples(st.booleans(), st.integers(0, 5)), max_size=80))
def test_round_robin_any_order_of_finishing_lands_in_order_of_beginning(
    learners: int, tries: Sequence[tuple[bool, int]]
) -> None:
    bench = Bench("round_robin", learners)
    begun: list[int] = []
    landed: list[int] = []
    state = ["idle"] * learners
    for begins, k in ((b, k % learners) for b, k in tries):
        if begins and state[k] == "idle":
            bench.begin(k)
            begun.append(k)
            state[k] = "computing"
        elif not begins and state[k] == "computing":
            state[k] = "waiting"
            for done in bench.landing(k):
                landed.append(done)
                state[done] = "idle"
    assert landed == begun[: len(landed)]
    # Whoever is next has not finished, or it would have landed.
    assert len(landed) == len(begun) or state[begun[len(landed)]] == "computing"


def test_round_robin_with_learners_to_spare_stays_spread() -> None:
    # Eight learners where one would do: each begins a batch after the one before, 1.07 s, longer
    # than an update. They must not wait for each other's first updates and fall into step:
    # between reading and landing, each of the seven others lands once.
    scenario = Scenario(
        "time_triggered", "100ms", workers=5, step_time="30fps", steps=6000, learning_time="0.9s", batch=32, learners=8
    )
    counted = simulate(scenario).statistics(1000)
    assert counted.update_staleness_mean == pytest.approx(7.0, abs=0.05)
    assert counted.learner_utilisation > 0.97


def test_round_robin_learners_start_a_batch_of_steps_apart() -> None:
    bench = Bench("round_robin", 3, starts=10, batch=4)
    answers = [bench.rule.may_start(7, k, 3, bench.params, bench.state) for k in range(3)]
    assert answers == [at_step(10), at_step(14), at_step(18)]
    assert [bench.rule.may_start(7, k, 14, bench.params, bench.state) for k in range(3)] == [7, 7, at_step(18)]


def test_round_robin_constant_times_have_staleness_of_the_other_learners() -> None:
    schedule = learn("round_robin", "25ns", 3, batch=1)
    # Starts at steps 0, 1, 2; lands at 25, 35, 45, 50, 60, 70, …
    updates = schedule.updates
    assert updates["land_ns"][:6].tolist() == [25, 35, 45, 50, 60, 70]
    assert updates["learner"][:6].tolist() == [0, 1, 2, 0, 1, 2]
    assert updates["read_version"][:6].tolist() == [0, 0, 0, 1, 2, 3]
    # Version i was computed on the parameters of version i − N: two updates landed meanwhile.
    assert (updates["version"] - 1 - updates["read_version"])[3:].tolist() == [2] * (len(updates["version"]) - 3)
    assert updates["data_step"][:4].tolist() == [0, 1, 2, 2]


def test_round_robin_fast_learner_waits_for_its_turn() -> None:
    schedule = learn("round_robin", "empirical(1ns, 40ns, 90ns)", 3, batch=1, steps=200)
    updates = schedule.updates
    # Who began first lands first, though another may have finished long before.
    assert (np.diff(updates["start_ns"]) >= 0).all()
    assert (updates["land_ns"] > updates["end_ns"]).any()
    for learner in range(3):
        mine = updates["learner"] == learner
        assert (updates["start_ns"][mine][1:] >= updates["land_ns"][mine][:-1]).all()


def test_lock_free_updates_land_as_they_finish() -> None:
    schedule = learn("lock_free", "empirical(1ns, 40ns, 90ns)", 3, steps=200)
    updates = schedule.updates
    assert np.array_equal(updates["land_ns"], updates["end_ns"])
    order = updates["learner"].tolist()
    assert order != [i % 3 for i in range(len(order))]
    # What landed between reading the parameters and landing is counted as staleness.
    for row in range(len(order)):
        before = updates["land_ns"][:row] <= updates["start_ns"][row]
        stale = updates["version"][row] - 1 - updates["read_version"][row]
        assert stale <= row - before.sum() + 3
        assert updates["read_version"][row] >= (updates["land_ns"][:row] < updates["start_ns"][row]).sum()


def test_lock_free_constant_times_all_land_at_once_and_overwrite_each_other() -> None:
    updates = learn("lock_free", "25ns", 3).updates
    assert updates["land_ns"][:6].tolist() == [25, 25, 25, 50, 50, 50]
    assert updates["read_version"][:6].tolist() == [0, 0, 0, 3, 3, 3]
    assert (updates["version"] - 1 - updates["read_version"])[:6].tolist() == [0, 1, 2, 0, 1, 2]


def test_lock_free_waits_for_the_replay_warm_up() -> None:
    updates = learn("lock_free", "25ns", 2, learning_starts=7).updates
    assert updates["start_ns"][:2].tolist() == [70, 70]
    assert updates["data_step"][:2].tolist() == [7, 7]


def test_parallel_update_is_merged_and_waits_for_the_slowest() -> None:
    bench = Bench("parallel", 3)
    assert [bench.landing(k) for k in (2, 0)] == [[], []]
    assert bench.landing(1) == [0, 1, 2]
    assert bench.landing(1) == []


def test_parallel_run_has_one_update_of_a_larger_batch_at_each_barrier() -> None:
    updates = learn("parallel", "empirical(1ns, 40ns, 90ns)", 3, batch=4, steps=300).updates
    assert set(updates["batch"].tolist()) == {12}
    # All start again when all have landed; the barrier is the slowest of three.
    assert np.array_equal(updates["start_ns"][1:], updates["land_ns"][:-1])
    lengths = set((updates["land_ns"] - updates["start_ns"]).tolist())
    assert lengths <= {1, 40, 90}
    assert np.mean(updates["land_ns"] - updates["start_ns"]) > 60
    assert (updates["version"] - 1 - updates["read_version"] == 0).all()


def test_parallel_barrier_is_the_maximum_of_the_learners_draws() -> None:
    alone = learn("lock_free", "uniform(20ns, 90ns)", 3, steps=300, seed=4).updates
    together = learn("parallel", "uniform(20ns, 90ns)", 3, steps=300, seed=4).updates
    draws = [(alone["end_ns"] - alone["start_ns"])[alone["learner"] == k].tolist() for k in range(3)]
    count = min(len(together["version"]), *map(len, draws))
    expected = [max(draws[k][j] for k in range(3)) for j in range(count)]
    assert (together["land_ns"] - together["start_ns"])[:count].tolist() == expected


@pytest.mark.parametrize("rule", ["round_robin", "lock_free", "parallel"])
def test_learner_rule_one_learner_is_back_to_back(rule: str) -> None:
    updates = learn(rule, "25ns", 1).updates
    assert updates["start_ns"].tolist() == [25 * i for i in range(len(updates["start_ns"]))]
    assert updates["read_version"].tolist() == list(range(len(updates["start_ns"])))


@pytest.mark.parametrize("rule", ["round_robin", "lock_free", "parallel"])
def test_learner_zero_learning_time_is_one_update_per_observation(rule: str) -> None:
    updates = learn(rule, "0ns", 1, steps=20).updates
    assert updates["data_step"].tolist() == list(range(20))
    assert np.array_equal(updates["start_ns"], updates["land_ns"])


def test_update_landing_at_a_step_is_used_by_an_inference_that_starts_there() -> None:
    # Updates land (class 2) before inferences start (class 3).
    schedule = simulate(
        Scenario(
            "unstaggered", "10ns", step_time=Fraction(10), steps=20, learning_time="30ns", learner_rule="lock_free"
        )
    )
    starts = schedule.steps["start_ns"][1:]
    assert schedule.steps["version"][1:].tolist() == [int(t) // 30 for t in starts]


def test_sequential_learner_goes_with_the_rule_sequential_alone() -> None:
    with pytest.raises(InvalidValue, match="auto"):
        Scenario("max_time", "84ms", learner_rule="sequential")
    assert Scenario("sequential", "84ms", learning_time="1ms").learner.inline


def test_find_learner_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UnknownName, match="lock_free, parallel, round_robin, sequential"):
        find_learner("robin_round")
    assert set(LEARNER_RULES) == {"sequential", "round_robin", "lock_free", "parallel"}
    for name, rule in LEARNER_RULES.items():
        assert rule.name == name
        assert rule.summary
        assert rule.source
