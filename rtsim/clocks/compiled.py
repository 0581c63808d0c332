"""The compiled clock: the Schedule of :mod:`rtsim.clocks.simpy_clock`, byte for byte, much sooner.

It draws the same random blocks, calls the same rule functions and keeps the same order of
events. Numba compiles the built-in rules once on a machine, and a user's once in a process.
Statistics can be counted while it runs, so that memory does not grow with the horizon.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from rtsim.clocks import kernel
from rtsim.clocks.gather import RAW_INFERENCE, RAW_STEP, Raw, gather
from rtsim.clocks.kernel import layout as k
from rtsim.errors import InvalidValue, RuleFault
from rtsim.scenario import Scenario
from rtsim.schedule import UPDATE_COLUMNS, Schedule
from rtsim.schedulers import Program
from rtsim.schedulers.learners import state_size
from rtsim.schedulers.registry import BUILTIN
from rtsim.statistics import Tally
from rtsim.timing import BlockStream, Law, Spells, StepClock
from rtsim.timing.streams import BLOCK

_Found = TypeVar("_Found")
LEARNER_NUMBERS = {"round_robin": 0, "lock_free": 1, "parallel": 2, "sequential": 1}
LEARNS = {"": 0, "after": 1, "before": 2}
ROWS_AT_FIRST = 1 << 20  # inferences room is laid out for, at most; memory that is not touched costs nothing
SWITCH_TABLE = 4 * BLOCK


class _TooSmall(Exception):
    """A table of fixed size overflowed; the run starts again with larger ones."""


def _power_of_two(at_least: int) -> int:
    return 1 << max(at_least - 1, 0).bit_length()


class CompiledClock:
    """One run of one scenario; call :meth:`run` or :meth:`tally` once.

    Parameters
    ----------
    scenario : Scenario
    full : bool
        Keep every step, inference and update; otherwise only count.
    warmup : int
        Steps left out of the counts.
    size : int
        Factor on the tables of fixed size.
    """

    def __init__(self, scenario: Scenario, full: bool, warmup: int = 0, size: int = 1) -> None:
        self.scenario = s = scenario
        self.g = np.zeros(k.SCALARS, dtype=np.int64)
        self.kept_updates: list[NDArray[np.int64]] = []
        program, learners = s.program(), s.learner_count
        with _named(s):
            self.trusted = BUILTIN.get(s.rule.name) is s.rule.rule
            self.advance = kernel.advance_for(program.next_start, program.on_end, self.trusted)
        self._settings(program, full, warmup)
        self._tables(program, learners, full, size)
        self.P = np.array(program.params, dtype=np.int64)
        self.Q = np.array(program.state, dtype=np.int64)
        leaves = int(self.g[k.LEAVES])
        self.W = _actors(leaves, s.workers, k.START)
        self.tree = _tournament(leaves, s.workers)
        self.X[self._learner_rows()] = _actors(max(learners, 1), self.g[k.LEARNERS], k.LEARN).ravel()
        self.g[k.NEXT_LEARNER_TIME] = 0 if self.g[k.LEARNERS] else k.FAR
        at = int(self.g[k.O_LEARNER_STATE])
        self.X[at - 3 : at] = (learners, s.learning_starts, s.batch)
        self._open_streams()

    def _settings(self, program: Program, full: bool, warmup: int) -> None:
        s = self.scenario
        fifo = s.mailbox.kind == "fifo"
        for name, value in (
            (k.WORKERS, s.workers),
            (k.LEARNERS, 0 if s.learner.inline else s.learner_count),
            (k.STEPS, s.steps),
            (k.START_RULE, _number(kernel.rules.STARTING, program.next_start)),
            (k.END_RULE, _number(kernel.rules.ENDING, program.on_end)),
            (k.LEARN_RULE, LEARNER_NUMBERS[s.learner.name]),
            (k.CHUNK, program.chunk),
            (k.STAGES, program.stages),
            (k.SKIP, int(program.skip)),
            (k.LEARNS, LEARNS[program.learns]),
            (k.QUEUE, s.mailbox.capacity if fifo else 0),
            (k.LEARNING, int(s.learning_time is not None)),
            (k.STARTS, s.learning_starts),
            (k.BATCH, s.batch),
            (k.MERGED, int(s.learner.merged)),
            (k.DISPATCH, int(s.dispatch_time is not None)),
            (k.PARTS, int(_has_parts(s.duration_law))),
            (k.LEAVES, _power_of_two(s.workers)),
            (k.FULL, int(full)),
            (k.WARMUP, warmup),
            (k.STEP, -1),
            (k.LEARNER_WAKE, k.FAR),
            (k.WORKER_FAR, k.FAR),
            (k.T_LAST_STEP, -1),
            (k.NEWEST_CHUNK, -1),
        ):
            self.g[name] = value

    def _tables(self, program: Program, learners: int, full: bool, size: int) -> None:
        """Lay the tables out in one array."""
        s, g = self.scenario, self.g
        workers, seats = s.workers, max(learners, 1)
        ring = min(_power_of_two(s.steps + 1), (1 << 14) * size)
        pool = (workers + 1024) * program.chunk * size
        mail = min(s.mailbox.capacity, 4096 * size)
        later = (workers + 64) * size
        pipe = (program.stages + 64) * size if program.stages > 1 else 1
        updates = max(4 * seats, 1024)
        delays = min(s.steps, (1 << 14) * size) + 1
        for name, value in (
            (k.N_MAIL, mail),
            (k.N_RING, ring),
            (k.N_LATER, later),
            (k.N_PIPE, pipe),
            (k.N_UPDATES, updates),
            (k.N_DELAYS, delays),
        ):
            g[name] = value
        end = 0
        for name, length in (
            (k.O_DRAWS, workers * k.RING),
            (k.O_PARTS, workers * k.RING if g[k.PARTS] else 0),
            (k.O_DISPATCH, workers * k.RING if g[k.DISPATCH] else 0),
            (k.O_LEARNER, seats * k.FIELDS),
            (k.O_LEARNING, seats * k.RING if g[k.LEARNING] else 3),
            (k.O_LEARNER_STATE, state_size(seats)),
            (k.O_LANDING, seats),
            (k.O_LANDS, seats),
            (k.O_TIMES, k.STEP_RING),
            (k.O_SWITCH0, SWITCH_TABLE),
            (k.O_SWITCH1, SWITCH_TABLE),
            (k.O_SWITCH2, SWITCH_TABLE),
            (k.O_MAIL, 3 * mail),
            (k.O_HOLD, 4 * pool),
            (k.O_FIRST, ring),
            (k.O_LAST, ring),
            (k.O_WAKE, ring),
            (k.O_LATER, 5 * (later + 1)),
            (k.O_PIPE, 6 * pipe),
            (k.O_DUE, 3 * (2 * workers + pool + later + pipe + 16)),
            (k.O_ENDS, workers),
            (k.O_STARTERS, 2 * workers + 1),
            (k.O_STEPS, len(RAW_STEP) * s.steps if full else 0),
            (k.O_UPDATES, len(UPDATE_COLUMNS) * updates if full else 0),
            (k.O_DELAYS, delays),
        ):
            # The learner rules' params are the three numbers before their state.
            end += 3 if name == k.O_LEARNER_STATE else 0
            g[name] = end
            end += length
        self.X = np.zeros(end, dtype=np.int64)
        rows = max(4 * workers, 1 << 14) * size
        if full:
            rows += min(int(1.1 * s.expected_inferences), ROWS_AT_FIRST)
        self.R = np.zeros((len(RAW_INFERENCE), _power_of_two(rows)), dtype=np.int64)
        for name in (k.O_FIRST, k.O_WAKE):
            self._table(name, ring)[:] = -1
        hold = self._table(k.O_HOLD, 4 * pool).reshape(pool, 4)
        hold[:, 0] = np.arange(1, pool + 1)
        hold[-1, 0] = -1

    def _table(self, name: int, length: int, skip: int = 0) -> NDArray[np.int64]:
        at = int(self.g[name]) + skip
        return self.X[at : at + length]

    def _learner_rows(self) -> slice:
        at = int(self.g[k.O_LEARNER])
        return slice(at, at + max(self.scenario.learner_count, 1) * k.FIELDS)

    def _open_streams(self) -> None:
        """Open all random streams and fill the tables for the first time."""
        s = self.scenario

        def streams(law: Law | None, purpose: str, count: int) -> list[BlockStream]:
            return [] if law is None else [BlockStream(law, s.seed, purpose, i) for i in range(count)]

        self.inference = streams(s.duration_law, "inference", s.workers)
        self.dispatch = streams(s.dispatch_time, "dispatch", s.workers)
        self.learning = streams(s.learning_time, "learning", s.learner_count)
        self.step_clock = StepClock(s.step_time, s.seed)
        self.spells = [
            None if law is None or law.spells is None else Spells(law.spells, s.seed, which)
            for which, law in enumerate((s.duration_law, s.dispatch_time, s.learning_time))
        ]
        for which, spells in enumerate(self.spells):
            self.g[k.SLOW0 + which] = 0 if spells is None else spells.permille
        self._extend_switches()
        self._fill_draws()
        self._fill_steps()

    def _advance(self) -> None:
        """Run to the end."""
        while True:
            try:
                reason = self.advance(self.g, self.W, self.tree, self.X, self.P, self.Q, self.R)
            except Exception as error:  # only functions of a user's are compiled with checks
                if self.trusted:
                    raise
                rule = self.scenario.rule
                raise RuleFault(f"rule {rule} failed: {type(error).__name__}: {error}") from error
            if reason == k.DONE:
                return
            if reason == k.NEED_DRAWS:
                self._fill_draws()
            elif reason == k.NEED_STEPS:
                self._fill_steps()
            elif reason == k.NEED_ROOM:
                self._make_room()
            elif reason == k.NEED_SWITCHES:
                self._extend_switches()
            elif reason == k.TOO_SMALL:
                raise _TooSmall
            else:
                raise RuleFault(
                    f"rule {self.scenario.rule} answers {int(self.g[k.FAULT_AT])} at step {int(self.g[k.STEP])}, "
                    f"time {int(self.g[k.NOW])} ns; that is past"
                )

    def _fill_draws(self) -> None:
        """One more block for every stream that has less than a block left."""
        filled, drawn = self.W[:, k.FILLED], self.W[:, k.DRAWN]
        for w in np.flatnonzero(filled[: self.scenario.workers] - drawn[: self.scenario.workers] < BLOCK).tolist():
            at = w * k.RING + int(filled[w]) % k.RING
            durations, components = self.inference[w].block()
            count = len(durations)
            self._table(k.O_DRAWS, count, at)[:] = durations
            if self.g[k.PARTS]:
                self._table(k.O_PARTS, count, at)[:] = components
            if self.dispatch:
                self._table(k.O_DISPATCH, count, at)[:] = self.dispatch[w].block()[0]
            filled[w] += count
        learners = self.X[self._learner_rows()].reshape(-1, k.FIELDS)
        for j, stream in enumerate(self.learning):
            if learners[j, k.FILLED] - learners[j, k.DRAWN] < BLOCK:
                at = j * k.RING + int(learners[j, k.FILLED]) % k.RING
                durations, _ = stream.block()
                self._table(k.O_LEARNING, len(durations), at)[:] = durations
                learners[j, k.FILLED] += len(durations)

    def _fill_steps(self) -> None:
        for _ in range(k.STEP_RING // BLOCK // 2):
            starts = self.step_clock.block()
            self._table(k.O_TIMES, len(starts), int(self.g[k.STEPS_KNOWN]) % k.STEP_RING)[:] = starts
            self.g[k.STEPS_KNOWN] += len(starts)

    def _extend_switches(self) -> None:
        """Let the switch times of the laws' slow spells reach beyond now; forget those long past."""
        now = int(self.g[k.NOW])
        ends = [k.FAR]
        for which, spells in enumerate(self.spells):
            if spells is None:
                continue
            spells.extend_to(now)
            # An even number is forgotten, so that the parity that tells slow from calm stays.
            del spells.switches[: bisect_right(spells.switches, now) // 2 * 2]
            kept = spells.switches[:SWITCH_TABLE]
            self.g[k.SWITCH0 + which] = 0
            self._table(k.O_SWITCH0 + which, len(kept))[:] = kept
            ends.append(kept[-1])
        self.g[k.SWITCHES_END] = min(ends)

    def _make_room(self) -> None:
        """Take landed updates out of the kernel's table, and give inferences a larger one if it is full."""
        self.kept_updates.append(self._updates().copy())
        self.g[k.KEPT_UPDATES] = 0
        names, rows = self.R.shape
        if rows < self.g[k.ROWS] + 2 * self.scenario.workers + self.g[k.PIPE] + 2:
            larger = np.zeros((names, 2 * rows), dtype=np.int64)
            larger[:, :rows] = self.R
            self.R = larger

    def _updates(self) -> NDArray[np.int64]:
        width = len(UPDATE_COLUMNS)
        return self._table(k.O_UPDATES, int(self.g[k.KEPT_UPDATES]) * width).reshape(-1, width)

    def run(self, spans: bool) -> Schedule:
        """The Schedule."""
        self._advance()
        steps = self._table(k.O_STEPS, len(RAW_STEP) * self.scenario.steps).reshape(len(RAW_STEP), -1)
        updates = np.concatenate([*self.kept_updates, self._updates()])
        raw = Raw(
            dict(zip(RAW_STEP, steps, strict=True)),
            dict(zip(RAW_INFERENCE, self.R[:, : self.g[k.ROWS]], strict=True)),
            dict(zip(UPDATE_COLUMNS, updates.T, strict=True)),
        )
        return gather(
            self.scenario,
            "compiled",
            raw,
            busy_ns=self._busy(self.W[: self.scenario.workers]),
            learner_busy_ns=self._learner_busy(),
            pending=int(self.g[k.MAIL]),
            spans=spans,
        )

    def _learner_busy(self) -> NDArray[np.int64]:
        rows = self.X[self._learner_rows()].reshape(-1, k.FIELDS)
        return self._busy(rows[: self.scenario.learner_count])

    def _busy(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Busy times up to the last step: only the newest piece of each actor can reach beyond it."""
        beyond = np.maximum(rows[:, k.BUSY_END] - self.g[k.STEP_START], 0)
        return np.asarray(rows[:, k.BUSY] - beyond, dtype=np.int64)

    def tally(self) -> Tally:
        """The counts."""
        self._advance()
        g, s = self.g, self.scenario
        delays = self._table(k.O_DELAYS, int(g[k.N_DELAYS]))
        seen = np.flatnonzero(delays)

        def squares(high: int, middle: int, low: int) -> int:
            return (_exact(g, high) << 62) + (_exact(g, middle) << 32) + _exact(g, low)

        return Tally(
            steps=s.steps - int(g[k.WARMUP]),
            used=int(g[k.T_USED]),
            released=int(g[k.T_RELEASED]),
            overwritten=int(g[k.T_OVERWRITTEN]),
            dropped=int(g[k.T_DROPPED]),
            gaps=int(g[k.T_GAPS]),
            gap_ns=int(g[k.T_NS]),
            gap_ns_squared=squares(k.T_HH0, k.T_HL0, k.T_LL0),
            gap_steps=int(g[k.T_STEPS]),
            gap_steps_squared=int(g[k.T_STEPS2]),
            transitions=int(g[k.T_TRANSITIONS]),
            updates=int(g[k.T_UPDATES]),
            staleness=int(g[k.T_STALENESS]),
            age=int(g[k.T_AGE]),
            learned=bool(g[k.UPDATES]),
            horizon_ns=int(g[k.STEP_START]),
            busy_ns=tuple(self._busy(self.W[: s.workers]).tolist()),
            learner_busy_ns=tuple(self._learner_busy().tolist()),
            longest_inference_ns=int(g[k.LONGEST]),
            pending=int(g[k.MAIL]),
            delay_counts=delays[: seen[-1] + 1 if len(seen) else 0].copy(),
        )


def _number(functions: tuple[object, ...], wanted: object) -> int:
    """Which of the built-in functions it is; a kernel for a user's functions does not ask."""
    return functions.index(wanted) if wanted in functions else 0


def _exact(g: NDArray[np.int64], low: int) -> int:
    """A sum kept as two accumulators of 32-bit halves."""
    return int(g[low]) + (int(g[low + 1]) << 32)


def _actors(leaves: int, count: int, kind: int) -> NDArray[np.int64]:
    table = np.zeros((leaves, k.FIELDS), dtype=np.int64)
    table[:, k.TIME] = k.FAR
    table[:count, k.TIME] = 0
    table[:, k.KIND] = k.WAITING
    table[:count, k.KIND] = kind
    table[:, k.WAIT] = table[:, k.ZERO] = table[:, k.NEXT] = -1
    return table


def _tournament(leaves: int, count: int) -> NDArray[np.int64]:
    """All workers begin at the same time, so the lowest index wins every match; rows (time, worker)."""
    tree = np.zeros((2 * leaves, 2), dtype=np.int64)
    tree[leaves:, 1] = np.arange(leaves)
    tree[leaves + count :, 0] = k.FAR
    level = leaves
    while level > 1:
        tree[level // 2 : level] = tree[level : 2 * level : 2]
        level //= 2
    return tree.ravel()


def _has_parts(law: Law) -> bool:
    """Whether draws of this law have a component other than 0."""
    return bool(
        law.component(np.array([np.nextafter(1.0, 0.0)]), 0).any() or law.component(np.array([0.5]), 10**9).any()
    )


@contextmanager
def _named(scenario: Scenario) -> Iterator[None]:
    """Say whose functions do not compile, and what runs them."""
    try:
        yield
    except InvalidValue as error:
        raise InvalidValue(
            f"rule {scenario.rule.name!r} cannot be compiled: {error}; the engine simpy runs it, give --engine simpy"
        ) from error


def check(scenario: Scenario) -> None:
    """Find out whether this clock runs the scenario's rule, without making its kernel.

    Raises
    ------
    InvalidValue
        With the function that does not compile, and why.
    """
    program = scenario.program()
    with _named(scenario):
        kernel.own.functions(program.next_start, program.on_end)


def simulate(scenario: Scenario, *, spans: bool = False) -> Schedule:
    """Simulate a scenario with the compiled clock; equal to the SimPy clock's but for the clock's name.

    >>> schedule = simulate(Scenario("max_time", "84ms", workers=6, steps=200))
    >>> schedule.statistics(warmup_steps=20).inaction_fraction
    0.0
    """
    return _in_large_enough_tables(lambda size: CompiledClock(scenario, full=True, size=size).run(spans))


def tally(scenario: Scenario, warmup_steps: int = 0) -> Tally:
    """Count a scenario's steps without keeping them; equal to ``simulate(scenario).tally(warmup_steps)``.

    >>> tally(Scenario("max_time", "84ms", workers=6, steps=200), 20).statistics().inaction_fraction
    0.0
    """
    return _in_large_enough_tables(
        lambda size: CompiledClock(scenario, full=False, warmup=warmup_steps, size=size).tally()
    )


def _in_large_enough_tables(run: Callable[[int], _Found]) -> _Found:
    """What ``run(size)`` gives for the first size that is large enough."""
    size = 1
    while True:
        try:
            return run(size)
        except _TooSmall:
            size *= 8
