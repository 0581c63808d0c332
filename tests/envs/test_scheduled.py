"""ScheduledEnv: traces worked by hand, the world that waits, its options, and its place in Gymnasium."""

from __future__ import annotations

import itertools

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import rtsim.envs  # noqa: F401 - registers rtsim/Scheduled-v0
from rtsim.clocks.running import events
from rtsim.envs.default_policies import default_of, neutral
from rtsim.envs.scheduled import ScheduledEnv
from rtsim.errors import InvalidValue, RtsimWarning, UnknownName
from tests.envs.worlds import Count

SECOND = {"fps": 1.0}


def play(env: ScheduledEnv, steps: int, first: int = 100) -> list[tuple]:
    """(observation, reward, rewards of decisions) of so many steps; decision k does action 100 + k."""
    env.reset(seed=0)
    found = []
    for k in range(steps):
        observation, reward, _, _, info = env.step(first + k)
        found.append((observation, reward, info["rewards_of_decisions"]))
    return found


# -- constant delays, by hand; step i of Count is worth i ---------------------------------------------


def test_one_step_lag_acts_one_step_late() -> None:
    env = ScheduledEnv(Count(), "one_step_lag", 1.0, **SECOND)
    assert play(env, 4) == [(1, 0.0, {-1: 0.0}), (2, 1.0, {0: 1.0}), (3, 2.0, {1: 2.0}), (4, 3.0, {2: 3.0})]
    assert env.env.given == [[0, 100, 101, 102]]


def test_sequential_two_and_a_half_steps_starts_at_0_2_5_7() -> None:
    # Inferences start at 0, 2.5, 5, 7.5, 10 s and read observations 0, 2, 5, 7, 10; they end at 2.5, 5, 7.5, 10 s and
    # are read by steps 3, 5, 8, 10.
    env = ScheduledEnv(Count(), "sequential", 2.5, **SECOND)
    assert play(env, 4) == [
        (2, 0.0 + 1, {-1: 1.0}),
        (5, 2.0 + 3 + 4, {-1: 6.0, 0: 3.0}),
        (7, 5.0 + 6, {1: 5.0, -1: 6.0}),
        (10, 7.0 + 8 + 9, {-1: 16.0, 2: 8.0}),
    ]
    assert env.env.given == [[0, 0, 0, 100, 0, 101, 0, 0, 102, 0]]


def test_many_decisions_in_a_step_warn_once() -> None:
    # A step of 1 s has 1001 starts of 999 us and more: 0 us, 999 us, ..., 999 ms.
    env = ScheduledEnv(Count(), "sequential", "999us", **SECOND)
    env.reset(seed=0)  # the first decision
    for _ in range(999):
        env.step(1)
    said = r"1000 decisions .* an inference takes 999 us, a step 1 s; .*one_step_lag"
    with pytest.warns(RtsimWarning, match=said) as seen:
        env.step(1)
    assert [warning.filename for warning in seen] == [__file__]
    for _ in range(2000):  # warnings are errors: a second one would fail
        env.step(1)


def test_a_thousand_decisions_in_a_step_do_not_warn() -> None:
    env = ScheduledEnv(Count(), "sequential", "1ms", **SECOND)
    env.reset(seed=0)
    steps = sum(env.step(1)[4]["elapsed_steps"] for _ in range(2500))
    assert steps == 2


@pytest.mark.parametrize("setting", ["inference_time", "learning_time", "dispatch_time"])
def test_times_without_a_unit_are_refused_as_texts_from_one_on(setting: str) -> None:
    with pytest.raises(InvalidValue, match=f"{setting} 84 has no unit; write 84ms or 84s"):
        ScheduledEnv(Count(), "sequential", **SECOND, **{setting: "84"})
    for fine in ("0.084", 84, "84s"):
        ScheduledEnv(Count(), "sequential", **SECOND, **{setting: fine})


def test_unstaggered_workers_read_the_same_observation_and_overwrite_each_other() -> None:
    # Both start at 0 and end at 2 s, worker 0 first; step 2 reads what worker 1 released, then both start again.
    env = ScheduledEnv(Count(), "unstaggered", 2.0, workers=2, **SECOND)
    env.reset(seed=0)
    observation, reward, _, _, info = env.step(7)
    assert (observation, reward, info["elapsed_steps"], info["pending"]) == (0, 0.0, 0, (0,))
    observation, reward, _, _, info = env.step(8)
    assert (observation, reward, info["overwritten"], info["pending"]) == (2, 1.0, 1, (1,))
    assert info["pending_actions"] == (8,)
    env.step(9)
    observation, reward, _, _, info = env.step(10)
    assert (observation, reward, info["delays"]) == (4, 2.0 + 3, {1: 2})
    assert env.env.given == [[0, 0, 8, 0]]


def test_chunking_takes_all_actions_of_a_decision_in_order() -> None:
    # Starts at 0 and 2 s; the two actions of a chunk act on the step at its end and on the next.
    env = ScheduledEnv(Count(), "chunking(size=2)", 2.0, **SECOND)
    assert env.action_space == gymnasium.spaces.MultiDiscrete([10**9] * 2)
    env.reset(seed=0)
    assert env.step(np.array([7, 8]))[4]["pending_actions"] == ((7, 8),)
    observation, reward, _, _, info = env.step(np.array([9, 10]))
    assert (observation, reward, info["rewards_of_decisions"]) == (4, 5.0, {0: 5.0})
    assert env.env.given == [[0, 0, 7, 8]]


def test_episode_end_stops_at_once_and_older_actions_do_not_enter_the_next() -> None:
    # As above, with episodes of four steps: the first ends while an inference runs whose action step 5 reads.
    env = ScheduledEnv(Count(4), "sequential", 2.5, **SECOND)
    env.reset(seed=0)
    env.step(100)
    observation, reward, terminated, _, info = env.step(101)
    assert (observation, reward, terminated, info["rewards_of_decisions"]) == (4, 5.0, True, {-1: 2.0, 0: 3.0})
    assert (info["decision"], info["seconds"], info["elapsed_seconds"]) == (-1, 4.0, 1.5)
    with pytest.raises(InvalidValue, match="reset"):
        env.step(0)
    # Step 4 is the default policy's, since nobody starts before 5 s; it is worth 0.
    observation, info = env.reset()
    assert (observation, info["seconds"], info["elapsed_steps"], info["reward_before"]) == (1, 5.0, 1, 0.0)
    assert info["pending"] == ()
    observation, reward, _, _, info = env.step(102)
    assert (observation, reward, info["stale_episode"]) == (3, 0.0 + 1 + 2, 1)
    assert env.env.given == [[0, 0, 0, 100], [0, 0, 0]]


def test_rewards_before_the_first_inference_belong_to_the_first_step() -> None:
    # Episodes of five steps under an inference of 4 s: steps 5 to 7 of the second pass before 8 s, worth 0 + 1 + 2.
    env = ScheduledEnv(Count(5), "sequential", 4.0, **SECOND)
    env.reset(seed=0)
    env.step(100)
    assert env.step(101)[2]
    observation, info = env.reset()
    assert (observation, info["reward_before"]) == (3, 3.0)
    observation, reward, terminated, _, info = env.step(102)
    assert (observation, reward, terminated, info["elapsed_steps"]) == (5, 3.0 + 3 + 4, True, 2)


def test_episodes_that_end_before_any_inference_are_told() -> None:
    env = ScheduledEnv(Count(2), "sequential", 5.0, **SECOND)
    env.reset(seed=0)
    assert env.step(100)[1:3] == (1.0, True)
    # Steps 2 and 3 are an episode of their own; 5 s lie in the next one, whose first step is the default policy's.
    observation, info = env.reset()
    assert info["skipped_episodes"] == ((2, 1.0),)
    assert (observation, info["decision"], info["observation_step"]) == (1, 1, 5)


def test_learning_before_inference_acts_on_the_observation_read_before() -> None:
    # learn_act: reads observation 0, learns until 2 s, infers until 3 s; then reads observation 3.
    env = ScheduledEnv(Count(), "sequential(order=learn_act)", 1.0, learning_time=2.0, **SECOND)
    assert play(env, 2) == [(3, 3.0, {-1: 3.0}), (6, 12.0, {0: 3.0, -1: 9.0})]


def test_reset_in_the_middle_asks_the_same_decision_on_the_new_episode() -> None:
    env = ScheduledEnv(Count(), "sequential", 2.5, **SECOND)
    env.reset(seed=0)
    env.step(100)
    # Decision 1 waits for its action at 2.5 s. Decision 0's would act on step 3, but belongs to the former episode.
    observation, info = env.reset()
    assert (observation, info["decision"], info["pending"]) == (0, 1, ())
    observation, _, _, _, info = env.step(101)
    assert (info["decision"], info["stale_episode"]) == (2, 1)
    env.step(102)
    assert env.env.given == [[0, 0], [0, 0, 0, 101, 0]]


def test_reset_with_a_seed_begins_anew() -> None:
    law = "gamma(mean=2s, cv=0.5)"
    env = ScheduledEnv(Count(), "unstaggered", law, workers=3, default_policy="random", **SECOND)
    first = play(env, 30)
    assert play(env, 30) == first
    assert env.env.given[0] == env.env.given[1]
    assert play(ScheduledEnv(Count(), "unstaggered", law, workers=3, default_policy="random", **SECOND), 30) == first


# -- the world that waits -------------------------------------------------------------------------------

#: Rules that hold no action for a later step.
WAITING = (
    "sequential",
    "unstaggered",
    "max_time",
    "exp_time",
    "phase_locked",
    "pipeline",
    "chunking(size=1)",
)


@pytest.mark.parametrize(
    "name", ["CartPole-v1", "MountainCar-v0", "Pendulum-v1", "FrozenLake-v1", "Taxi-v4", "Blackjack-v1"]
)
@pytest.mark.parametrize("rule", WAITING)
def test_zero_times_are_the_wrapped_environment_step_for_step(name: str, rule: str) -> None:
    plain, timed = gymnasium.make(name), ScheduledEnv(gymnasium.make(name), rule, 0.0, fps=50.0)
    assert (timed.action_space, timed.observation_space) == (plain.action_space, plain.observation_space)
    plain.action_space.seed(3)
    expected, info = plain.reset(seed=1)
    observation, more = timed.reset(seed=1)
    for _ in range(120):
        np.testing.assert_array_equal(observation, expected)
        np.testing.assert_equal({key: more[key] for key in info}, info)
        assert more["elapsed_steps"] <= 1
        action = plain.action_space.sample()
        expected, *outcome, info = plain.step(action)
        observation, *found, more = timed.step(action)
        assert found == outcome
        if outcome[1] or outcome[2]:
            np.testing.assert_array_equal(observation, expected)
            expected, info = plain.reset()
            observation, more = timed.reset()


# -- options ----------------------------------------------------------------------------------------------


def test_default_policy_repeat_does_the_last_action_again_within_an_episode() -> None:
    env = ScheduledEnv(Count(7), "sequential", 2.5, default_policy="repeat", **SECOND)
    play(env, 3)
    assert env.env.given == [[0, 0, 0, 100, 100, 101, 101]]
    env.reset()
    assert env.env.given[1] == []
    env.step(103)
    # 7.5 s: decision 2 was made in the first episode, so step 8 repeats the nothing that was before.
    assert set(env.env.given[1]) == {0}


def test_default_policy_of_the_user_sees_the_observation() -> None:
    env = ScheduledEnv(Count(), "sequential", 2.5, default_policy=lambda observation: 1000 + observation, **SECOND)
    play(env, 2)
    assert env.env.given == [[1000, 1001, 1002, 100, 1004]]


def test_default_policy_random_draws_evenly_and_leaves_the_action_space_alone() -> None:
    space = gymnasium.spaces.Discrete(4)
    other = gymnasium.spaces.Discrete(4, seed=5)
    space.seed(5)
    random = default_of("random", space, 0, seed=5)
    drawn = [random(None, None) for _ in range(4000)]
    # Each count is binomial(4000, 1/4) with standard deviation 27.4; six of them: false alarm 8e-9.
    assert all(abs(count - 1000) < 6 * 27.4 for count in np.bincount(drawn, minlength=4))
    fresh = [other.sample() for _ in range(100)]
    assert [space.sample() for _ in range(100)] == fresh
    assert drawn[:100] != fresh


def test_noop_is_the_environments_own_or_neutral_or_given() -> None:
    assert neutral(gymnasium.spaces.MultiDiscrete([3, 4])).tolist() == [0, 0]
    assert neutral(gymnasium.spaces.Box(-2.0, -1.0, (1,))).tolist() == [-1.0]
    assert neutral(gymnasium.spaces.MultiBinary(2)).tolist() == [0, 0]
    both = gymnasium.spaces.Dict({"a": gymnasium.spaces.Tuple([gymnasium.spaces.Discrete(2)])})
    assert neutral(both) == {"a": (0,)}
    with pytest.raises(InvalidValue, match="noop="):
        ScheduledEnv(_Text(), **SECOND)
    env = ScheduledEnv(Count(), "sequential", 2.5, noop=9, **SECOND)
    play(env, 1)
    assert env.env.given == [[9, 9]]


class _Text(Count):
    action_space = gymnasium.spaces.Text(5)


def test_discount_weighs_rewards_from_the_observation_on() -> None:
    env = ScheduledEnv(Count(), "sequential", 2.5, discount=0.5, **SECOND)
    env.reset(seed=0)
    env.step(100)
    _, reward, _, _, info = env.step(101)
    assert reward == 2 + 3 / 2 + 4 / 4
    assert info["discount"] == 1 / 8
    assert info["rewards_of_decisions"] == {-1: 6.0, 0: 3.0}


def test_pending_actions_are_part_of_the_observation() -> None:
    # Inferences of 2 s, one every second: at any time one of the last three decisions' actions is under way.
    env = ScheduledEnv(Count(), "one_step_lag", 1.0, pending_actions=3, **SECOND)
    observation, _ = env.reset(seed=0)
    assert env.observation_space.contains(observation)
    assert (observation["observation"], observation["actions"].tolist(), observation["pending"].tolist()) == (
        0, [0, 0, 0], [0, 0, 0],
    )  # fmt: skip
    for k, (actions, pending) in enumerate(
        [([0, 0, 100], [0, 0, 1]), ([0, 100, 101], [0, 0, 1]), ([100, 101, 102], [0, 0, 1])]
    ):
        observation = env.step(100 + k)[0]
        assert env.observation_space.contains(observation)
        assert (observation["actions"].tolist(), observation["pending"].tolist()) == (actions, pending)
    observation, _ = env.reset()
    assert observation["pending"].tolist() == [0, 0, 0]


def test_action_array_used_again_by_the_learner_does_not_change_what_was_decided() -> None:
    # Starts at 0, 50 and 100 ms: when the third is asked, both actions are under way.
    env = ScheduledEnv(gymnasium.make("Pendulum-v1"), "max_time(initial_max=100ms)", "100ms", workers=2, fps=50.0)
    env.reset(seed=0)
    action = np.array([1.5], np.float32)
    env.step(action)
    action[:] = -1.0
    assert env.step(action)[4]["pending_actions"] == (1.5, -1.0)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"rule": "maximum"}, "maximum"),
        ({"discount": 1.5}, "0..1"),
        ({"discount": float("nan")}, "0..1"),
        ({"default_policy": "wait"}, "noop, random, repeat"),
        ({"speed": 3}, "speed"),
        ({"steps": 3}, "steps"),
        ({"pending_actions": -1}, "pending_actions"),
        ({"seed": -1}, "seed"),
        ({"fps": -1}, "fps"),
        ({"fps": float("inf")}, "fps"),
        ({"fps": []}, "step time"),
        ({"inference_time": "84mm"}, "mm"),
    ],
)
def test_bad_settings_are_one_line(settings: dict, message: str) -> None:
    with pytest.raises((InvalidValue, UnknownName), match=message) as caught:
        ScheduledEnv(Count(), **settings)
    assert "\n" not in str(caught.value)


def test_rate_is_the_environments_own_or_must_be_given() -> None:
    env = Count()
    assert ScheduledEnv(env).scenario.step_mean == 1.0
    env.metadata = {"render_modes": []}
    with pytest.raises(InvalidValue, match="fps="):
        ScheduledEnv(env)
    assert ScheduledEnv(env, fps="gamma(mean=2s, cv=0.1)").scenario.step_mean == 2.0
    for fps in (40, np.int64(40), np.float32(40), "40", "40fps", "25ms"):
        assert ScheduledEnv(env, fps=fps).scenario.step_mean == 0.025


def test_step_before_reset_is_refused() -> None:
    with pytest.raises(InvalidValue, match="reset"):
        ScheduledEnv(Count()).step(0)


# -- Gymnasium ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"pending_actions": 3}, {"default_policy": "random", "discount": 0.9}])
@pytest.mark.parametrize("rule", ["sequential", "max_time", "unstaggered", "chunking(size=3)"])
@pytest.mark.parametrize("name", ["MountainCar-v0", "MountainCarContinuous-v0"])
def test_scheduled_passes_the_environment_checker(name: str, rule: str, options: dict) -> None:
    env = gymnasium.make(
        "rtsim/Scheduled-v0",
        env_id=name,
        rule=rule,
        workers=3,
        inference_time="gamma(mean=50ms, cv=0.3)",
        **options,
    )
    check_env(env.unwrapped, skip_render_check=True)


def test_scheduled_game_passes_the_environment_checker_and_plays() -> None:
    with gymnasium.make("rtsim/Blocks-v0", render_mode="rgb_array") as game:
        env = ScheduledEnv(game, "max_time(initial_max=84ms)", "84ms", workers=6)
        assert env.scenario.to_json()["step_time"] == "59.7275fps"
        env.reset(seed=3)
        assert env.render().shape == (144, 160, 3)
        check_env(env, skip_render_check=True)
        _, info = env.reset(seed=3)
        delays = []
        for _ in range(300):
            observation, _, terminated, truncated, info = env.step(0)
            assert not terminated
            assert not truncated
            delays += info["delays"].values()
        # 84 ms are 5.02 steps: six from an observation on a step to the next step, or seven from a start between steps.
        assert set(delays) <= {6, 7}
        assert env.observation_space.contains(observation)


def test_scheduled_takes_an_environment_that_is_there() -> None:
    inner = Count()
    env = gymnasium.make("rtsim/Scheduled-v0", env_id=inner, rule="one_step_lag", inference_time=1.0)
    env.reset(seed=0)
    env.step(5)
    env.step(6)
    assert inner.given == [[0, 5]]
    with pytest.raises(InvalidValue, match="env_kwargs"):
        gymnasium.make("rtsim/Scheduled-v0", env_id=inner, env_kwargs={"length": 3})
    with pytest.raises(InvalidValue, match="env_id="):
        gymnasium.make("rtsim/Scheduled-v0")


def test_vectorised_environments_run_in_their_own_time() -> None:
    settings = {"rule": "unstaggered", "workers": 2, "inference_time": "gamma(mean=50ms, cv=0.5)"}
    many = gymnasium.make_vec("rtsim/Scheduled-v0", num_envs=3, env_id="CartPole-v1", **settings)
    _, found = many.reset(seed=[4, 5, 6])
    alone = [gymnasium.make("rtsim/Scheduled-v0", env_id="CartPole-v1", **settings) for _ in range(3)]
    for env, seed in zip(alone, (4, 5, 6), strict=True):
        env.reset(seed=seed)
    ended = [False] * 3
    for _ in range(60):
        observations, rewards, terminations, _, found = many.step(np.ones(3, np.int64))
        for k, env in enumerate(alone):
            # A vector's environment that has ended is reset by the next step.
            if ended[k]:
                observation, info = env.reset()
                reward = 0.0
                ended[k] = False
            else:
                observation, reward, ended[k], _, info = env.step(1)
            np.testing.assert_array_equal(observations[k], observation)
            assert (rewards[k], terminations[k]) == (reward, ended[k])
            assert found["seconds"][k] == info["seconds"]
            assert found["pending"][k] == info["pending"]
    assert len(set(found["seconds"])) == 3


def test_constructor_seeds_tell_vectorised_environments_apart() -> None:
    def make(seed: int) -> ScheduledEnv:
        return ScheduledEnv(gymnasium.make("CartPole-v1"), "sequential", "gamma(mean=50ms, cv=0.5)", seed=seed)

    many = gymnasium.vector.SyncVectorEnv([lambda seed=seed: make(seed) for seed in (1, 1, 2)])
    many.reset()
    for _ in range(3):
        _, _, _, _, info = many.step(np.zeros(3, np.int64))
    first, same, other = info["seconds"]
    assert first == same != other


class _Ear:
    """Hears everything; says 5 where an action is about to act, if it is to have a say."""

    def __init__(self, says: bool) -> None:
        self.says = says
        self.events: list = []
        self.acted: list[tuple] = []
        self.steps: list[tuple] = []

    def happens(self, event) -> None:
        self.events.append(event)

    def acts(self, read, action):
        self.acted.append((read.decision, action))
        return 5 if self.says else action

    def stepped(self, action, reward, terminated, truncated, observation) -> None:
        self.steps.append((action, reward, terminated, observation))


@pytest.mark.parametrize("says", [False, True])
def test_listener_hears_everything_and_may_have_the_last_word(says) -> None:
    timing = {"rule": "unstaggered", "workers": 2, "inference_time": "gamma(mean=1.5s, cv=0.5)", "fps": 1,
              "learning_time": "2s", "learners": 2}  # fmt: skip
    plain, heard, ear = Count(9), Count(9), _Ear(says)
    results = []
    for env, listener in ((plain, None), (heard, ear)):
        timed = ScheduledEnv(env, **timing, listener=listener, seed=3)
        timed.reset()
        found = []
        for decision in range(60):
            found.append(timed.step(10 + decision))
            if found[-1][2]:
                timed.reset()
        results.append(repr([each[:4] if says else each for each in found]))
    assert results[0] == results[1]  # a listener changes nothing but, if it wants to, the actions
    done = [action for episode in plain.given for action in episode]
    assert [action for action, *_ in ear.steps] == [5 if says and action else action for action in done]
    assert [reward for _, reward, *_ in ear.steps] == [i for episode in plain.given for i in range(len(episode))]
    assert all(action == 10 + decision for decision, action in ear.acted)
    assert len(ear.acted) - sum(action > 0 for action in done) in (0, 1)  # one may be under way
    clock = itertools.islice(events(timed.scenario), len(ear.events))
    assert ear.events == list(clock)
