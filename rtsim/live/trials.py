"""Repeated runs of a plan, kept in a folder, so that a long series of them can go on after a break."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rtsim.errors import FileProblem
from rtsim.live.plan import LivePlan
from rtsim.live.run import LiveFault, play
from rtsim.live.summary import LiveSummary, summary
from rtsim.schedule import Schedule

#: A run that the machine disturbed is repeated until it has been tried so often.
ATTEMPTS = 3

Player = Callable[[LivePlan], Schedule]


@dataclass(frozen=True)
class Trial:
    """One run of a plan, the least disturbed of those that were made.

    Attributes
    ----------
    path : Path
        Its file.
    schedule : Schedule
    summary : LiveSummary
    attempts : int
        How many were made.
    """

    path: Path
    schedule: Schedule
    summary: LiveSummary
    attempts: int

    @property
    def disturbed(self) -> bool:
        """Whether the machine disturbed even this one; see :class:`~rtsim.live.summary.LiveSummary`."""
        return self.summary.disturbed


def trial_file(plan: LivePlan, folder: Path, name: str, attempt: int) -> Path:
    """Where one attempt at a plan is kept: a plan that has changed has other files."""
    known = hashlib.sha256(plan.text().encode()).hexdigest()[:10]
    return folder / f"{name}-seed{plan.scenario.seed}-{known}-{attempt}.npz"


def find_trial(plan: LivePlan, folder: Path, name: str) -> Trial | None:
    """The least disturbed run of a plan in a folder, or None if there is none yet."""
    made = []
    for attempt in range(ATTEMPTS):
        path = trial_file(plan, folder, name, attempt)
        if path.exists():
            schedule = Schedule.load(path)
            made.append((path, schedule, summary(schedule)))
    if not made:
        return None
    path, schedule, found = min(
        made, key=lambda one: (one[2].disturbed, max(one[2].missed_fraction, one[2].overran_fraction))
    )
    return Trial(path, schedule, found, len(made))


def finished(found: Trial | None) -> bool:
    """Whether nothing is left to do: a run that was not disturbed, or all attempts used up."""
    return found is not None and (not found.disturbed or found.attempts >= ATTEMPTS)


def make_trial(plan: LivePlan, folder: Path, name: str, *, play: Player = play) -> Trial:
    """Run a plan and keep the record; again, if the machine disturbed it.

    Parameters
    ----------
    plan : LivePlan
        Its seed is that of this trial.
    folder : Path
        Made if it does not exist.
    name : str
        How its files begin.
    play : callable(plan) -> Schedule
        What runs it.

    Raises
    ------
    LiveFault
        If the run did not come to its end; nothing is kept of it.
    FileProblem
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileProblem(f"cannot make the folder {folder}: {error.strerror}") from error
    found = find_trial(plan, folder, name)
    while found is None or not finished(found):
        schedule = play(plan)
        if len(schedule) < plan.scenario.steps:
            raise LiveFault(f"{name}: the environment was lost at step {len(schedule)} of {plan.scenario.steps}")
        schedule.save(trial_file(plan, folder, name, found.attempts if found else 0))
        found = find_trial(plan, folder, name)
    return found
