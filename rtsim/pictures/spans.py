"""What timelines and traces share: windows, lanes, and what became of every action."""

from __future__ import annotations

import heapq
from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsim.errors import InvalidValue
from rtsim.scenario import Scenario
from rtsim.schedule import Schedule

USED, OVERWRITTEN, DROPPED, WAITING = "used", "overwritten", "dropped", "waiting"


def need_spans(schedule: Schedule, what: str) -> dict[str, NDArray[Any]]:
    """The spans of a Schedule, or InvalidValue with the remedy."""
    if schedule.spans is None:
        raise InvalidValue(
            f"{what} needs every inference, and this Schedule kept only those whose actions were used; "
            "make it with simulate(scenario, spans=True)"
        )
    return schedule.spans


def step_edges(schedule: Schedule) -> NDArray[np.int64]:
    """Starts of all steps and the end of the last one, int64 ns, shape (T + 1,), increasing.

    The last step is given the length of the one before it.
    """
    times = schedule.steps["time_ns"]
    if len(times) > 1:
        length = int(times[-1] - times[-2])
    else:
        length = int(Scenario.from_json(schedule.settings).step_mean * 1e9)
    return np.append(times, times[-1] + max(length, 1))


def fates(schedule: Schedule) -> list[str]:
    """What became of the action of every span: used, overwritten, dropped, or waiting at the end.

    A chunk is used if any of its actions was. ``waiting`` is held by the rule, or in the
    mailbox, when the run ended.
    """
    spans = need_spans(schedule, "the fate of actions")
    steps = schedule.steps
    used = set(zip(steps["worker"].tolist(), steps["inference"].tolist(), strict=True))
    queue = str(schedule.settings.get("mailbox", "latest")) != "latest"
    # The step that could have read an action: the first that starts at or after its release or end.
    moments = np.where(spans["release_ns"] >= 0, spans["release_ns"], spans["end_ns"])
    reader = np.searchsorted(steps["time_ns"], moments, side="left").tolist()
    found, unused = [], defaultdict(list)
    for row, key in enumerate(zip(spans["worker"].tolist(), spans["inference"].tolist(), strict=True)):
        released = spans["release_ns"][row] >= 0
        if key in used:
            found.append(USED)
        elif released and not queue and reader[row] < len(schedule):
            found.append(OVERWRITTEN)
        else:
            found.append(WAITING)
            # Never released: the oldest were too late. Released to a queue, which between two
            # steps only grows: the last found it full.
            age = int(spans["observation"][row]) if not released else -int(spans["release_ns"][row])
            unused[reader[row]].append((released, age, -key[0], row))
    for step, rows in unused.items():
        count = int(steps["dropped"][step]) if step < len(schedule) else 0
        for *_, row in sorted(rows)[:count]:
            found[row] = DROPPED
    return found


def sublanes(starts: NDArray[np.int64], ends: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """The lowest free sub-lane for each interval, in order of start, and how many there are (>= 1).

    Intervals in one sub-lane are disjoint; they may touch.

    >>> sublanes(np.array([0, 2, 4]), np.array([3, 4, 6]))
    (array([0, 1, 0]), 2)
    """
    lanes = np.zeros(len(starts), dtype=np.int64)
    busy: list[tuple[int, int]] = []  # (free at, lane)
    free: list[int] = []
    count = 0
    for i in np.lexsort((ends, starts)):
        while busy and busy[0][0] <= starts[i]:
            heapq.heappush(free, heapq.heappop(busy)[1])
        if free:
            lane = heapq.heappop(free)
        else:
            lane, count = count, count + 1
        lanes[i] = lane
        heapq.heappush(busy, (int(ends[i]), lane))
    return lanes, max(count, 1)


def check_window(schedule: Schedule, first_step: int, steps: int) -> None:
    """InvalidValue unless the window begins inside the run and has at least one step."""
    if not 0 <= first_step < len(schedule):
        raise InvalidValue(f"first_step {first_step} must lie in 0..{len(schedule) - 1}, inside the run")
    if steps < 1:
        raise InvalidValue(f"steps {steps} must be at least 1; give e.g. 100")
