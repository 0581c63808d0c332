"""Worlds that can be put back where they were: every kind keeps the same contract."""

from __future__ import annotations

import random as python_random
from typing import Any

import gymnasium
import numpy as np
import pytest

from rtsim import mdps
from rtsim.envs.restorable import Restorable, RestorableMDP, check_restores, policy_of, restorable
from rtsim.envs.restorable_gym import RestorableGym, random_sources
from rtsim.errors import InvalidValue, UnknownName

#: Each of them is random from step to step, so that other seeds are seen.
WORLDS = (
    "blocks(sticky=0.5)",
    "atari:Boxing(sticky=0.5)",
    "mdp:riverswim",
    "FrozenLake-v1",
    "rtsim/MinAtar-v0(game=asterix)",
    "minatar:breakout(sticky=0.5)",
)


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest) -> Any:
    made = restorable(request.param)
    yield made
    made.close()


def trace(world: Restorable, seed: int | None = None, steps: int = 60) -> list[Any]:
    """What steps of random actions lead to, episode after episode."""
    if seed is not None:
        world.reseed(seed)
    actions = np.random.default_rng(1).integers(world.actions, size=steps)
    found: list[Any] = []
    for action in actions.tolist():
        if world.ended:
            world.next_episode()
        found.append((world.step(action), world.key(), world.ended))
    return found


def test_restored_world_goes_on_as_before_as_often_as_one_likes(world: Restorable):
    world.reset(3)
    trace(world, steps=7)
    if world.ended:
        world.next_episode()
    state = world.save()
    first = trace(world)
    for _ in range(2):
        world.restore(state)
        assert trace(world) == first


def test_equal_seeds_lead_to_equal_branches_and_others_to_others(world: Restorable):
    world.reset(3)
    state = world.save()
    found = []
    for seed in (5, 5, 6, 7, 8):
        world.restore(state)
        found.append(trace(world, seed))
    assert found[0] == found[1]
    # 60 steps of which half are decided by chance do not come out alike four times.
    assert any(other != found[0] for other in found[2:])


def test_no_action_is_the_default_policy_s(world: Restorable):
    world.reset(1)
    world.step(None)
    with pytest.raises((InvalidValue, IndexError, AssertionError, KeyError)):
        world.step(world.actions + 5)


def test_mdp_moves_and_pays_as_its_tables_say():
    mdp = mdps.of("riverswim(default=random, reward=bernoulli)")
    world = RestorableMDP(mdp)
    world.reset(0)
    n = 20_000
    counts, paid = np.zeros((mdp.states, mdp.states)), np.zeros(mdp.states)
    for _ in range(n):
        before = world.observation
        paid[before] += world.step(None)
        counts[before, world.observation] += 1
    visits = counts.sum(axis=1)
    p, r = mdp.chain_under_default
    for s in range(mdp.states):
        if visits[s] > 100:
            # Seven standard errors of a share, false alarm < 1e-10.
            error = 7 * np.sqrt(0.25 / visits[s])
            assert np.abs(counts[s] / visits[s] - p[s]).max() < error
            assert abs(paid[s] / visits[s] - r[s]) < error


class Hidden(gymnasium.Env):
    """A coin a step, from a generator of its own kind."""

    metadata = {"render_modes": []}  # noqa: RUF012 - as Gymnasium has it
    observation_space = gymnasium.spaces.Discrete(2)
    action_space = gymnasium.spaces.Discrete(2, start=5)

    def __init__(self, source: Any) -> None:
        self.deep = {"list": [source]}
        self.given: list[int] = []

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[int, dict]:
        super().reset(seed=seed)
        return 0, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict]:
        self.given.append(action)
        return int(self.deep["list"][0].random() < 0.5), 0.0, False, False, {}


@pytest.mark.parametrize("source", [np.random.default_rng, np.random.RandomState, python_random.Random])
def test_generators_hidden_in_an_environment_are_found_and_seeded(source: Any):
    world = RestorableGym(Hidden(source(0)))
    check_restores(world)
    world.reset(0)
    assert len(list(random_sources(world._env))) == 2  # Gymnasium's own, too
    state = world.save()
    found = set()
    for seed in range(4):
        world.restore(state)
        found.add(tuple(key for _, key, _ in trace(world, seed)))
    assert len(found) == 4  # 60 coins each


def test_actions_are_counted_from_the_first_of_the_space():
    env = Hidden(np.random.default_rng(0))
    world = RestorableGym(env)
    world.reset(0)
    for action in (0, 1, None):
        world.step(action)
    assert env.given == [5, 6, 5]


def test_environment_whose_randomness_is_a_module_s_is_refused():
    class Global:
        random = staticmethod(np.random.random)

    with pytest.raises(InvalidValue, match="cannot be saved and restored"):
        check_restores(RestorableGym(Hidden(Global())))


def test_environment_that_cannot_be_copied_is_refused():
    env = Hidden(np.random.default_rng(0))
    env.deep["file"] = (part for part in "abc")
    world = RestorableGym(env, "Mine")
    world.reset(0)
    with pytest.raises(InvalidValue, match=r"Mine cannot be saved: copying it fails \(.*generator"):
        world.save()


@pytest.mark.parametrize(
    "text, error, says",
    [
        ("Pendulum-v1", InvalidValue, "only a finite set"),
        ("Nonsense-v7", InvalidValue, "neither a game"),
        ("CartPole-v1(1)", InvalidValue, "NAME or NAME"),
        ("CartPole-v1(wings=2)", InvalidValue, "wings"),
        ("mdp:jmp", UnknownName, "did you mean 'jump'"),
        ("blocks(lvl=3)", UnknownName, "did you mean 'level'"),
    ],
)
def test_text_that_names_no_world_is_refused(text: str, error: type[Exception], says: str):
    with pytest.raises(error, match=says):
        restorable(text)


def test_game_of_ours_is_the_emulator_whether_gymnasium_makes_it_or_not():
    world = restorable("rtsim/Game-v0(game=walk)")
    try:
        assert world.name == "walk"
        assert policy_of("scripted", world)(world, np.random.default_rng(0)) in (None, *range(world.actions))
    finally:
        world.close()


@pytest.mark.parametrize("policy", ["best", "scripted"])
def test_policy_that_does_not_fit_is_refused(policy: str):
    with pytest.raises(InvalidValue, match="CartPole-v1"):
        policy_of(policy, restorable("CartPole-v1"))
