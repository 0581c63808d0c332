"""A learner that knows nothing of time, Stable-Baselines3's DQN as it comes, in a world that does not wait."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
import torch

import rtsim.envs  # noqa: F401 - registers rtsim/Scheduled-v0
from rtsim.envs.scheduled import ScheduledEnv

DQN = pytest.importorskip("stable_baselines3").DQN


@pytest.fixture(autouse=True)
def one_thread():
    """Networks this small are slowed down by threads that wait for each other on busy cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Follow(gymnasium.Env):
    """A light that changes every eighth step; reward 1 for the action that names it, so chance is worth 1/2."""

    metadata = {"render_modes": [], "render_fps": 10}  # noqa: RUF012 - as Gymnasium has it
    observation_space = gymnasium.spaces.Box(0.0, 1.0, (1,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.time, self.light = 0, int(self.np_random.integers(2))
        return self._seen(), {}

    def _seen(self):
        return np.array([self.light], np.float32)

    def step(self, action):
        reward = float(action == self.light)
        self.time += 1
        if self.time % 8 == 0:
            self.light = 1 - self.light
        return self._seen(), reward, False, self.time == 64, {}


def test_unmodified_dqn_learns_under_a_schedule() -> None:
    # Two workers, inferences of two steps: every step has an action, two steps old, right six times of eight.
    env = ScheduledEnv(Follow(), "max_time(initial_max=200ms)", "200ms", workers=2)
    torch.manual_seed(0)
    model = DQN(
        "MlpPolicy", env, learning_starts=50, train_freq=1, target_update_interval=50, learning_rate=0.01,
        gamma=0.5, exploration_fraction=0.5, seed=0, device="cpu",
    )  # fmt: skip
    model.learn(700)
    assert model.num_timesteps == 700
    for light in (0, 1):
        assert model.predict(np.array([light], np.float32), deterministic=True)[0] == light
    observation, _ = env.reset(seed=1)
    rewards, ended = [], False
    while not ended:
        action, _ = model.predict(observation, deterministic=True)
        observation, reward, _, ended, info = env.step(int(action))
        rewards.append(reward)
    assert set(info["delays"].values()) == {2}
    # 64 steps: the default policy's two at the beginning (noop is 0), then two late after each of seven changes.
    assert 48 <= sum(rewards) <= 50


def test_unmodified_dqn_takes_the_augmented_observation_and_vectors() -> None:
    settings = {
        "rule": "unstaggered",
        "workers": 2,
        "inference_time": "gamma(mean=150ms, cv=0.3)",
        "pending_actions": 2,
    }
    from stable_baselines3.common.vec_env import DummyVecEnv

    many = DummyVecEnv([lambda: gymnasium.wrappers.FlattenObservation(ScheduledEnv(Follow(), **settings))] * 2)
    model = DQN("MlpPolicy", many, learning_starts=20, seed=0, device="cpu")
    before = [parameter.clone() for parameter in model.policy.parameters()]
    model.learn(200)
    assert model.num_timesteps == 200
    assert any((one != other).any() for one, other in zip(before, model.policy.parameters(), strict=True))
