"""Trainings: seeded, resumed bit for bit after a kill, and kept whole when something fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch

from rtsim.errors import FileProblem, InvalidValue
from rtsim.learning import PRESETS, Settings, evaluate, load, memory_file, prepare, train_plain
from rtsim.learning.rows import HEADER

DQN = PRESETS["cartpole"].with_(
    network="mlp(16)", batch=8, capacity=300, learning_starts=50, steps_per_update=2, target_every=20,
    exploration_steps=200,
)  # fmt: skip
KINDS = {
    "dqn": DQN,
    "reservoir": DQN.with_(memory="reservoir", capacity=100),
    "rainbow": PRESETS["cartpole-rainbow"].with_(
        network="mlp(16)", batch=8, capacity=300, learning_starts=50, steps_per_update=4, target_every=20, atoms=11
    ),
}
STEPS, EVERY = 900, 130


def cart() -> gymnasium.Env:
    return gymnasium.make("CartPole-v1")


def weights(learner) -> np.ndarray:
    return np.concatenate([w.numpy().ravel() for w in learner.parameters.weights.values()])


@pytest.mark.parametrize("kind", KINDS)
def test_resume_gives_the_rest_of_the_curve_bit_for_bit(kind, tmp_path) -> None:
    file = tmp_path / "run.pt"
    whole = prepare(cart(), KINDS[kind], seed=4)
    curve = train_plain(cart(), whole, STEPS)
    first = prepare(cart(), KINDS[kind], seed=4, checkpoint=file, every=EVERY)
    train_plain(cart(), first, 2 * EVERY, file, EVERY)
    train_plain(cart(), first, 3 * EVERY - 1, progress=None)  # lost: it writes into the memory's file only
    again, progress = load(file)
    assert again.decisions == 2 * EVERY
    assert train_plain(cart(), again, STEPS, file, EVERY, progress) == curve
    np.testing.assert_array_equal(weights(again), weights(whole))
    assert load(file)[0].decisions == STEPS


#: Killed by itself between two checkpoints.
CHILD = """
import os, signal, sys, torch, gymnasium
from rtsim.learning import Settings, prepare, train_plain
torch.set_num_threads(1)
class Killed(gymnasium.Wrapper):
    steps = 0
    def step(self, action):
        self.steps += 1
        if self.steps == 300:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().step(action)
env, settings, file = Killed(gymnasium.make("CartPole-v1")), Settings.from_json(sys.argv[1]), sys.argv[2]
train_plain(env, prepare(env, settings, 4, checkpoint=file, every=130), 10**9, file, 130)
"""


def test_resume_after_sigkill_is_bit_for_bit(tmp_path) -> None:
    file = tmp_path / "run.pt"
    command = [sys.executable, "-c", CHILD, DQN.to_json(), str(file)]
    assert subprocess.run(command, check=False, timeout=120).returncode == -signal.SIGKILL
    learner, progress = load(file)
    assert learner.decisions == 260
    target = learner.decisions + 200  # and their episodes fit into the spare places of the memory
    curve = train_plain(cart(), learner, target, progress=progress)
    whole = prepare(cart(), DQN, seed=4)
    assert train_plain(cart(), whole, target) == curve
    np.testing.assert_array_equal(weights(learner), weights(whole))


def test_seeds_differ_and_repeat() -> None:
    found = []
    for seed in (1, 1, 2):
        learner = prepare(cart(), DQN, seed=seed)
        train_plain(cart(), learner, 200)
        found.append(weights(learner))
    np.testing.assert_array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


class TellsTheBest(gymnasium.Env):
    """Two actions; the observation says which of them gives 1, the other gives 0. Ten steps."""

    observation_space = gymnasium.spaces.Box(0, 1, (2,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._left = 10
        return self._next(), {}

    def _next(self):
        self._good = int(self.np_random.integers(2))
        return np.eye(2, dtype=np.float32)[self._good]

    def step(self, action):
        reward = float(action == self._good)
        self._left -= 1
        return self._next(), reward, self._left == 0, False, {}


@pytest.mark.parametrize("algorithm", ["dqn", "rainbow"])
def test_learners_learn_what_the_observation_says(algorithm) -> None:
    # The best return is 10 by construction, that of chance 5.
    settings = KINDS[algorithm].with_(learning_rate=5e-3, low=0.0, high=10.0, discount=0.5, exploration_steps=300)
    learner = prepare(TellsTheBest(), settings.with_(steps_per_update=1), seed=0)
    train_plain(TellsTheBest(), learner, 800)
    assert evaluate(TellsTheBest(), learner, 5).tolist() == [10.0] * 5


def test_checkpoint_that_cannot_be_written_leaves_the_one_before(tmp_path) -> None:
    file = tmp_path / "run.pt"
    learner = prepare(cart(), DQN, seed=4, checkpoint=file, every=EVERY)
    train_plain(cart(), learner, EVERY, file, EVERY)
    before = file.read_bytes()
    # A limit on the size of files stands for the full disk: the write fails half way.
    code = (
        "import resource, signal, sys, torch, gymnasium; from rtsim.learning import load, train_plain\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); torch.set_num_threads(1)\n"
        f"learner, progress = load({str(file)!r})\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))\n"
        f"try: train_plain(gymnasium.make('CartPole-v1'), learner, {2 * EVERY}, {str(file)!r}, {EVERY}, progress)\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.startswith("FileProblem cannot write checkpoint"), done
    assert done.stdout.count("\n") == 1
    assert file.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run.pt", "run.pt.replay"]
    assert load(file)[0].decisions == EVERY


def test_memory_without_room_on_the_disk_is_refused_before_anything_is_learnt(tmp_path, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(FileProblem, match=r"No space left on device .* MB are needed"):
        prepare(cart(), DQN, checkpoint=tmp_path / "run.pt")
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("saved") / "run.pt"
    train_plain(cart(), prepare(cart(), DQN, checkpoint=file, every=60), 60, file, 60)
    return file


def test_load_refuses_what_is_no_checkpoint_in_one_line(saved, tmp_path) -> None:
    file = tmp_path / "run.pt"
    whole = saved.read_bytes()
    data = torch.load(saved, weights_only=True)
    replay = memory_file(saved).read_bytes()

    class Evil:
        def __reduce__(self):
            return print, ("this must not run",)

    def foreign(value: object) -> None:
        torch.save(value, file)

    for spoil, message in (
        (lambda: None, "no such file"),
        (lambda: file.write_bytes(whole[: len(whole) // 2]), "cannot read checkpoint"),
        (lambda: file.write_bytes(b"rubbish"), "cannot read checkpoint"),
        (lambda: foreign({"format": Evil()}), "cannot read checkpoint"),
        (lambda: foreign([1]), "not tensors"),
        (lambda: foreign({"x": torch.zeros(1)}), "something else"),
        (lambda: foreign({**data, "settings": "{}"}), "contradicts|damaged"),
        (lambda: foreign({**data, "weights": {}}), "another network"),
        (lambda: file.write_bytes(whole), None),
        (lambda: memory_file(file).unlink(), "replay memory .* missing"),
        (lambda: memory_file(file).write_bytes(replay[: HEADER + 7]), "cut short"),
    ):
        if not memory_file(file).exists():
            memory_file(file).write_bytes(replay)
        spoil()
        if message is None:
            assert load(file)[0].decisions == 60
            continue
        with pytest.raises(FileProblem, match=message) as caught:
            load(file)
        assert "\n" not in str(caught.value)


def test_prepare_never_overwrites_a_checkpoint(saved) -> None:
    before = memory_file(saved).read_bytes()
    with pytest.raises(FileProblem, match="exists; resume it"):
        prepare(cart(), DQN, checkpoint=saved)
    assert memory_file(saved).read_bytes() == before


def test_resume_in_another_environment_is_refused(saved) -> None:
    learner, progress = load(saved)
    with pytest.raises(InvalidValue, match="does not repeat itself"):
        train_plain(_Shifted(), learner, 100, progress=progress)


class _Shifted(gymnasium.ObservationWrapper):
    def __init__(self) -> None:
        super().__init__(cart())

    def observation(self, observation):
        return observation + np.float32(1)


def test_prepare_refuses_spaces_it_cannot_learn_in() -> None:
    with pytest.raises(InvalidValue, match="Discrete"):
        prepare(gymnasium.make("Pendulum-v1"), DQN)
    with pytest.raises(InvalidValue, match="must be a Box"):
        prepare(gymnasium.make("FrozenLake-v1"), DQN)
    with pytest.raises(InvalidValue, match="reads images"):
        prepare(cart(), Settings())


def test_checkpoint_comes_early_where_the_memory_would_overwrite_what_the_last_one_needs(tmp_path) -> None:
    file = tmp_path / "run.pt"
    settings = DQN.with_(learning_starts=10**6, capacity=100)
    learner = prepare(cart(), settings, seed=1, checkpoint=file, every=10**6)
    assert learner.memory.spare == 1000  # far fewer than the decisions to come
    train_plain(cart(), learner, 2500, file, every=10**6)
    again, progress = load(file)
    assert again.decisions == 2500
    train_plain(cart(), again, 2600, progress=progress)
