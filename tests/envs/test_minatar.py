"""MinAtar's games as environments that repeat themselves."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import rtsim.envs  # noqa: F401 - registers the games
from rtsim.envs.minatar import GAMES, MinAtar
from rtsim.errors import UnknownName

pytest.importorskip("minatar")


@pytest.mark.parametrize("game", GAMES)
def test_minatar_game_passes_gymnasiums_checker(game: str) -> None:
    check_env(MinAtar(game), skip_render_check=True)


def trace(env: gymnasium.Env, seed: int) -> list[object]:
    env.reset(seed=seed)
    chance, found = np.random.default_rng(0), []
    for _ in range(300):
        observation, reward, ended, _, _ = env.step(int(chance.integers(env.action_space.n)))
        found.append((observation.tobytes(), reward, ended))
        if ended:
            break
    return found


def test_minatar_episode_depends_on_its_seed_only() -> None:
    # The package itself would carry the last action over: sticky steps are certain here.
    env = MinAtar("space_invaders", sticky=1.0)
    first = trace(env, 3)
    env.reset(seed=9)
    env._game.last_action = 3
    assert trace(env, 3) == first
    fresh = MinAtar("space_invaders")
    assert trace(fresh, 5) == trace(MinAtar("space_invaders"), 5) != trace(fresh, 6)


def test_minatar_is_registered_and_knows_its_games() -> None:
    env = gymnasium.make("rtsim/MinAtar-v0", game="breakout")
    assert env.observation_space.shape == (10, 10, 4)
    assert env.action_space.n == 3  # noop, left, right
    with pytest.raises(UnknownName, match="breakout"):
        MinAtar("brekout")
