"""Training without delay: the world waits for every action and every update.

What a learner can do at best, and the check that it learns at all; trainings under a Schedule are
made of the same four calls in another order.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium
import numpy as np
import torch
from numpy.typing import NDArray

from rtsim.errors import FileProblem, InvalidValue
from rtsim.learning import checkpoint as files
from rtsim.learning.agents import make
from rtsim.learning.draws import episode_seed
from rtsim.learning.episodes import Env, not_repeated
from rtsim.learning.learner import Learner, Parameters
from rtsim.learning.settings import Settings

#: Rows that one decision may write: the observation after it, and the first one of the next episode.
ROWS_PER_DECISION = 2
#: Added to a training's seed for its evaluations, so that they are not the episodes it has learnt from.
EVALUATION = 2**40


class Episode(NamedTuple):
    """One episode of a training.

    Attributes
    ----------
    decision : int
        Decisions of the training when it ended.
    score : float
        Sum of its rewards.
    length : int
        Its decisions.
    """

    decision: int
    score: float
    length: int


class Training:
    """A learner in an environment, decision by decision.

    Every episode begins from a seed of its own, so that an environment need not be saved: going
    back to a checkpoint, the current episode's actions are played again.

    Parameters
    ----------
    env : gymnasium.Env
        Discrete actions, observations an array; the same after the same seed and actions.
    learner : Learner
    progress : dict, optional
        Of a checkpoint, to go on from.

    Raises
    ------
    InvalidValue
        If the environment does not repeat itself.
    """

    def __init__(self, env: Env, learner: Learner, progress: dict[str, Any] | None = None) -> None:
        self.env, self.learner = env, learner
        self.episodes: list[Episode] = []
        self._actions: list[int] = []
        self._score = 0.0
        if progress is None:
            self._reset()
        else:
            self._return(progress)

    def _reset(self) -> None:
        self._begin()
        self.learner.memory.begin(self._observation)
        self._actions, self._score = [], 0.0

    def _begin(self) -> None:
        self._observation, _ = self.env.reset(seed=episode_seed(self.learner.seed, len(self.episodes)))

    def _return(self, progress: dict[str, Any]) -> None:
        curve = zip(
            progress["decisions"].tolist(), progress["scores"].tolist(), progress["lengths"].tolist(), strict=True
        )
        self.episodes = [Episode(*row) for row in curve]
        self._actions, self._score = progress["actions"].tolist(), float(progress["score"])
        self._begin()
        for action in self._actions:
            self._observation = self.env.step(action)[0]
        if not np.array_equal(np.asarray(self._observation, self.learner.memory.dtype), self.learner.memory.newest):
            raise not_repeated()

    def progress(self) -> dict[str, Any]:
        """What a checkpoint keeps of the training."""
        return {
            "decisions": torch.tensor([e.decision for e in self.episodes], dtype=torch.int64),
            "scores": torch.tensor([e.score for e in self.episodes], dtype=torch.float64),
            "lengths": torch.tensor([e.length for e in self.episodes], dtype=torch.int64),
            "actions": torch.tensor(self._actions, dtype=torch.int32),
            "score": self._score,
        }

    def step(self) -> Episode | None:
        """One decision, and an update if one is due; the episode, if it has ended."""
        learner, s = self.learner, self.learner.settings
        action = learner.act(np.asarray(self._observation))
        self._observation, reward, terminated, truncated, _ = self.env.step(action)
        learner.memory.append(action, float(reward), self._observation, bool(terminated), bool(truncated))
        self._actions.append(action)
        self._score += float(reward)
        if learner.decisions >= s.learning_starts and learner.decisions % s.steps_per_update == 0:
            learner.apply(learner.gradient(learner.parameters, learner.sample()))
        if not (terminated or truncated):
            return None
        self.episodes.append(Episode(learner.decisions, self._score, len(self._actions)))
        self._reset()
        return self.episodes[-1]


def train_plain(
    env: Env,
    learner: Learner,
    steps: int,
    checkpoint: str | Path | None = None,
    every: int = 10_000,
    progress: dict[str, Any] | None = None,
    on_episode: Callable[[Episode], None] | None = None,
) -> list[Episode]:
    """Train without delay up to a number of decisions.

    Parameters
    ----------
    env, learner, progress :
        See :class:`Training`.
    steps : int
        Decisions, counted from the beginning of the training.
    checkpoint : str or Path, optional
        Where to save; the learner's memory must then lie beside it, see :func:`prepare`.
    every : int, >= 1
        Decisions between two checkpoints; more of them are written where the memory's spare places run out.
    on_episode : callable, optional
        Called with every :class:`Episode` that ends.

    Returns
    -------
    list of Episode
        All that ended since the beginning of the training.

    Raises
    ------
    NoConvergence
        If the loss is not finite; the last checkpoint stays.
    FileProblem
        If a checkpoint cannot be written; the one before stays.
    """
    training = Training(env, learner, progress)
    while learner.decisions < steps:
        episode = training.step()
        if episode is not None and on_episode is not None:
            on_episode(episode)
        room = learner.memory.room
        due = learner.decisions % every == 0 or learner.decisions == steps
        if checkpoint is not None and (due or (room is not None and room < ROWS_PER_DECISION)):
            files.save(checkpoint, learner, training.progress())
    return training.episodes


def prepare(
    env: Env,
    settings: Settings,
    seed: int = 0,
    device: str = "cpu",
    checkpoint: str | Path | None = None,
    every: int = 10_000,
) -> Learner:
    """A new learner for an environment; with a checkpoint to come, its memory is made beside that.

    Raises
    ------
    InvalidValue
        If the environment's actions or observations are none that the learners know.
    FileProblem
        If the checkpoint exists already, or there is no room for the memory.
    """
    shape, dtype, actions = spaces_of(env)
    path, spare = None, 0
    if checkpoint is not None:
        if Path(checkpoint).exists():
            raise FileProblem(f"checkpoint {str(checkpoint)!r} exists; resume it, or give another name")
        # Each decision writes one row and each episode one more: hardly ever twice as many as decisions.
        path, spare = files.memory_file(checkpoint), min(2 * every, max(1_000, settings.capacity // 8))
    return make(settings, shape, dtype, actions, seed, device, path, spare)


def spaces_of(env: Env) -> tuple[tuple[int, ...], Any, int]:
    """Shape and dtype of what a learner sees of an environment, and how many actions it has.

    Raises
    ------
    InvalidValue
        If the environment's actions or observations are none that the learners know.
    """
    space, actions = env.observation_space, env.action_space
    if not isinstance(actions, gymnasium.spaces.Discrete) or actions.start != 0:
        raise InvalidValue(f"action space {actions} must be Discrete, counted from 0")
    if not isinstance(space, gymnasium.spaces.Box):
        raise InvalidValue(f"observation space {space} must be a Box: arrays of one shape")
    return space.shape, np.uint8 if space.dtype in (np.uint8, np.bool_) else np.float32, int(actions.n)


def evaluate(
    env: Env, learner: Learner, episodes: int, parameters: Parameters | None = None, epsilon: float = 0.0
) -> NDArray[np.float64]:
    """Scores of episodes that are played with the learnt action values, without learning.

    Parameters
    ----------
    env : gymnasium.Env
        Not the one of a training that goes on.
    learner : Learner
    episodes : int, >= 1
    parameters : Parameters, optional
        By default the present ones.
    epsilon : float, 0..1
        Share of random actions.

    Returns
    -------
    float64, shape (episodes,)
    """
    scores = np.zeros(episodes)
    chance = np.random.default_rng([learner.seed, episodes])
    parameters = parameters or learner.parameters
    learner.network.eval()
    try:
        for k in range(episodes):
            observation, _ = env.reset(seed=episode_seed(learner.seed, EVALUATION + k))
            ended = False
            while not ended:
                random = chance.random() < epsilon
                action = int(chance.integers(learner.actions)) if random else learner.best(observation, parameters)
                observation, reward, terminated, truncated, _ = env.step(action)
                scores[k] += float(reward)
                ended = bool(terminated or truncated)
    finally:
        learner.network.train()
    return scores
