"""The papers' bounds against values worked by hand and against exact chains."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from rtsim import mdps, theory
from rtsim.errors import InvalidValue, UnknownName


def test_learning_regret_grows_with_the_square_root_of_time_and_of_choices():
    assert theory.learning_regret(100.0, 1.0) == pytest.approx(10.0)
    assert theory.learning_regret(400.0, 1.0) / theory.learning_regret(100.0, 1.0) == pytest.approx(2.0)
    # App. B.5: √(|A|^k).
    assert theory.learning_regret(1.0, 1.0, actions=3, chunk=4) == pytest.approx(math.sqrt(3**4))


@pytest.mark.parametrize("every", [1, 2, 3, 7])
def test_equation_3_is_attained_by_its_worst_case(every):
    # τ_I = m τ_M exactly: the chain's loss per second against Θ's expression with constant 1.
    step, time = 0.05, 1000.0
    gain = theory.delayed_gain(mdps.inaction(), [1, 0], delay=every, every=every)
    lost = (1.0 - gain) * time / step
    assert lost == pytest.approx(theory.inaction_regret(time, every * step, step), rel=1e-9)


@pytest.mark.parametrize("depth", [1, 2, 7, 50])
@pytest.mark.parametrize("inaction", [0.01, 0.3])
def test_inaction_can_cost_more_than_a_reward_per_default_step(depth, inaction):
    # Equation 3's upper bound is one reward per default step, here ``inaction`` per step. The gaps of the default
    # steps, weighted by how often each state is left by one, are exactly the regret.
    mdp = mdps.pit(depth)
    gain = theory.delayed_gain(mdp, np.zeros(depth + 1, dtype=int), 0, inaction=inaction)
    assert 1 - gain == pytest.approx(theory.pit_inaction_regret(depth, inaction), abs=1e-12)
    solved = theory.optimum(mdp)
    default = theory.gaps(mdp, solved)[1][:, 0]
    shares = np.append(inaction * (1 - inaction) ** np.arange(depth), (1 - inaction) ** depth)[::-1]
    assert inaction * shares @ default == pytest.approx(1 - gain, abs=1e-12)
    assert default.max() <= 1 + np.ptp(solved.bias) + 1e-12
    bound = inaction * mdp.r.max()
    assert 1 - gain == pytest.approx(bound) if depth == 1 else 1 - gain > 1.2 * bound


def test_pit_deeper_than_the_agent_can_climb_is_never_left():
    # Acting on every second step, one rung up and down again: the regret is 1 per step, twice Equation 3's bound.
    assert theory.delayed_gain(mdps.pit(2), [0, 0, 0], 0, every=2) == pytest.approx(0.0, abs=1e-12)


def test_remark_1_is_equation_3_per_second_with_the_inference_time_for_the_interaction_time():
    assert theory.sequential_inaction_rate(0.25, 0.1) == pytest.approx((0.25 - 0.1) / (0.1 * 0.25))
    assert theory.sequential_inaction_rate(0.05, 0.1) == 0.0
    assert theory.sequential_inaction_rate(0.25, 0.1, largest_reward=3.0) == pytest.approx(3 * 6.0)


def test_equation_4_of_a_random_delay_is_the_mean_over_delays():
    expected = 0.2 * (1 - 0.8) + 0.8 * (1 - 0.8**3)
    assert theory.delay_regret_per_action(0.8, [0.0, 0.2, 0.0, 0.8]) == pytest.approx(expected)
    assert theory.delay_regret(60.0, 0.5, 0.8, [0.0, 0.2, 0.0, 0.8]) == pytest.approx(120 * expected)
    with pytest.raises(InvalidValue, match=r"delay sums to 0\.9"):
        theory.delay_regret_per_action(0.8, [0.5, 0.4])
    with pytest.raises(InvalidValue, match="delay -1 must be a whole number"):
        theory.delay_regret_per_action(0.8, -1)


@pytest.mark.parametrize(("n", "p", "k"), [(3, 0.5, 2), (4, 0.25, 3), (5, 0.9, 6), (2, 0.2, 3), (3, 0.1, 5)])
def test_closed_forms_of_the_worst_cases_are_the_largest_entry_of_a_matrix_power(n, p, k):
    cycle = np.linalg.matrix_power(mdps.delay(n, p).p[:, 0], k)
    assert theory.cycle_delay_regret(n, p, k) == pytest.approx(1 - cycle.max(), abs=1e-12)
    jump = np.linalg.matrix_power(mdps.jump(n, p).p[:, 0], k)
    assert theory.jump_delay_regret(n, p, k) == pytest.approx(1 - jump.max(), abs=1e-12)


def test_jump_attains_equation_4_as_states_grow_and_the_cycle_does_not():
    bound = theory.delay_regret_per_action(0.6, 5)
    jumps = [theory.jump_delay_regret(n, 0.6, 5) for n in (10, 100, 1000, 10**6)]
    # To first order in 1/n the difference is (1 − p^k − k (1 − p) p^(k−1))/n.
    first_order = (1 - 0.6**5 - 5 * 0.4 * 0.6**4) / np.array([10, 100, 1000, 1e6])
    assert bound - np.array(jumps) == pytest.approx(first_order, rel=0.1)
    # Without end the cycle keeps 1 − max_j C(5, j) 0.4^j 0.6^(5−j), j = 2.
    assert theory.cycle_delay_regret(10**6, 0.6, 5) == pytest.approx(1 - 10 * 0.4**2 * 0.6**3)
    assert bound - theory.cycle_delay_regret(10**6, 0.6, 5) > 0.2


def test_interaction_time_is_the_larger_of_a_step_and_a_share():
    # App. B.4; Section 3.2 prints min, which would be below a step.
    assert theory.interaction_time_max_time(0.2, 10, 0.01) == pytest.approx(0.02)
    assert theory.interaction_time_max_time(0.2, 40, 0.01) == pytest.approx(0.01)
    assert theory.interaction_time_max_time(0.2, 7, 0.01, rounded=True) == pytest.approx(0.03)
    assert theory.interaction_time_exp_time(0.2, 10, 0.01) == pytest.approx(0.02)


def test_mean_interaction_time_is_not_the_rounded_one():
    # One action every 2.5 steps takes 2 and 3 steps in turn: the mean is 2.5 steps, not ⌈2.5⌉.
    releases = np.ceil(np.arange(1, 2001) * 0.025 / 0.01 - 1e-9)
    assert np.diff(releases).mean() * 0.01 == pytest.approx(theory.interaction_time_max_time(0.25, 10, 0.01), rel=1e-3)


def test_chunks_eliminate_inaction_only_if_further_actions_are_fast():
    assert theory.chunking_inaction(0.2, 0.01, 10, growth=0.04) == pytest.approx(1 - 10 * 0.01 / (0.2 * 1.36))
    for growth in (0.0, 0.01, 0.04, 0.049):
        needed = theory.required_chunk(0.2, 0.01, growth)
        assert theory.chunking_inaction(0.2, 0.01, needed, growth) == pytest.approx(0.0, abs=1e-12)
        assert theory.chunking_inaction(0.2, 0.01, needed - 1, growth) > 0
    assert theory.required_chunk(0.2, 0.01, 0.05) is None
    assert theory.chunking_inaction(0.2, 0.01, 10**6, 0.06) > 0
    assert theory.required_chunk(0.005, 0.01, 5.0) == 1


def test_theorem_1_is_the_sum_of_its_parts_and_sublinear_only_without_inaction_and_delay():
    parts = theory.realtime_regret(50.0, 0.2, 0.1, 0.9, 3)
    assert parts.total == pytest.approx(parts.learn + parts.inaction + parts.delay)
    assert parts.inaction == pytest.approx(250 * 1.0)
    assert parts.delay == pytest.approx(250 * (1 - 0.9**3))
    ratios = {
        p: theory.realtime_regret(4e6, 0.1, 0.1, p, 3).total / theory.realtime_regret(1e6, 0.1, 0.1, p, 3).total
        for p in (1.0, 0.9)
    }
    assert ratios[1.0] == pytest.approx(2.0)
    assert ratios[0.9] == pytest.approx(4.0, rel=0.01)


def test_propositions_1_and_3_per_step():
    # δ = 1, N = 4: the vanilla network acts on a 4 steps old state, the skip connection on a 1 step old one.
    assert theory.pipeline_delay_regret(100, 4, 1.0, 0.9) == pytest.approx(100 * (1 - 0.9**4))
    assert theory.pipeline_delay_regret(100, 4, 1.0, 0.9, skip=True) == pytest.approx(100 * (1 - 0.9))
    # Proposition 3 counts interactions; the chain counts steps: with δ = 3, two of three are inaction.
    gain = theory.delayed_gain(mdps.inaction(), [0, 0], delay=3, every=3)
    assert 1 - gain == pytest.approx(theory.pipeline_inaction_regret(1, 3.0, per="step"))
    assert (1 - gain) * 3 == pytest.approx(theory.pipeline_inaction_regret(1, 3.0))
    assert theory.pipeline_inaction_regret(10, 3.0, layers=4) == pytest.approx(10 * 11)
    assert theory.pipeline_inaction_regret(10, 0.5) == 0.0


def test_proposition_1_is_attained_in_the_corrected_worst_case_only_in_the_limit():
    exact = [1 - theory.best_delayed(mdps.jump(n, 0.9), 4).gain for n in (5, 50, 150)]
    bound = theory.pipeline_delay_regret(1, 4, 1.0, 0.9)
    assert exact == sorted(exact)
    assert exact[-1] < bound
    assert exact[-1] == pytest.approx(bound, rel=0.005)


def test_public_functions_of_theory_are_all_there_and_sorted():
    assert theory.__all__ == sorted(theory.__all__)
    for name in theory.__all__:
        found = getattr(theory, name)
        assert found.__doc__, name
        assert callable(found)
    assert set(theory.__all__) <= set(dir(theory))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = theory.nothing


def test_every_formula_names_its_source():
    from rtsim.theory import bounds, pipeline

    for name, found in {**vars(bounds), **vars(pipeline)}.items():
        home = getattr(found, "__module__", "")
        if callable(found) and home in (bounds.__name__, pipeline.__name__) and not name.startswith("_"):
            words = " ".join(found.__doc__.split())
            assert "et al. 20" in words or "Theorem 1" in words, name


def test_forward_cycle_is_settled_by_a_coin():
    # The counterexample is one to deterministic policies: staying when the goal is seen and else moving by a coin halts
    # there from everywhere, sooner or later, so its gain is 1.
    for k in (1, 2, 3):
        n = k + 1
        coin = np.full((n, 2), 0.5)
        coin[-1] = [0.0, 1.0]
        for start in range(n):
            assert theory.delayed_gain(mdps.forward(n), coin, k, start=start) == pytest.approx(1.0, abs=1e-12)
        deterministic = itertools.product((0, 1), repeat=n)
        assert max(theory.delayed_gain(mdps.forward(n), list(d), k, start="worst") for d in deterministic) < 0.51


NONSENSE = {
    "jump_delay_regret": [(1, 0.5, 2), (3, 1.5, 2), (3, 0.5, -1)],
    "cycle_delay_regret": [(0, 0.5, 2), (3, -0.5, 2), (3, 0.5, 1.5)],
    "interaction_time_max_time": [(1, 0, 0.1), (-1.0, 2, 0.1), (1.0, 2, 0.0)],
    "interaction_time_exp_time": [(math.nan, 2, 0.1)],
    "learning_regret": [(1, 0), (-1.0, 1.0), (1.0, 1.0, 0), (1.0, 1.0, 2, 0), (1.0, 1.0, 100, 2_000)],
    "delay_regret_per_action": [(1.5, 3), (0.5, 1.5), (0.5, True)],
    "delay_regret": [(1.0, 0.0, 0.5, 1), (-1.0, 1.0, 0.5, 1)],
    "inaction_regret": [(-1, 0.2, 0.1), (1.0, 0.0, 0.1), (1.0, 0.2, 0.0), (1.0, 0.2, 0.1, -1.0)],
    "pit_inaction_regret": [(0, 0.5), (3, 1.5)],
    "sequential_inaction_rate": [(-0.1, 0.1), (0.2, 0.0)],
    "forward_delay_gain": [(-1,), (0.5,)],
    "alternate_delay_gain": [(-1,)],
    "chunking_inaction": [(0.2, 0.01, 0), (0.2, 0.01, 3, -1.0), (-0.2, 0.01, 3)],
    "required_chunk": [(0.2, 0.0), (-0.2, 0.1)],
    "realtime_regret": [(1.0, 0.0, 0.1, 0.5, 1), (1.0, 0.1, 0.1, 2.0, 1)],
    "pipeline_delay": [(0, 1.0), (2, -1.0), (2, 0.0)],
    "pipeline_delay_regret": [(-1, 2, 1.0, 0.5), (10, 2, 1.0, 1.5)],
    "pipeline_inaction_regret": [(-1, 2.0), (10, -2.0), (10, 2.0, 0), (10, 2.0, 1, "second")],
    "pipeline_inaction": [(0.1, 0, 0.01), (-0.1, 2, 0.01)],
    "capacity_limit": [(2, 0.0, 0.1), (2, 0.1, -0.1)],
    "ceil_ratio": [(1.0, 0.0), (math.inf, 1.0), ("1", 1.0)],
    "held_inaction": [(0.2, 0.1, 0)],
    "required_learners": [(1.0, 0, 0.1)],
    "sequential_interaction_time": [(-1.0, 0.0, 0.1)],
    "pending_influence": [(mdps.jump(3), 1.5), (mdps.jump(3), -1)],
}


@pytest.mark.parametrize(("name", "arguments"), [(n, a) for n, rows in NONSENSE.items() for a in rows])
def test_arguments_that_make_no_sense_are_refused(name, arguments):
    with pytest.raises((InvalidValue, UnknownName)):
        getattr(theory, name)(*arguments)


def test_many_actions_at_once_fit_as_long_as_their_root_does():
    # √(1000 · 100^200) = 10^1.5 · 10^200, whose square no float holds.
    assert theory.learning_regret(100, 0.1, 100, 200) == pytest.approx(10**1.5 * 1e200)


def test_delay_regret_of_a_long_delay_needs_no_table_of_it():
    assert theory.delay_regret_per_action(0.5, 10**9) == 1.0


def test_all_parts_of_the_bound_grow_with_the_rewards():
    one, ten = (theory.realtime_regret(50.0, 0.2, 0.1, 0.9, 3, largest_reward=r) for r in (1.0, 10.0))
    assert (ten.learn, ten.inaction, ten.delay) == pytest.approx((10 * one.learn, 10 * one.inaction, 10 * one.delay))
