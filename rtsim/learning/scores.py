"""Counting how a player fares that learns no more: scores of episodes, and how late it acted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from rtsim.clocks.running import Event, Lost, Read, Started
from rtsim.timing.units import whole

#: Environment steps after which an evaluation's episode is over at the latest.
LONGEST_EVALUATION = 20_000


@dataclass(frozen=True)
class Extent:
    """How much is played: so many episodes, or, where ``steps`` says so, so many environment steps.

    Attributes
    ----------
    episodes : int, >= 1
        Each of at most :data:`LONGEST_EVALUATION` environment steps.
    steps : int, >= 1, optional
        Instead: then no episode is cut, and one that has not ended has no score.
    """

    episodes: int = 20
    steps: int | None = None

    def __post_init__(self) -> None:
        whole(self.episodes, "episodes", 1, 10**6)
        if self.steps is not None:
            whole(self.steps, "steps", 1, 10**12)


class Played(NamedTuple):
    """How a player fared.

    Attributes
    ----------
    steps : int
        Environment steps.
    reward : float
        Sum of the rewards.
    scores : tuple of float
        Sum of the rewards of every episode that ended.
    lengths : tuple of int
        Environment steps of these.
    cut : int
        How many of these were cut, as they would not end.
    acted : int
        Environment steps on which an action of the player acted, and not the default policy.
    delays : int
        Sum over these of the age of what the action was chosen on, steps.
    """

    steps: int
    reward: float
    scores: tuple[float, ...]
    lengths: tuple[int, ...]
    cut: int
    acted: int
    delays: int

    @property
    def score(self) -> float:
        """Mean of the scores; nan if no episode ended."""
        return float(np.mean(self.scores)) if self.scores else math.nan

    @property
    def length(self) -> float:
        """Mean length of the episodes that ended, steps; nan if there are none."""
        return float(np.mean(self.lengths)) if self.lengths else math.nan

    @property
    def inaction(self) -> float:
        """Share of the environment steps on which the default policy acted."""
        return 1 - self.acted / self.steps

    @property
    def delay(self) -> float:
        """Mean delay, steps; nan if no action ever acted."""
        return self.delays / self.acted if self.acted else math.nan


class Count:
    """Counts environment steps until enough have been played; what comes after that is not looked at.

    Parameters
    ----------
    extent : Extent

    Examples
    --------
    >>> count = Count(Extent(episodes=2))
    >>> for reward, over in ((1.0, False), (2.0, True), (5.0, True), (9.0, True)):
    ...     count.step(reward, over)
    >>> count.done, count.played.scores, count.played.lengths
    (True, (3.0, 5.0), (2, 1))
    """

    def __init__(self, extent: Extent) -> None:
        self.extent = extent
        self.steps = self._acted = self._delays = self._cut = 0
        self._reward = 0.0
        self._scores: list[float] = []
        self._lengths: list[int] = []
        self.begin()

    def begin(self) -> None:
        """An episode begins; not needed after one that has ended by itself."""
        self._score, self._length = 0.0, 0
        #: Whether the present episode was cut, so that the next one is to begin.
        self.over = False

    @property
    def done(self) -> bool:
        """Whether enough has been played."""
        if self.extent.steps is not None:
            return self.steps >= self.extent.steps
        return len(self._scores) >= self.extent.episodes

    @property
    def share(self) -> float:
        """How much of what is to be played has been, 0..1."""
        if self.extent.steps is not None:
            return min(self.steps / self.extent.steps, 1.0)
        return (len(self._scores) + self._length / LONGEST_EVALUATION) / self.extent.episodes

    def step(self, reward: float, ended: bool, delay: int | None = None) -> None:
        """One environment step is over; ``delay`` is that of the player's action, None where it had none."""
        if self.done or self.over:
            return
        self.steps += 1
        self._length += 1
        self._reward += reward
        self._score += reward
        if delay is not None:
            self._acted += 1
            self._delays += delay
        cut = not ended and self.extent.steps is None and self._length >= LONGEST_EVALUATION
        if ended or cut:
            self._scores.append(self._score)
            self._lengths.append(self._length)
            self._cut += cut
            self.begin()
            self.over = cut

    @property
    def played(self) -> Played:
        """What was counted so far."""
        scores, lengths = tuple(self._scores), tuple(self._lengths)
        return Played(self.steps, self._reward, scores, lengths, self._cut, self._acted, self._delays)


class Watch:
    """Counts what happens in a :class:`~rtsim.envs.scheduled.ScheduledEnv`, with the delays of the actions.

    Parameters
    ----------
    count : Count
    """

    def __init__(self, count: Count) -> None:
        self.count = count
        self._seen: dict[int, int] = {}
        self._read = 0  # the observation that the step under way was decided on
        self._delay: int | None = None

    def happens(self, event: Event) -> None:
        """An event of the clock."""
        if isinstance(event, Started):
            self._seen[event.decision] = event.observation
        elif isinstance(event, Read):
            self._read = self._seen.pop(event.decision, 0)
        elif isinstance(event, Lost):
            self._seen.pop(event.decision, None)

    def acts(self, read: Read, action: Any) -> Any:
        """An environment step begins to execute this action."""
        self._delay = read.step - self._read
        return action

    def stepped(self, action: Any, reward: float, terminated: bool, truncated: bool, observation: Any) -> None:
        """An environment step is over."""
        self.count.step(reward, terminated or truncated, self._delay)
        self._delay = None
