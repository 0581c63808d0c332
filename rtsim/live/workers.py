"""Inference processes: ask the rule, choose, hold back, hand over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rtsim.clocks.draws import DrawnDurations, Durations
from rtsim.live import memory as m
from rtsim.live import wall
from rtsim.live.agenda import Agenda
from rtsim.live.agents import Agent, Question
from rtsim.live.learners import TimedUpdates, Updates
from rtsim.live.party import Party, Start, started
from rtsim.schedulers.contract import check_end


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
    updates : Updates, optional
        How the rule ``sequential`` learns in this process; by default held back to the learning time.
    version_used : callable(landed) -> int, optional
        Which version of the weights the agent used last, of ``landed`` updates at the start of the inference; by
        default those.
    """

    def __init__(
        self,
        party: Party,
        lifeline: wall.Lifeline,
        workers: range,
        agent: Agent,
        timed: bool,
        updates: Updates | None = None,
        version_used: Callable[[int], int] | None = None,
    ) -> None:
        super().__init__(party, lifeline, pulse=1 + party.host_of_worker[workers.start])
        self.workers, self.agent, self.timed = workers, agent, timed
        draws = DrawnDurations(party.scenario)
        self.draws: dict[int, Durations] = {w: draws.inference(w) for w in workers} if timed else {}
        for w in self.draws:  # started again: what the former process drew has been used up
            for _ in range(int(self.memory.workers[w, m.COUNT])):
                self.draws[w].draw(0)
        self.inline = updates
        if updates is None and party.program.learns and party.scenario.learning_time:
            self.inline = TimedUpdates(party, range(1), draws)
        self.version_used = version_used or (lambda landed: landed)
        self.alarms: dict[int, int] = {}  # for when each sleeping worker has an entry in the queue
        self.last_left = dict.fromkeys(workers, 0)  # when the last inference left a worker's pipeline

    def take_orders(self) -> None:
        """Begin what has been started, by whoever asked the rule, and set alarms for workers that sleep."""
        if self.inline is not None:
            self.inline.look_after(self)
        own = self.memory.workers[self.workers.start : self.workers.stop]
        for offset, start in started(own):
            self._begin(self.workers.start + offset, start)
        for offset in (own[:, m.STATUS] == m.ASLEEP).nonzero()[0].tolist():
            w, time = self.workers.start + offset, int(own[offset, m.TIME])
            if self.alarms.get(w) != time:
                self.alarms[w] = time
                self.at(time, self._settle)

    def _settle(self) -> None:
        """Some worker's time has come."""
        with self.party.turn():
            bells = self.party.settle(self.party.logical_now())
        self.ring(bells)

    def _sleep(self, w: int, time: int) -> None:
        """A worker of this process is to be asked at ``time``; from now on anybody may do so."""
        self.memory.workers[w, m.TIME] = time
        self.memory.workers[w, m.STATUS] = m.ASLEEP

    def _begin(self, w: int, start: Start) -> None:
        """Start an inference, after learning if the rule learns first."""
        if self.inline and self.party.program.learns == "before":
            self.inline.one(self, 0, start, lambda end: self._infer(w, Start(start.step, end, self.party.version)))
        else:
            self._infer(w, start)

    def _infer(self, w: int, begun: Start) -> None:
        observation, start, _ = begun
        party, row = self.party, self.memory.workers[w]
        began = party.now()
        row[m.STATUS], row[m.BUSY_FROM] = m.BUSY, start
        index = int(row[m.COUNT])
        row[m.COUNT] = index + 1
        duration, component = self.draws[w].draw(start) if self.timed else (0, 0)
        actions = self._choose(w, index, observation, component)
        version = self.version_used(begun.version)
        inference = Inference(w, index, observation, start, version, component, actions, began)
        stages, skip = party.program.stages, party.program.skip
        stage = -(-duration // stages)
        end = max(start + (stage if skip else duration), self.last_left[w])
        self.last_left[w] = end if stages > 1 else 0
        if stages > 1:
            self.at(end, lambda: self._finish(inference, asks=False))
            self._sleep(w, start + stage)
        else:
            self.at(end if self.timed else party.now(), lambda: self._finish(inference))

    def _choose(self, w: int, index: int, observation: int, component: int) -> tuple[int, ...]:
        place = observation % m.FRAMES
        frame, console = self.memory.frames[place], self.memory.consoles[place]
        return self.agent.choose(Question(frame, console, w, index, component, self.party.program.chunk))

    def _finish(self, inference: Inference, asks: bool = True) -> None:
        """An inference has ended: ask the rule what becomes of its action, and when to go on."""
        party, program, w = self.party, self.party.program, inference.worker
        self._wait_for_room(w)
        learns = self.inline is not None and program.learns == "after"
        with party.turn():
            end = max(party.logical_now(), inference.start)
            bells = party.settle(end - 1)
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
            check_end(party.scenario.rule, release, free, end, step)
            self._post(inference, end, release)
            if asks and not learns:
                self._sleep(w, free)
            bells |= party.settle(end)
        self.ring(bells)
        if asks and learns:
            assert self.inline is not None
            self.inline.one(self, 0, Start(step, end, party.version), lambda done: self._sleep(w, max(free, done)))

    def _wait_for_room(self, w: int) -> None:
        """Recorder and environment have to take old rows out of the ring before new ones can be written."""
        memory, ring = self.memory, self.memory.inferences.shape[1]
        self.wait_for(lambda: bool(memory.heads[w] - min(memory.drained[w], memory.collected[w]) < ring - 1))

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
