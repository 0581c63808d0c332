"""How long the next inference or update takes: drawn from a scenario's laws, or played back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from rtsim.scenario import Scenario
from rtsim.timing import BlockStream, Law, Spells


class Durations(Protocol):
    """Durations of one worker or learner, one after the other."""

    def draw(self, now: int) -> tuple[int, int]:
        """(duration in int ns, mixture component) of what starts at ``now`` ns."""
        ...


class Draws(Protocol):
    """The durations of all workers and learners of a run."""

    def inference(self, worker: int) -> Durations: ...

    def learning(self, learner: int) -> Durations: ...


class _Stream:
    """Durations of one named stream, stretched while the machine is slow."""

    def __init__(self, law: Law, seed: int, purpose: str, index: int, spells: Spells | None) -> None:
        self._draws: Iterator[tuple[int, int]] = iter(BlockStream(law, seed, purpose, index))
        self._spells = spells

    def draw(self, now: int) -> tuple[int, int]:
        duration, component = next(self._draws)
        return (self._spells.stretch(duration, now) if self._spells else duration), component


class _Sum:
    """An inference and the overhead of handing it over."""

    def __init__(self, inference: Durations, dispatch: Durations) -> None:
        self._inference, self._dispatch = inference, dispatch

    def draw(self, now: int) -> tuple[int, int]:
        duration, component = self._inference.draw(now)
        return duration + self._dispatch.draw(now)[0], component


class DrawnDurations:
    """What a scenario's laws say: the j-th draw of an actor depends on the seed, the actor and j alone."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = s = scenario

        def spells(law: Law | None, index: int) -> Spells | None:
            return Spells(law.spells, s.seed, index) if law is not None and law.spells is not None else None

        # Spells of slowness are shared by all workers.
        self._spells = spells(s.duration_law, 0), spells(s.dispatch_time, 1), spells(s.learning_time, 2)

    def inference(self, worker: int) -> Durations:
        """Inference times of one worker, dispatch included."""
        s = self._scenario
        inference = _Stream(s.duration_law, s.seed, "inference", worker, self._spells[0])
        if s.dispatch_time is None:
            return inference
        return _Sum(inference, _Stream(s.dispatch_time, s.seed, "dispatch", worker, self._spells[1]))

    def learning(self, learner: int) -> Durations:
        """Update times of one learner."""
        s = self._scenario
        assert s.learning_time is not None
        return _Stream(s.learning_time, s.seed, "learning", learner, self._spells[2])


class _Played:
    def __init__(self, durations: Sequence[int], components: Sequence[int], then: int) -> None:
        self._rows = iter(zip(durations, components, strict=True))
        self._then = then

    def draw(self, now: int) -> tuple[int, int]:
        return next(self._rows, (self._then, 0))


class RecordedDurations:
    """What was recorded: each actor's durations in order; what lies beyond the recording never ends.

    Parameters
    ----------
    inferences, updates : sequence of (durations, components), one per worker or learner
        int ns, in order of starting.
    then : int
        Duration of what was still going on when the recording ended, ns: longer than the run.
    """

    def __init__(
        self,
        inferences: Sequence[tuple[Sequence[int], Sequence[int]]],
        updates: Sequence[tuple[Sequence[int], Sequence[int]]],
        then: int,
    ) -> None:
        self._inferences, self._updates, self._then = inferences, updates, then

    def inference(self, worker: int) -> Durations:
        return _Played(*self._inferences[worker], self._then)

    def learning(self, learner: int) -> Durations:
        return _Played(*self._updates[learner], self._then)
