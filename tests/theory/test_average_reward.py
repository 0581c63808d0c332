"""Optimal gain and bias: published examples, closed forms, brute force, and the three methods against each other."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtsim import mdps, theory
from rtsim.errors import InvalidValue, NoConvergence, UnknownName
from rtsim.mdps import TabularMDP

METHODS = ("policy_iteration", "value_iteration", "linear_programme")


def long_run(p):
    """lim ((I + P)/2)^t, which is the Cesàro limit of P^t, by squaring; rows renormalised against drift."""
    power = (np.eye(len(p)) + p) / 2
    for _ in range(60):
        power = power @ power
        power /= power.sum(axis=1, keepdims=True)
    return power


def best_by_brute_force(mdp):
    """The largest gain of any deterministic policy from any state."""
    states = np.arange(mdp.states)
    return max(
        (long_run(mdp.p[states, policy]) @ mdp.r[states, policy]).max()
        for policy in itertools.product(range(mdp.actions), repeat=mdp.states)
    )


def draw_mdp(seed, states=None, deterministic=None):
    """A random weakly communicating MDP: deterministic, sparse or dense; periodic and multichain policies included."""
    random = np.random.default_rng(seed)
    while True:
        n = states or int(random.integers(1, 6))
        a = int(random.integers(1, 4 if n < 5 else 3))
        if deterministic or (deterministic is None and random.random() < 0.4):
            p = np.eye(n)[random.integers(n, size=(n, a))]
        else:
            p = random.random((n, a, n)) * (random.random((n, a, n)) < random.choice([0.3, 0.6, 1.0]))
            empty = p.sum(axis=2) == 0
            p[empty] = np.eye(n)[random.integers(n, size=int(empty.sum()))]
            p /= p.sum(axis=2, keepdims=True)
        r = random.random((n, a)) if random.random() < 0.7 else random.integers(0, 3, (n, a)).astype(float)
        try:
            return TabularMDP.of(p, r, default=str(random.choice(["stay", "random"])), start=np.full(n, 1 / n))
        except InvalidValue:
            continue


@settings(max_examples=300)
@given(st.integers(0, 10**6))
def test_three_methods_agree_with_every_policy_tried(seed):
    mdp = draw_mdp(seed)
    expected = best_by_brute_force(mdp)
    solved = theory.optimum(mdp)
    assert solved.gain == pytest.approx(expected, abs=1e-10)
    assert solved.residual <= 1e-10
    assert theory.optimum(mdp, "linear_programme").gain == pytest.approx(expected, abs=1e-7)
    assert theory.optimum(mdp, "value_iteration").gain == pytest.approx(expected, abs=2e-9)


@settings(max_examples=200)
@given(st.integers(0, 10**6), st.sampled_from(METHODS))
def test_policy_returned_earns_the_gain_from_every_state(seed, method):
    mdp = draw_mdp(seed)
    solved = theory.optimum(mdp, method)
    states = np.arange(mdp.states)
    earned = long_run(mdp.p[states, solved.policy]) @ mdp.r[states, solved.policy]
    if method != "value_iteration":  # whose policy is greedy for values that are only nearly a bias
        assert earned == pytest.approx(np.full(mdp.states, solved.gain), abs=1e-7)
    assert earned.max() <= solved.gain + 1e-7


@settings(max_examples=100)
@given(st.integers(0, 10**6))
def test_gain_and_bias_solve_the_optimality_equation(seed):
    mdp = draw_mdp(seed)
    solved = theory.optimum(mdp)
    agent, default = theory.gaps(mdp, solved)
    assert agent.min() >= -1e-10
    assert agent.min(axis=1) == pytest.approx(np.zeros(mdp.states), abs=1e-10)
    assert agent[np.arange(mdp.states), solved.policy] == pytest.approx(np.zeros(mdp.states), abs=1e-10)
    assert default.shape == (mdp.states, mdp.default_actions)
    assert solved.bias[0] == 0


HOWARD_TAXICAB = (
    # Howard 1960, Chapter 5: three towns; cruise, drive to a cab stand, wait for a radio call (not in town B).
    # Probabilities and rewards of each trip; the third alternative of town B repeats the second.
    [
        [[1 / 2, 1 / 4, 1 / 4], [1 / 16, 3 / 4, 3 / 16], [1 / 4, 1 / 8, 5 / 8]],
        [[1 / 2, 0, 1 / 2], [1 / 16, 7 / 8, 1 / 16], [1 / 16, 7 / 8, 1 / 16]],
        [[1 / 4, 1 / 4, 1 / 2], [1 / 8, 3 / 4, 1 / 8], [3 / 4, 1 / 16, 3 / 16]],
    ],
    [
        [[10, 4, 8], [8, 2, 4], [4, 6, 4]],
        [[14, 0, 18], [8, 16, 8], [8, 16, 8]],
        [[10, 2, 8], [6, 4, 2], [4, 0, 8]],
    ],
)


@pytest.mark.parametrize("method", METHODS)
def test_howards_taxicab_has_its_published_solution(method):
    # Howard 1960, Chapter 5: gain 13.34, drive to the stand everywhere, values −1.18, 12.66, 0.
    p, trips = (np.array(x) for x in HOWARD_TAXICAB)
    solved = theory.optimum(TabularMDP.of(p, (p * trips).sum(axis=2)), method)
    assert solved.gain == pytest.approx(13.34, abs=0.005)
    assert solved.policy.tolist() == [1, 1, 1]
    assert (solved.bias - solved.bias[2]).round(2).tolist() == [-1.18, 12.66, 0.0]


@pytest.mark.parametrize("method", METHODS)
def test_puterman_two_state_example_worked_by_hand(method):
    # Puterman 1994, Section 3.1: in s_1 either stay or leave with 1/2 each and earn 5, or leave and earn 10;
    # s_2 is never left and earns −1. So g = −1, and from g + h(s_1) = 5 + (h(s_1) + h(s_2))/2 the bias of s_1 is 12
    # more than that of s_2, against 11 for leaving at once.
    mdp = TabularMDP.of([[[0.5, 0.5], [0, 1]], [[0, 1], [0, 1]]], [[5, 10], [-1, -1]])
    solved = theory.optimum(mdp, method)
    assert solved.gain == pytest.approx(-1)
    if method != "linear_programme":  # whose bias is an inequality in transient states
        assert solved.bias[1] == pytest.approx(-12)
        assert solved.policy[0] == 0


def test_riverswim_gain_is_the_stationary_share_of_the_top():
    # Swimming right is a birth-death chain: detailed balance gives the weights exactly.
    weights = [Fraction(1), Fraction(60, 5)]
    for _ in range(3):
        weights.append(weights[-1] * 7)
    weights.append(weights[-1] * Fraction(35, 40))
    expected = weights[-1] / sum(weights)
    for method in METHODS:
        assert theory.optimum(mdps.riverswim(), method).gain == pytest.approx(float(expected), abs=1e-8)
    assert round(float(expected), 4) == 0.4286
    assert theory.optimum(mdps.riverswim()).policy.tolist() == [1] * 6


@pytest.mark.parametrize(("states", "actions"), [(2, 2), (6, 2), (20, 3)])
def test_jao_gain_is_the_closed_form_for_any_number_of_copies(states, actions):
    mdp = mdps.jao(states, actions, delta=0.1, epsilon=0.05)
    assert theory.optimum(mdp).gain == pytest.approx(0.15 / 0.25, abs=1e-12)


def test_aliased_gain_is_half_plus_the_share_of_first_copies():
    assert theory.optimum(mdps.aliased(3, 4, 0.5)).gain == pytest.approx(0.5 + 0.5 / 4)


@pytest.mark.parametrize("name", ["delay", "jump", "forward", "inaction"])
def test_worst_cases_have_optimal_gain_one(name):
    assert theory.optimum(mdps.of(name)).gain == pytest.approx(1.0, abs=1e-12)


def test_default_steps_of_the_inaction_worst_case_lose_exactly_one():
    mdp = mdps.inaction()
    agent, default = theory.gaps(mdp, theory.optimum(mdp))
    assert default.tolist() == [[1], [1]]
    assert agent.tolist() == [[0, 0], [0, 0]]


def test_staying_without_pay_loses_the_gain_in_every_state():
    mdp = mdps.jao(states=6)
    solved = theory.optimum(mdp)
    assert theory.gaps(mdp, solved)[1] == pytest.approx(np.full((6, 1), solved.gain), abs=1e-12)


def shortest_path(mdp, paid):
    """Breadth-first: least steps from the start until a step pays."""
    reached, steps = set(np.flatnonzero(mdp.start).tolist()), 1
    while not any(paid[s, a] for s in reached for a in range(mdp.actions)):
        reached |= {int(mdp.p[s, a].argmax()) for s in reached for a in range(mdp.actions)}
        steps += 1
    return steps


@pytest.mark.parametrize("seed", range(5))
def test_maze_gain_is_one_over_the_shortest_path(seed):
    mdp = mdps.maze(7, 5, seed=seed)
    assert theory.optimum(mdp).gain == pytest.approx(1 / shortest_path(mdp, mdp.r), abs=1e-12)


def test_frozen_lake_without_slipping_is_left_every_six_steps():
    mdp = mdps.of("gym:FrozenLake-v1(is_slippery=false)")
    assert theory.optimum(mdp).gain == pytest.approx(1 / 6, abs=1e-12)


def test_slippery_frozen_lake_against_episodes_with_a_price_per_step():
    # Renewal theory: the gain is the price of a step at which the best episode is worth nothing. Episodes
    # are solved on Gymnasium's own table, resets cut, by value iteration; the price by bisection.
    gymnasium = pytest.importorskip("gymnasium")
    table = gymnasium.make("FrozenLake-v1").unwrapped.P
    p, r = np.zeros((16, 4, 16)), np.zeros((16, 4))
    for s, a in itertools.product(range(16), range(4)):
        for chance, target, reward, ends in table[s][a]:
            p[s, a, target] += chance * (not ends)
            r[s, a] += chance * reward

    def worth(price):
        values = np.zeros(16)
        for _ in range(5000):
            values = (r - price + p @ values).max(axis=1)
        return values[0]

    # Without a price the value is the chance to reach the goal, known to be 14/17.
    assert worth(0.0) == pytest.approx(14 / 17, abs=1e-6)
    low, high = 0.0, 1.0
    for _ in range(40):
        low, high = ((low + high) / 2, high) if worth((low + high) / 2) > 0 else (low, (low + high) / 2)
    assert theory.optimum(mdps.of("gym:FrozenLake-v1")).gain == pytest.approx(low, abs=1e-9)


#: Liu 2024, Python Machine Learning by Example, 4th edition, Chapter 15, "Solving the FrozenLake environment with the
#: value iteration algorithm": optimal values at a discount of 0.99, iterated until no value changes by more than 1e-4.
FROZEN_LAKE_VALUES = (
    *(0.5404, 0.4966, 0.4681, 0.4541, 0.5569, 0.0000, 0.3572, 0.0000),
    *(0.5905, 0.6421, 0.6144, 0.0000, 0.0000, 0.7410, 0.8625, 0.0000),
)


@pytest.mark.parametrize("method", METHODS)
def test_slippery_frozen_lake_has_its_published_values(method):
    # A discount of 0.99 is the chance to go on: with the rest an episode begins anew, wherever it is. So V(s) is
    # h(s) − h(0) + g/0.01. What was iterated from zero is too small, by at most 0.99/0.01 of the last change.
    gymnasium = pytest.importorskip("gymnasium")
    table = gymnasium.make("FrozenLake-v1").unwrapped.P
    p, r = np.zeros((16, 4, 16)), np.zeros((16, 4))
    p[:, :, 0] = 0.01
    for s, a in itertools.product(range(16), range(4)):
        for chance, target, reward, _ in table[s][a]:
            p[s, a, target] += 0.99 * chance
            r[s, a] += chance * reward
    solved = theory.optimum(TabularMDP.of(p, r), method)
    if method == "linear_programme":  # whose bias is an inequality in transient states
        below = np.array([solved.gain / 0.01 - FROZEN_LAKE_VALUES[0]])
    else:
        below = solved.bias - solved.bias[0] + solved.gain / 0.01 - FROZEN_LAKE_VALUES
    assert below.min() > -1e-4
    assert below.max() < 99 * 1e-4 + 1e-4


def test_taxi_has_the_values_that_dietterich_works_out():
    # Dietterich 2000, JAIR 13, Section 3.3 and Figure 4: the taxi stands one square below R, where a passenger waits,
    # bound for B. The value is +10: ten steps of −1, and 20; once aboard, 8 steps are left: +12. Gymnasium pays
    # 20 for the last step where Dietterich pays 20 − 1. Closed by a reset, h(s) is the value less the gain of the steps
    # to the end, and the mean h of the starts.
    gymnasium = pytest.importorskip("gymnasium")
    made = gymnasium.make(max(x for x in gymnasium.registry if x.startswith("Taxi-"))).unwrapped
    begins = np.asarray(made.initial_state_distrib)
    reached = set(np.flatnonzero(begins).tolist())
    waiting = list(reached)
    while waiting:
        state = waiting.pop()
        new = {t for rows in made.P[state].values() for _, t, _, ends in rows if not ends} - reached
        reached |= new
        waiting += new
    place = {state: at for at, state in enumerate(sorted(reached))}
    red, blue, aboard = 0, 3, 4
    below, inside = made.encode(1, 0, red, blue), made.encode(0, 0, aboard, blue)
    mdp = mdps.of("gym:Taxi")
    solved = theory.optimum(mdp)
    after = float(mdp.start @ solved.bias)
    for state, value, steps in ((below, 10, 10), (inside, 12, 8)):
        assert solved.bias[place[state]] - after + solved.gain * steps == pytest.approx(value + 1, abs=1e-9)


def test_taxi_gain_follows_from_its_shortest_episodes():
    # Each step costs 1 and the last pays 20, so an episode of L steps returns 21 − L; the mean over starts is
    # the known 7.93. Shortest paths by breadth-first search on Gymnasium's own table.
    gymnasium = pytest.importorskip("gymnasium")
    made = gymnasium.make(max(x for x in gymnasium.registry if x.startswith("Taxi-")))
    table, start = made.unwrapped.P, made.unwrapped.initial_state_distrib
    left = {s: 1 for s in table if any(ends for a in table[s] for _, _, _, ends in table[s][a])}
    steps = 1
    while any(start[s] > 0 and s not in left for s in table):
        steps += 1
        for s in table:
            if s not in left and any(left.get(table[s][a][0][1], steps) == steps - 1 for a in table[s]):
                left[s] = steps
    length = sum(start[s] * left[s] for s in table if start[s] > 0)
    assert 21 - length == pytest.approx(7.93, abs=0.005)
    assert theory.optimum(mdps.of("gym:Taxi")).gain == pytest.approx((21 - length) / length, abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_sticky_world_has_the_same_gain_and_a_stretched_bias(seed):
    mdp = mdps.garnet(8, 3, 2, seed=seed)
    plain, sticky = theory.optimum(mdp), theory.optimum(mdps.sticky(mdp, 0.75))
    assert sticky.gain == pytest.approx(plain.gain, abs=1e-12)
    assert sticky.bias == pytest.approx(plain.bias * 4, abs=1e-10)


def line(up, states=1_000, seed=0):
    """A birth-death line with random rewards: action 1 drifts up, action 0 down."""
    p = np.zeros((states, 2, states))
    place = np.arange(states)
    for action, chance in enumerate((1 - up, up)):
        np.add.at(p, (place, action, np.minimum(place + 1, states - 1)), chance)
        np.add.at(p, (place, action, np.maximum(place - 1, 0)), 1 - chance)
    return TabularMDP.of(p, np.random.default_rng(seed).random((states, 2)))


@pytest.mark.parametrize("up", [0.52, 0.55, 0.7, 0.9, 0.99])
def test_slowly_mixing_line_is_solved_with_a_proof(up):
    # The residual bounds the error of the gain whatever way it was found (Puterman 1994, Theorem 8.5.5).
    mdp = line(up)
    solved = theory.optimum(mdp)
    values = (mdp.r + mdp.p @ solved.bias).max(axis=1) - solved.bias
    assert values.min() >= solved.gain - 1e-9
    assert values.max() <= solved.gain + 1e-9


def test_value_iteration_says_how_far_it_came_where_it_does_not_converge():
    from rtsim.theory.average_reward import Model, value_iteration

    mdp = line(0.5)
    with pytest.raises(NoConvergence, match=r"knows the gain only within 0\.\d+..0\.\d+ after 2000 sweeps") as caught:
        value_iteration(Model.of(mdp), sweeps=2000)
    low, high = (float(x) for x in str(caught.value).split("within ")[1].split(" ")[0].split(".."))
    assert low <= theory.optimum(mdp).gain <= high


def test_unknown_method_lists_the_valid_ones():
    with pytest.raises(UnknownName, match="method 'simplex' unknown; choose from linear_programme, policy_iteration"):
        theory.optimum(mdps.inaction(), "simplex")


def test_diameter_equals_value_iteration_for_every_target():
    for seed in range(5):
        mdp = mdps.garnet(7, 3, 2, seed=seed)
        times = np.zeros((7, 7))
        for target in range(7):
            h = np.zeros(7)
            for _ in range(20_000):
                h = 1 + (mdp.p @ h).min(axis=1)
                h[target] = 0
            times[target] = h
        assert theory.diameter(mdp) == pytest.approx(times.max(), rel=1e-9)


def test_diameter_of_states_that_are_left_for_ever_is_infinite():
    mdp = TabularMDP.of(p=[[[0.5, 0.5]], [[0.0, 1.0]]], r=[[0.0], [1.0]])
    assert theory.diameter(mdp) == np.inf


def seldom(p):
    """Two states, left with probabilities p and p/3: three quarters of the time are spent in the second, which pays."""
    return mdps.TabularMDP.of([[[1 - p, p]], [[p / 3, 1 - p / 3]]], [[0.0], [1.0]])


@pytest.mark.parametrize("p", [1e-6, 1e-9, 1e-12, 1e-15, 1e-18])
def test_states_that_are_seldom_left_lose_no_digits(p):
    found = theory.optimum(seldom(p))
    assert found.gain == pytest.approx(0.75, abs=1e-12)
    # Puterman 1994, Eq. 8.2.2: gain + h(0) = 0 + (1 − p) h(0) + p h(1).
    assert found.bias[1] == pytest.approx(0.75 / p)
    assert theory.delayed_gain(seldom(p), [0, 0], 2) == pytest.approx(0.75, abs=1e-12)


def test_linear_programme_says_where_its_tolerance_hides_what_is_seldom_left():
    with pytest.raises(NoConvergence, match="linear programme left a residual of"):
        theory.optimum(seldom(1e-9), "linear_programme")


def test_returns_beyond_doubles_are_no_convergence_and_no_number():
    with pytest.raises(NoConvergence, match="too long for doubles"):
        theory.optimum(seldom(3e-320))
