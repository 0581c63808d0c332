"""The agent of a run that learns: the newest network at each inference, and random actions at times. Imports torch."""

from __future__ import annotations

import numpy as np
import torch

from rtsim.learning import Parameters
from rtsim.live.agents import Question
from rtsim.live.gradients import Shelf, draw_number, learner_of
from rtsim.live.network import SHAPE
from rtsim.live.plan import LivePlan
from rtsim.live.weights import DECISIONS, SharedWeights
from rtsim.timing.composite import draws_exploration


class LearntAgent:
    """Chooses like :meth:`rtsim.learning.Learner.act`.

    An action depends on the observation, the version of the weights, the seed, and the number of the decision, which
    is made of the worker and the index of its inference; where the law of inference times draws whether an action is
    random, it depends on that, too.

    Parameters
    ----------
    plan : LivePlan
    actions : int
        Of the game.
    weights : int
        Descriptor of the shared weights.
    """

    def __init__(self, plan: LivePlan, actions: int, weights: int) -> None:
        torch.set_num_threads(1)
        self._learner = learner_of(plan, actions)
        shelf = Shelf(self._learner.shapes)
        self._shared = SharedWeights(shelf.size, max(plan.scenario.learner_count, 1), weights)
        self._workers = plan.scenario.workers
        self._drawn = plan.inference == "timed" and draws_exploration(plan.scenario.inference_time)
        self._flat = np.zeros(shelf.size, np.float32)
        self._parameters = Parameters(-1, shelf.views(self._flat), {})
        self._held = -1

    def version_used(self, landed: int) -> int:
        """Updates of this run that had landed in the weights used last."""
        return self._held - self._shared.base

    def choose(self, asked: Question) -> tuple[int, ...]:
        """The action of one inference."""
        if self._shared.newest.number != self._held:
            self._held = self._shared.read(self._flat).number
        decision = int(self._shared.head[DECISIONS]) + draw_number(asked.inference, asked.worker, self._workers)
        explore = asked.component == 0 if self._drawn else None
        action = self._learner.act(asked.frame.reshape(SHAPE), self._parameters, decision, explore)
        return (action,)
