"""Schedules as Chrome trace events, to be opened in Perfetto (https://ui.perfetto.dev).

The format is the JSON Object Format of the Trace Event Format (Google). One process per
Schedule: a lane for the environment, one for every worker (more where inferences of one worker
overlap), one for the actions a worker holds back, and one for every learner. Slices in a lane
never overlap. Arrows lead from an inference's end to each step that used it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rtsim.errors import write_atomically
from rtsim.pictures.spans import DROPPED, OVERWRITTEN, check_window, fates, need_spans, step_edges, sublanes
from rtsim.schedule import Schedule

Event = dict[str, Any]


def chrome_trace(schedules: Mapping[str, Schedule], *, steps: int = 2000) -> dict[str, Any]:
    """The first ``steps`` environment steps of named Schedules as a trace.

    Parameters
    ----------
    schedules : mapping of str to Schedule
        Made with spans; each becomes a process of that name.
    steps : int
        >= 1; shorter Schedules are shown whole.

    Returns
    -------
    dict
        JSON values: ``traceEvents`` (``ts`` and ``dur`` in µs, exact to the ns),
        ``displayTimeUnit`` and ``otherData``, the scenarios.

    Raises
    ------
    InvalidValue
        If a Schedule has no spans, or ``steps`` is below 1.
    """
    events: list[Event] = []
    first_id, first_flow = 1, 1
    for order, (name, schedule) in enumerate(schedules.items()):
        process = _Process(schedule, steps, first_id, first_flow)
        events += process.events(name, order)
        first_id += len(process.lanes)
        first_flow += process.flows
    # A viewer binds an arrow to the slice begun last, so at one instant slices come first.
    events.sort(key=lambda event: (event["ph"] != "M", event["ts"], "sf".find(event["ph"])))
    return {
        "traceEvents": events,
        "displayTimeUnit": "ms",
        "otherData": {name: json.dumps(s.settings, sort_keys=True) for name, s in schedules.items()},
    }


def write_trace(path: str | Path, schedules: Mapping[str, Schedule], *, steps: int = 2000) -> Path:
    """Write :func:`chrome_trace` as JSON; the same Schedules give the same bytes.

    Raises
    ------
    InvalidValue, FileProblem
    """
    text = json.dumps(chrome_trace(schedules, steps=steps), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return write_atomically(path, text.encode() + b"\n")


def _us(ns: int) -> int | float:
    """Nanoseconds as microseconds, whole where they are."""
    whole, rest = divmod(int(ns), 1000)
    return whole if rest == 0 else int(ns) / 1000


@dataclass
class _Process:
    """One Schedule. Ids of processes and lanes are unique in the whole trace; the environment's
    lane has the process's own id, which viewers take for its main thread and show first."""

    schedule: Schedule
    steps: int
    pid: int
    first_flow: int
    lanes: list[str] = field(default_factory=list)
    flows: int = 0

    def __post_init__(self) -> None:
        need_spans(self.schedule, "a trace")
        check_window(self.schedule, 0, self.steps)
        self.steps = min(self.steps, len(self.schedule))
        self.edges = step_edges(self.schedule)[: self.steps + 1]

    def events(self, name: str, order: int) -> list[Event]:
        """All events, metadata first."""
        environment = self.lane("environment")
        found = [*self.environment(environment), *self.workers(environment), *self.learners()]
        head = [
            self.meta("process_name", self.pid, name=name),
            self.meta("process_sort_index", self.pid, sort_index=order),
        ]
        for index, lane in enumerate(self.lanes):
            head.append(self.meta("thread_name", self.pid + index, name=lane))
            head.append(self.meta("thread_sort_index", self.pid + index, sort_index=index))
        return head + found

    def lane(self, name: str) -> int:
        """The tid of a new lane."""
        self.lanes.append(name)
        return self.pid + len(self.lanes) - 1

    def meta(self, kind: str, tid: int, **args: Any) -> Event:
        return {"ph": "M", "ts": 0, "pid": self.pid, "tid": tid, "name": kind, "args": args}

    def slice(self, tid: int, name: str, start: int, end: int, **args: Any) -> Event:
        kind = {"ph": "X", "cat": "rtsim", "pid": self.pid, "tid": tid, "name": name}
        return {**kind, "ts": _us(start), "dur": _us(end - start), "args": {k: _plain(v) for k, v in args.items()}}

    def environment(self, tid: int) -> Iterator[Event]:
        columns = {name: column[: self.steps].tolist() for name, column in self.schedule.steps.items()}
        for step in range(self.steps):
            begin, end = int(self.edges[step]), int(self.edges[step + 1])
            counts = {name: columns[name][step] for name in ("released", "overwritten", "dropped")}
            if columns["worker"][step] < 0:
                yield self.slice(tid, "default policy", begin, end, step=step, **counts)
                continue
            used = {
                name: columns[name][step] for name in ("observation", "worker", "inference", "chunk_index", "version")
            }
            yield self.slice(
                tid, "agent", begin, end, step=step, delay_steps=step - columns["observation"][step], **used, **counts
            )

    def workers(self, environment: int) -> Iterator[Event]:
        spans = need_spans(self.schedule, "a trace")
        fate = fates(self.schedule)
        users: dict[tuple[int, int], list[int]] = {}
        for step in np.flatnonzero(self.schedule.acted[: self.steps]).tolist():
            key = (int(self.schedule.steps["worker"][step]), int(self.schedule.steps["inference"][step]))
            users.setdefault(key, []).append(step)
        begun = spans["start_ns"] < self.edges[-1]
        for worker in range(len(self.schedule.busy_ns)):
            rows = np.flatnonzero(begun & (spans["worker"] == worker))
            held = rows[spans["release_ns"][rows] > spans["end_ns"][rows]]
            where, count = sublanes(spans["start_ns"][rows], spans["end_ns"][rows])
            tids = [self.lane(f"worker {worker}" + (f" ({n + 1})" if n else "")) for n in range(count)]
            for row, lane in zip(rows.tolist(), where.tolist(), strict=True):
                yield from self.inference(tids[lane], environment, row, fate[row], users)
            where, count = sublanes(spans["end_ns"][held], spans["release_ns"][held])
            tids = (
                [self.lane(f"worker {worker} holds" + (f" ({n + 1})" if n else "")) for n in range(count)]
                if len(held)
                else []
            )
            for row, lane in zip(held.tolist(), where.tolist(), strict=True):
                end, release = int(spans["end_ns"][row]), int(spans["release_ns"][row])
                yield self.slice(tids[lane], "hold", end, release, inference=spans["inference"][row])

    def inference(
        self, tid: int, environment: int, row: int, fate: str, users: Mapping[tuple[int, int], list[int]]
    ) -> Iterator[Event]:
        """A slice, a mark if its action came to nothing, and arrows to the steps that used it."""
        spans = need_spans(self.schedule, "a trace")
        key = (int(spans["worker"][row]), int(spans["inference"][row]))
        start, end = int(spans["start_ns"][row]), int(spans["end_ns"][row])
        args = {name: spans[name][row] for name in ("inference", "observation", "used_step")}
        yield self.slice(tid, "inference", start, end, fate=fate, **args)
        # Inside the slice: at its very end the next one may have begun.
        leave = max(start, end - 1)
        if fate in (OVERWRITTEN, DROPPED):
            yield {"ph": "i", "s": "t", "cat": "rtsim", "pid": self.pid, "tid": tid, "name": fate, "ts": _us(leave)}
        for step in users.get(key, ()):
            flow = {"cat": "rtsim", "name": "action", "id": self.first_flow + self.flows, "pid": self.pid}
            self.flows += 1
            yield {**flow, "ph": "s", "tid": tid, "ts": _us(leave)}
            yield {**flow, "ph": "f", "bp": "e", "tid": environment, "ts": _us(int(self.edges[step]))}

    def learners(self) -> Iterator[Event]:
        updates = self.schedule.updates
        tids = [self.lane(f"learner {k}") for k in range(len(self.schedule.learner_busy_ns))]
        for row in np.flatnonzero(updates["start_ns"] < self.edges[-1]).tolist():
            k = int(updates["learner"][row])
            start, end, land = (int(updates[name][row]) for name in ("start_ns", "end_ns", "land_ns"))
            args = {name: updates[name][row] for name in ("version", "read_version", "data_step", "batch")}
            yield self.slice(tids[k], "update", start, end, **args)
            if land > end:
                yield self.slice(tids[k], "waits to land", end, land, version=updates["version"][row])


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
