"""Agents that learn action values: replay memories, DQN and Rainbow. Imports torch, and Gymnasium to train.

A learner is cut where a Schedule cuts it: what is sampled (:meth:`Learner.sample`), from which version of the
parameters a gradient is computed (:meth:`Learner.gradient`) and an action chosen (:meth:`Learner.act`), and when a
gradient lands (:meth:`Learner.apply`).

>>> learner = make(Settings(network="mlp(8)", capacity=100, batch=2), (4,), "float32", actions=2)
>>> import numpy as np
>>> learner.memory.begin(np.zeros(4))
>>> learner.memory.append(action=1, reward=1.0, following=np.ones(4))
>>> old = learner.parameters
>>> first, second = (learner.gradient(old, learner.sample(data_step=1)) for _ in range(2))
>>> learner.apply(first), learner.apply(second), old.version
(1, 2, 0)
"""

from rtsim.learning.agents import DQN, Rainbow, make
from rtsim.learning.checkpoint import load, memory_file, save
from rtsim.learning.curve import Row, overall
from rtsim.learning.evaluation import Agent, Fared, agent_of, compare_agents
from rtsim.learning.learner import Gradient, Learner, Parameters, merged
from rtsim.learning.memory import Batch, Memory, Recent
from rtsim.learning.prioritised import Prioritised, SumTree
from rtsim.learning.references import Reference, reference
from rtsim.learning.reservoir import Reservoir
from rtsim.learning.runs import Outcome, Plan, begin, plan_in, read_curve, train
from rtsim.learning.scheduled import ScheduledTraining
from rtsim.learning.scores import Extent, Played
from rtsim.learning.settings import PRESETS, Settings
from rtsim.learning.timed import evaluate_scheduled, play
from rtsim.learning.training import Episode, Training, evaluate, prepare, train_plain
from rtsim.learning.transitions import Transitions

__all__ = [
    "DQN",
    "PRESETS",
    "Agent",
    "Batch",
    "Episode",
    "Extent",
    "Fared",
    "Gradient",
    "Learner",
    "Memory",
    "Outcome",
    "Parameters",
    "Plan",
    "Played",
    "Prioritised",
    "Rainbow",
    "Recent",
    "Reference",
    "Reservoir",
    "Row",
    "ScheduledTraining",
    "Settings",
    "SumTree",
    "Training",
    "Transitions",
    "agent_of",
    "begin",
    "compare_agents",
    "evaluate",
    "evaluate_scheduled",
    "load",
    "make",
    "memory_file",
    "merged",
    "overall",
    "plan_in",
    "play",
    "prepare",
    "read_curve",
    "reference",
    "save",
    "train",
    "train_plain",
]
