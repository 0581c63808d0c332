"""A second simulator, as naive as possible, for the clocks to agree with.

Written from the design's rules of time and ties, not from any clock. Nothing is scheduled
ahead: at every instant the whole state is searched for what is due, in the order

1. a step starts and its observation is published;
2. inferences end (by worker), updates land (by learner), actions due now are released (by worker);
3. idle workers are asked (by worker) and start, one of zero length ending and releasing at
   once; then updates start (by learner);
4. the step reads the mailbox.

The rules' own functions and the random streams are the project's: there is one copy of each.
Everything else here is plain Python on lists, O(everything) per instant.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from rtsim.scenario import Scenario
from rtsim.schedule import SPAN_COLUMNS, STEP_COLUMNS, UPDATE_COLUMNS, Schedule
from rtsim.schedulers import DROP
from rtsim.schedulers.learners import state_size
from rtsim.timing import BlockStream, Law, Spells

LATEST = "latest"


class Durations:
    """The j-th duration of one actor, stretched if it starts while the machine is slow."""

    def __init__(self, law: Law, scenario: Scenario, purpose: str, index: int, spells: Spells | None) -> None:
        self.stream = iter(BlockStream(law, scenario.seed, purpose, index))
        self.spells = spells

    def draw(self, now: int) -> tuple[int, int]:
        duration, component = next(self.stream)
        if self.spells is None:
            return duration, component
        return self.spells.stretch(duration, now), component


@dataclass
class Inference:
    worker: int
    count: int
    observation: int
    start: int
    end: int
    version: int
    component: int
    busy_until: int
    release: int = -1
    used: int = -1
    ended: bool = False


@dataclass
class Action:
    """One action of an inference that has ended; either a time or a step says when it is released."""

    inference: Inference
    position: int
    time: int | None = None
    step: int | None = None
    released: int = -1


@dataclass
class Worker:
    index: int
    ask_time: int | None = 0
    ask_step: int | None = None
    count: int = 0
    #: Observation of the last inference of zero length: not to be read again.
    exhausted: int = -1
    #: Learning inside this process: when it ends, what it began with, and what comes after.
    learning: tuple[int, int, int, int] | None = None
    then: str = ""
    free: int = 0
    observation: int = -1


@dataclass
class Learner:
    index: int
    ask_time: int | None = 0
    ask_step: int | None = None
    exhausted: int = -1
    start: int = -1
    due: int | None = None
    end: int = -1
    computed: bool = False
    data_step: int = -1
    read_version: int = -1


class Oracle:
    """One run; ``arrays=True`` keeps the rule's memory in int64 arrays, as a compiled clock does."""

    def __init__(self, scenario: Scenario, arrays: bool = False) -> None:
        self.s = scenario
        self.program = scenario.program()
        self.params: Any = self.program.params
        self.memory: Any = self.program.state
        if arrays:
            self.params = np.array(self.params, dtype=np.int64)
            self.memory = np.array(self.memory, dtype=np.int64)
        self.arrays = arrays
        self.now = 0
        self.step = -1
        self.step_start = 0
        self.version = 0
        self.starts = self.step_starts()

        def spells(law: Law | None, index: int) -> Spells | None:
            return Spells(law.spells, scenario.seed, index) if law is not None and law.spells is not None else None

        shared, overhead, slow_learning = (
            spells(scenario.duration_law, 0),
            spells(scenario.dispatch_time, 1),
            spells(scenario.learning_time, 2),
        )
        self.inference_times = [
            Durations(scenario.duration_law, scenario, "inference", w, shared) for w in range(scenario.workers)
        ]
        self.dispatch_times = [
            Durations(scenario.dispatch_time, scenario, "dispatch", w, overhead)
            for w in range(scenario.workers)
            if scenario.dispatch_time is not None
        ]
        self.learner_rule = scenario.learner
        learners = 0
        if scenario.learning_time is not None:
            learners = 1 if self.learner_rule.inline else scenario.learners
        self.learning_times = [
            Durations(scenario.learning_time, scenario, "learning", k, slow_learning)
            for k in range(learners)
            if scenario.learning_time is not None
        ]
        self.learner_params = [learners, scenario.learning_starts, scenario.batch]
        self.learner_memory = [0] * state_size(learners)
        self.workers = [Worker(w) for w in range(scenario.workers)]
        self.learners = [] if self.learner_rule.inline else [Learner(k) for k in range(learners)]
        self.inferences: list[Inference] = []
        self.ended: list[Inference] = []
        self.waiting: list[Action] = []
        self.mailbox: list[Action] = []
        self.counts = [0, 0, 0]  # released, overwritten, dropped
        self.newest_chunk = -1  # observation
        self.rows: list[dict[str, int]] = []
        self.updates: list[dict[str, int]] = []
        self.learning_intervals: list[tuple[int, int, int]] = []

    def step_starts(self) -> list[int]:
        count, times = self.s.steps, []
        if isinstance(self.s.step_time, Fraction):
            return [round(self.s.step_time * i) for i in range(count)]
        total, stream = 0, iter(BlockStream(self.s.step_time, self.s.seed, "step", 0))
        for _ in range(count):
            times.append(total)
            total += max(next(stream)[0], 1)
        return times

    # -- one instant after the other ------------------------------------------------------------

    def run(self) -> Schedule:
        while len(self.rows) < self.s.steps:
            self.now = self.next_instant()
            self.instant()
        return self.schedule()

    def next_instant(self) -> int:
        times = [self.starts[self.step + 1]] if self.step + 1 < self.s.steps else []
        times += [i.end for i in self.inferences if not i.ended]
        times += [a.time for a in self.waiting if a.time is not None]
        for w in self.workers:
            times += [w.ask_time] if w.ask_time is not None else []
            times += [w.learning[0]] if w.learning is not None else []
        for k in self.learners:
            times += [k.ask_time] if k.ask_time is not None else []
            times += [k.due] if k.due is not None else []
        return min(times)

    def instant(self) -> None:
        published = self.step + 1 < self.s.steps and self.starts[self.step + 1] == self.now
        if published:
            self.step += 1
            self.step_start = self.now
        due = [i for i in self.inferences if not i.ended and i.end == self.now]
        for inference in sorted(due, key=lambda i: (i.worker, i.count)):
            self.end(inference)
        for w in self.workers:
            if w.learning is not None and w.learning[0] == self.now:
                self.inline_update_lands(w)
        for k in self.learners:
            if k.due == self.now:
                self.gradient_computed(k)
        self.releases()
        while True:
            asked = [w for w in self.workers if self.is_due(w)]
            if not asked:
                break
            self.ask(asked[0])
        while True:
            ready = [k for k in self.learners if self.is_due(k)]
            if not ready:
                break
            self.ask_learner(ready[0])
        if published:
            self.read()

    def is_due(self, actor: Worker | Learner) -> bool:
        return actor.ask_time == self.now or (actor.ask_step is not None and actor.ask_step <= self.step)

    # -- inferences -----------------------------------------------------------------------------

    def ask(self, w: Worker) -> None:
        """May this idle worker start?"""
        w.ask_time = w.ask_step = None
        if w.then == "infer":
            w.then = ""
            self.infer(w)
            return
        if w.exhausted == self.step:
            w.ask_step = self.step + 1
            return
        answer = self.program.next_start(self.now, w.index, self.step, self.step_start, self.params, self.memory)
        answer = self.whole(answer)
        if answer < 0:
            w.ask_step = -1 - answer
            assert w.ask_step > self.step
            return
        assert answer >= self.now
        if answer > self.now:
            w.ask_time = answer
            return
        w.observation = self.step
        if self.program.learns == "before" and self.learns_now():
            w.then = "infer"
            self.inline_update_starts(w)
            return
        self.infer(w)

    def infer(self, w: Worker) -> None:
        duration, component = self.inference_times[w.index].draw(self.now)
        if self.dispatch_times:
            duration += self.dispatch_times[w.index].draw(self.now)[0]
        stages = self.program.stages
        stage = (duration + stages - 1) // stages
        end = self.now + (stage if self.program.skip else duration)
        if stages > 1:
            # What is in a pipeline leaves in the order in which it entered.
            end = max([end, *(i.end for i in self.inferences if i.worker == w.index)])
        inference = Inference(w.index, w.count, w.observation, self.now, end, self.version, component, self.now + stage)
        w.count += 1
        self.inferences.append(inference)
        if duration == 0:
            w.exhausted = w.observation
        if end == self.now:
            self.end(inference)
            self.releases()
        elif stages > 1:
            w.ask_time = self.now + stage

    def end(self, inference: Inference) -> None:
        """The rule learns how long it took and says when the action is released."""
        inference.ended = True
        self.ended.append(inference)
        release, free = self.program.on_end(
            self.now,
            inference.worker,
            inference.start,
            inference.observation,
            self.step,
            self.step_start,
            self.params,
            self.memory,
        )
        release, free = self.whole(release), self.whole(free)
        assert free >= self.now
        if release == DROP:
            self.counts[0] += self.program.chunk
            self.counts[2] += self.program.chunk
        elif release < 0:
            assert -1 - release > self.step
            self.waiting.append(Action(inference, 0, step=-1 - release))
        else:
            assert release >= self.now
            self.waiting.append(Action(inference, 0, time=release))
        w = self.workers[inference.worker]
        if self.program.stages > 1 and inference.end > inference.start:
            return
        w.free = free
        if self.program.learns == "after" and self.learns_now():
            self.inline_update_starts(w)
        else:
            w.ask_time = free

    def whole(self, answer: Any) -> int:
        """Rules answer in plain ints when they are fed plain ints."""
        if self.arrays:
            return int(answer)
        assert type(answer) is int, answer
        return answer

    def releases(self) -> None:
        """Release what is due, by worker, then in the order of inferences and within a chunk."""
        due = [a for a in self.waiting if a.time == self.now or (a.step is not None and a.step <= self.step)]
        for action in sorted(due, key=lambda a: (a.inference.worker, a.inference.count, a.position)):
            self.waiting.remove(action)
            self.deposit(action)

    def deposit(self, action: Action) -> None:
        self.counts[0] += 1
        action.released = self.now
        latest = self.s.mailbox.kind == LATEST
        if latest and action.position > 0 and action.inference.observation < self.newest_chunk:
            # A newer chunk replaces what is left of older ones.
            self.counts[1] += 1
            return
        self.newest_chunk = max(self.newest_chunk, action.inference.observation)
        if action.position == 0:
            action.inference.release = self.now
            reader = self.step if self.now == self.step_start else self.step + 1
            for later in range(1, self.program.chunk):
                self.waiting.append(Action(action.inference, later, step=reader + later))
        if latest:
            self.counts[1] += len(self.mailbox)
            self.mailbox = [action]
        elif len(self.mailbox) < self.s.mailbox.capacity:
            self.mailbox.append(action)
        else:
            self.counts[2] += 1

    def read(self) -> None:
        row = dict.fromkeys(STEP_COLUMNS, -1)
        row.update(time_ns=self.now, released=self.counts[0], overwritten=self.counts[1], dropped=self.counts[2])
        if self.mailbox:
            action = self.mailbox.pop(0)
            inference = action.inference
            if action.position == 0:
                inference.used = self.step
            row.update(
                observation=inference.observation,
                worker=inference.worker,
                inference=inference.count,
                chunk_index=action.position,
                component=inference.component,
                start_ns=inference.start,
                end_ns=inference.end,
                release_ns=action.released,
                version=inference.version,
            )
        self.rows.append(row)
        self.counts = [0, 0, 0]

    # -- learning inside the inference process ---------------------------------------------------

    def learns_now(self) -> bool:
        return bool(self.learning_times) and self.step >= self.s.learning_starts

    def inline_update_starts(self, w: Worker) -> None:
        duration, _ = self.learning_times[0].draw(self.now)
        w.learning = (self.now + duration, self.now, self.step, self.version)
        if duration == 0:
            self.inline_update_lands(w)

    def inline_update_lands(self, w: Worker) -> None:
        assert w.learning is not None
        _, start, data_step, read_version = w.learning
        w.learning = None
        self.learning_intervals.append((0, start, self.now))
        self.land(0, start, self.now, data_step, read_version, self.s.batch)
        w.ask_time = self.now if w.then == "infer" else max(w.free, self.now)

    # -- learners ---------------------------------------------------------------------------------

    def ask_learner(self, k: Learner) -> None:
        k.ask_time = k.ask_step = None
        if k.exhausted == self.step:
            k.ask_step = self.step + 1
            return
        answer = self.learner_rule.may_start(self.now, k.index, self.step, self.learner_params, self.learner_memory)
        assert type(answer) is int
        if answer < 0:
            k.ask_step = -1 - answer
            return
        if answer > self.now:
            k.ask_time = answer
            return
        duration, _ = self.learning_times[k.index].draw(self.now)
        k.start, k.data_step, k.read_version = self.now, self.step, self.version
        k.due = self.now + duration
        if duration == 0:
            k.exhausted = self.step
            self.gradient_computed(k)

    def gradient_computed(self, k: Learner) -> None:
        k.due, k.end, k.computed = None, self.now, True
        self.learning_intervals.append((k.index, k.start, k.end))
        landing = [0] * len(self.learners)
        count = self.learner_rule.on_learned(k.index, self.learner_params, self.learner_memory, landing)
        chosen = [self.learners[j] for j in landing[:count]]
        assert all(j.computed for j in chosen)
        if chosen and self.learner_rule.merged:
            first = min(chosen, key=lambda j: (j.start, j.data_step))
            self.land(k.index, first.start, self.now, first.data_step, first.read_version, count * self.s.batch)
        for j in chosen:
            if not self.learner_rule.merged:
                self.land(j.index, j.start, j.end, j.data_step, j.read_version, self.s.batch)
            j.computed = False
            j.ask_time = self.now

    def land(self, learner: int, start: int, end: int, data_step: int, read_version: int, batch: int) -> None:
        self.version += 1
        values = (learner, start, end, self.now, data_step, read_version, self.version, batch)
        self.updates.append(dict(zip(UPDATE_COLUMNS, values, strict=True)))

    # -- the record -------------------------------------------------------------------------------

    def schedule(self) -> Schedule:
        last = self.rows[-1]["time_ns"]
        busy = [0] * self.s.workers
        for i in self.inferences:
            busy[i.worker] += max(min(i.busy_until, last) - i.start, 0)
        learner_busy = [0] * len(self.learning_times)
        open_ends = [(k.index, k.start, last) for k in self.learners if k.due is not None]
        open_ends += [(0, w.learning[1], last) for w in self.workers if w.learning is not None]
        for k, start, end in self.learning_intervals + open_ends:
            learner_busy[k] += max(min(end, last) - start, 0)
        spans = [
            {
                "worker": i.worker,
                "inference": i.count,
                "observation": i.observation,
                "start_ns": i.start,
                "end_ns": i.end,
                "release_ns": i.release,
                "used_step": i.used,
            }
            for i in self.ended
        ]

        def table(rows: list[dict[str, int]], kinds: dict[str, Any]) -> dict[str, Any]:
            return {name: np.array([row[name] for row in rows], dtype=kind) for name, kind in kinds.items()}

        return Schedule(
            header={"schema": "oracle", "clock": "oracle", "scenario": self.s.to_json()},
            steps=table(self.rows, STEP_COLUMNS),
            updates=table(self.updates, UPDATE_COLUMNS),
            busy_ns=np.array(busy, dtype=np.int64),
            learner_busy_ns=np.array(learner_busy, dtype=np.int64),
            totals={
                "stale_episode": 0,
                "pending": len(self.mailbox),
                "longest_inference_ns": max((i.end - i.start for i in self.ended), default=0),
            },
            spans=table(spans, SPAN_COLUMNS),
        )


def simulate(scenario: Scenario, *, arrays: bool = False) -> Schedule:
    """Simulate naively, spans included."""
    return Oracle(scenario, arrays).run()
