"""ScheduledEnv on random schedules: a naive twin, and what must hold whatever happens."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtsim.envs.scheduled import ScheduledEnv
from rtsim.scenario import Scenario
from tests.contract.scenarios import RULES, scenarios
from tests.envs.worlds import Chance, choice, twin


def scheduled(env: Chance, scenario: Scenario, **settings: object) -> ScheduledEnv:
    """An environment in a scenario's time."""
    given = {
        name: getattr(scenario, name)
        for name in (
            "mailbox",
            "dispatch_time",
            "learning_time",
            "learner_rule",
            "learners",
            "learning_starts",
            "batch",
        )
    }
    return ScheduledEnv(
        env, scenario.rule, scenario.inference_time, scenario.workers, scenario.step_time, **given, **settings
    )


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=25)
@given(data=st.data())
def test_scheduled_env_random_schedule_equals_naive_twin(rule: str, data: st.DataObject) -> None:
    scenario = data.draw(scenarios(rule, max_steps=80))
    rarity = data.draw(st.sampled_from([3, 10, 60, 10**6]))
    expected = twin(scenario, lambda: Chance(rarity))
    env = scheduled(Chance(rarity), scenario)
    chunk = scenario.program().chunk
    observation, info = env.reset(seed=scenario.seed)
    for k, wanted in enumerate(expected):
        assert info["decision"] == k
        actions = choice(k, observation, chunk)
        observation, reward, terminated, truncated, info = env.step(actions if chunk > 1 else actions[0])
        assert (observation, reward) == (wanted.observation, wanted.reward), k
        assert (terminated, truncated) == (wanted.terminated, wanted.truncated), k
        assert info["elapsed_steps"] == wanted.elapsed
        assert info["delays"] == wanted.delays
        found = {by: total for by, total in info["rewards_of_decisions"].items() if total}
        assert found == {by: total for by, total in wanted.rewards.items() if total}, k
        if terminated or truncated:
            observation, info = env.reset()


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=25)
@given(data=st.data())
def test_scheduled_env_resets_at_any_time_keep_rewards_and_actions_in_their_episode(
    rule: str, data: st.DataObject
) -> None:
    scenario = data.draw(scenarios(rule, max_steps=1))
    cut_short = data.draw(st.sets(st.integers(0, 59)))
    world = Chance(data.draw(st.sampled_from([3, 10, 60])))
    env = scheduled(world, scenario)
    chunk = scenario.program().chunk
    decided: dict[int, int] = {}  # action -> episode of the world
    rewards = unclaimed = 0.0  # unclaimed: by an episode in which no step has been made yet
    stale = 0

    def begin(seed: int | None = None) -> dict:
        nonlocal rewards, unclaimed, stale
        _, info = env.reset(seed=seed)
        rewards += unclaimed + sum(reward for _, reward in info["skipped_episodes"])
        unclaimed = info["reward_before"]
        stale += info["stale_episode"]
        return info

    info = begin(scenario.seed)
    for time in range(60):
        if time in cut_short:
            info = begin()
            continue
        k = info["decision"]
        actions = [1 + 16 * k + position for position in range(chunk)]
        decided |= dict.fromkeys(actions, len(world.given) - 1)
        under_way = {*info["pending"], k}
        _, reward, terminated, truncated, info = env.step(actions if chunk > 1 else actions[0])
        rewards, unclaimed = rewards + reward, 0.0
        stale += info["stale_episode"]
        assert set(info["delays"]) <= under_way
        assert set(info["pending"]) <= under_way
        assert chunk > 1 or not set(info["pending"]) & set(info["delays"])
        assert sum(info["rewards_of_decisions"].values()) == reward
        if terminated or truncated:
            info = begin()
    assert rewards + unclaimed == world.total
    done = [(action, episode) for episode, actions in enumerate(world.given) for action in actions if action]
    # None used twice, none before it was decided, none in another episode; the world itself refuses steps past an end.
    assert len(dict(done)) == len(done)
    assert all(decided[action] == episode for action, episode in done)
    assert env.stale_episode == stale
