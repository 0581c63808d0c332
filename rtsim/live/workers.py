"""Inference processes: ask the rule, choose, hold back, hand over."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rtsim.clocks.draws import DrawnDurations, Durations
from rtsim.errors import RuleFault
from rtsim.live import memory as m
from rtsim.live import wall
from rtsim.live.agenda import Agenda
from rtsim.live.agents import Agent
from rtsim.live.learners import Updates
from rtsim.live.party import Party, Start
from rtsim.schedulers import DROP


@dataclass(frozen=True)
class Inference:
    """An inference under way."""

    worker: int
    index: int
    observation: int
    start: int  # logical, ns since step 0
    version: int
    component: int
    actions: tuple[int, ...]
    began: int  # when the process really took it up, ns since step 0


class InferenceProcess(Agenda):
    """A process with some of the workers.

    With timed inference nothing in it takes long, so that one process serves many workers;
    with real inference it has one, and the forward pass happens in :meth:`_begin`.

    Parameters
    ----------
    party : Party
    lifeline : Lifeline
    workers : range
    agent : Agent
    timed : bool
    """

    def __init__(self, party: Party, lifeline: wall.Lifeline, workers: range, agent: Agent, timed: bool) -> None:
        super().__init__(party, lifeline, pulse=1 + party.host_of_worker[workers.start])
        self.workers, self.agent, self.timed = workers, agent, timed
        draws = DrawnDurations(party.scenario)
        self.draws: dict[int, Durations] = {w: draws.inference(w) for w in workers} if timed else {}
        for w in self.draws:  # started again: what the former process drew has been used up
            for _ in range(int(self.memory.workers[w, m.COUNT])):
                self.draws[w].draw(0)
        self.inline = Updates(party, range(1), draws) if party.program.learns and party.scenario.learning_time else None
        self.last_left = dict.fromkeys(workers, 0)  # when the last inference left a worker's pipeline

    def take_orders(self) -> None:
        """What the environment has noted down for workers that waited for a step."""
        own = self.memory.workers[self.workers.start : self.workers.stop]
        for offset in np.flatnonzero(own[:, m.STATUS] == m.STARTED).tolist():
            w = self.workers.start + offset
            own[offset, m.STATUS] = m.BUSY
            self._begin(w, Start(int(own[offset, m.STEP]), int(own[offset, m.TIME])))
        for offset in np.flatnonzero(own[:, m.STATUS] == m.ASLEEP).tolist():
            w = self.workers.start + offset
            self._ask_at(w, int(own[offset, m.TIME]))

    def _ask_at(self, w: int, time: int) -> None:
        self.memory.workers[w, m.STATUS] = m.SLEEPING
        self.at(time, lambda: self._ask(w, time))

    def _ask(self, w: int, time: int) -> None:
        with self.party.turn():
            answer = self.party.ask(w, time)
        self._follow(w, answer)

    def _follow(self, w: int, answer: Start | None) -> None:
        row = self.memory.workers[w]
        if answer is not None:
            self._begin(w, answer)
        elif row[m.STATUS] == m.ASLEEP:
            self._ask_at(w, int(row[m.TIME]))

    def _begin(self, w: int, start: Start) -> None:
        """Start an inference, after learning if the rule learns first."""
        if self.inline and self.party.program.learns == "before":
            self.inline.one(self, 0, start, lambda end: self._infer(w, start.step, end))
        else:
            self._infer(w, start.step, start.time)

    def _infer(self, w: int, observation: int, start: int) -> None:
        party, row = self.party, self.memory.workers[w]
        began = party.now()
        row[m.STATUS], row[m.BUSY_FROM] = m.BUSY, start
        index = int(row[m.COUNT])
        row[m.COUNT] = index + 1
        duration, component = self.draws[w].draw(start) if self.timed else (0, 0)
        version = party.version
        actions = self._choose(w, index, observation, component)
        inference = Inference(w, index, observation, start, version, component, actions, began)
        stages, skip = party.program.stages, party.program.skip
        stage = -(-duration // stages)
        end = max(start + (stage if skip else duration), self.last_left[w])
        self.last_left[w] = end if stages > 1 else 0
        if stages > 1:
            self.at(end, lambda: self._finish(inference, asks=False))
            self._ask_at(w, start + stage)
        elif self.timed:
            self.at(end, lambda: self._finish(inference))
        else:
            self._finish(inference)

    def _choose(self, w: int, index: int, observation: int, component: int) -> tuple[int, ...]:
        place = observation % m.FRAMES
        frame, console = self.memory.frames[place], self.memory.consoles[place]
        return self.agent.choose(frame, console, w, index, component, self.party.program.chunk)

    def _finish(self, inference: Inference, asks: bool = True) -> None:
        """An inference has ended: ask the rule what becomes of its action, and when to go on."""
        party, program, w = self.party, self.party.program, inference.worker
        self._wait_for_room(w)
        with party.turn():
            end = max(party.logical_now(), inference.start)
            step = party.step_at(end)
            release, free = program.on_end(
                end,
                w,
                inference.start,
                inference.observation,
                step,
                party.starts[step],
                program.params,
                program.state,
            )
            if free < end or 0 <= release < end or (DROP < release < 0 and -1 - release <= step):
                raise RuleFault(f"rule {party.scenario.rule} answers release {release}, free {free} at {end} ns")
            self._post(inference, end, release)
            learns = self.inline is not None and program.learns == "after"
            answer = party.ask(w, free) if asks and free == end and not learns else None
        if not asks:
            return
        if learns:
            assert self.inline is not None
            step = party.step_at(end)
            self.inline.one(self, 0, Start(step, end), lambda done: self._ask_at(w, max(free, done)))
        elif free > end:
            self._ask_at(w, free)
        else:
            self._follow(w, answer)

    def _wait_for_room(self, w: int) -> None:
        """The recorder has to take old rows out of the ring before new ones can be written."""
        ring = self.memory.inferences.shape[1]
        while self.memory.heads[w] - self.memory.drained[w] >= ring - 1 and not self.party.stopping:
            self.lifeline.wait(1_000_000)

    def _post(self, i: Inference, end: int, release: int) -> None:
        memory = self.memory
        place = int(memory.heads[i.worker]) % memory.inferences.shape[1]
        posted = self.party.now()
        memory.inferences[i.worker, place] = (
            *(i.index, i.observation, i.start, end, release, i.version, i.component, i.began, posted),
        )
        memory.actions[i.worker, place] = i.actions
        memory.workers[i.worker, m.BUSY_FROM] = -1
        memory.heads[i.worker] += 1  # last: whoever sees it sees the row
