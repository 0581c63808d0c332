"""Demonstrations: observations as old as the delay, one transition for each action, and what is learnt from them."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

from rtsim.cli.main import main
from rtsim.envs.gym import Game
from rtsim.errors import InvalidValue
from rtsim.learning import Recent, Settings, load, prepare
from rtsim.learning.demonstrations import demonstrate, expected_delay, pretrain, scripted
from rtsim.scenario import Scenario


class Count(gymnasium.Env):
    """Step i of an episode shows i and is worth 10**i; six steps."""

    observation_space = gymnasium.spaces.Box(0, 10, (1,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.now = 0
        return np.zeros(1, np.float32), {}

    def step(self, action):
        self.now += 1
        return np.full(1, self.now, np.float32), 10.0 ** (self.now - 1), self.now == 6, False, {}


def rows(memory: Recent) -> list[tuple]:
    held = np.arange(memory.count)
    found = memory.batch(held[memory._allowed(held, None)], discount=1.0)
    return [
        (o.item(), r.item(), f.item(), d.item())
        for o, r, f, d in zip(found.observations, found.rewards, found.following, found.discounts, strict=True)
    ]


def test_demonstrations_are_as_late_as_the_agent() -> None:
    # The player acts on steps 1, 3 and 5; two steps late, step 1 could have had no action yet.
    env, memory = Count(), Recent(20, (1,), np.float32)
    found = demonstrate(env, lambda: int(env.now % 2 == 1), memory, 2, delay=2, noop=0)
    assert (found.transitions, found.steps, found.scores) == (2, 6, (111111.0,))
    # Action on step 3, chosen on observation 1, worth steps 3 and 4; the next one is chosen on observation 3.
    assert rows(memory) == [(1, 1000 + 10000, 3, 1), (3, 100000, 4, 0)]
    undelayed = Recent(20, (1,), np.float32)
    demonstrate(env, lambda: int(env.now % 2 == 1), undelayed, 3, noop=0)
    assert rows(undelayed) == [(1, 10 + 100, 3, 1), (3, 1000 + 10000, 5, 1), (5, 100000, 6, 0)]


def test_truncated_demonstrations_are_valued_on_what_the_next_action_would_have_seen() -> None:
    class Cut(Count):
        def step(self, action):
            observation, reward, ended, _, info = super().step(action)
            return observation, reward, False, ended, info

    memory = Recent(20, (1,), np.float32)
    env = Cut()
    demonstrate(env, lambda: int(env.now % 2 == 1), memory, 2, delay=2, noop=0)
    # An action on step 6 would have been chosen on observation 4.
    assert rows(memory) == [(1, 1000 + 10000, 3, 1), (3, 100000, 4, 1)]


def test_demonstrations_that_cannot_be_had_are_refused() -> None:
    env, memory = Count(), Recent(20, (1,), np.float32)
    with pytest.raises(InvalidValue, match=r"20 demonstrations must be .* fewer than the replay memory holds, 20"):
        demonstrate(env, lambda: 1, memory, 20, noop=0)
    with pytest.raises(InvalidValue, match="episodes are shorter than the delay of 6 steps"):
        demonstrate(env, lambda: 1, memory, 1, delay=6, noop=0)


def test_learner_prefers_what_was_demonstrated_to_pay() -> None:
    class Paid(Count):
        def step(self, action):
            observation, _, ended, truncated, info = super().step(action)
            return observation, float(action), ended, truncated, info

    env = Paid()
    settings = Settings(network="mlp(16)", capacity=200, batch=16, learning_rate=1e-2, target_every=20, discount=0.5)
    learner = prepare(env, settings)
    chance = np.random.default_rng(0)
    demonstrate(env, lambda: int(chance.integers(2)), learner.memory, 150, noop=-1)
    pretrain(learner, 150)
    assert learner.version == 150
    assert all(learner.best(np.full(1, i, np.float32)) == 1 for i in range(6))


def test_scripted_player_of_our_game_scores_while_it_demonstrates() -> None:
    pytest.importorskip("stable_retro")
    game = Game("blocks")
    try:
        game, choose = scripted(game)
        memory = Recent(1000, (84, 84, 1))
        found = demonstrate(game, choose, memory, 400, delay=5, noop=game.noop, seed=1)
        assert found.transitions == memory.appended == 400
        assert found.steps > 400
        held = np.arange(memory.count)
        actions = memory.batch(held[memory._allowed(held, None)], 1.0).actions
        assert set(actions.tolist()) <= set(range(game.noop))
    finally:
        game.close()


def test_demonstrations_are_an_option_of_the_training(tmp_path, capsys) -> None:
    pytest.importorskip("stable_retro")
    words = [
        "train", "--env", "blocks", "--inference-time", "60ms", "--steps", "60", "--row-steps", "30",
        "--demonstrations", "40", "--set", "network=mlp(8)", "batch=4", "learning_starts=1000",
    ]  # fmt: skip
    for name in ("a", "b"):
        assert main([*words, "--out", str(tmp_path / name)]) == 0
    assert "learns from 40 actions of the scripted player first" in capsys.readouterr().err
    first, second = (load(tmp_path / name / "seed-0" / "checkpoint.pt")[0] for name in ("a", "b"))
    # No update was due in sixty steps: all come from before.
    assert first.version == second.version == 40
    for weight in first.parameters.weights:
        np.testing.assert_array_equal(first.parameters.weights[weight], second.parameters.weights[weight])
    assert main([*words, "--out", str(tmp_path / "c"), "--set", "capacity=40"]) == 2
    assert "must be fewer than the replay memory holds" in capsys.readouterr().err
    assert main(["train", "--env", "CartPole-v1", *words[3:], "--out", str(tmp_path / "d")]) == 2
    assert "no scripted player for" in capsys.readouterr().err
    assert not (tmp_path / "c").exists()
    assert not (tmp_path / "d").exists()


def test_demonstrations_are_as_late_as_the_model_is_expected_to_be() -> None:
    # 60 ms are 3.6 frames of a Game Boy, 0 none at all.
    assert expected_delay(Scenario("sequential", "60ms")) == 4
    assert expected_delay(Scenario("sequential", 0.0)) == 0
