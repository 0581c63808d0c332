"""From the rings that the processes write to a Schedule."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsim.clocks.gather import RAW_STEP, Raw, gather
from rtsim.live import memory as m
from rtsim.live.memory import Memory
from rtsim.live.plan import LivePlan
from rtsim.schedule import Schedule

Rows = NDArray[np.int64]
#: Rows of a block of a log.
BLOCK = 4096


class Log:
    """Rows of integers, as they come, in blocks of one size: what they take is what they hold, however long it goes on.

    >>> log = Log(2)
    >>> log.append(np.arange(6).reshape(3, 2))
    >>> len(log), log.newest(2).tolist()
    (3, [[2, 3], [4, 5]])
    """

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._blocks: list[Rows] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def append(self, rows: Rows) -> None:
        """Keep a copy of rows, int64, shape (n, columns)."""
        while len(rows):
            used = self._count % BLOCK
            if used == 0:
                self._blocks.append(np.empty((BLOCK, self._columns), np.int64))
            part = rows[: BLOCK - used]
            self._blocks[-1][used : used + len(part)] = part
            self._count += len(part)
            rows = rows[len(part) :]

    def newest(self, count: int) -> Rows:
        """The last rows, at most ``count``, int64, shape (n, columns)."""
        first = max(self._count - count, 0)
        parts = [
            block[max(first - at, 0) : self._count - at]
            for at, block in zip(range(0, self._count, BLOCK), self._blocks, strict=True)
            if at + BLOCK > first
        ]
        return np.concatenate(parts) if parts else np.empty((0, self._columns), np.int64)

    def table(self, names: tuple[str, ...]) -> dict[str, Rows]:
        """All rows as columns by name."""
        return {name: np.ascontiguousarray(c) for name, c in zip(names, self.newest(self._count).T, strict=True)}


class Recorder:
    """Takes rows out of the rings while the run goes on, and merges them at its end.

    Parameters
    ----------
    plan : LivePlan
    memory : Memory
    """

    def __init__(self, plan: LivePlan, memory: Memory) -> None:
        self.plan, self.memory = plan, memory
        self._steps, self._updates = Log(len(m.STEP_ROW)), Log(len(m.UPDATE))
        self._inferences = Log(1 + len(m.INFERENCE))  # the worker first
        self._taken_steps = self._taken_updates = 0
        self.note_unfinished()
        self.reward = 0.0  # sum so far
        self.lost = 0  # rows that were overwritten before they were taken

    def drain(self) -> None:
        """Take what has been written since the last call."""
        memory = self.memory
        fresh, self._taken_steps = self._take(memory.steps, self._taken_steps, memory.control[m.STEPS])
        self._steps.append(fresh)
        self.reward += float(_floats(fresh[:, m.STEP_ROW.index("reward_bits")]).sum())
        fresh, self._taken_updates = self._take(memory.updates, self._taken_updates, memory.control[m.UPDATES])
        self._updates.append(fresh)
        memory.control[m.UPDATES_TAKEN] = self._taken_updates
        for w in np.flatnonzero(memory.heads != memory.drained).tolist():
            fresh, end = self._take(memory.inferences[w], int(memory.drained[w]), int(memory.heads[w]))
            self._inferences.append(np.column_stack([np.full(len(fresh), w), fresh]))
            memory.drained[w] = end

    def _take(self, ring: Rows, first: int, end: int) -> tuple[Rows, int]:
        """The rows of a ring from ``first`` up to ``end``, which is returned too."""
        lost = max(end - first - len(ring), 0)
        self.lost += lost
        return ring[np.arange(first + lost, end) % len(ring)], end

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
        return len(self._steps)

    def newest(self, count: int) -> dict[str, Rows]:
        """The newest rows of steps, at most ``count``, as columns."""
        return dict(zip(m.STEP_ROW, self._steps.newest(count).T, strict=True))

    def schedule(self, about: dict[str, Any]) -> Schedule | None:
        """The Schedule of what was recorded, or None if not one step was.

        Parameters
        ----------
        about : dict of JSON values
            What the header says of the run, under ``"live"``.
        """
        count = len(self._steps)
        if not count:
            return None
        steps = self._steps.table(m.STEP_ROW)
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
        scenario = self.plan.scenario.with_(steps=count)
        table = self._updates.table(m.UPDATE)
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
            "reward": _floats(steps["reward_bits"]),
            "observation_hash": steps["hash"],
            "ended": steps["ended"].astype(np.int8),
            "stale": stale.astype(np.int8),
            "late_ns": steps["late"],
            "runtime_ns": steps["own"],
            "waking_ns": steps["waking"],
            "emulator_ns": steps["emulator"],
        }
        losses = {"loss": _floats(table["loss_bits"])[landed]} if self.plan.learning is not None else {}
        return Schedule(
            header={**found.header, "live": {**about, "rows_lost": self.lost}},
            steps=found.steps,
            updates={**found.updates, **losses},
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
        table = self._inferences.table(("worker", *m.INFERENCE))
        order = np.lexsort((table["worker"], table["end"]))
        return {name: column[order] for name, column in table.items()}


def _ended(inferences: dict[str, Rows], starts: Rows) -> tuple[dict[str, Rows], dict[tuple[int, int], int]]:
    """The inferences that ended by the last step, and the row of each (worker, index)."""
    by_then = inferences["end"] <= starts[-1]
    found = {name: column[by_then] for name, column in inferences.items()}
    found["release"] = _release_times(found["release"], starts)
    found["used"] = np.full(int(by_then.sum()), -1, np.int64)
    keys = zip(found["worker"].tolist(), found["inference"].tolist(), strict=True)
    return found, {key: row for row, key in enumerate(keys)}


def _floats(bits: Rows) -> NDArray[np.float64]:
    """Rewards and losses travel through rings of integers as their bits."""
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
