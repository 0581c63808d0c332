"""Environments by name, and lending them."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

from rtsim.envs.worlds import environment, lent
from rtsim.errors import RtsimError


@pytest.mark.parametrize(
    ("text", "actions", "shape"),
    [
        ("CartPole-v1", 2, (4,)),
        ("walk", 6, (84, 84, 1)),
        (" mdp:delay(n=4, p=0.5)", 4, (4,)),
        ("minatar:breakout", 3, (10, 10, 4)),
        ("minatar:breakout(minimal=0, sticky=0.5, ramping=0)", 6, (10, 10, 4)),
        ("rtsim/Blocks-v0", 6, (84, 84, 1)),
        ("rtsim/MinAtar-v0(game=asterix)", 5, (10, 10, 4)),
        ("FrozenLake-v1(is_slippery=false)", 4, ()),
    ],
)
def test_environment_has_its_spaces(text, actions, shape) -> None:
    env = environment(text)
    assert env.action_space == gymnasium.spaces.Discrete(actions)
    assert env.observation_space.shape == shape
    env.close()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Nope-v1", "neither a game .* nor mdp:NAME, minatar:NAME, nor one that Gymnasium knows"),
        ("", "neither a game"),
        ("mdp:jmp", "did you mean 'jump'"),
        ("nope:x", "neither a game"),
        ("minatar:pong", "MinAtar game 'pong' unknown"),
        ("minatar:breakout(x=1)", "must read minatar:GAME"),
        ("minatar:breakout(sticky=2)", "must be a number in 0..1"),
        ("minatar", "must read minatar:GAME"),
        ("CartPole-v1(3)", "must read NAME or NAME"),
        ("CartPole-v1(wings=2)", "neither a game"),
        ("blocks(level=99)", "level"),
    ],
)
def test_environment_unknown_is_refused_in_one_line(text, message) -> None:
    with pytest.raises(RtsimError, match=message) as caught:
        environment(text)
    assert "\n" not in str(caught.value)


def test_console_is_lent_and_comes_back_to_where_it_stood() -> None:
    pictures = []
    for borrows in (False, True):
        env = environment("blocks(level=9, sticky=0.5)")
        env.reset(seed=3)
        for step in range(60):
            env.step(step % 6)
        if borrows:
            with lent(env, lambda: environment("blocks")) as same:
                same.reset(seed=8)
                for _ in range(100):
                    same.step(0)
        seen = [env.step(step % 6) for step in range(60)]
        pictures.append([(observation.tobytes(), reward, ended) for observation, reward, ended, _, _ in seen])
        env.close()
    assert pictures[0] == pictures[1]


def test_other_environments_lend_a_second_one() -> None:
    env = environment("CartPole-v1")
    env.reset(seed=1)
    before = np.array(env.unwrapped.state)
    with lent(env, lambda: environment("CartPole-v1")) as other:
        assert other.unwrapped is not env.unwrapped
        other.reset(seed=1)
    np.testing.assert_array_equal(env.unwrapped.state, before)
