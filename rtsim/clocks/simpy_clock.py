"""The reference clock: environment, workers and learners as SimPy processes.

Written to be read. Time is int ns, and every event carries the class it belongs to, so that
what happens at the same instant happens in the order the design fixes:

1. an environment step starts and its observation is published;
2. inferences end (the rule updates its memory), then updates land, then actions due now are
   released;
3. inferences start and read the newest observation (one of zero length ends and releases at
   once), then updates start;
4. the step reads the mailbox.

Within a class by index of worker or learner. An inference of zero length keeps its worker
from starting again on the same observation, and so does an update of zero length.
"""

from __future__ import annotations

from array import array
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import simpy

from rtsim.clocks.draws import DrawnDurations, Draws
from rtsim.clocks.gather import RAW_INFERENCE, RAW_STEP, Raw, gather
from rtsim.clocks.inbox import Inbox
from rtsim.errors import RtsimError, RuleFault
from rtsim.scenario import Scenario
from rtsim.schedule import UPDATE_COLUMNS, Schedule
from rtsim.schedulers import DROP
from rtsim.schedulers.contract import check_end, check_start
from rtsim.schedulers.learners import state_size
from rtsim.schedulers.registry import BUILTIN
from rtsim.timing import StepClock

PUBLISH, END, LAND, RELEASE, START, LEARN, READ = range(1, 8)

Process = Generator[simpy.Event, None, None]


class _Busy:
    """How long an actor has been busy, of which only the newest piece can reach beyond now."""

    def __init__(self) -> None:
        self.total = self.end = 0

    def begin(self, start: int, length: int) -> None:
        self.total += length
        self.end = start + length

    def until(self, time: int) -> int:
        """Busy time up to ``time`` ns, which lies after the newest beginning."""
        return self.total - max(self.end - time, 0)


class SimpyClock:
    """One run of one scenario; call :meth:`run` once."""

    def __init__(self, scenario: Scenario, spans: bool = False, draws: Draws | None = None) -> None:
        self.scenario = scenario
        self.keep_spans = spans
        # SimPy types its clock int | float; here every time is a plain int.
        self.env: Any = simpy.Environment()
        self.program = scenario.program()
        self.step, self.step_start, self.version = -1, 0, 0
        self.inbox = Inbox(scenario.mailbox, self.program.chunk)
        # Who waits for the observation of a later step, and which actions are held for one.
        self.waiting: dict[int, list[tuple[int, simpy.Event]]] = {}
        self.held: dict[int, list[tuple[int, int, int]]] = {}
        self.steps = {name: array("q") for name in RAW_STEP}
        self.inferences = {name: array("q") for name in RAW_INFERENCE}
        self.updates = {name: array("q") for name in UPDATE_COLUMNS}
        self.busy = [_Busy() for _ in range(scenario.workers)]
        self.draws = DrawnDurations(scenario) if draws is None else draws
        self.inference_times = [self.draws.inference(w) for w in range(scenario.workers)]
        self._prepare_learners()

    def _prepare_learners(self) -> None:
        s = self.scenario
        self.learning = s.learning_time is not None
        self.learner = s.learner
        count = s.learner_count
        self.learning_times = [self.draws.learning(k) for k in range(count)]
        self.learner_params = [count, s.learning_starts, s.batch]
        self.learner_state = [0] * state_size(count)
        self.computed: list[tuple[int, int, int, int]] = [(0, 0, 0, 0)] * count
        self.turn = [self.event() for _ in range(count)]
        self.learner_busy = [_Busy() for _ in range(count)]

    def event(self) -> simpy.Event:
        """A successful event that is not scheduled yet."""
        event = simpy.Event(self.env)
        event._ok, event._value = True, None
        return event

    def at(self, time: int, kind: int, actor: int = 0) -> simpy.Event:
        """An event at ``time`` ns; at the same instant lower kinds, then lower actors, come first."""
        event = self.event()
        self.env.schedule(event, kind << 20 | actor, time - self.env.now)
        return event

    def observation(self, step: int, kind: int, actor: int) -> simpy.Event:
        """An event at the publication of observation ``step``, which must lie in the future."""
        event = self.event()
        self.waiting.setdefault(step, []).append((kind << 20 | actor, event))
        return event

    def when(self, answer: int, kind: int, actor: int) -> simpy.Event:
        """The event a rule's answer (a time, or ``at_step``) stands for."""
        check_start(self.scenario.rule, answer, self.env.now, self.step)
        if answer < 0:
            return self.observation(-1 - answer, kind, actor)
        return self.at(answer, kind, actor)

    def environment(self) -> Process:
        """Publish observation i at t_i, then read the mailbox."""
        starts = StepClock(self.scenario.step_time, self.scenario.seed)
        for step, start in zip(self.numbers(), starts, strict=False):
            yield self.at(start, PUBLISH)
            self.publish(step, start)
            yield self.at(start, READ)
            self.read()

    def numbers(self) -> Iterable[int]:
        """Of the steps to simulate."""
        return range(self.scenario.steps)

    def publish(self, step: int, start: int) -> None:
        """Observation ``step`` is there: release what was held for it, wake who waits for it."""
        self.step, self.step_start = step, start
        for worker, row, position in self.held.pop(step, ()):
            self.release_at(start, worker, row, position)
        for priority, event in self.waiting.pop(step, ()):
            self.env.schedule(event, priority)

    def read(self) -> None:
        """Step i takes an action from the mailbox, or the default policy acts."""
        row, position, release = self.inbox.take()
        if position == 0:
            self.inferences["used"][row] = self.step
        values = (self.step_start, row, position, release, *self.inbox.counts())
        for column, value in zip(self.steps.values(), values, strict=True):
            column.append(value)

    def worker(self, w: int) -> Process:
        """Ask the rule, read the newest observation, infer, hand the action over; for ever."""
        env, program, memory = self.env, self.program, self.program.state
        done_with = -1  # observation of the last inference of zero length
        count = left_last = 0
        yield self.at(0, START, w)
        while True:
            while True:
                if self.step <= done_with:
                    yield self.observation(done_with + 1, START, w)
                answer = program.next_start(env.now, w, self.step, self.step_start, program.params, memory)
                if answer == env.now:
                    break
                yield self.when(answer, START, w)
            observation = self.step
            if program.learns == "before":
                self.look(w)
                yield from self.learn_inline()
            started, version = env.now, self.version
            duration, component = self.inference_times[w].draw(started)
            stage = -(-duration // program.stages)
            # A pipeline keeps the order: nothing leaves it before what entered earlier.
            end = max(started + (stage if program.skip else duration), left_last)
            left_last = end if program.stages > 1 else 0
            inference = (w, count, observation, started, end, -1, version, component, -1)
            count += 1
            self.begin(inference)
            if duration == 0:
                done_with = observation
            self.busy[w].begin(started, stage)
            if end == started:
                free = self.finish(inference)
            elif program.stages > 1:
                self.at(end, END, w).callbacks.append(partial(self._leave_pipeline, inference))
                free = started + stage
            else:
                yield self.at(end, END, w)
                free = self.finish(inference)
            if program.learns == "after":
                yield from self.learn_inline()
                free = max(free, env.now)
            yield self.when(free, START, w)

    def look(self, w: int) -> None:
        """A worker that will learn before it infers has read its observation; for clocks that tell of it at once."""

    def begin(self, inference: tuple[int, ...]) -> None:
        """An inference has started; likewise."""

    def _leave_pipeline(self, inference: tuple[int, ...], _: simpy.Event) -> None:
        self.finish(inference)

    def finish(self, inference: tuple[int, ...]) -> int:
        """An inference has ended: ask the rule when its action is released; returns when the worker is free."""
        now, program = self.env.now, self.program
        w, _, observation, started = inference[:4]
        release, free = program.on_end(
            now, w, started, observation, self.step, self.step_start, program.params, program.state
        )
        check_end(self.scenario.rule, release, free, now, self.step)
        row = self.record(inference)
        if release == DROP:
            self.drop(row)
        elif release >= now:
            self.release_at(release, w, row, 0)
        else:
            self.hold(-1 - release, w, row, 0)
        return free

    def record(self, inference: tuple[int, ...]) -> int:
        """Write down an inference that has ended; returns its row."""
        for column, value in zip(self.inferences.values(), inference, strict=True):
            column.append(value)
        return len(self.inferences["worker"]) - 1

    def drop(self, row: int) -> None:
        """The rule throws an inference's actions away."""
        self.inbox.drop()

    def release_at(self, time: int, w: int, row: int, position: int) -> None:
        """Release an action at ``time``; the first of a chunk has the others follow, one a step."""
        event = self.at(time, RELEASE, w)
        event.callbacks.append(lambda _: self.deposit(w, row, position))

    def hold(self, step: int, w: int, row: int, position: int) -> None:
        """Keep an action until the start of a later step."""
        self.held.setdefault(step, []).append((w, row, position))

    def deposit(self, w: int, row: int, position: int) -> None:
        """An action is released into the mailbox."""
        now = self.env.now
        if position == 0:
            self.inferences["release"][row] = now
            self.hold_rest(w, row)
        self.inbox.deposit(row, position, self.inferences["observation"][row], now)

    def hold_rest(self, w: int, row: int) -> None:
        """The first action of a chunk is released now; the others follow, one a step."""
        first = self.step if self.env.now == self.step_start else self.step + 1  # the step that reads the first
        for later in range(1, self.program.chunk):
            self.hold(first + later, w, row, later)

    def learn_inline(self) -> Process:
        """One update in the inference process itself."""
        if not self.learning or self.step < self.scenario.learning_starts:
            return
        self.begin_update(0)
        start = self.env.now
        duration, _ = self.learning_times[0].draw(start)
        self.learner_busy[0].begin(start, duration)
        if duration:
            yield self.at(start + duration, LAND)
        self.end_update(0)

    def learner_process(self, k: int) -> Process:
        """Compute a gradient, wait for the turn to land, start again."""
        env = self.env
        done_with = -1
        yield self.at(0, LEARN, k)
        while True:
            while True:
                if self.step <= done_with:
                    yield self.observation(done_with + 1, LEARN, k)
                answer = self.learner.may_start(env.now, k, self.step, self.learner_params, self.learner_state)
                if answer == env.now:
                    break
                yield self.when(answer, LEARN, k)
            self.begin_update(k)
            duration, _ = self.learning_times[k].draw(env.now)
            self.learner_busy[k].begin(env.now, duration)
            if duration:
                yield self.at(env.now + duration, LAND, k)
            else:
                done_with = self.step
            my_turn = self.turn[k]
            self.end_update(k)
            yield my_turn

    def begin_update(self, k: int) -> None:
        """Learner k reads the parameters and draws its batch from what exists now."""
        self.computed[k] = (self.env.now, -1, self.step, self.version)

    def end_update(self, k: int) -> None:
        """Learner k has its gradient; the learner rule says whose gradients land now."""
        start, _, data_step, read_version = self.computed[k]
        now, merged = self.env.now, self.learner.merged
        self.computed[k] = (start, now, data_step, read_version)
        landing = [0] * len(self.computed)
        count = self.learner.on_learned(k, self.learner_params, self.learner_state, landing)
        if count and merged:
            # One update of all batches, on the parameters and data of whoever began first.
            start, _, data_step, read_version = min(self.computed[j] for j in landing[:count])
            self.record_update(k, start, now, data_step, read_version, count * self.scenario.batch)
        for j in landing[:count]:
            if not merged:
                start, end, data_step, read_version = self.computed[j]
                self.record_update(j, start, end, data_step, read_version, self.scenario.batch)
            self.env.schedule(self.turn[j], LEARN << 20 | j)
            self.turn[j] = self.event()
        if count:
            self.landed(landing[:count])

    def landed(self, learners: list[int]) -> None:
        """Gradients of these learners have been applied; for clocks that tell of it at once."""

    def record_update(self, k: int, start: int, end: int, data_step: int, read_version: int, batch: int) -> None:
        """A gradient is applied: the parameters have a new version."""
        self.version += 1
        row = (k, start, end, self.env.now, data_step, read_version, self.version, batch)
        for column, value in zip(self.updates.values(), row, strict=True):
            column.append(value)

    def run(self) -> Schedule:
        """Simulate all steps."""
        done = self.prepare()
        with self.rule_faults():
            self.env.run(until=done)
        return self._schedule()

    def prepare(self) -> simpy.Event:
        """Let everybody begin; the event is that of the last step."""
        done: simpy.Event = self.env.process(self.environment())
        for w in range(self.scenario.workers):
            self.env.process(self.worker(w))
        if not self.learner.inline:
            for k in range(len(self.learning_times)):
                self.env.process(self.learner_process(k))
        return done

    @contextmanager
    def rule_faults(self) -> Iterator[None]:
        """Whatever a user's own rule raises is a fault of that rule."""
        try:
            yield
        except RtsimError:
            raise
        except Exception as error:
            if self.scenario.rule.name in BUILTIN:
                raise
            raise RuleFault(f"rule {self.scenario.rule} failed: {type(error).__name__}: {error}") from error

    def _schedule(self) -> Schedule:
        def columns(table: dict[str, array[int]]) -> dict[str, Any]:
            return {name: np.array(column, dtype=np.int64) for name, column in table.items()}

        return gather(
            self.scenario,
            "simpy",
            Raw(columns(self.steps), columns(self.inferences), columns(self.updates)),
            busy_ns=[busy.until(self.step_start) for busy in self.busy],
            learner_busy_ns=[busy.until(self.step_start) for busy in self.learner_busy],
            pending=len(self.inbox),
            spans=self.keep_spans,
        )


def simulate(scenario: Scenario, *, spans: bool = False, draws: Draws | None = None) -> Schedule:
    """Simulate a scenario with SimPy.

    Parameters
    ----------
    scenario : Scenario
    spans : bool
        Keep one row per inference, used or not, for timelines and traces.
    draws : Draws, optional
        Where durations come from, if not from the scenario's laws: a recording, say.

    Returns
    -------
    Schedule

    >>> schedule = simulate(Scenario("max_time", "84ms", workers=6, steps=200))
    >>> schedule.statistics(warmup_steps=20).inaction_fraction
    0.0
    """
    return SimpyClock(scenario, spans, draws).run()
