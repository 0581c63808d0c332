"""What a training under a Schedule tells of itself: a row for every so many environment steps."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import NamedTuple


class Row(NamedTuple):
    """One row of a learning curve; shares and means are those of its steps, nan where there is nothing to average.

    Attributes
    ----------
    step, seconds : int and float
        Environment steps, and environment time, since the training began.
    reward, reward_rate : float
        Sum of the rewards, and that per second.
    episodes : int
        That ended.
    score, length : float
        Mean sum of rewards, and steps, of those.
    inaction : float
        Share of the steps on which the default policy acted.
    non_noop : float
        Share of the steps on which something else than nothing was done, by whomever.
    delay : float, steps
        Mean age of the observations that actions were chosen on.
    staleness : float, updates
        Mean number of updates landed between an inference's start and the step on which its action acted.
    updates : int
        That landed, without those that found nothing to learn from yet.
    gradient_staleness : float, updates
        Mean number of updates landed while a gradient was computed.
    loss : float
        Mean, of the updates that landed.
    decisions : int
        Inferences started.
    evaluation : float
        Mean score of the evaluation; nan where there was none.
    """

    step: int
    seconds: float
    reward: float
    reward_rate: float
    episodes: int
    score: float
    length: float
    inaction: float
    non_noop: float
    delay: float
    staleness: float
    updates: int
    gradient_staleness: float
    loss: float
    decisions: int
    evaluation: float


#: Columns that are whole numbers.
WHOLE = ("step", "episodes", "updates", "decisions")


@dataclass
class Tally:
    """Sums over the steps of a row that is not complete yet.

    ``steps``, ``agent`` (of which the agent acted) and ``non_noop`` count steps, ``lengths`` those of episodes that
    ended; ``delay`` and ``staleness`` are summed over the agent's steps, ``loss`` and ``gradient_staleness`` over the
    updates that landed. ``evaluation`` is the newest one. All else is summed as it is named in :class:`Row`.
    """

    steps: float = 0.0
    since: float = 0.0  # seconds, when it began
    reward: float = 0.0
    episodes: float = 0.0
    scores: float = 0.0
    lengths: float = 0.0
    agent: float = 0.0
    non_noop: float = 0.0
    delay: float = 0.0
    staleness: float = 0.0
    updates: float = 0.0
    gradient_staleness: float = 0.0
    loss: float = 0.0
    decisions: float = 0.0
    evaluation: float = math.nan

    def row(self, step: int, seconds: float) -> Row:
        """The row that ends at ``step`` environment steps, ``seconds`` after the beginning."""
        passed = seconds - self.since
        return Row(
            step=step,
            seconds=seconds,
            reward=self.reward,
            reward_rate=_mean(self.reward, passed),
            episodes=int(self.episodes),
            score=_mean(self.scores, self.episodes),
            length=_mean(self.lengths, self.episodes),
            inaction=_mean(self.steps - self.agent, self.steps),
            non_noop=_mean(self.non_noop, self.steps),
            delay=_mean(self.delay, self.agent),
            staleness=_mean(self.staleness, self.agent),
            updates=int(self.updates),
            gradient_staleness=_mean(self.gradient_staleness, self.updates),
            loss=_mean(self.loss, self.updates),
            decisions=int(self.decisions),
            evaluation=self.evaluation,
        )

    def state(self) -> list[float]:
        """For a checkpoint; ``Tally(*state)`` is the same again."""
        return [getattr(self, field.name) for field in fields(self)]


def _mean(total: float, count: float) -> float:
    return total / count if count > 0 else math.nan


def row_of(values: list[float]) -> Row:
    """A row from its numbers."""
    named = dict(zip(Row._fields, values, strict=True))
    return Row(**{name: int(value) if name in WHOLE else value for name, value in named.items()})  # type: ignore[arg-type]


def overall(rows: list[Row], after: Row | None = None) -> Row:
    """One row for some that follow each other: from the beginning on, or ``after`` another one.

    >>> first = Tally(steps=2, reward=1.0, agent=1, delay=3.0).row(2, 1.0)
    >>> second = Tally(steps=2, since=1.0, reward=2.0, agent=2, delay=2.0).row(4, 2.0)
    >>> both = overall([first, second])
    >>> both.reward, both.reward_rate, both.inaction, round(both.delay, 3)
    (3.0, 1.5, 0.25, 1.667)
    """
    tally = Tally() if after is None else Tally(since=after.seconds)
    before = 0 if after is None else after.step
    for row in rows:
        steps = row.step - before
        before = row.step
        agent = round(steps * (1 - row.inaction))
        tally.steps += steps
        tally.reward += row.reward
        tally.episodes += row.episodes
        tally.agent += agent
        tally.non_noop += row.non_noop * steps
        tally.updates += row.updates
        tally.decisions += row.decisions
        if row.episodes:
            tally.scores += row.score * row.episodes
            tally.lengths += row.length * row.episodes
        if agent:
            tally.delay += row.delay * agent
            tally.staleness += row.staleness * agent
        if row.updates:
            tally.gradient_staleness += row.gradient_staleness * row.updates
            tally.loss += row.loss * row.updates
        if not math.isnan(row.evaluation):
            tally.evaluation = row.evaluation
    last = rows[-1] if rows else after or Tally().row(0, 0.0)
    return tally.row(last.step, last.seconds)
