"""Rollouts: against a rollout by the definition, their twin in plain Python, and predictions of theory."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import stdtrit

from rtsim import agents, mdps
from rtsim.agents import kernel
from rtsim.agents.kernel import moves
from rtsim.agents.world import stream
from rtsim.errors import InvalidValue
from rtsim.mdps import TabularMDP
from rtsim.rollout import Rollout, rollout, undelayed
from rtsim.schedule import Schedule
from rtsim.theory.average_reward import optimum
from rtsim.theory.delayed import delayed_gain
from tests.agents.worlds import by_hand, random_mdp, random_schedule, schedules, simulated, worlds

SEEDS = st.integers(0, 2**40)


def assert_equals(found: Rollout, expected: tuple[list[int], list[int], list[float]]) -> None:
    states, actions, rewards = expected
    for name, mine, theirs in (("action", found.actions, actions), ("reward", found.rewards, rewards)):
        wrong = np.flatnonzero(mine != np.array(theirs))
        assert not len(wrong), f"first differing {name} at step {wrong[0]}"
    np.testing.assert_array_equal(found.states, states)


@given(worlds(), schedules(), SEEDS)
def test_rollout_of_deterministic_table_follows_the_definition(mdp: TabularMDP, schedule: Schedule, seed: int):
    table = np.random.default_rng(seed).integers(mdp.actions, size=mdp.states)
    found = rollout(mdp, agents.Tabular(table), schedule, seed)
    assert_equals(found, by_hand(mdp, schedule, seed, lambda i, o, states, u: int(table[states[o]])))
    np.testing.assert_array_equal(found.acted, schedule.steps["observation"] >= 0)


@given(worlds(), schedules(), SEEDS)
def test_rollout_of_stochastic_table_draws_once_per_inference(mdp: TabularMDP, schedule: Schedule, seed: int):
    table = np.random.default_rng(seed).dirichlet(np.full(mdp.actions, 0.5), size=mdp.states)
    table = np.where(table < 0.05, 0.0, table)
    table /= table.sum(axis=1, keepdims=True)

    def choose(i: int, o: int, states: list[int], u: float) -> int:
        possible = np.flatnonzero(table[states[o]])
        at = np.searchsorted(np.cumsum(table[states[o]][possible]), u, "right")
        return int(possible[min(at, len(possible) - 1)])

    assert_equals(rollout(mdp, agents.Tabular(table), schedule, seed), by_hand(mdp, schedule, seed, choose))


@given(worlds(), schedules(), SEEDS)
def test_rollout_of_oracle_acts_on_the_true_state(mdp: TabularMDP, schedule: Schedule, seed: int):
    best = optimum(mdp).policy
    found = rollout(mdp, agents.Oracle(), schedule, seed)
    assert_equals(found, by_hand(mdp, schedule, seed, lambda i, o, states, u: int(best[states[i]])))


@given(worlds(), schedules(), SEEDS)
def test_rollout_of_pending_maximises_expected_value_of_the_belief(mdp: TabularMDP, schedule: Schedule, seed: int):
    values = np.random.default_rng(seed).random((mdp.states, mdp.actions))
    found = rollout(mdp, agents.Pending(values), schedule, seed)
    away = mdp.chain_under_default[0]
    for i in np.flatnonzero(found.acted):
        o = schedule.steps["observation"][i]
        belief = np.eye(mdp.states)[found.states[o]]
        for j in range(o, i):
            belief = belief @ (mdp.p[:, found.actions[j]] if found.acted[j] else away)
        expected = belief @ values
        assert expected[found.actions[i]] >= expected.max() - 1e-12


@given(worlds(), schedules(), SEEDS)
def test_rollout_in_plain_python_is_the_same_bit_for_bit(mdp: TabularMDP, schedule: Schedule, seed: int):
    random = np.random.default_rng(seed)
    for policy in (
        agents.Tabular(random.integers(mdp.actions, size=mdp.states)),
        agents.Tabular(random.dirichlet(np.ones(mdp.actions), size=mdp.states)),
        agents.Pending(),
    ):
        compiled = rollout(mdp, policy, schedule, seed)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(kernel, "loop", kernel.source)
            plain = rollout(mdp, policy, schedule, seed)
        for column in ("states", "actions", "acted", "rewards"):
            np.testing.assert_array_equal(getattr(compiled, column), getattr(plain, column))


def test_rollout_of_many_successors_follows_the_definition():
    # More than 16 successors are looked up by bisection.
    mdp = random_mdp(3, 90, 2, 2)
    mdp = TabularMDP(
        np.random.default_rng(1).dirichlet(np.full(90, 0.5), size=(90, 2)), mdp.r, mdp.p_default, mdp.r_default,
        mdp.default_policy, mdp.start,
    )  # fmt: skip
    schedule = random_schedule(5, 2_000, 0.7, 4)
    table = np.arange(90) % 2
    found = rollout(mdp, agents.Tabular(table), schedule, 7)
    assert_equals(found, by_hand(mdp, schedule, 7, lambda i, o, states, u: int(table[states[o]])))


def test_rollout_of_one_inference_used_often_has_one_action():
    schedule = random_schedule(0, 400, 1.0, 0)
    columns = {**schedule.steps, "inference": np.arange(400) // 20, "worker": np.zeros(400, np.int32)}
    columns["chunk_index"] = np.zeros(400, np.int32)
    again = Schedule(schedule.header, columns, schedule.updates, schedule.busy_ns, schedule.learner_busy_ns)
    found = rollout(mdps.of("jao"), agents.Tabular(np.full((2, 2), 0.5)), again, 3)
    assert all(len(set(part)) == 1 for part in found.actions.reshape(20, 20).tolist())
    # 20 fair coins: all alike with probability 2**-19 < 2e-6, and seed 3 is fixed.
    assert len(set(found.actions.tolist())) == 2


def test_rollout_draws_of_an_inference_do_not_depend_on_the_others():
    # Far indices are reached by leaping ahead in the stream.
    schedule = random_schedule(0, 3, 1.0, 0)
    columns = {**schedule.steps, "inference": np.array([5, 3_000_000, 2]), "worker": np.zeros(3, np.int32)}
    columns["chunk_index"] = np.zeros(3, np.int32)
    again = Schedule(schedule.header, columns, schedule.updates, schedule.busy_ns, schedule.learner_busy_ns)
    drawn = agents.world.Draws(agents.world.World.of(mdps.of("jao")), again, 9).of_inferences()
    expected = stream(9, "policy", 0, 0).random(3_000_001)[[5, 3_000_000, 2]]
    np.testing.assert_array_equal(drawn, expected)


@pytest.mark.parametrize("delay", [0, 1, 3])
def test_rollout_mean_reward_is_the_exact_delayed_gain(delay: int):
    """64 seeds of 3,000 steps; a t test with false-alarm rate 1e-6 per delay."""
    mdp = mdps.garnet(6, 3, 3, seed=2)
    table = np.array([0, 1, 2, 0, 1, 2])
    made = undelayed(3_300)
    late = np.arange(3_300) - delay
    columns = {**made.steps, "observation": late, "worker": np.where(late >= 0, 0, -1).astype(np.int32)}
    columns["inference"] = late
    schedule = Schedule(made.header, columns, made.updates, made.busy_ns, made.learner_busy_ns)
    # The chain mixes within 300 steps far below the error of the mean.
    means = [rollout(mdp, agents.Tabular(table), schedule, seed).rewards[300:].mean() for seed in range(64)]
    error = np.std(means, ddof=1) / 8
    assert error < 0.01
    assert abs(np.mean(means) - delayed_gain(mdp, table, delay)) < stdtrit(63, 1 - 0.5e-6) * error


def test_rollout_state_frequencies_are_the_stationary_distribution():
    """100 seeds of 2,000 steps from the stationary distribution; false-alarm rate 1e-6 over all 5 states."""
    mdp = random_mdp(8, 5, 2, 2)
    table = np.array([0, 1, 1, 0, 1])
    chain = mdp.p[np.arange(5), table]
    stationary = np.linalg.solve(np.vstack([(np.eye(5) - chain.T)[:4], np.ones(5)]), np.eye(5)[4])
    world = TabularMDP(mdp.p, mdp.r, mdp.p_default, mdp.r_default, mdp.default_policy, stationary)
    shares = np.array(
        [
            np.bincount(rollout(world, agents.Tabular(table), undelayed(2_000), seed).states, minlength=5) / 2_001
            for seed in range(100)
        ]
    )
    error = shares.std(axis=0, ddof=1) / 10
    assert error.max() < 0.01
    assert (np.abs(shares.mean(axis=0) - stationary) < stdtrit(99, 1 - 0.5e-7) * error).all()


def test_rollout_of_pending_on_deterministic_world_loses_only_at_first():
    # 18 of 20 workers' actions are on their way at first; then every step is at the goal.
    schedule = simulated("time_triggered(deadline=12steps)", 1, 400, 6.0, 16)
    found = rollout(mdps.of("forward(states=9)"), agents.Pending(), schedule)
    assert schedule.delay_steps.min() >= 6
    assert (found.rewards[60:] == 1.0).all()


def test_rollout_same_seed_couples_transitions_of_different_policies():
    # Where actions do not move the state, all policies see the same states.
    mdp = mdps.of("delay(n=5, p=0.5)")
    schedule = simulated("max_time", 2, 300, 2.6, 4)
    runs = [rollout(mdp, policy, schedule, 4) for policy in (agents.Tabular(np.arange(5)), agents.Oracle())]
    runs.append(rollout(mdp, agents.Tabular(np.zeros(5, int)), undelayed(300), 4))
    for other in runs[1:]:
        np.testing.assert_array_equal(runs[0].states, other.states)
    assert (rollout(mdp, agents.Oracle(), schedule, 5).states != runs[0].states).any()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([0, 1, 2], "policy must give one action in 0..1 for each of 2 states"),
        ([0, 2], "policy must give one action in 0..1 for each of 2 states"),
        ([0.5, 1.0], "policy must give one action"),
        ([[0.5, 0.4], [1, 0]], "row 0 of policy sums to 0.9"),
        ([[0.5, 0.5]], "shape"),
    ],
)
def test_rollout_of_wrong_table_says_so(table: object, message: str):
    with pytest.raises(InvalidValue, match=message):
        rollout(mdps.of("jao"), agents.Tabular(table), undelayed(3))  # type: ignore[arg-type]


def test_rollout_of_schedule_that_sees_the_future_says_so():
    made = undelayed(5)
    columns = {**made.steps, "observation": np.array([0, 1, 3, 3, 4])}
    ahead = Schedule(made.header, columns, made.updates, made.busy_ns, made.learner_busy_ns)
    with pytest.raises(InvalidValue, match="step 2 of the Schedule acts on observation 3"):
        rollout(mdps.of("jao"), agents.Oracle(), ahead)


@pytest.mark.parametrize("seed", [-1, 1.5, True])
def test_rollout_of_wrong_seed_says_so(seed: object):
    with pytest.raises(InvalidValue, match="seed"):
        rollout(mdps.of("jao"), agents.Oracle(), undelayed(3), seed)  # type: ignore[arg-type]


def test_undelayed_schedule_survives_its_file(tmp_path):
    made = undelayed(50, 1 / 60)
    assert Schedule.load(made.save(tmp_path / "a.npz")).diff(made) is None
    assert made.statistics().inaction_fraction == 0.0
    assert made.steps["time_ns"][-1] == round(49e9 / 60)


@pytest.mark.parametrize("arguments", [(0,), (3, 0.0), (3, float("nan")), (10**9, 100.0)])
def test_undelayed_of_wrong_sizes_says_so(arguments: tuple[float, ...]):
    with pytest.raises(InvalidValue):
        undelayed(*arguments)  # type: ignore[arg-type]


def test_rollout_without_numba_compilation_is_the_same():
    code = (
        "from rtsim import agents, mdps\n"
        "from rtsim.rollout import rollout, undelayed\n"
        "for policy in (agents.Pending(), agents.QUCB(every_step=True), agents.UCRL2(every_step=True)):\n"
        "    print(rollout(mdps.of('riverswim'), policy, undelayed(400), 3).states.tolist())\n"
    )
    printed = [
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, **more}, capture_output=True, text=True, timeout=300
        )
        for more in ({}, {"NUMBA_DISABLE_JIT": "1"})
    ]
    assert printed[0].stdout == printed[1].stdout
    assert len(printed[0].stdout.splitlines()) == 3, printed[0].stderr[-2000:]


def test_action_of_probability_zero_is_never_drawn():
    # Ten times 0.1 sum to a little less than 1; what the largest number drawn exceeds must not be an action.
    row = np.array([[0.0] + [0.1] * 10 + [0.0]])
    largest = 1 - 2.0**-53
    assert np.cumsum(row)[-1] <= largest
    table = agents.world.cumulated(row)
    assert moves.place(table, 0, 11, largest) == 10
    assert moves.place(table, 0, 11, 0.0) == 1
