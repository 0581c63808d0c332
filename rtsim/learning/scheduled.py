"""Training under a Schedule, in virtual time: actions and updates take as long as the scenario says, the computer not.

One process does what any number of inference and learning processes would do, in the order in which they would: an
inference uses the parameters of its start, an update the parameters and the data of its start, and lands
when the learner rule says, over whatever landed meanwhile. With times of zero it is :func:`train_plain`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from rtsim.clocks.running import Event, Landed, Learning, Lost, Read, Started
from rtsim.envs.default_policies import noop_of
from rtsim.errors import InvalidValue
from rtsim.learning import checkpoint as files
from rtsim.learning.curve import Row, Tally, row_of
from rtsim.learning.episodes import Env, Episodes, not_repeated
from rtsim.learning.learner import Learner, merged
from rtsim.learning.memory import tensor
from rtsim.learning.progress import Choice, Update, pack_choices, pack_updates, unpack_choices, unpack_updates
from rtsim.learning.timed import world
from rtsim.learning.training import ROWS_PER_DECISION
from rtsim.learning.transitions import Transitions
from rtsim.scenario import Scenario
from rtsim.timing import units
from rtsim.timing.composite import draws_exploration

#: Of a checkpoint's progress.
KIND = "scheduled/1"


class ScheduledTraining:
    """A learner in an environment that does not wait for it.

    Parameters
    ----------
    env : gymnasium.Env
        Discrete actions, observations an array; the same after the same seed and actions.
    learner : Learner
        Its seed is that of the environment's episodes, too.
    scenario : Scenario
        Without a learning time updates take none, and come every ``steps_per_update`` transitions; of an inference that
        starts and acts at one instant, they come before.
    progress : dict, optional
        Of a checkpoint, to go on from.
    row_steps : int, >= 1
        Environment steps per row of the curve.
    evaluation : callable() -> float, optional
        Scores the present parameters, every ``evaluate_every`` environment steps (0: never).
    default_policy : {"noop", "repeat", "random"}

    Attributes
    ----------
    rows : list of Row
        The learning curve.
    steps, decisions, version : int
        Environment steps that are over; inferences that have started; updates that have landed.
    seconds : float
        Environment time.
    transitions : Transitions

    Raises
    ------
    InvalidValue
        If the environment does not repeat itself, or the checkpoint is of another training.

    Examples
    --------
    Inferences of 30 ms and updates of 50 ms, in an environment of 50 steps a second; the first two updates find nothing
    to learn from, and the one that lands after exactly 2 s counts in the second row:

    >>> import gymnasium
    >>> from rtsim.learning import PRESETS, prepare
    >>> env = gymnasium.make("CartPole-v1")
    >>> scenario = Scenario("max_time", "30ms", workers=2, step_time="50fps", learning_time="50ms", batch=64)
    >>> training = ScheduledTraining(env, prepare(env, PRESETS["cartpole"]), scenario, row_steps=100)
    >>> training.run(200)
    >>> [(row.step, row.seconds, row.updates) for row in training.rows]
    [(100, 2.0, 37), (200, 4.0, 40)]
    """

    def __init__(
        self,
        env: Env,
        learner: Learner,
        scenario: Scenario,
        progress: dict[str, Any] | None = None,
        *,
        row_steps: int = 1_000,
        evaluation: Callable[[], float] | None = None,
        evaluate_every: int = 0,
        default_policy: str = "noop",
    ) -> None:
        if scenario.batch != learner.settings.batch and scenario.learning_time is not None:
            raise InvalidValue(f"batch {scenario.batch} of the scenario is not {learner.settings.batch}, the learner's")
        self.learner, self.scenario = learner, scenario
        self.transitions = Transitions(learner.memory)
        self.rows: list[Row] = []
        self.steps = self.decisions = self.version = 0
        self._row_steps, self._evaluation, self._evaluate_every = row_steps, evaluation, evaluate_every
        self._default_policy = default_policy
        self._noop = int(noop_of(env))
        self._explores = draws_exploration(scenario.inference_time)
        self._free = scenario.learner_count == 0
        self._tally, self._score, self._time_ns = Tally(), 0.0, 0
        self._choices: dict[int, Choice] = {}
        self._updates: dict[int, Update] = {}
        self._started: Started | None = None  # the decision that is to be made
        self._reading: Choice | None = None
        self._acting: int | None = None  # chosen for the step under way
        if progress is None:
            self.episodes = Episodes(env, learner.seed)
            self._world = world(self.episodes, scenario, self, default_policy)
            self._observation = self._world.reset()[0]
        else:
            self._return(env, progress)

    @property
    def seconds(self) -> float:
        """Environment time."""
        return self._time_ns / units.NS

    @property
    def rest(self) -> Row | None:
        """The steps since the last row of the curve; None if there are none."""
        return self._tally.row(self.steps, self.seconds) if self._tally.steps else None

    def run(
        self,
        steps: int,
        checkpoint: Any = None,
        every: int = 10_000,
        *,
        on_step: Callable[[], bool | None] | None = None,
    ) -> None:
        """Train up to a number of environment steps, and on to the end of the decision under way.

        Parameters
        ----------
        steps : int
            Counted from the beginning of the training.
        checkpoint : str or Path, optional
            Where to save; the learner's memory must lie beside it, see :func:`prepare`.
        every : int, >= 1
            Environment steps between two checkpoints; more of them are written where the memory's spare places
            run out.
        on_step : callable, optional
            Called after every decision; where it returns True, the training stops with a checkpoint.

        Raises
        ------
        NoConvergence
            If the loss is not finite; the last checkpoint stays.
        FileProblem
            If a checkpoint cannot be written; the one before stays.
        """
        saved, stopped = self.steps // every, False
        while self.steps < steps and not stopped:
            self.step()
            stopped = bool(on_step is not None and on_step())
            if checkpoint is not None and self.at_rest:
                memory = self.learner.memory
                most = min(ROWS_PER_DECISION * (len(self._choices) + 2), memory.spare // 2)
                short = memory.room is not None and memory.room < most
                if self.steps // every > saved or short:
                    saved = self.steps // every
                    self.save(checkpoint)
        if checkpoint is not None:
            while not self.at_rest:
                self.step()
            self.save(checkpoint)

    def step(self) -> None:
        """One decision, and all that happens until the next one."""
        assert self._started is not None
        started = self._started
        version = self.version if self._free else started.version
        parameters = self.learner.parameters if version == self.version else None
        self._choices[started.decision] = Choice(started, np.asarray(self._observation), version, parameters)
        self._started = None
        self._observation, _, terminated, truncated, _ = self._world.step(None)
        if terminated or truncated:
            self._observation = self._world.reset()[0]

    # What the environment under the Schedule tells: see rtsim.envs.scheduled.Listener.

    def happens(self, event: Event) -> None:
        """An event of the clock."""
        self._time_ns = event.time_ns
        if isinstance(event, Started):
            self._started = event
            self.decisions += 1
            self._tally.decisions += 1
        elif isinstance(event, Read):
            self._reading = self._choices.pop(event.decision, None)
        elif isinstance(event, Lost):
            self._choices.pop(event.decision, None)
        elif isinstance(event, Learning):
            gradient = None
            if self.learner.memory.appended:
                gradient = self.learner.gradient(self.learner.parameters, self.learner.sample())
            self._updates[event.learner] = Update(self.version, gradient)
        elif isinstance(event, Landed):
            self._land([self._updates.pop(k) for k in event.learners], event.merged)

    def acts(self, read: Read, action: Any) -> int:
        """A decision's action begins to act: what came before it is a transition now, and it is chosen."""
        choice = self._reading
        assert choice is not None
        if self.transitions.follows(choice.observation):
            self._learn_freely()
        if self._free and choice.started.time_ns == read.time_ns:
            choice.version, choice.parameters = self.version, self.learner.parameters
        chosen = self._chosen(choice)
        self.transitions.does(chosen)
        self._acting = chosen
        self._tally.agent += 1
        self._tally.delay += read.step - choice.started.observation
        self._tally.staleness += self.version - choice.version
        return chosen

    def stepped(self, action: Any, reward: float, terminated: bool, truncated: bool, observation: Any) -> None:
        """An environment step is over."""
        self._acting = None
        self.steps += 1
        self._score += reward
        tally = self._tally
        tally.steps += 1
        tally.reward += reward
        tally.non_noop += int(action) != self._noop
        if self.transitions.stepped(reward, terminated, truncated, np.asarray(observation)):
            self._learn_freely()
        if terminated or truncated:
            tally.episodes += 1
            tally.scores += self._score
            tally.lengths += len(self.episodes.actions)
            self._score = 0.0
        if self._evaluate_every and self.steps % self._evaluate_every == 0 and self._evaluation is not None:
            tally.evaluation = self._evaluation()
        if self.steps % self._row_steps == 0:
            self.rows.append(tally.row(self.steps, self.seconds))
            self._tally = Tally(since=self.seconds)

    def _chosen(self, choice: Choice) -> int:
        if choice.action is None:
            started = choice.started
            explore = started.component == 0 if self._explores else None
            choice.action = self.learner.act(choice.observation, choice.parameters, started.decision, explore)
        return choice.action

    def _learn_freely(self) -> None:
        """An update that takes no time, if one is due."""
        learner, s = self.learner, self.learner.settings
        appended = learner.memory.appended
        if self._free and appended >= s.learning_starts and appended % s.steps_per_update == 0:
            self._land([Update(self.version, learner.gradient(learner.parameters, learner.sample()))], False)

    def _land(self, updates: list[Update], together: bool) -> None:
        if together:
            gradients = [update.gradient for update in updates if update.gradient is not None]
            first = min(update.version for update in updates)
            updates = [Update(first, merged(gradients) if gradients else None)]
        for update in updates:
            if update.gradient is not None:
                self.learner.apply(update.gradient)
                self._tally.updates += 1
                self._tally.loss += update.gradient.loss
                self._tally.gradient_staleness += self.version - update.version
            self.version += 1
            for choice in self._choices.values():
                if choice.parameters is None and choice.version == self.version:
                    choice.parameters = self.learner.parameters

    # Checkpoints.

    @property
    def at_rest(self) -> bool:
        """Whether a checkpoint can be written: what has started at this very instant might still wait for updates."""
        now = self._started
        return now is not None and all(c.started.time_ns < now.time_ns and c.settled for c in self._choices.values())

    def save(self, path: Any) -> None:
        """Write a checkpoint, from which a training goes on as if nothing had been.

        Raises
        ------
        FileProblem
            If it cannot be written; the one before stays.
        """
        files.save(path, self.learner, self._progress())

    def _progress(self) -> dict[str, Any]:
        for choice in self._choices.values():
            self._chosen(choice)  # their parameters are not kept
        return {
            "kind": KIND,
            "scenario": json.dumps(self.scenario.to_json()),
            "default_policy": self._default_policy,
            "row_steps": self._row_steps,
            "evaluate_every": self._evaluate_every,
            "decisions": self.decisions,
            "steps": self.steps,
            "version": self.version,
            "lengths": torch.tensor(self.episodes.lengths, dtype=torch.int64),
            "actions": torch.tensor(self.episodes.actions, dtype=torch.int32),
            "acting": -1 if self._acting is None else self._acting,
            "observation": tensor(self._observation),
            "choices": pack_choices(self._choices, self._observation),
            "updates": pack_updates(self._updates),
            "transitions": self.transitions.state(),
            "rows": torch.tensor(self.rows, dtype=torch.float64).reshape(-1, len(Row._fields)),
            "tally": torch.tensor(self._tally.state(), dtype=torch.float64),
            "score": self._score,
        }

    def _return(self, env: Env, progress: dict[str, Any]) -> None:
        """Go back to a checkpoint: time passes again, past episodes in name only; the present one is played again."""
        if progress.get("kind") != KIND:
            raise InvalidValue("the checkpoint is of another kind of training; resume it as it was begun")
        then = Scenario.from_json(json.loads(progress["scenario"])).with_(steps=self.scenario.steps)
        mine = (self.scenario, self._default_policy, self._row_steps, self._evaluate_every)
        if mine != (then, *(progress[key] for key in ("default_policy", "row_steps", "evaluate_every"))):
            raise InvalidValue("the checkpoint is of a training under another Schedule; give the same times and rules")
        actions = progress["actions"].tolist()
        self.episodes = Episodes(env, self.learner.seed, past=progress["lengths"].tolist())
        again = _Again(self.episodes, [*actions, progress["acting"]])
        self._world = world(self.episodes, self.scenario, again, self._default_policy)
        self._observation = self._world.reset()[0]
        while again.decisions < progress["decisions"]:
            self._observation, _, terminated, truncated, _ = self._world.step(None)
            if terminated or truncated:
                self._observation = self._world.reset()[0]
        if self.episodes.actions != actions or not np.array_equal(tensor(self._observation), progress["observation"]):
            raise not_repeated()
        self._world.listener = self
        self._started, self._time_ns = again.started, again.time_ns
        self.steps, self.decisions, self.version = (progress[key] for key in ("steps", "decisions", "version"))
        self._acting = None if progress["acting"] < 0 else progress["acting"]
        self._choices = unpack_choices(progress["choices"], self._observation)
        self._updates = unpack_updates(progress["updates"], self.learner.device)
        self.transitions.restore(progress["transitions"])
        self.rows = [row_of(values) for values in progress["rows"].tolist()]
        self._tally, self._score = Tally(*progress["tally"].tolist()), progress["score"]


class _Again:
    """Listens while time passes again, and does what was done then."""

    def __init__(self, episodes: Episodes, actions: list[int]) -> None:
        self.episodes, self.actions = episodes, actions
        self.started: Started | None = None
        self.decisions = self.time_ns = 0

    def happens(self, event: Event) -> None:
        self.time_ns = event.time_ns
        if isinstance(event, Started):
            self.started = event
            self.decisions += 1

    def acts(self, read: Read, action: Any) -> int:
        done = len(self.episodes.actions)
        return 0 if self.episodes.passing or done >= len(self.actions) else self.actions[done]

    def stepped(self, *_: Any) -> None:
        return
