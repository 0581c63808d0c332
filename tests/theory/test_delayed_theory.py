"""Delayed policies: a naive twin, closed forms, enumeration, and the order of what can be known."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtsim import mdps, theory
from rtsim.errors import InvalidValue, NoConvergence, UnknownName
from rtsim.theory import delayed, memoryless, pending
from rtsim.theory.average_reward import policy_iteration
from rtsim.theory.linear_programme import linear_programme
from tests.theory.test_average_reward import draw_mdp, line, long_run


def naive_gains(mdp, chances, delay=None, every=1, inaction=0.0, weights=None):
    """Gain by first state, step by step: (phase, state, actions of the last observations), nothing composed.

    ``None`` in the history stands for an observation from before the beginning.
    """
    away, paid = mdp.chain_under_default
    weights = np.eye(delay + 1)[-1] if weights is None else np.asarray(weights, dtype=float)
    memory = len(weights) - 1
    symbols = [None, *range(mdp.actions)]
    nodes = list(itertools.product(range(every), range(mdp.states), itertools.product(symbols, repeat=memory)))
    index = {node: i for i, node in enumerate(nodes)}
    p, r = np.zeros((len(nodes),) * 2), np.zeros(len(nodes))
    for (phase, s, history), i in index.items():
        for a in range(mdp.actions):
            seen = (a, *history)
            for age, weight in enumerate(weights):
                weight = weight * chances[s, a]
                acts = phase == 0 and seen[age] is not None
                share = (1 - inaction) if acts else 0.0
                row = share * mdp.p[s, seen[age]] if acts else 0.0
                row = row + (1 - share) * away[s]
                r[i] += weight * ((share * mdp.r[s, seen[age]] if acts else 0.0) + (1 - share) * paid[s])
                for t in range(mdp.states):
                    p[i, index[(phase + 1) % every, t, seen[:memory]]] += weight * row[t]
    gains = long_run(p) @ r
    return np.array([gains[index[0, s, (None,) * memory]] for s in range(mdp.states)])


def draw_policy(random, mdp, deterministic):
    chances = random.random((mdp.states, mdp.actions))
    if deterministic:
        return np.eye(mdp.actions)[chances.argmax(axis=1)]
    return chances / chances.sum(axis=1, keepdims=True)


@settings(max_examples=80)
@given(
    st.integers(0, 10**6),
    st.integers(0, 3),
    st.integers(1, 4),
    st.sampled_from([0.0, 0.3, 1.0]),
    st.booleans(),
)
def test_delayed_gain_agrees_with_its_naive_twin(seed, delay, every, inaction, deterministic):
    mdp = draw_mdp(seed, states=1 + seed % 3)
    if mdp.states * every * (mdp.actions + 1) ** delay > 400:
        every = 1
    chances = draw_policy(np.random.default_rng(seed), mdp, deterministic)
    expected = naive_gains(mdp, chances, delay, every, inaction)
    found = [
        theory.delayed_gain(mdp, chances, delay, every=every, inaction=inaction, start=s) for s in range(mdp.states)
    ]
    assert found == pytest.approx(expected, abs=1e-9)
    assert theory.delayed_gain(mdp, chances, delay, every=every, inaction=inaction) == pytest.approx(
        mdp.start @ expected, abs=1e-9
    )
    worst = theory.delayed_gain(mdp, chances, delay, every=every, inaction=inaction, start="worst")
    assert worst == pytest.approx(min(expected), abs=1e-9)


@pytest.mark.parametrize("default", [0, 1])
@pytest.mark.parametrize(("delay", "every"), [(0, 2), (1, 2), (2, 3), (1, 3), (3, 2), (2, 4)])
def test_where_the_first_steps_decide_the_gain_agrees_with_its_naive_twin(default, delay, every):
    # Deterministic cycles whose default moves on: which states are ever seen depends on the first steps.
    mdp = mdps.forward(4).with_default(default)
    for policy in itertools.product((0, 1), repeat=4):
        expected = naive_gains(mdp, np.eye(2)[list(policy)], delay, every)
        found = [theory.delayed_gain(mdp, policy, delay, every=every, start=s) for s in range(4)]
        assert found == pytest.approx(expected, abs=1e-9)


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.sampled_from([[0.25, 0.75], [0.0, 0.5, 0.5], [0.2, 0.3, 0.0, 0.5], [1.0]]))
def test_random_delay_agrees_with_its_naive_twin(seed, weights):
    mdp = draw_mdp(seed, states=1 + seed % 3)
    chances = draw_policy(np.random.default_rng(seed), mdp, seed % 2 == 0)
    expected = naive_gains(mdp, chances, weights=weights, inaction=0.1)
    found = [theory.delayed_gain(mdp, chances, weights, inaction=0.1, start=s) for s in range(mdp.states)]
    assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("every", [1, 2, 3])
@pytest.mark.parametrize("delay", [0, 1, 2, 4])
def test_states_that_go_their_own_way_need_no_augmented_chain(delay, every):
    mdp = mdps.delay(3, 0.4)
    world = delayed.blocks(mdp, delay, every, 0.2)
    assert world.free
    chances = draw_policy(np.random.default_rng(delay), mdp, False)
    chain, rewards, first = delayed._augmented(world, chances)
    by_chain = world.entry @ delayed.chains.long_run_rewards(chain, rewards)[first] / every
    assert delayed.gains_by_start(world, chances)[0] == pytest.approx(by_chain, abs=1e-12)


@pytest.mark.parametrize("p", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("k", [1, 2, 5, 20])
@pytest.mark.parametrize("n", [3, 10, 100])
def test_best_delayed_policy_of_the_worst_cases_is_the_closed_form(n, k, p):
    cycle = theory.best_delayed(mdps.delay(n, p), k)
    assert (cycle.exact, cycle.method) == (True, "structure")
    assert 1 - cycle.gain == pytest.approx(theory.cycle_delay_regret(n, p, k), abs=1e-12)
    jump = theory.best_delayed(mdps.jump(n, p), k)
    assert 1 - jump.gain == pytest.approx(theory.jump_delay_regret(n, p, k), abs=1e-12)
    # Against Equation 4 with p for p_minimax: never above it, and the cycle below it when (k+1)(1−p) > 1 and k < n.
    printed = theory.delay_regret_per_action(p, k)
    assert 1 - cycle.gain <= printed + 1e-12
    if k < n and (k + 1) * (1 - p) > 1 + 1e-9:
        assert 1 - cycle.gain < printed - 1e-9
    assert 1 - jump.gain <= printed + 1e-12
    assert printed - (1 - jump.gain) <= (1 - p**k) / n + 1 / n  # attained as n grows


def test_structure_and_enumeration_agree_on_the_cycle():
    mdp = mdps.delay(3, 0.3)
    gains = [theory.delayed_gain(mdp, policy, 2) for policy in itertools.product(range(3), repeat=3)]
    assert theory.best_delayed(mdp, 2).gain == pytest.approx(max(gains), abs=1e-12)


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_deterministic_world_has_delay_regret_for_memoryless_policies(k):
    # Walked by hand, without any chain: the least gain over starts of each deterministic policy.
    n = k + 1

    def walked(policy, s):
        queue, seen, total, history = (1,) * k, {}, 0, []
        while (s, queue) not in seen:
            seen[s, queue] = len(history)
            history.append(total)
            total += s == n - 1
            queue = (*queue, policy[s])
            s, queue = (s + (queue[0] == 0)) % n, queue[1:]
        first = seen[s, queue]
        return (total - history[first]) / (len(history) - first)

    expected = max(min(walked(policy, s) for s in range(n)) for policy in itertools.product((0, 1), repeat=n))
    found = theory.best_delayed(mdps.forward(n), k, start="worst")
    assert found.gain == pytest.approx(expected, abs=1e-12)
    assert found.gain == pytest.approx(theory.forward_delay_gain(k), abs=1e-12)
    assert theory.pending_optimum(mdps.forward(n), k).gain == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("k", [0, 1, 2, 3, 5])
def test_alternating_world_halves_every_memoryless_policy_deterministic_or_not(k):
    mdp = mdps.alternate()
    found = theory.best_delayed(mdp, k)
    assert found.exact
    assert found.gain == pytest.approx(theory.alternate_delay_gain(k, deterministic=True), abs=1e-12)
    if k:
        # Interleaved chains: 2 μ (1 − μ) with μ = up/(up + down) is the share of 1s among the actions.
        for up, down in itertools.product((0.0, 0.2, 0.5, 0.9, 1.0), repeat=2):
            gain = theory.delayed_gain(mdp, [[1 - up, up], [down, 1 - down]], k)
            assert gain <= theory.alternate_delay_gain(k) + 1e-12
            if 0 < up + down < 2:
                share = up / (up + down)
                assert gain == pytest.approx(2 * share * (1 - share), abs=1e-9)
    assert theory.pending_optimum(mdp, k).gain == pytest.approx(1.0, abs=1e-9)


def test_four_fifteenths_from_state_zero_at_three_steps():
    # From one known start a policy can do a little better than from everywhere: 4/15 against 1/4.
    assert theory.best_delayed(mdps.forward(4), 3).gain == pytest.approx(4 / 15, abs=1e-12)


def test_a_coin_beats_every_deterministic_memoryless_policy():
    # Two states, one step late: going round earns 1/2; staying when seen at the goal and moving with probability q when
    # not halts there once two observations in a row agree.
    mdp = mdps.forward(2)
    best = theory.best_delayed(mdp, 1)
    assert best.gain == pytest.approx(0.5, abs=1e-12)
    with_coin = max(theory.delayed_gain(mdp, [[q, 1 - q], [0.0, 1.0]], 1) for q in (0.1, 0.3, 0.5, 0.7, 0.9))
    assert with_coin == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_deterministic_worlds_have_no_delay_regret_if_pending_actions_are_known(seed):
    # Riemer et al. 2025, App. B.6, under this condition.
    mdp = mdps.maze(3, 3, seed=seed)
    undelayed = theory.optimum(mdp).gain
    for k in (1, 3, 5):
        assert theory.pending_optimum(mdp, k).gain == pytest.approx(undelayed, abs=2e-9)
    assert theory.best_delayed(mdp, 1, restarts=0).exact is False


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(0, 2))
def test_knowing_more_never_costs(seed, delay):
    mdp = draw_mdp(seed, states=1 + seed % 4)
    memoryless = theory.best_delayed(mdp, delay)
    informed = theory.pending_optimum(mdp, delay).gain
    undelayed = theory.optimum(mdp).gain
    assert memoryless.exact
    assert memoryless.gain <= informed + 1e-8
    assert informed <= undelayed + 1e-8
    if delay == 0:
        assert memoryless.gain == pytest.approx(undelayed, abs=1e-8)


@settings(max_examples=15)
@given(st.integers(0, 10**6))
def test_search_finds_at_most_the_best_and_says_so(seed):
    mdp = draw_mdp(seed, states=3)
    exact, found = theory.best_delayed(mdp, 1), theory.best_delayed(mdp, 1, limit=0)
    if exact.method == "structure":
        return
    assert exact.exact
    assert (found.exact, found.method) == (False, "search")
    assert found.gain <= exact.gain + 1e-12
    assert found.gain == pytest.approx(theory.delayed_gain(mdp, found.policy, 1), abs=1e-12)
    assert found.gain >= theory.delayed_gain(mdp, theory.optimum(mdp).policy, 1) - 1e-12
    for s, a in itertools.product(range(3), range(mdp.actions)):
        other = np.where(np.arange(3) == s, a, found.policy)
        assert theory.delayed_gain(mdp, other, 1) <= found.gain + 1e-11


def test_search_stops_when_its_work_is_done_and_says_so():
    mdp = mdps.garnet(states=14, actions=3)
    begun, some, all_of_it = (theory.best_delayed(mdp, 2, restarts=1, most_work=w) for w in (1, 20_000, math.inf))
    assert (begun.tried, begun.complete) == (1, False)
    np.testing.assert_array_equal(begun.policy, theory.optimum(mdp).policy)
    assert 1 < some.tried <= 20 < all_of_it.tried
    assert not some.complete
    assert all_of_it.complete
    assert begun.gain <= some.gain <= all_of_it.gain
    assert some.gain == pytest.approx(theory.delayed_gain(mdp, some.policy, 2), abs=1e-12)
    # Enumerating 27 policies is work too, 1,000 states each.
    assert theory.best_delayed(mdps.garnet(states=3, actions=3), 1, most_work=27_000).method == "search"
    assert theory.best_delayed(mdps.garnet(states=3, actions=3), 1, most_work=28_000).method == "enumeration"


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.integers(0, 4), st.integers(1, 3), st.sampled_from([0.0, 0.4]))
def test_pending_optimum_agrees_among_value_iteration_direct_and_linear_programme(seed, delay, every, inaction):
    mdp = draw_mdp(seed, states=1 + seed % 4)
    try:
        compact = theory.pending_optimum(mdp, delay, every=every, inaction=inaction, method="value_iteration")
    except NoConvergence:
        compact = None
    direct = theory.pending_optimum(mdp, delay, every=every, inaction=inaction, method="direct")
    world = delayed.blocks(mdp, delay, every, inaction)
    programme = linear_programme(pending.augmented(world.p[:, :-1], world.r[:, :-1], world.depth))
    assert direct.gain == pytest.approx(programme.gain / every, abs=1e-6)
    if compact is not None:
        assert compact.gain == pytest.approx(direct.gain, abs=2e-9)
        assert compact.residual <= 1e-9
        assert compact.policy.shape == direct.policy.shape == (mdp.states, mdp.actions**world.depth)


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.integers(0, 4))
def test_compact_backup_agrees_with_its_plain_twin(seed, depth):
    mdp = draw_mdp(seed, states=1 + seed % 4)
    states, actions = mdp.states, mdp.actions
    values = np.random.default_rng(seed).random((states, actions**depth))
    expected, chosen = np.empty_like(values), np.empty(values.shape, dtype=int)
    queues = list(itertools.product(range(actions), repeat=depth))
    for s in range(states):
        for i, queue in enumerate(queues):
            choices = []
            for a in range(actions):
                applied, *rest = (*queue, a)
                after = queues.index(tuple(rest))
                choices.append(mdp.r[s, applied] + sum(mdp.p[s, applied, t] * values[t, after] for t in range(states)))
            expected[s, i], chosen[s, i] = max(choices), int(np.argmax(np.round(choices, 12)))
    found = np.empty_like(values)
    matrices = [np.ascontiguousarray(mdp.p[:, a]) for a in range(actions)]
    pending._backup(matrices, mdp.r, values, found)
    assert found == pytest.approx(expected, abs=1e-12)
    model = pending.augmented(mdp.p, mdp.r, depth)
    assert model.values(values.reshape(-1)).max(axis=1) == pytest.approx(expected.reshape(-1), abs=1e-12)
    greedy = pending._greedy(matrices, mdp.r, values).reshape(-1)
    flat = model.values(values.reshape(-1))
    assert flat[np.arange(len(flat)), greedy] == pytest.approx(flat.max(axis=1), abs=1e-12)


def test_pending_actions_are_useless_where_states_go_their_own_way():
    for k in (1, 3):
        mdp = mdps.jump(4, 0.7)
        assert theory.pending_optimum(mdp, k).gain == pytest.approx(1 - theory.jump_delay_regret(4, 0.7, k), abs=2e-9)


def test_sequential_interaction_on_the_inaction_worst_case_earns_one_step_in_m():
    # Remark 1 with inferences of m steps: the agent acts on one step in m, the state pays after it.
    mdp = mdps.inaction()
    for m in (1, 2, 5):
        assert theory.delayed_gain(mdp, [0, 0], m, every=m) == pytest.approx(1 / m, abs=1e-12)
        assert theory.pending_optimum(mdp, m, every=m).gain == pytest.approx(1 / m, abs=1e-9)
        per_second = (1 - 1 / m) / 0.1
        assert per_second == pytest.approx(theory.sequential_inaction_rate(0.1 * m, 0.1))


def test_auto_turns_to_the_direct_solution_on_a_slowly_mixing_line():
    mdp = line(0.55, states=300)
    found = theory.pending_optimum(mdp, 2, sweeps=500)
    assert found.method == "policy_iteration"
    assert found.residual <= 1e-9
    with pytest.raises(NoConvergence, match="give more sweeps, or method='direct'"):
        theory.pending_optimum(mdp, 2, method="value_iteration", sweeps=500)


@pytest.mark.parametrize("seed", range(3))
def test_policy_iteration_from_any_policy_ends_at_the_same_gain(seed):
    mdp = mdps.garnet(6, 2, 2, seed=seed)
    model = pending.augmented(mdp.p, mdp.r, 3)
    gains = [policy_iteration(model, np.full(48, a)).gain for a in (0, 1)]
    assert gains[0] == pytest.approx(gains[1], abs=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: theory.delayed_gain(m, [0, 0], -1), "delay -1 must be"),
        (lambda m: theory.delayed_gain(m, [0, 0], [0.5, 0.4]), "delay sums to 0.9"),
        (lambda m: theory.delayed_gain(m, [0, 0], [0.5, 0.5], every=2), "a random delay needs every=1"),
        (lambda m: theory.delayed_gain(m, [0, 0], 1, every=0), "every 0 must be"),
        (lambda m: theory.delayed_gain(m, [0, 0], 1, inaction=1.5), "inaction 1.5 must be a probability"),
        (lambda m: theory.delayed_gain(m, [0, 2], 1), "policy must give one action in 0..1"),
        (lambda m: theory.delayed_gain(m, [0], 1), "policy must give one action"),
        (lambda m: theory.delayed_gain(m, [[0.5, 0.5], [0.5, 0.6]], 1), "row 1 of policy sums to 1.1"),
        (lambda m: theory.delayed_gain(m, [0, 0], 1, start=2), "start '2' must be a state in 0..1, 'worst' or None"),
        (lambda m: theory.pending_optimum(m, [0.5, 0.5]), "delay must be a whole number of steps"),
        (lambda m: theory.pending_optimum(m, 40), "augmented states are more than"),
        (lambda m: theory.p_minimax(m, [0, 1, 2]), r"labels have shape \(3,\)"),
        (lambda m: theory.pending_influence(m, 30), "S·A.delay must be at most"),
    ],
)
def test_wrong_arguments_get_one_line(call, message):
    with pytest.raises(InvalidValue, match=message):
        call(mdps.inaction())
    with pytest.raises(UnknownName, match="choose from auto, direct, value_iteration"):
        theory.pending_optimum(mdps.inaction(), 1, method="newton")


def test_too_large_an_augmented_chain_is_refused_with_its_size(monkeypatch):
    monkeypatch.setattr(delayed, "MAX_STATES", 100)
    mdp = mdps.garnet(6, 2, 3)
    chances = np.full((6, 2), 0.5)
    with pytest.raises(InvalidValue, match=r"more than 100 states \(S = 6, 2 actions, 8 under way\)"):
        theory.delayed_gain(mdp, chances, 8)


def test_p_minimax_of_the_worst_cases():
    assert theory.p_minimax(mdps.inaction()) == 1.0
    assert theory.p_minimax(mdps.jump(10, 0.8)) == pytest.approx(0.8)
    # Riemer et al. 2025, footnote 5: uniformly random, p_minimax = 1/S.
    assert theory.p_minimax(mdps.garnet(4, 2, 4, seed=0)) >= 0.25
    assert theory.p_minimax(mdps.jump(5, 0.2)) == pytest.approx(0.2)


def test_tighter_bound_on_the_aliased_mdp_is_its_exact_delay_regret_in_the_limit():
    mdp = mdps.aliased(groups=5, copies=8, p=0.9)
    solved = theory.optimum(mdp)
    labels = theory.optimal_action_groups(mdp, solved)
    assert labels.tolist() == np.repeat(np.arange(5), 8).tolist()
    assert theory.p_minimax(mdp) == pytest.approx(0.9 / 8)
    assert theory.p_minimax(mdp, labels) == pytest.approx(0.9)
    # A wrong group costs one half: the exact regret is half that of jumping among 5 groups.
    for k in (1, 2, 5):
        exact = solved.gain - theory.best_delayed(mdp, k).gain
        assert exact == pytest.approx(0.5 * theory.jump_delay_regret(5, 0.9, k), abs=1e-12)
        assert exact <= theory.delay_regret_per_action(theory.p_minimax(mdp, labels), k)
        assert exact < 0.5 * theory.delay_regret_per_action(theory.p_minimax(mdp), k)
    # The paper's consequence, equal values in a group, does not follow.
    assert len(set(solved.bias[:8].round(9))) == 2


def test_groups_with_ties_each_share_an_optimal_action():
    mdp = mdps.maze(4, 4)
    solved = theory.optimum(mdp)
    labels = theory.optimal_action_groups(mdp, solved)
    agent, _ = theory.gaps(mdp, solved)
    assert agent[np.arange(16), labels] == pytest.approx(np.zeros(16), abs=1e-9)


def test_pending_actions_matter_unless_transitions_ignore_them():
    assert theory.pending_influence(mdps.jump(4, 0.6), 3) == 0.0
    # Garnet: by enumeration of all pairs of action sequences.
    mdp = mdps.garnet(4, 2, 2, seed=5)
    ends = [np.eye(4)[s] @ mdp.p[:, a] @ mdp.p[:, b] for s in range(4) for a in range(2) for b in range(2)]
    expected = max(
        np.abs(x - y).sum() / 2 for s in range(4) for x in ends[4 * s : 4 * s + 4] for y in ends[4 * s : 4 * s + 4]
    )
    assert theory.pending_influence(mdp, 2) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    "call",
    [
        # A power of 2 actions to 1,100, of 3 symbols to a million: more than a float holds.
        lambda m: theory.pending_optimum(m, 1_100),
        lambda m: theory.pending_optimum(m, 1_100, method="direct"),
        lambda m: theory.pending_influence(m, 1_100),
        lambda m: theory.delayed_gain(m, [0, 1, 0], 1_000_000),
        lambda m: theory.best_delayed(m, 1_000_000),
    ],
)
def test_delays_beyond_all_floats_are_refused_in_one_line(call):
    with pytest.raises(InvalidValue, match=r"shorten the delay|delay 1100 is too long"):
        call(mdps.riverswim(3))


def test_best_delayed_policy_of_more_states_than_a_float_has_powers():
    # 2^1200 policies. Without delay the search begins at the optimum, which nothing beats.
    mdp = mdps.riverswim(1_200)
    found = theory.best_delayed(mdp, 0, restarts=0, most_work=3 * (1_200 + memoryless.PER_POLICY))
    assert (found.method, found.exact, found.tried) == ("search", False, 3)
    assert found.gain == pytest.approx(theory.optimum(mdp).gain)


def test_long_delays_take_no_square_of_their_length():
    # The state goes its own way: after 10^6 steps nothing is known, and each action is right in one of 3 states.
    assert theory.delayed_gain(mdps.jump(3, 0.5), [0, 1, 2], 10**6) == pytest.approx(1 / 3)
