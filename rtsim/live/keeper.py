"""What the supervisor has of a run that learns: the learner's files, and the shared weights. Imports torch."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from rtsim.errors import FileProblem, InvalidValue
from rtsim.learning import Learner, Parameters, load, make, memory_file, save
from rtsim.live import memory as m
from rtsim.live.gradients import APPLYING, ReplayFile, Shelf, lay, replay_of
from rtsim.live.lock import ProcessLock
from rtsim.live.memory import Memory
from rtsim.live.network import SHAPE
from rtsim.live.plan import LivePlan
from rtsim.live.recorder import Recorder
from rtsim.live.weights import DECISIONS, MEAN, SAMPLES, SQUARE, WEIGHTS, SharedWeights

#: Rows that a step writes at most: an observation, and the first one of the next episode.
ROWS_PER_STEP = 2
#: Places beyond the capacity of a replay memory, at least: what is written while a batch is read from it.
LEAST_SPARE = 1000


class Keeper:
    """Makes the learner's files or goes on with them, and writes a checkpoint now and then.

    Parameters
    ----------
    plan : LivePlan
        One with a learning plan.
    actions : int
        Of the game.
    memory : Memory
    lock : int
        Descriptor of the file of locks.

    Raises
    ------
    FileProblem, InvalidValue
        If the checkpoint is there and should not be, or the other way round, or is one of another learner.
    """

    def __init__(self, plan: LivePlan, actions: int, memory: Memory, lock: int) -> None:
        assert plan.learning is not None
        self.plan, self.path, self._memory = plan, Path(plan.learning.checkpoint), memory
        self.learner, self.progress = _resumed(plan, actions) if plan.learning.resume else (_new(plan, actions), {})
        self._shelf = Shelf(self.learner.shapes)
        self.shared = SharedWeights(self._shelf.size, len(memory.learners))
        lay(self.shared, self.learner)
        replay = replay_of(self.learner)
        memory.stored[0] = replay.extent
        self.replay = ReplayFile(replay.spare, replay.token)
        self._applying = ProcessLock(lock, APPLYING)
        self._weights = np.zeros_like(self.shared.weights[0])
        self._target = np.zeros_like(self.shared.targets[0])
        self._saved_at = 0.0

    def due(self, elapsed_s: float) -> bool:
        """Whether it is time for another checkpoint."""
        assert self.plan.learning is not None
        return elapsed_s - self._saved_at >= self.plan.learning.every

    def save(self, elapsed_s: float, recorder: Recorder) -> None:
        """Write a checkpoint of the newest weights while the run goes on.

        Parameters
        ----------
        elapsed_s : float
            Since step 0.
        recorder : Recorder
            Of the run so far.

        Raises
        ------
        FileProblem
            The one before stays.
        """
        self._saved_at = elapsed_s
        shared, learner, memory, scenario = self.shared, self.learner, self._memory, self.plan.scenario
        with self._applying:  # for as long as a copy takes, nothing lands
            number = shared.newest.number
            self._weights[:] = shared.weights[shared.place]
            self._target[:] = shared.targets[shared.target_place]
        views = [self._shelf.views(part) for part in self._weights]
        parameters = Parameters(number, views[WEIGHTS], self._shelf.views(self._target))
        learner.adopt(parameters, (views[MEAN], views[SQUARE]))
        learner.samples = int(shared.head[SAMPLES] + memory.learners[:, m.COUNT].max() * len(memory.learners))
        learner.decisions = int(shared.head[DECISIONS] + memory.workers[:, m.COUNT].max() * scenario.workers)
        newest = max(memory.control[m.PUBLISHED], 0) % m.STORED
        replay_of(learner).extent = memory.stored[newest].tolist()
        save(self.path, learner, self._progress(recorder))

    def _progress(self, recorder: Recorder) -> dict[str, Any]:
        """The training so far: that of this run, and those before it."""
        before = self.progress.get("live_steps", 0), self.progress.get("live_reward", 0.0)
        return {"live_steps": before[0] + recorder.steps, "live_reward": before[1] + recorder.reward}

    def forget(self) -> None:
        """Nothing came of the run: files that it made go away again."""
        if self.plan.learning is not None and not self.plan.learning.resume:
            memory_file(self.path).unlink(missing_ok=True)

    def close(self) -> None:
        """Let the shared weights go."""
        os.close(self.shared.fd)


def _new(plan: LivePlan, actions: int) -> Learner:
    assert plan.learning is not None
    path = Path(plan.learning.checkpoint)
    if path.exists():
        raise FileProblem(f"checkpoint {str(path)!r} exists; resume it, or give another name")
    settings, scenario = plan.learning.learner, plan.scenario
    spare = LEAST_SPARE + int(ROWS_PER_STEP * plan.learning.every / scenario.step_mean)
    file = memory_file(path)
    return make(settings, SHAPE, np.uint8, actions, scenario.seed, memory_file=file, spare=min(spare, 100_000))


def _resumed(plan: LivePlan, actions: int) -> tuple[Learner, dict[str, Any]]:
    assert plan.learning is not None
    learner, progress = load(plan.learning.checkpoint)
    what = f"checkpoint {plan.learning.checkpoint!r}"
    if learner.architecture.observation != SHAPE or learner.actions != actions:
        raise FileProblem(
            f"{what} does not fit the game: it is for {learner.actions} actions and observations of shape "
            f"{learner.architecture.observation}, and the game has {actions} actions and {SHAPE}"
        )
    if learner.settings != plan.learning.learner or learner.seed != plan.scenario.seed:
        raise InvalidValue(f"{what} was made with other settings, or another seed, than this run's; give the same")
    return learner, progress
