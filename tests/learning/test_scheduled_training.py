"""Training under a Schedule: without delay it is the plain one, and a killed one goes on bit for bit."""

from __future__ import annotations

import signal
import subprocess
import sys

import gymnasium
import numpy as np
import pytest

from rtsim.clocks.simpy_clock import simulate
from rtsim.errors import InvalidValue, NoConvergence
from rtsim.learning import (
    PRESETS,
    ScheduledTraining,
    evaluate_scheduled,
    load,
    overall,
    prepare,
    train_plain,
)
from rtsim.scenario import Scenario

DQN = PRESETS["cartpole"].with_(
    network="mlp(16)", batch=8, capacity=300, learning_starts=50, steps_per_update=2, target_every=20,
    exploration_steps=200,
)  # fmt: skip
RAINBOW = PRESETS["cartpole-rainbow"].with_(
    network="mlp(16)", batch=8, capacity=300, learning_starts=50, steps_per_update=4, target_every=20, atoms=11
)
KINDS = {"dqn": DQN, "reservoir": DQN.with_(memory="reservoir", capacity=100), "rainbow": RAINBOW}


def cart() -> gymnasium.Env:
    return gymnasium.make("CartPole-v1")


def scenario(rule: str = "max_time", inference: str = "30ms", **settings) -> Scenario:
    given = {"workers": 3, "step_time": "50fps", "batch": 8, "learning_starts": 50, "seed": 4}
    return Scenario(rule, inference, **{**given, **settings})


def weights(learner) -> np.ndarray:
    return np.concatenate([w.numpy().ravel() for w in learner.parameters.weights.values()])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rule", ["sequential", "max_time"])
def test_zero_times_are_the_plain_training_bit_for_bit(kind, rule) -> None:
    steps = 300
    plain = prepare(cart(), KINDS[kind], seed=4)
    curve = train_plain(cart(), plain, steps)
    learner = prepare(cart(), KINDS[kind], seed=4)
    training = ScheduledTraining(cart(), learner, scenario(rule, "0ms", workers=1, batch=16), row_steps=1)
    training.run(steps)
    rows = training.rows
    training.run(steps + 1)  # what follows an action is known when the next one acts
    ended = [(row.step, row.score, row.length) for row in rows if row.episodes and row.step <= steps]
    assert ended == [tuple(episode) for episode in curve]
    assert learner.version == plain.version > 50
    np.testing.assert_array_equal(weights(learner), weights(plain))
    for name in ("inaction", "delay", "staleness"):
        assert {getattr(row, name) for row in rows} == {0.0}


SCENARIOS = {
    "free": scenario("unstaggered", "gamma(mean=50ms, cv=0.5)"),
    "round_robin": scenario(learning_time="gamma(mean=45ms, cv=0.5)", learners=3),
    "lock_free": scenario(
        "exp_time", "35ms", learning_time="gamma(mean=45ms, cv=0.5)", learners=3, learner_rule="lock_free"
    ),
    "parallel": scenario(learning_time="gamma(mean=45ms, cv=0.5)", learners=2, learner_rule="parallel"),
    "act_learn": scenario("sequential", "5ms", learning_time="12ms"),
    "learn_act": scenario("sequential(order=learn_act)", "5ms", learning_time="30ms"),
    "held": scenario("time_triggered(deadline=4steps)", "35ms", learning_time="40ms"),
    "queue": scenario("unstaggered", "30ms", mailbox="fifo(3)", learning_time="40ms"),
    "mixture": scenario("max_time", "mixture(0.3: 1ms, 0.7: 40ms)", learning_time="40ms"),
}


def spied(learner) -> tuple[list[int], list[int]]:
    """Versions of the parameters that actions were chosen with, and that gradients were computed on."""
    found: tuple[list[int], list[int]] = ([], [])
    act, gradient = learner.act, learner.gradient

    def acts(observation, parameters, *rest):
        found[0].append(parameters.version)
        return act(observation, parameters, *rest)

    def gradients(parameters, batch):
        found[1].append(parameters.version)
        return gradient(parameters, batch)

    learner.act, learner.gradient = acts, gradients
    return found


def executed(training: ScheduledTraining, schedule, steps: int) -> np.ndarray:
    """Steps on which the agent acts: those with an action of a former episode are the default policy's."""
    ended = np.cumsum(training.episodes.lengths)
    begun = np.array([max([0, *ended[ended <= step]]) for step in range(steps)])
    return schedule.acted[:steps] & (schedule.steps["observation"][:steps] >= begun)


@pytest.mark.parametrize("name", SCENARIOS)
def test_training_has_the_timing_of_the_schedule(name) -> None:
    steps = 600
    timed = SCENARIOS[name]
    learner = prepare(cart(), DQN, seed=4)
    acted_on, computed_on = spied(learner)
    training = ScheduledTraining(cart(), learner, timed, row_steps=steps)
    training.run(steps)
    row = training.rows[0]
    schedule = simulate(timed.with_(steps=steps + 50))
    observed, valid = schedule.steps["observation"][:steps], executed(training, schedule, steps)
    assert row.inaction == pytest.approx(1 - valid.mean())
    assert row.delay == pytest.approx((np.arange(steps) - observed)[valid].mean())
    assert row.seconds == schedule.steps["time_ns"][steps] / 1e9
    landed = schedule.updates["land_ns"] < schedule.steps["time_ns"][steps]
    if timed.learning_time is not None:
        found = schedule.updates["version"] - 1 - schedule.updates["read_version"]
        assert row.updates == landed.sum() > 20
        assert row.gradient_staleness == pytest.approx(found[landed].mean())
        # Updates landed when a step reads its action, less those that had when the inference started.
        newest = np.searchsorted(schedule.updates["land_ns"], schedule.steps["time_ns"][:steps], side="right")
        stale = newest - schedule.steps["version"][:steps]
        assert row.staleness == pytest.approx(stale[valid].mean())
        assert acted_on[: valid.sum()] == schedule.steps["version"][:steps][valid].tolist()
        begun = np.argsort(schedule.updates["start_ns"], kind="stable")
        read = schedule.updates["read_version"][begun].repeat(timed.learners if timed.learner.merged else 1)
        assert computed_on[: landed.sum()] == read[: landed.sum()].tolist()
    assert training.learner.memory.appended <= valid.sum()
    assert training.learner.memory.appended >= valid.sum() - len(training.episodes.lengths) - 1


@pytest.mark.parametrize(
    ("kind", "name"), [*(("dqn", name) for name in SCENARIOS), ("rainbow", "free"), ("reservoir", "round_robin")]
)
def test_resume_gives_the_rest_of_the_curve_bit_for_bit(name, kind, tmp_path) -> None:
    file, timed, settings = tmp_path / "run.pt", SCENARIOS[name], KINDS[kind]
    whole = ScheduledTraining(cart(), prepare(cart(), settings, seed=4), timed, row_steps=30)
    whole.run(600)
    first = ScheduledTraining(
        cart(), prepare(cart(), settings, seed=4, checkpoint=file, every=200), timed, row_steps=30
    )
    first.run(200, file, 77)
    first.run(260)  # lost: it writes into the memory's file only
    for until in (233, 600):
        learner, progress = load(file)
        again = ScheduledTraining(cart(), learner, timed, progress, row_steps=30)
        again.run(until, file, 10**9)
    assert repr(again.rows[:20]) == repr(whole.rows[:20])  # repr: nan is nan
    assert again.rows[-1].updates > 0 or timed.learning_time is None


#: Killed by itself between two checkpoints, so that what is to be trained again is as little as can be.
CHILD = """
import os, signal, sys, torch, gymnasium
sys.path.insert(0, sys.argv[2])
from tests.learning.test_scheduled_training import DQN, SCENARIOS, ScheduledTraining, cart, prepare
torch.set_num_threads(1)
learner = prepare(cart(), DQN, seed=4, checkpoint=sys.argv[1], every=100)
training = ScheduledTraining(cart(), learner, SCENARIOS["round_robin"], row_steps=30)
kill = lambda: training.steps >= 250 and os.kill(os.getpid(), signal.SIGKILL)
training.run(10**9, sys.argv[1], 100, on_step=kill)
"""


def test_resume_after_sigkill_is_bit_for_bit(tmp_path, pytestconfig) -> None:
    file = tmp_path / "run.pt"
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(file), str(pytestconfig.rootpath)], check=False, timeout=120
    )
    assert done.returncode == -signal.SIGKILL
    learner, progress = load(file)
    again = ScheduledTraining(cart(), learner, SCENARIOS["round_robin"], progress, row_steps=30)
    assert 100 <= again.steps < 250
    until = again.steps + 150
    again.run(until)
    whole = ScheduledTraining(cart(), prepare(cart(), DQN, seed=4), SCENARIOS["round_robin"], row_steps=30)
    whole.run(until)
    assert len(whole.rows) >= until // 30
    assert repr(again.rows) == repr(whole.rows)
    np.testing.assert_array_equal(weights(learner), weights(whole.learner))


def test_mixture_draws_what_is_random() -> None:
    # Where the time says which actions are random, ε does not: of decisions that act, those of component 0 are.
    timed = scenario("sequential", "mixture(0.5: 20ms, 0.5: 20ms)", step_time="50fps")
    learner = prepare(cart(), DQN.with_(exploration_start=0.0, exploration_end=0.0), seed=4)
    explored, act = [], learner.act

    def spy(observation, parameters, decision, explore):
        explored.append(explore)
        return act(observation, parameters, decision, explore)

    learner.act = spy
    training = ScheduledTraining(cart(), learner, timed)
    training.run(200)
    schedule = simulate(timed.with_(steps=200))
    valid = executed(training, schedule, 200)
    assert explored[: valid.sum()] == (schedule.steps["component"][valid] == 0).tolist()
    assert 0.3 < np.mean(explored) < 0.7  # 8 standard deviations at 200 draws


class _Watched(gymnasium.Wrapper):
    """Every step's reward is the number of its action, so that a row of the memory tells who was credited."""

    def step(self, action):
        observation, _, terminated, truncated, info = self.env.step(action)
        return observation, float(action), terminated, truncated, info


def test_transitions_credit_the_action_that_acted() -> None:
    # One worker, inference of one step: every step has an action, one step old; then the reward is the action's own.
    learner = prepare(cart(), DQN, seed=4)
    training = ScheduledTraining(_Watched(cart()), learner, scenario("one_step_lag", "20ms", workers=1))
    training.run(150)
    table = learner.memory._rows.table[: learner.memory.count]
    real = table[table["number"] > 0]
    assert len(real) > 100
    np.testing.assert_array_equal(real["reward"], real["action"])


def test_evaluation_repeats_itself_and_disturbs_nothing() -> None:
    scores = []

    rows = []
    for every in (0, 50):
        learner = prepare(cart(), RAINBOW, seed=4)

        def evaluated(learner=learner) -> float:
            found, again = (evaluate_scheduled(cart(), learner, SCENARIOS["round_robin"], 2) for _ in range(2))
            np.testing.assert_array_equal(found, again)
            scores.append(found)
            return float(found.mean())

        training = ScheduledTraining(
            cart(), learner, SCENARIOS["round_robin"], row_steps=50, evaluation=evaluated, evaluate_every=every
        )
        training.run(200)
        rows.append(training.rows)
    assert repr([row._replace(evaluation=0) for row in rows[0]]) == repr([r._replace(evaluation=0) for r in rows[1]])
    assert [row.evaluation for row in rows[1]] == [s.mean() for s in scores]
    assert len(scores) == 4


def test_overall_is_one_row_of_all() -> None:
    rows = []
    for row_steps in (50, 400):
        training = ScheduledTraining(
            cart(), prepare(cart(), DQN, seed=4), SCENARIOS["round_robin"], row_steps=row_steps
        )
        training.run(400)
        rows.append(overall(training.rows[: 400 // row_steps]))
    assert rows[0] == pytest.approx(rows[1], nan_ok=True)


def test_rules_with_several_actions_per_inference_are_refused() -> None:
    with pytest.raises(InvalidValue, match=r"3 actions per inference, .* give size=1 or another rule"):
        ScheduledTraining(cart(), prepare(cart(), DQN), scenario("chunking(size=3)"))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    file = tmp_path_factory.mktemp("saved") / "run.pt"
    learner = prepare(cart(), DQN, seed=4, checkpoint=file)
    ScheduledTraining(cart(), learner, SCENARIOS["round_robin"], row_steps=30).run(90, file)
    return file


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"timed": SCENARIOS["lock_free"]}, "another Schedule"),
        ({"row_steps": 31}, "another Schedule"),
        ({"default_policy": "repeat"}, "another Schedule"),
        ({"env": _Watched(gymnasium.make("CartPole-v1", sutton_barto_reward=True))}, None),
        ({"env": gymnasium.wrappers.TransformObservation(cart(), lambda o: o + np.float32(1), None)}, "not repeat"),
    ],
)
def test_resume_of_something_else_is_refused(saved, changes, message) -> None:
    learner, progress = load(saved)
    settings = {"row_steps": 30, "env": cart(), "timed": SCENARIOS["round_robin"], **changes}
    env, timed = settings.pop("env"), settings.pop("timed")
    if message is None:
        ScheduledTraining(env, learner, timed, progress, **settings)
        return
    with pytest.raises(InvalidValue, match=message) as caught:
        ScheduledTraining(env, learner, timed, progress, **settings)
    assert "\n" not in str(caught.value)


def test_plain_checkpoint_is_refused(tmp_path) -> None:
    file = tmp_path / "run.pt"
    train_plain(cart(), prepare(cart(), DQN, checkpoint=file), 60, file, 60)
    learner, progress = load(file)
    with pytest.raises(InvalidValue, match="another kind of training"):
        ScheduledTraining(cart(), learner, SCENARIOS["free"], progress)


def test_loss_that_is_not_finite_leaves_the_last_checkpoint(tmp_path) -> None:
    class Poisoned(_Watched):
        steps = 0

        def step(self, action):
            Poisoned.steps += 1
            observation, *rest = super().step(action)
            return observation if Poisoned.steps < 150 else np.full_like(observation, np.nan), *rest

    file = tmp_path / "run.pt"
    learner = prepare(cart(), DQN, seed=4, checkpoint=file, every=50)
    training = ScheduledTraining(Poisoned(cart()), learner, SCENARIOS["round_robin"], row_steps=10)
    with pytest.raises(
        NoConvergence, match=r"loss nan at update .* learning diverged; the last checkpoint is as it was"
    ):
        training.run(10_000, file, 50)
    learner, progress = load(file)
    assert progress["steps"] >= 100
    assert np.isfinite(weights(learner)).all()


class Light(gymnasium.Env):
    """A light that changes every eighth step; reward 1 for the action that names it as it is when the action acts."""

    metadata = {"render_modes": [], "render_fps": 10}  # noqa: RUF012 - as Gymnasium has it
    observation_space = gymnasium.spaces.Box(0.0, 1.0, (1,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.time, self.light = 0, int(self.np_random.integers(2))
        return np.array([self.light], np.float32), {}

    def step(self, action):
        reward = float(action == self.light)
        self.time += 1
        if self.time % 8 == 0:
            self.light = 1 - self.light
        return np.array([self.light], np.float32), reward, False, self.time == 64, {}


@pytest.mark.parametrize(
    ("delay", "learning", "best"),
    [
        # Every action is as many steps old as the inference takes, and the default policy (0) acts before the first.
        # Right are 7 and 2 of 8 steps for who names the light, 1 and 6 for who names the other one.
        (1, None, {0: 64 - 7, 1: 63 - 7}),
        (6, None, {0: 6 + 6 * 7, 1: 6 * 7}),
        (6, "1500ms", {0: 6 + 6 * 7, 1: 6 * 7}),
    ],
)
def test_delayed_agents_learn_what_is_best_when_their_action_acts(delay, learning, best) -> None:
    settings = DQN.with_(
        learning_rate=5e-3, discount=0.0, exploration_steps=400, learning_starts=50, steps_per_update=1, capacity=2000
    )
    timed = Scenario(
        f"max_time(initial_max={100 * delay}ms)", f"{100 * delay}ms", workers=delay, step_time="10fps", batch=8,
        learning_time=learning, learners=10, learning_starts=50,
    )  # fmt: skip
    learner = prepare(Light(), settings, seed=0)
    ScheduledTraining(Light(), learner, timed).run(900)
    named = [learner.best(np.array([light], np.float32)) for light in (0, 1)]
    assert named == ([0, 1] if delay == 1 else [1, 0])
    assert set(evaluate_scheduled(Light(), learner, timed, 4)) <= set(map(float, best.values()))
