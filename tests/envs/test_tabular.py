"""MDPs as environments: the world of the rollout, step for step."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import rtsim
import rtsim.envs
from rtsim import agents, mdps
from rtsim.envs.scheduled import ScheduledEnv
from rtsim.envs.tabular import Tabular
from rtsim.errors import InvalidValue, UnknownName
from rtsim.rollout import rollout

WORLDS = (
    "inaction",
    "delay(n=4, p=0.6)",
    "garnet(states=7, actions=3, default=random)",
    "riverswim(reward=bernoulli, default=random)",
)


def test_tabular_passes_gymnasiums_checker() -> None:
    check_env(Tabular("jump(n=3)"), skip_render_check=True)


@pytest.mark.parametrize("name", WORLDS)
@pytest.mark.parametrize("rule, workers", [("sequential", 1), ("unstaggered", 2)])
def test_scheduled_mdp_is_the_rollout_of_the_same_seed_step_for_step(name: str, rule: str, workers: int) -> None:
    mdp = mdps.of(name)
    policy = np.arange(mdp.states) % mdp.actions
    env = ScheduledEnv(Tabular(name), rule, "gamma(mean=250ms, cv=0.5)", workers, fps=10)
    observation, info = env.reset(seed=5)
    rewards = 0.0
    while info["observation_step"] < 300:
        observation, reward, _, _, info = env.step(policy[observation.argmax()])
        rewards += reward
    steps = info["observation_step"]
    schedule = rtsim.simulate(env.scenario.with_(steps=steps))
    found = rollout(mdp, agents.Tabular(policy), schedule, seed=5)
    assert env.env.state == found.states[-1]
    assert rewards == pytest.approx(found.rewards.sum(), abs=1e-9)
    acted = schedule.acted
    assert not acted.all()
    assert found.acted.sum() == acted.sum()


def test_default_policy_is_one_action_more_and_draws_among_its_own() -> None:
    env = Tabular("riverswim(default=random)")
    env.reset(seed=1)
    assert env.noop == env.action_space.n == 2
    seen = [env.step(env.noop)[1] for _ in range(50)]
    assert min(seen) >= 0
    with pytest.raises(InvalidValue, match=r"action 3 must lie in 0..1, or be 2, the default policy"):
        env.step(3)
    with pytest.raises(InvalidValue, match="call reset"):
        Tabular("jump").step(0)
    with pytest.raises(UnknownName, match="did you mean 'jump'"):
        Tabular("jmp")


def test_same_seed_same_world_and_resets_go_on() -> None:
    env = gymnasium.make("rtsim/MDP-v0", mdp="jump(n=5, p=0.3)")

    def trace(seed: int | None) -> list[int]:
        env.reset(seed=seed)
        return [int(env.step(0)[0].argmax()) for _ in range(40)]

    first = trace(3)
    again = trace(None)
    assert first != again
    assert trace(3) == first
    assert trace(None) == again
