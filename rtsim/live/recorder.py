"""From the rings that the processes write to a Schedule."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsim.clocks.gather import RAW_STEP, Raw, gather
from rtsim.live import memory as m
from rtsim.live.memory import Memory
from rtsim.live.plan import LivePlan
from rtsim.schedule import UPDATE_COLUMNS, Schedule

Rows = NDArray[np.int64]


class Recorder:
    """Takes rows out of the rings while the run goes on, and merges them at its end.

    Parameters
    ----------
    plan : LivePlan
    memory : Memory
    """

    def __init__(self, plan: LivePlan, memory: Memory) -> None:
        self.plan, self.memory = plan, memory
        self._steps: list[Rows] = []
        self._updates: list[Rows] = []
        self._inferences: list[list[Rows]] = [[] for _ in range(plan.scenario.workers)]
        self._taken_steps = self._taken_updates = 0
        self.note_unfinished()
        self.reward = 0.0  # sum so far
        self.lost = 0  # rows that were overwritten before they were taken

    def drain(self) -> None:
        """Take what has been written since the last call."""
        memory = self.memory
        before = self.steps
        self._taken_steps = self._take(memory.steps, self._taken_steps, int(memory.control[m.STEPS]), self._steps)
        fresh = self.newest(self.steps - before)
        self.reward += float(_rewards(fresh[:, m.STEP_ROW.index("reward_bits")]).sum())
        written = int(memory.control[m.UPDATES])
        self._taken_updates = self._take(memory.updates, self._taken_updates, written, self._updates)
        for w in np.flatnonzero(memory.heads != memory.drained).tolist():
            head = int(memory.heads[w])
            memory.drained[w] = self._take(memory.inferences[w], int(memory.drained[w]), head, self._inferences[w])

    def _take(self, ring: Rows, first: int, end: int, into: list[Rows]) -> int:
        lost = max(end - first - len(ring), 0)
        self.lost += lost
        if end > first + lost:
            into.append(ring[np.arange(first + lost, end) % len(ring)])
            # Halves of equal size are joined: many small arrays would take twice the memory of their rows.
            while len(into) > 1 and len(into[-2]) <= len(into[-1]):
                into[-2:] = [np.concatenate(into[-2:])]
        return end

    def note_unfinished(self) -> None:
        """What is under way when the environment has done its last step: since when (ns), or -1, for each actor."""
        scenario, memory = self.plan.scenario, self.memory
        self._unfinished = (
            memory.workers[: scenario.workers, m.BUSY_FROM].copy(),
            memory.learners[: scenario.learner_count, m.BUSY_FROM].copy(),
        )

    @property
    def steps(self) -> int:
        """Steps recorded so far."""
        return sum(map(len, self._steps))

    def newest(self, count: int) -> Rows:
        """The newest rows of steps, at most ``count``, shape (n, len(STEP_ROW))."""
        found = [np.zeros((0, len(m.STEP_ROW)), np.int64)]
        for rows in reversed(self._steps):
            if count <= 0:
                break
            found.append(rows[-count:])
            count -= len(rows)
        return np.concatenate(found[::-1])

    def schedule(self, about: dict[str, Any]) -> Schedule | None:
        """The Schedule of what was recorded, or None if not one step was.

        Parameters
        ----------
        about : dict of JSON values
            What the header says of the run, under ``"live"``.
        """
        if not self._steps:
            return None
        steps = dict(zip(m.STEP_ROW, np.concatenate(self._steps).T, strict=True))
        count = len(steps["time"])
        last = int(steps["time"][-1])
        everything = self._all_inferences()
        inferences, row_of = _ended(everything, steps["time"])
        row = np.array(
            [row_of.get(key, -1) for key in zip(steps["worker"].tolist(), steps["inference"].tolist(), strict=True)],
            np.int64,
        )
        first = np.flatnonzero((row >= 0) & (steps["position"] == 0))
        inferences["used"][row[first]] = first
        raw_steps = {name: steps[name] if name != "row" else row for name in RAW_STEP}
        updates = np.concatenate(self._updates) if self._updates else np.zeros((0, len(UPDATE_COLUMNS)), np.int64)
        last = int(steps["time"][-1])
        scenario = self.plan.scenario.with_(steps=count)
        table = dict(zip(m.UPDATE, updates.T, strict=True))
        landed = table["land_ns"] <= last
        found = gather(
            scenario,
            "wall",
            Raw(raw_steps, inferences, {name: column[landed] for name, column in table.items()}),
            busy_ns=_busy(everything["worker"], everything["start"], everything["end"], self._unfinished[0], last),
            learner_busy_ns=_busy(table["learner"], table["start_ns"], table["end_ns"], self._unfinished[1], last),
            pending=int(steps["pending"][-1]),
            spans=True,
        )
        stale = steps["stale"]
        live = {
            "action": steps["action"].astype(np.int32),
            "reward": _rewards(steps["reward_bits"]),
            "observation_hash": steps["hash"],
            "ended": steps["ended"].astype(np.int8),
            "stale": stale.astype(np.int8),
            "late_ns": steps["late"],
            "runtime_ns": steps["own"],
            "emulator_ns": steps["emulator"],
        }
        return Schedule(
            header={**found.header, "live": {**about, "rows_lost": self.lost}},
            steps=found.steps,
            updates=found.updates,
            busy_ns=found.busy_ns,
            learner_busy_ns=found.learner_busy_ns,
            totals={**found.totals, "stale_episode": int(stale.sum())},
            spans={
                **(found.spans or {}),
                "began_ns": inferences["began"],
                "posted_ns": inferences["posted"],
            },
            live={name: np.ascontiguousarray(column) for name, column in live.items()},
        )

    def _all_inferences(self) -> dict[str, Rows]:
        """All inferences that ended, in order of ending."""
        empty = np.zeros((0, len(m.INFERENCE)), np.int64)
        tables = [np.concatenate(rows) if rows else empty for rows in self._inferences]
        workers = np.repeat(np.arange(len(tables)), [len(table) for table in tables])
        table = {**dict(zip(m.INFERENCE, np.concatenate(tables).T, strict=True)), "worker": workers}
        order = np.lexsort((workers, table["end"]))
        return {name: np.ascontiguousarray(column[order]) for name, column in table.items()}


def _ended(inferences: dict[str, Rows], starts: Rows) -> tuple[dict[str, Rows], dict[tuple[int, int], int]]:
    """The inferences that ended by the last step, and the row of each (worker, index)."""
    by_then = inferences["end"] <= starts[-1]
    found = {name: column[by_then] for name, column in inferences.items()}
    found["release"] = _release_times(found["release"], starts)
    found["used"] = np.full(int(by_then.sum()), -1, np.int64)
    keys = zip(found["worker"].tolist(), found["inference"].tolist(), strict=True)
    return found, {key: row for row, key in enumerate(keys)}


def _rewards(bits: Rows) -> NDArray[np.float64]:
    """Rewards travel through the ring of integers as their bits."""
    return np.ascontiguousarray(bits).view(np.float64)


def _release_times(answers: Rows, starts: Rows) -> Rows:
    """When actions were released: times as they are, steps by their start, -1 for the dropped and the held."""
    held = -1 - answers  # the step, where the answer is at_step(j)
    in_run = (answers < 0) & (held >= 0) & (held < len(starts))
    found = np.where(answers < 0, -1, answers)
    found[in_run] = starts[held[in_run]]
    return np.where(found > starts[-1], -1, found)


def _busy(actors: Rows, starts: Rows, ends: Rows, unfinished: Rows, until: int) -> Rows:
    """Time each actor was busy up to ``until``, ns, int64, shape (len(unfinished),).

    ``unfinished`` says since when each actor is busy with what has not ended, or -1; what ended
    after ``until`` has a row of its own.
    """
    rows = np.maximum(np.minimum(ends, until) - starts, 0)
    total = np.bincount(actors, rows, minlength=len(unfinished)).astype(np.int64)[: len(unfinished)]
    newest = np.full(len(unfinished), -1)
    np.maximum.at(newest, actors, starts)
    going_on = (unfinished >= 0) & (unfinished > newest)
    return total + np.where(going_on, np.maximum(until - unfinished, 0), 0)
