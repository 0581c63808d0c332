"""The table itself: what is checked, what is kept, and how it travels."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtsim import mdps
from rtsim.errors import FileProblem, InvalidValue, RtsimError
from rtsim.mdps import TabularMDP

P = np.array([[[0.25, 0.75], [1.0, 0.0]], [[0.5, 0.5], [0.0, 1.0]]])
R = np.array([[0.0, 1.0], [0.5, 0.25]])


def changed(array, place, value):
    copy = np.array(array, dtype=np.float64)
    copy[place] = value
    return copy


@pytest.mark.parametrize(
    ("faulty", "message"),
    [
        ({"p": changed(P, (1, 1, 1), 0.97)}, "row 1 of p for action 1 sums to 0.97; it must sum to 1"),
        ({"p": changed(P, (0, 1), [1.5, -0.5])}, r"p\[0, 1, 1\] is -0.5; a probability must be >= 0"),
        ({"p": changed(P, (1, 0, 1), np.nan)}, r"p\[1, 0, 1\] is nan; it must be finite"),
        ({"r": changed(R, (0, 1), np.inf)}, r"r\[0, 1\] is inf; it must be finite"),
        ({"p": P[:, :, :1]}, r"p has shape \(2, 2, 1\); it must be \(S, A, S\)"),
        ({"p": P[0]}, r"p has shape \(2, 2\); it must be \(any, any, any\)"),
        ({"r": R[:1]}, r"r has shape \(1, 2\); it must be \(2, 2\)"),
        ({"r": [["a", "b"], ["c", "d"]]}, r"r must be numbers of shape \(2, 2\)"),
        ({"p": np.array([])}, "p has shape"),
        ({"default": 2}, "default 2 must be 'stay', 'random', an action in 0..1"),
        ({"default": "noop"}, "default 'noop' must be"),
        ({"default": True}, "default True must be"),
        ({"default": (P, R, [[0.5, 0.5], [0.5, 0.4]])}, "row 1 of default_policy sums to 0.9"),
        ({"default": (P * 0.5, R)}, "row 0 of p_default for the default policy's action 0 sums to 0.5"),
        ({"default": (P, R[:, :1])}, r"r_default has shape \(2, 1\); it must be \(2, 2\)"),
        ({"start": 2}, r"start 2 must be a state in 0..1"),
        ({"start": [0.5, 0.4]}, "start sums to 0.9"),
        ({"reward": "sampled"}, "reward 'sampled' must be 'expected' or 'bernoulli'"),
        ({"reward": "bernoulli", "r": R + 0.5}, r"r\[0, 1\] is 1.5; Bernoulli rewards need probabilities"),
        ({"name": "two\nlines"}, "name must be a text"),
    ],
)
def test_wrong_table_gets_one_line_that_names_the_place(faulty, message):
    with pytest.raises(InvalidValue, match=message) as caught:
        TabularMDP.of(**{"p": P, "r": R, **faulty})
    assert "\n" not in str(caught.value)


def two_closed_classes():
    p = np.zeros((4, 1, 4))
    p[0, 0, 1] = p[1, 0, 0] = p[2, 0, 0] = p[3, 0, 3] = 1
    return p


def avoidable_return():
    """From 0 and 1 one may, but need not, go to 2, from where there is no way back."""
    p = np.zeros((3, 2, 3))
    p[0, :, 1] = p[1, 0, 0] = p[1, 1, 2] = p[2, :, 2] = 1
    return p


@pytest.mark.parametrize(
    ("p", "message"),
    [
        (two_closed_classes(), "states 0, 1 and state 3 are never left"),
        (avoidable_return(), "a policy can keep states 0, 1 for ever, but from state 2 there is no way back"),
    ],
)
def test_mdp_that_is_not_weakly_communicating_names_the_states(p, message):
    with pytest.raises(InvalidValue, match=message):
        TabularMDP.of(p, np.zeros(p.shape[:2]))


def test_transient_states_that_no_policy_can_stay_in_are_allowed():
    p = np.zeros((3, 2, 3))
    p[0, 0, 1] = p[0, 1, 2] = p[1, :, 2] = p[2, :, 2] = 1
    assert TabularMDP.of(p, np.zeros((3, 2))).states == 3


def weakly_communicating_by_brute_force(p):
    """Over all deterministic policies: the classes recurrent under one of them can all be reached from everywhere."""
    import itertools

    import networkx as nx

    states, actions, _ = p.shape
    union = nx.DiGraph([(s, t) for s in range(states) for t in range(states) if p[s, :, t].any()])
    for policy in itertools.product(range(actions), repeat=states):
        graph = nx.DiGraph([(s, t) for s in range(states) for t in range(states) if p[s, policy[s], t] > 0])
        for component in nx.attracting_components(graph):
            s = next(iter(component))
            if any(not nx.has_path(union, other, s) for other in union.nodes):
                return False
    return True


@settings(max_examples=200)
@given(st.integers(0, 10**6))
def test_weakly_communicating_agrees_with_the_definition_over_all_policies(seed):
    pytest.importorskip("networkx")
    random = np.random.default_rng(seed)
    states, actions = int(random.integers(1, 5)), int(random.integers(1, 3))
    p = (random.random((states, actions, states)) < random.choice([0.15, 0.3])).astype(float)
    empty = p.sum(axis=2) == 0
    p[empty] = np.eye(states)[random.integers(states, size=int(empty.sum()))]
    p /= p.sum(axis=2, keepdims=True)
    try:
        TabularMDP.of(p, np.zeros((states, actions)))
        accepted = True
    except InvalidValue:
        accepted = False
    assert accepted == weakly_communicating_by_brute_force(p)


def test_rows_off_by_ten_digits_are_normalised_and_others_kept_bit_for_bit():
    p = np.array([[[0.3333333333, 0.6666666667 - 5e-10]], [[0.1, 0.9]]])
    mdp = TabularMDP.of(p, [[0.0], [0.0]])
    assert mdp.p[0, 0].sum() == pytest.approx(1.0, abs=1e-15)
    assert (mdp.p[1] == p[1]).all()
    again = TabularMDP(mdp.p, mdp.r, mdp.p_default, mdp.r_default, mdp.default_policy, mdp.start)
    assert again == mdp


def test_tables_cannot_be_changed_and_do_not_alias_the_arguments():
    source = P.copy()
    mdp = TabularMDP.of(source, R)
    source[0, 0] = 0.5
    assert mdp.p[0, 0, 0] == 0.25
    with pytest.raises(ValueError, match="read-only"):
        mdp.p[0, 0, 0] = 1.0


def test_equality_and_hash_are_by_content_without_the_name():
    one, two = TabularMDP.of(P, R, name="one"), TabularMDP.of(P.tolist(), R, name="two")
    assert one == two
    assert hash(one) == hash(two)
    assert one != TabularMDP.of(P, R, reward="bernoulli")
    assert one != TabularMDP.of(P, changed(R, (0, 0), 1e-300))
    assert TabularMDP.of(P, R * 0.0) == TabularMDP.of(P, R * -0.0)
    assert len({one, two}) == 1


def test_pickled_mdp_is_equal_named_and_still_read_only():
    mdp = pickle.loads(pickle.dumps(mdps.of("garnet(states=6, seed=3)")))
    assert mdp == mdps.of("garnet(states=6, seed=3)")
    assert mdp.name == "garnet(states=6, seed=3)"
    assert not mdp.p.flags.writeable


def test_chain_under_default_mixes_the_default_policys_own_actions():
    weights = np.array([[0.25, 0.75], [1.0, 0.0]])
    mdp = TabularMDP.of(P, R, default=(P, R, weights))
    p, r = mdp.chain_under_default
    assert p == pytest.approx(np.array([0.25 * P[0, 0] + 0.75 * P[0, 1], P[1, 0]]))
    assert r == pytest.approx([0.75, 0.5])


@pytest.mark.parametrize("ending", ["json", "npz"])
@pytest.mark.parametrize("text", ["inaction", "delay(n=7, p=0.3)", "garnet(seed=2)", "jao(states=6)", "maze"])
def test_file_gives_back_the_very_same_mdp(tmp_path, text, ending):
    mdp = mdps.of(text)
    path = mdp.save(tmp_path / f"mdp.{ending}")
    again = TabularMDP.load(path)
    assert again == mdp
    assert again.name == mdp.name
    assert mdps.of(str(path)) == mdp


def minimal():
    return {
        "format": "rtsim-mdp",
        "version": 1,
        "states": 2,
        "actions": 1,
        "p": {"sparse": [[0, 0, 1, 1.0], [1, 0, 0, 0.5], [1, 0, 1, 0.5]]},
        "r": [[0.0], [1.0]],
    }


def test_file_written_by_hand_may_be_short(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({**minimal(), "default": "random", "start": 1}))
    mdp = TabularMDP.load(path)
    assert mdp == TabularMDP.of([[[0, 1]], [[0.5, 0.5]]], [[0], [1]], default="random", start=1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"p": {"sparse": [[0, 0, 1, 1.0], [1, 0, 0, 0.47], [1, 0, 1, 0.5]]}}, "row 1 of p for action 0 sums to 0.97"),
        ({"p": {"sparse": [[0, 0, 2, 1.0]]}}, r"entry 0 of p is \[0, 0, 2, 1.0\]; it must be"),
        ({"p": {"sparse": [[0, 0, 1, 0.5], [0, 0, 1, 0.5]]}}, r"p\[0, 0, 1\] is given twice"),
        ({"p": {"dense": []}}, "p must be nested lists"),
        ({"p": "uniform"}, r"p must be numbers of shape \(2, 1, 2\)"),
        ({"p": {"sparse": [[0, 0, 1, 10**400]]}}, "entry 0 of p is too large a number"),
        ({"states": 10**6}, "use fewer states"),
        ({"states": 2.5}, "states '2.5' must be a whole number >= 1"),
        ({"start": "left"}, "start must be a state or a list"),
        ({"default": [1]}, "default must be 'stay', 'random' or an action"),
        ({"p_default": [[[1, 0]]]}, "give either default, or all of"),
        ({"discount": 0.9}, "key 'discount' unknown; choose from"),
        ({"version": 2}, "version 2 is not known"),
        ({"r": [[0.0], [[1.0]]]}, r"r must be numbers of shape \(2, 1\)"),
        ({"reward": ["expected"]}, "reward"),
        ({"name": 5}, "name must be a text"),
        ({"name": "red\x9b31m"}, "printable characters"),
        ({"name": "\u202ebackwards"}, "printable characters"),
        ({"name": "\x7f"}, "printable characters"),
        ({"name": "\ud800"}, "printable characters"),
        ({"name": "x" * 10_001}, "at most 10000"),
        ({"r": [[1.7e308], [-1.7e308]]}, r"r\[0, 0\] is 1.7e\+308; a reward must lie in"),
    ],
)
def test_wrong_json_file_gets_one_line_with_its_name(tmp_path, change, message):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({**minimal(), **change}))
    with pytest.raises(RtsimError, match=message) as caught:
        TabularMDP.load(path)
    assert "mine.json" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not JSON"),
        ("[1, 2]", "is not an MDP file"),
        ('{"format": "rtsim-mdp"}', "version None"),
        ('{"format": "rtsim-mdp", "version": 1}', "key 'states' is missing"),
        ('{"format": "rtsim-mdp", "format": 1}', "given twice"),
        ('{"format": "rtsim-mdp", "version": 1, "r": [[NaN]]}', "NaN is not a number"),
        ("[" * 100_000, "is not JSON"),
        pytest.param('{"r": 1' + "0" * 5_000 + "}", "holds a number of too many digits", id="endless number"),
        ("\ud800", "is not UTF-8"),
    ],
)
def test_file_that_is_no_mdp_gets_one_line(tmp_path, text, message):
    path = tmp_path / "mine.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(RtsimError, match=message):
        TabularMDP.load(path)


def test_missing_foreign_and_truncated_archives_are_refused(tmp_path: Path):
    with pytest.raises(FileProblem, match="No such file"):
        TabularMDP.load(tmp_path / "none.npz")
    with pytest.raises(InvalidValue, match=r"must end in .json or .npz"):
        TabularMDP.load(tmp_path / "mdp.pkl")
    np.savez(tmp_path / "foreign.npz", p=P)
    with pytest.raises(FileProblem, match="not an MDP file"):
        TabularMDP.load(tmp_path / "foreign.npz")
    path = mdps.of("garnet").save(tmp_path / "cut.npz")
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(FileProblem, match="truncated"):
        TabularMDP.load(path)
    tables = {w: np.array([object()]) for w in ("p", "r", "p_default", "r_default", "default_policy", "start")}
    np.savez(tmp_path / "pickled.npz", header=np.zeros(2, np.uint8), **tables)
    with pytest.raises(FileProblem, match="truncated or of another kind"):
        TabularMDP.load(tmp_path / "pickled.npz")


def test_what_is_no_regular_file_is_called_so(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.npz")
    (tmp_path / "zero.npz").symlink_to("/dev/zero")
    (tmp_path / "folder.npz").mkdir()
    for name, reason in (("pipe", "no regular file"), ("zero", "no regular file"), ("folder", "a directory")):
        with pytest.raises(FileProblem, match=f"{name}.npz': it is {reason}"):
            TabularMDP.load(tmp_path / f"{name}.npz")
