"""Trace-driven durations: what real inference took at each moment of a recorded run, in a simulation of another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtsim.clocks.draws import DrawnDurations, Durations
from rtsim.errors import InvalidValue
from rtsim.scenario import Scenario
from rtsim.schedule import Schedule

#: Steps begin at rounded times, so that an inference counts as begun at a moment this little before it, too, ns.
ROUNDING = 1_000


class TraceDurations:
    """Inference times by the moment at which they began, in a recorded run that is a circle in time.

    A machine that computes has slow spells, which last for several inferences and meet all workers at
    once; a law from which every duration is drawn alone does not know them. So an inference takes here
    what the same worker's inference took that began last before that moment of the recording. The
    simulation begins anywhere in it, at the start of a step: what depends on where in a step an
    inference begins, as the environment's own share of a core does, stays where it was.

    Parameters
    ----------
    schedule : Schedule
        A recorded run, at least one inference of which ended.
    scenario : Scenario
        What is simulated; its law of learning times is used as it is.
    turned : int, >= 0
        Step of the recording at which the simulation begins; beyond its end it is counted on from the start.

    Raises
    ------
    InvalidValue
        If no inference ended in the run.
    """

    def __init__(self, schedule: Schedule, scenario: Scenario, turned: int) -> None:
        spans, starts = schedule.spans, schedule.steps["time_ns"]
        if spans is None or not len(spans["start_ns"]):
            raise InvalidValue("no inference ended in this run, so nothing is known of its times; record a longer one")
        self._spans, self._law = spans, DrawnDurations(scenario)
        # The last step takes as long as the others do on average.
        self._circle = round(int(starts[-1]) * len(starts) / max(len(starts) - 1, 1)) or 1
        self._shift = int(starts[turned % len(starts)]) + ROUNDING

    def inference(self, worker: int) -> Durations:
        """Those of one worker; of all of them, if none of its own ended."""
        own = np.flatnonzero(self._spans["worker"] == worker)
        if not len(own):
            own = np.arange(len(self._spans["worker"]))
        began = self._spans["start_ns"][own]
        order = np.argsort(began, kind="stable")
        taken = (self._spans["end_ns"][own] - began)[order]
        return _Traced(began[order], taken, self._shift, self._circle)

    def learning(self, learner: int) -> Durations:
        """Drawn from the scenario's law."""
        return self._law.learning(learner)


class _Traced:
    def __init__(self, began: NDArray[np.int64], taken: NDArray[np.int64], shift: int, circle: int) -> None:
        self._began, self._taken, self._shift, self._circle = began, taken, shift, circle

    def draw(self, now: int) -> tuple[int, int]:
        then = (now + self._shift) % self._circle
        # Before the first one of the circle comes the last.
        return int(self._taken[np.searchsorted(self._began, then, side="right") - 1]), 0
