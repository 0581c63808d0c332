"""Measured unpredictability against the truth, where the truth is known.

False alarms: every test compares at 1e-5 or less, the file as a whole below 1e-4.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from scipy import stats

from rtsim import mdps, theory
from rtsim.envs.restorable import Policy, Restorable, RestorableMDP, policy_of, restorable
from rtsim.envs.restorable_gym import RestorableGym
from rtsim.errors import InvalidValue
from rtsim.experiments.branches import Effort, as_good_as_the_best, best_actions
from rtsim.experiments.effective_p import (
    effective_of_runs,
    effective_of_states,
    effective_p,
    largest_share,
    predicted_share,
    share,
    surviving_advantage,
)
from rtsim.experiments.predictability import Predictability, late_reward, measure
from rtsim.intervals import mean_interval
from tests.envs.worlds import Count

ALARM = 1e-6
BRANCHES = 24


def share_agrees(value: float, trials: int, exact: float) -> bool:
    """Whether a share of independent trials may have this probability."""
    return bool(stats.binomtest(round(value * trials), trials, exact).pvalue > ALARM)


def measured(text: str, policy: str = "best", **effort: object) -> Predictability:
    world = restorable(text)
    try:
        settings = {"visit_steps": 30, "branches": BRANCHES, "horizon": 1, "runs": 2, "steps": 10} | effort
        return measure(world, policy_of(policy, world), Effort(**settings))  # type: ignore[arg-type]
    finally:
        world.close()


def by(found: Predictability, under: str) -> dict[int, tuple[float, float, float, float]]:
    return {
        p.delay_steps: (p.observation.value, p.observation.upper, p.best_action.value, p.best_action.upper)
        for p in found.points
        if p.under == under
    }


@pytest.mark.parametrize("chances", [(0.7, 0.2, 0.1), (0.4, 0.35, 0.25), (1.0, 0.0, 0.0)])
def test_expected_shares_lie_on_either_side_of_the_likeliest_outcome(chances: tuple[float, ...]):
    """By adding up all 3^5 ways in which five branches can go."""
    below = above = 0.0
    for way in itertools.product(range(3), repeat=5):
        weight = float(np.prod([chances[i] for i in way]))
        fits = np.eye(3, dtype=bool)[list(way)]
        below += weight * predicted_share(fits)
        above += weight * largest_share(fits)
    assert below <= chances[0] + 1e-12
    assert above >= chances[0] - 1e-12
    if chances[0] == 1:
        assert below == above == 1


@pytest.mark.parametrize(
    "text, exact",
    [
        # Stay with p, else jump to any other of n: 1/n + (1 - 1/n) λ^k, λ = p - (1 - p)/(n - 1).
        ("mdp:jump(n=8, p=0.9)", lambda k: 1 / 8 + 7 / 8 * (0.9 - 0.1 / 7) ** k),
        # Stay with p, else the next one: the likeliest number of moves.
        ("mdp:delay(n=8, p=0.85)", lambda k: stats.binom.pmf(range(k + 1), k, 0.15).max()),
    ],
)
def test_observation_and_best_action_of_a_worst_case_are_as_predictable_as_the_closed_form_says(text, exact):
    found = measured(text, delays=(1, 2, 4), states=40)
    p = theory.p_minimax(mdps.of(text.removeprefix("mdp:")))
    assert p == pytest.approx(exact(1))
    for under in ("default", "policy"):  # no action moves the state
        for k, (seen, _, best, _) in by(found, under).items():
            assert share_agrees(seen, 40 * BRANCHES, exact(k)), (under, k)
            assert seen == best  # the best action names the state


def test_best_action_of_aliased_states_is_as_predictable_as_their_groups_and_the_observation_is_not():
    """The tighter version of Equation 4: the groups' p_minimax is 0.9, that of the states 0.18."""
    mdp = mdps.of("aliased(groups=2, copies=5, p=0.9)")
    groups = theory.optimal_action_groups(mdp, theory.optimum(mdp))
    tighter, coarse = theory.p_minimax(mdp, groups), theory.p_minimax(mdp)
    found = measured("mdp:aliased(groups=2, copies=5, p=0.9)", delays=(1, 3), states=40)
    low, high, best, _ = by(found, "policy")[1]
    assert share_agrees(best, 40 * BRANCHES, tighter)
    assert share_agrees(by(found, "policy")[3][2], 40 * BRANCHES, 0.5 + 0.5 * 0.8**3)
    # Shares at 40 independent states lie in 0..1: a Hoeffding bound of 1e-6 is 0.43, so more is asked of the bracket:
    # a share of 960 branches, whose forecasts are independent of them, and a largest share that can only be larger.
    slack = 6 * np.sqrt(coarse * (1 - coarse) / (40 * BRANCHES))
    assert low <= coarse + slack
    assert high >= coarse - slack
    assert found.observation["policy"].value < 0.5 < found.best_action["policy"].value


def test_actions_that_are_known_leave_only_the_environment_s_own_randomness():
    """A deterministic world under random actions: certain if they are known, and else only as sure as they are."""
    known = measured("mdp:forward(states=50)", "random", delays=(1, 4), states=20)
    assert known.observation["policy"].value == known.observation["default"].value == 1
    unknown = measured("mdp:forward(states=50)", "random", delays=(1, 4), states=60, branches=40, known=False)
    low, high, _, _ = by(unknown, "policy")[4]  # of 0 to 4 moves, two are the likeliest
    slack = 6 * np.sqrt(0.25 / 2400)
    assert low <= 6 / 16 + slack
    assert high >= 6 / 16 - slack
    assert by(unknown, "default")[4][0] == 1


def h_step_values(mdp: mdps.TabularMDP, policy: np.ndarray, horizon: int) -> np.ndarray:
    """Expected reward of an action and then the policy, float64, shape (S, A)."""
    value = np.zeros(mdp.states)
    for _ in range(horizon):
        q = mdp.r + mdp.p @ value
        value = q[np.arange(mdp.states), policy]
    return q


def test_best_action_of_riverswim_never_changes_and_its_observation_does():
    """Right is best everywhere, so the tighter p_minimax is 1; the states' is 0.6.

    A judgement of 60 repeats calls right worse with probability 0.002 (three standard errors, Student's t); of 24 more
    than five are wrong with probability below 1e-10.
    """
    mdp = mdps.of("riverswim")
    policy = theory.optimum(mdp).policy
    assert theory.p_minimax(mdp, theory.optimal_action_groups(mdp, theory.optimum(mdp))) == 1
    assert (h_step_values(mdp, policy, 25).argmax(axis=1) == 1).all()
    found = measured("mdp:riverswim", delays=(1, 5), states=4, branches=6, horizon=25, repeats=60)
    for under in ("default", "policy"):
        for _, _, best, _ in by(found, under).values():
            assert best > 1 - 6 / 24
    assert by(found, "policy")[5][0] < 0.95


def test_actions_are_judged_by_the_reward_of_their_rollouts():
    """One repeat in a world without chance finds the best actions of the exact table, ties included."""
    mdp = mdps.of("forward(states=6)")
    world = RestorableMDP(mdp)
    policy = theory.optimum(mdp).policy
    act: Policy = lambda world, random: int(policy[world.observation])  # noqa: E731
    for horizon in (1, 3, 8):
        exact = h_step_values(mdp, policy, horizon)
        for state in range(mdp.states):
            world.reset(0)
            while world.observation != state:
                world.step(0)
            good = best_actions(world, act, Effort(horizon=horizon), (0,))
            assert world.observation == state
            assert (good == (exact[state] == exact[state].max())).all(), (horizon, state)


def expected_late_reward(mdp: mdps.TabularMDP, policy: np.ndarray, delay: int, steps: int) -> float:
    """The exact mean of :func:`late_reward`, by following all states and actions under way forwards."""
    now: dict[tuple[int, tuple[int, ...]], float] = defaultdict(float)
    for s, chance in enumerate(mdp.start):
        now[s, ()] += chance
    away, paid = mdp.chain_under_default
    total = 0.0
    for step in range(steps + delay):
        after: dict[tuple[int, tuple[int, ...]], float] = defaultdict(float)
        for (s, pending), chance in now.items():
            waiting = (*pending, int(policy[s]))
            if len(waiting) > delay:
                row, reward, left = mdp.p[s, waiting[0]], mdp.r[s, waiting[0]], waiting[1:]
            else:
                row, reward, left = away[s], paid[s], waiting
            total += chance * reward if step >= delay else 0.0
            for t in np.flatnonzero(row):
                after[int(t), left] += chance * row[t]
        now = after
    return total / steps


@pytest.mark.parametrize(
    "text, mixes",
    [
        ("jump(n=3, p=0.8)", True),
        ("delay(n=5, p=0.7, reward=bernoulli)", True),
        ("aliased(groups=2, copies=2, p=0.9)", True),
        # By chance it halts at the goal, for ever; 300 steps are too few for that.
        ("sticky(forward(states=4), stay=0.2)", False),
        ("riverswim(states=4, default=random)", True),
    ],
)
@pytest.mark.parametrize("delay", [0, 1, 3])
def test_reward_of_late_actions_is_that_of_the_delayed_chain(text: str, mixes: bool, delay: int):
    mdp, steps = mdps.of(text), 300
    policy = theory.optimum(mdp).policy
    world = RestorableMDP(mdp)
    act = policy_of("best", world)
    rewards = [late_reward(world, act, delay, steps, (7, run)) for run in range(12)]
    exact = expected_late_reward(mdp, policy, delay, steps)
    mean, interval = mean_interval(rewards, level=1 - ALARM)
    assert interval is not None
    assert interval[0] - 1e-12 <= exact <= interval[1] + 1e-12, (mean, exact)
    # And in the long run that is theory's gain; what the beginning adds is of the order of mixing time / steps.
    assert not mixes or exact == pytest.approx(theory.delayed_gain(mdp, policy, delay), abs=20 / steps)


def test_action_of_a_former_episode_gives_way_to_the_default_policy():
    env = Count(length=4)  # observations are steps of the episode; step i pays i
    reward = late_reward(RestorableGym(env), lambda world, random: 10 + world.observation, 2, 10, (0,))
    assert env.given == [[0, 0, 10, 11]] * 3
    assert reward == (2 + 3 + 2 * (0 + 1 + 2 + 3)) / 10  # but for the first two steps


def test_late_default_policy_earns_what_its_chain_does():
    mdp = mdps.of("riverswim(default=random)")
    world = RestorableMDP(mdp)
    rewards = [late_reward(world, policy_of("best", world), None, 300, (run,)) for run in range(20)]
    p, r = mdp.chain_under_default
    chance, exact = mdp.start, 0.0
    for _ in range(300):
        exact += chance @ r / 300
        chance = chance @ p
    interval = mean_interval(rewards, level=1 - ALARM)[1]
    assert interval is not None
    assert interval[0] <= exact <= interval[1]


def test_effective_p_of_rewards_is_that_of_equation_4_where_its_bound_is_attained():
    """jump with many states: the default policy earns 0, the best 1, and k steps late nearly p^k."""
    found = measured("mdp:jump(n=100, p=0.9)", delays=(1, 2, 4), states=2, branches=2, runs=20, steps=300)
    kept = [1 / 100 + 99 / 100 * (0.9 - 0.1 / 99) ** k for k in (1, 2, 4)]
    exact = float(effective_p(kept, [1, 2, 4]))
    assert exact == pytest.approx(0.9, abs=3e-3)
    assert found.curve.default_reward == 0
    assert found.curve.points[0].reward_per_step == 1
    low, high = found.rewards.ci95 or (0, 0)
    assert found.rewards.value == pytest.approx(exact, abs=1.5 * (high - low))  # six standard errors
    assert high - low < 0.02


def test_policy_without_advantage_has_no_effective_p_of_rewards():
    found = measured("mdp:jump(n=100, p=0.9)", "noop", states=2, branches=2, delays=(1,))
    assert found.rewards.value is None
    assert surviving_advantage(np.array([1.0, 0.5, 1.0])) is None


def test_advantage_that_may_be_chance_has_no_effective_p_of_rewards():
    rewards = np.zeros((3, 3))
    rewards[:, 0] = 0.1, 0.1, 3.0  # without any one run the mean is above zero, and its interval is not
    assert effective_of_runs(rewards, [1]).value is None


def test_share_that_is_nought_everywhere_is_as_sure_as_one_that_is_one():
    assert share(np.zeros(20), np.ones(20)).ci95 == (0.0, 1 - 0.05 ** (1 / 20))


class Chance(gymnasium.Env[int, int]):
    """Either action wins, by chance alone; the other loses as much."""

    observation_space, action_space = spaces.Discrete(1), spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        return 0, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        return 0, float((1 - 2 * action) * self.np_random.choice([-1, 1])), False, False, {}


def test_each_branch_judges_actions_by_random_numbers_of_its_own():
    world = RestorableGym(Chance())
    found = measure(world, policy_of("noop", world), Effort(delays=(1,), states=8, horizon=1, runs=2, steps=1))
    assert found.best_action["default"].value < 0.8


@pytest.mark.parametrize("p", [0.0, 0.3, 0.97, 1.0])
def test_effective_p_of_exact_powers_is_p(p: float):
    delays = np.array([1, 3, 10])
    assert effective_p(p**delays, delays) == pytest.approx(p, abs=1e-12)
    assert effective_p(np.ones(3), delays) == 1


@pytest.mark.parametrize("items", [8, 32])
def test_intervals_of_effective_p_cover_the_truth_as_often_as_they_say(items: int):
    """1000 samples: a share of 0.95 has a standard error of 0.007, and the bounds lie five of them away and more."""
    random = np.random.default_rng(items)
    delays, p = np.array([1, 2, 4]), 0.9
    of_states = of_runs = 0
    for _ in range(1000):
        shares = random.binomial(8, p**delays, size=(items, 3)) / 8
        low, high = effective_of_states(shares, delays).ci95 or (1.0, 0.0)
        of_states += low <= p <= high
        # Rewards 0.1 + 0.8 p^k, each with an error of its own, and the default policy's 0.1.
        late = 0.1 + 0.8 * np.array([1.0, *p**delays, 0.0]) + random.normal(0, 0.03, size=(items, 5))
        low, high = effective_of_runs(late, delays).ci95 or (1.0, 0.0)
        of_runs += low <= p <= high
    assert 915 < of_states < 985
    assert 915 < of_runs < 985


def test_effective_p_of_proportional_rewards_does_not_depend_on_their_size():
    runs = np.random.default_rng(0).normal(1, 0.05, size=(16, 1)) * np.array([[1.0, 0.9, 0.81, 0.0]])
    assert effective_of_runs(runs, [1, 2]).value == pytest.approx(0.9)


@pytest.mark.parametrize(
    "text, policy", [("blocks", "scripted"), ("atari:Boxing", "random"), ("CartPole-v1", "random")]
)
def test_deterministic_world_is_perfectly_predictable(text: str, policy: str):
    effort = {"delays": (1, 8), "states": 3, "branches": 3, "steps": 20}
    found = measured(text, policy, **effort)
    for effective in (found.observation, found.best_action):
        for under in ("default", "policy"):
            assert effective[under].value == 1
            assert effective[under].ci95 == (pytest.approx(0.05 ** (1 / 3 / 8)), 1.0)  # three states prove little


def test_sticky_actions_make_the_observation_unpredictable():
    found = measured("blocks(sticky=0.5)", "random", delays=(1, 16), states=6, branches=6, visit_steps=100)
    assert found.observation["policy"].value is not None
    assert found.observation["policy"].value < 1
    assert by(found, "policy")[16][1] < 1  # even from above


def test_slippery_ice_is_as_predictable_as_its_table_says():
    """FrozenLake from its start, going left, which is what its default policy does; no hole is near."""
    found = measured("FrozenLake-v1", "random", delays=(1, 2), states=16, visit_steps=0)
    table = mdps.of("gym:FrozenLake-v1").p[:, 0]
    seen = by(found, "default")
    assert table[0].max() == pytest.approx(2 / 3)
    assert share_agrees(seen[1][0], 16 * BRANCHES, 2 / 3)
    # After two steps a forecast of 23 branches may be wrong, so only a bracket, of six standard errors.
    exact, slack = (table @ table)[0].max(), 6 * np.sqrt(0.25 / (16 * BRANCHES))
    assert seen[2][0] <= exact + slack
    assert seen[2][1] >= exact - slack


def test_episode_that_ends_within_a_branch_counts_as_an_outcome():
    found = measured("CartPole-v1", "random", delays=(1, 200), states=3, branches=4, known=False)
    last = [p for p in found.points if p.delay_steps == 200]
    assert [p.ended for p in last] == [1.0, 1.0]
    assert all(p.observation.value == p.best_action.value == 1 for p in last)


def test_same_seed_measures_the_same_and_another_does_not():
    first, again, other = (measured("mdp:jump", delays=(1, 2), states=4, branches=5, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first.points != other.points


def test_time_that_is_up_leaves_two_states_and_two_runs():
    found = measured("mdp:jump", delays=(1,), states=50, runs=50, branches=2, seconds=1e-9)
    assert (found.states, found.runs) == (2, 2)


@pytest.mark.parametrize("what, done", [("branching", (3, 2)), ("acting late", (5, 3))])
def test_interrupted_measurement_keeps_what_is_finished(what: str, done: tuple[int, int]):
    def report(doing: str, index: float, total: float) -> None:
        if (doing, index) == (what, 3):
            raise KeyboardInterrupt

    world = restorable("mdp:jump")
    found = measure(world, policy_of("best", world), Effort((1,), states=5, branches=2, runs=5, steps=9), report)
    assert (found.states, found.runs, found.interrupted) == (*done, True)


def test_measurement_interrupted_at_its_beginning_has_nothing_to_tell():
    def report(doing: str, index: float, total: float) -> None:
        raise KeyboardInterrupt

    world = restorable("mdp:jump")
    with pytest.raises(KeyboardInterrupt):
        measure(world, policy_of("best", world), Effort((1,)), report)


def test_worse_actions_are_told_from_the_best_only_where_repeats_show_it():
    random = np.random.default_rng(0)
    noise = random.normal(size=(400, 1))
    own = random.normal(size=(400, 3)) * 0.1
    good = as_good_as_the_best(noise + own + np.array([0.0, 1.0, 1.0]))
    assert good.tolist() == [False, True, True]


@pytest.mark.parametrize(
    "settings",
    [
        {"delays": ()},
        {"delays": (2, 1)},
        {"delays": (0, 1)},
        {"states": 1},
        {"branches": 1},
        {"horizon": 0},
        {"seconds": 0.0},
        {"seed": -1},
        {"runs": 1},
    ],
)
def test_effort_that_makes_no_sense_is_refused(settings: dict):
    with pytest.raises(InvalidValue, match=next(iter(settings)).removesuffix("s")):
        Effort(**settings)


def test_policy_may_look_at_the_world_but_a_rollout_leaves_it_as_it_was():
    world: Restorable = restorable("FrozenLake-v1")
    world.reset(1)
    before = world.key()
    best_actions(world, policy_of("random", world), Effort(horizon=9, repeats=2), (1,))
    assert (world.key(), world.ended) == (before, False)


def test_interval_of_a_p_of_one_holds_it():
    # On average late actions earn more; without one of the runs they do not, so that pseudo-values lie above one.
    runs = np.array([[1.0, 1.3, 0.8, 0.0], [1.0, 1.0, 1.1, 0.0], [1.0, 0.9, 1.1, 0.0]])
    found = effective_of_runs(runs, [1, 2])
    assert found.value == 1.0
    assert found.ci95[0] < 1.0 == found.ci95[1]


class Fading(RestorableMDP):
    """Pays only in the first so many steps of a run."""

    def __init__(self, paid: int) -> None:
        super().__init__(mdps.of("jump(n=4, p=0.9)"))
        self.paid, self.passed = paid, 0

    def reset(self, seed: int) -> None:
        super().reset(seed)
        self.passed = 0

    def step(self, action: int | None) -> float:
        self.passed += 1
        reward = super().step(action)
        return reward if self.passed <= self.paid else 0.0


def test_curve_that_depends_on_the_length_of_its_runs_is_told_and_no_other():
    effort = Effort(delays=(1, 4), states=2, branches=2, visit_steps=5, horizon=1, runs=10, steps=200)

    def drift(paid: int, seed: int) -> Any:
        world = Fading(paid)
        return measure(world, policy_of("best", world), replace(effort, seed=seed)).drift

    found = drift(110, 0)
    assert found.delay_steps in (0, 1, 4)
    assert found.first > 4 * found.second, "100 steps that pay, and at most 10"
    # By chance at most one in twenty has a drift; that ten of 25 have is less likely than 1e-6 (binomial).
    assert sum(drift(10**6, seed) is not None for seed in range(25)) < 10
    assert measured("mdp:forward(states=3)", runs=4, steps=100).drift is None, "its runs are all alike"
