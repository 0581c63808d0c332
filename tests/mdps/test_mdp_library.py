"""The library: tables against their definitions, and their names as texts."""

from __future__ import annotations

import numpy as np
import pytest

from rtsim import mdps
from rtsim.errors import InvalidValue, UnknownName
from rtsim.mdps import TabularMDP
from rtsim.mdps.toy_text import _closed

EXAMPLES = [
    "inaction",
    "delay",
    "jump(n=3, p=0.5)",
    "aliased",
    "forward(states=5, start=2)",
    "alternate",
    "pit(depth=3)",
    "maze(width=4, height=3)",
    "jao",
    "jao(states=10, actions=3)",
    "riverswim",
    "garnet(states=20, branching=2)",
    "sticky(riverswim, stay=0.5)",
    "sticky_actions(forward)",
    "repeat_default(maze)",
]


@pytest.mark.parametrize("text", EXAMPLES)
def test_name_of_an_mdp_reads_back_as_the_same(text):
    mdp = mdps.of(text)
    assert mdp.name == text
    assert mdps.of(mdp.name) == mdp


def test_every_family_has_an_example_and_help():
    assert {text.partition("(")[0] for text in EXAMPLES} == set(mdps.names())
    for entry in mdps.ENTRIES.values():
        assert entry.summary
        assert entry.source
        assert all(option.help for option in entry.options.values())


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("delay(p=0.90, n=10)", "delay"),
        (" jump ( n = 4 ) ", "jump(n=4)"),
        ("jao(epsilon=0.05, delta=0.2)", "jao(delta=0.2)"),
        ("sticky(jump(p=0.5), stay=0.25)", "sticky(jump(p=0.5))"),
        ("forward(default=random)", "forward(default=random)"),
        ("forward(default=0, reward=bernoulli)", "forward(default=0, reward=bernoulli)"),
    ],
)
def test_mdp_text_has_one_canonical_spelling(text, canonical):
    assert mdps.of(text).name == canonical
    assert mdps.of(canonical) == mdps.of(text)


def test_keywords_win_over_the_text():
    assert mdps.of("jump(n=4)", n=5, p=0.5) == mdps.of("jump(n=5, p=0.5)")
    assert mdps.of(mdps.of("jump")) == mdps.of("jump")


@pytest.mark.parametrize(
    ("text", "fault", "message"),
    [
        ("jumps", UnknownName, r"MDP 'jumps' unknown \(did you mean 'jump'\?\); choose from aliased"),
        ("jump(states=3)", UnknownName, "option 'states' of MDP 'jump' unknown; choose from default, n, p, reward"),
        ("jump(10)", InvalidValue, r"options of jump are given by name: jump\(n=...\)"),
        ("jump(n=1)", InvalidValue, r"option n 1 must be a whole number in 2..250"),
        ("jump(n=2.5)", InvalidValue, "option n 2.5 must be a whole number"),
        ("jump(p=1.5)", InvalidValue, r"option p=1.5 must be a number in 0..1"),
        ("jump(p=1)", InvalidValue, "p 1 must lie in 0 <= p < 1"),
        ("jump(p=9ms)", InvalidValue, "option p=9ms must be a bare number"),
        ("jump(p=high)", InvalidValue, "option p=high must be a number"),
        ("jump(n=many)", InvalidValue, "option n 'many' must be a whole number"),
        ("jump(default=left)", InvalidValue, "default 'left' must be"),
        ("jump(reward=often)", InvalidValue, "reward 'often' must be"),
        ("jump(n=", InvalidValue, "MDP 'jump.n=' is not understood at column 7; write e.g."),
        ("", InvalidValue, "MDP is empty"),
        ("84ms", InvalidValue, "must read NAME"),
        ("sticky", InvalidValue, r"sticky changes another MDP: write sticky\(riverswim\)"),
        ("sticky(jump, jump)", InvalidValue, "sticky changes another MDP"),
        ("sticky(84ms)", InvalidValue, "must read NAME"),
        ("jao(states=5)", InvalidValue, "states 5 must be even"),
        ("jao(delta=0.9, epsilon=0.2)", InvalidValue, r"delta \+ epsilon <= 1"),
        ("garnet(states=3, branching=4)", InvalidValue, "branching 4 must lie in 1..states, here 1..3"),
        ("maze(width=1, height=1)", InvalidValue, "at least 2 cells"),
        ("gym:Nothing-v0", InvalidValue, "Gymnasium cannot make 'Nothing-v0'"),
        ("gym:Blackjack-v1", InvalidValue, "'Blackjack-v1' carries no transition table"),
        ("gym:FrozenLake-v1(map_size=3)", InvalidValue, "Gymnasium cannot make"),
        (
            "gym:FrozenLake-v1(is_slippery=maybe)",
            InvalidValue,
            "is_slippery=maybe of FrozenLake-v1 must be true",
        ),
        ("gym:FrozenLake-v1(map_name=)", InvalidValue, r"MDP 'gym:FrozenLake-v1\(map_name=\)' must read gym:ENV"),
        ("garnet(states=1)", InvalidValue, "option states 1 must be a whole number"),
        ("sticky_actions(jump(n=250))", InvalidValue, r"shape \(62500, 250, 62500\) has more than 100000000 entries"),
        ("repeat_default(jump(n=250))", InvalidValue, "use fewer states"),
        ("garnet(states=5000, actions=100)", InvalidValue, r"p of shape \(5000, 100, 5000\) has more than"),
        ("jao(states=1000, actions=100)", InvalidValue, "use fewer states"),
        ("aliased(groups=50, copies=50)", InvalidValue, "use fewer states"),
    ],
)
def test_wrong_mdp_text_gets_one_line(text, fault, message):
    with pytest.raises(fault, match=message) as caught:
        mdps.of(text)
    assert "\n" not in str(caught.value)


def test_inaction_worst_case_is_the_papers():
    # Riemer et al. 2025, App. B.2: next state s_1 for a_1 and a_2, s_2 for the default's a_3; reward 1 at s_1.
    mdp = mdps.inaction()
    assert (mdp.p[:, :, 0] == 1).all()
    assert (mdp.p_default[:, :, 1] == 1).all()
    assert mdp.r.tolist() == [[1, 1], [0, 0]]
    assert mdp.r_default.tolist() == [[1], [0]]


@pytest.mark.parametrize("name", ["delay", "jump"])
def test_delay_worst_cases_move_alike_under_every_action(name):
    mdp = mdps.of(name, n=6, p=0.7)
    for a in range(6):
        assert (mdp.p[:, a] == mdp.p_default[:, 0]).all()
    assert np.diag(mdp.p[:, 0]) == pytest.approx([0.7] * 6)
    assert (mdp.r == np.eye(6)).all()
    assert not mdp.r_default.any()


def test_jao_tree_connects_the_copies_and_only_the_last_is_better():
    # Jaksch et al. 2010, Fig. 4 and proof of Thm. 5: A'-ary tree on the copies' states 0.
    mdp = mdps.jao(states=10, actions=2, delta=0.2, epsilon=0.1)
    towards = mdp.p[::2, 2:, ::2].argmax(axis=2).tolist()
    assert towards == [[0, 1, 2], [0, 3, 4], [0, 2, 2], [1, 3, 3], [1, 4, 4]]
    better = mdp.p[::2, 0, 1::2].diagonal()
    assert better == pytest.approx([0.2, 0.2, 0.2, 0.2, 0.3])
    assert mdp.r[::2].max() == 0


def test_riverswim_has_the_probabilities_in_common_use():
    # Osband, Van Roy & Russo 2013, Fig. 1.
    mdp = mdps.riverswim()
    assert mdp.p[0, 1, :2] == pytest.approx([0.4, 0.6])
    assert mdp.p[3, 1, 2:5] == pytest.approx([0.05, 0.6, 0.35])
    assert mdp.p[5, 1, 4:] == pytest.approx([0.4, 0.6])
    assert [mdp.r[0, 0], mdp.r[5, 1], mdp.r.sum()] == [0.005, 1.0, 1.005]


@pytest.mark.parametrize("seed", range(5))
def test_maze_without_doors_is_a_tree_with_the_goal_as_a_leaf(seed):
    mdp = mdps.maze(6, 4, doors=0.0, seed=seed)
    moves = mdp.p.argmax(axis=2) != np.arange(24)[:, None]
    # 24 cells have 23 passages, seen from both sides but for the goal's one, whose other side is no move
    # of a cell; one of the moves that do not change the state pays, if the entrance borders the goal.
    assert moves[:-1].sum() == 2 * 22 + 1
    assert mdp.r.sum() == 1


def test_sticky_actions_of_a_deterministic_world_follow_the_definition():
    mdp = mdps.sticky_actions(mdps.forward(3), 0.25)
    # In state 1 after "stay" (1), choosing "forward" (0): to state 2 with last 0, or stay with last 1.
    row = mdp.p[1 * 2 + 1, 0]
    assert row[2 * 2 + 0] == 0.75
    assert row[1 * 2 + 1] == 0.25


def test_default_steps_of_sticky_actions_do_not_count_as_the_last_action():
    base = mdps.garnet(4, 3, 2, seed=2).with_default("random")
    mdp = mdps.sticky_actions(base, 0.25)
    for s in range(4):
        for last in range(3):
            assert mdp.p_default[s * 3 + last, :, last::3] == pytest.approx(base.p_default[s])


def test_default_steps_of_sticky_actions_pay_what_their_state_does():
    base = mdps.garnet(4, 3, 2, seed=2).with_default("random")
    mdp = mdps.sticky_actions(base, 0.25)
    assert len(np.unique(base.r_default)) > 1
    for s in range(4):
        for last in range(3):
            assert mdp.r_default[s * 3 + last] == pytest.approx(base.r_default[s])
            assert mdp.default_policy[s * 3 + last] == pytest.approx(base.default_policy[s])


def test_default_policy_of_sticky_actions_is_that_of_its_state():
    base = mdps.garnet(2, 2, 2)
    chances = np.array([[0.9, 0.1], [0.2, 0.8]])
    base = base.with_default((base.p, base.r, chances))
    assert mdps.sticky_actions(base).default_policy[:, 0] == pytest.approx([0.9, 0.9, 0.2, 0.2])


def test_repeating_default_does_what_the_agent_did_last():
    base = mdps.garnet(5, 3, 2, seed=1)
    mdp = mdps.repeat_default(base)
    p, r = mdp.chain_under_default
    for s in range(5):
        for last in range(3):
            assert p[s * 3 + last, last::3] == pytest.approx(base.p[s, last])
            assert r[s * 3 + last] == base.r[s, last]


def test_frozen_lake_table_has_gymnasiums_known_discounted_value():
    # Discount 0.99, slippery 4x4: V(start) = 0.5420, printed in many courses; the closed table
    # must give the same once its resets are cut, i.e. for episodes: value of reaching the goal once.
    gymnasium = pytest.importorskip("gymnasium")
    table = gymnasium.make("FrozenLake-v1").unwrapped.P
    values = np.zeros(16)
    for _ in range(3000):
        values = np.array(
            [
                max(sum(c * (w + 0.99 * (not d) * values[t]) for c, t, w, d in table[s][a]) for a in range(4))
                for s in range(16)
            ]
        )
    assert values[0] == pytest.approx(0.5420, abs=5e-5)
    mdp = mdps.of("gym:FrozenLake-v1")
    kept = [s for s in range(16) if s not in (5, 7, 11, 12, 15)]
    assert mdp.states == len(kept) == 11
    for row, s in enumerate(kept):
        for a in range(4):
            assert mdp.r[row, a] == pytest.approx(sum(c * w for c, _, w, _ in table[s][a]))
            expected = np.zeros(11)
            for c, t, _, ends in table[s][a]:
                expected[0 if ends else kept.index(int(t))] += c
            assert mdp.p[row, a] == pytest.approx(expected)


def test_frozen_lake_options_and_default_are_read_from_the_text():
    mdp = mdps.of("gym:FrozenLake-v1(is_slippery=false, default=random)")
    assert mdp.name == "gym:FrozenLake-v1(is_slippery=false, default=random)"
    assert set(np.unique(mdp.p)) == {0.0, 1.0}
    assert mdp.default_actions == 4
    assert mdps.of(mdp.name) == mdp


def test_taxi_leaves_out_the_states_it_never_visits():
    # 25 places x (4 waiting + 1 riding) x 4 destinations, less the 100 in which the passenger waits at the
    # destination, which end an episode.
    mdp = mdps.of("gym:Taxi")
    assert mdp.states == 400
    assert np.count_nonzero(mdp.start) == 300
    assert isinstance(mdp, TabularMDP)


def test_frozen_lake_map_is_chosen_by_its_name():
    mdp = mdps.of("gym:FrozenLake-v1(map_name=8x8)")
    assert mdp.name == "gym:FrozenLake-v1(map_name=8x8)"
    assert mdp == mdps.of("gym:FrozenLake8x8-v1")


def test_states_reached_by_the_default_policy_alone_are_kept():
    # The agent stays in state 0; the default policy falls into 1, from where the agent returns; none reaches 2.
    p = np.zeros((3, 1, 3))
    p[:, 0, 0] = 1.0
    r = np.array([[1.0], [2.0], [3.0]])
    fall = np.zeros((3, 1, 3))
    fall[:, 0, 1] = 1.0
    closed = _closed(p, r, np.array([1.0, 0.0, 0.0]), (fall, np.zeros((3, 1))), "world")
    assert closed.states == 2
    assert closed.r[:, 0].tolist() == [1.0, 2.0]
    assert closed.p_default[:, 0].tolist() == [[0.0, 1.0], [0.0, 1.0]]


def test_name_of_a_deeply_nested_mdp_is_whole():
    text = "sticky(" * 30 + "jump(n=3, p=0.123456789)" + ", stay=0.123456789)" * 30
    assert mdps.of(text).name == text
    assert len(text) > 200
