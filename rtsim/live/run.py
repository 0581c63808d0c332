"""The supervisor of a live run: starts its processes, watches over them, and keeps the record."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from rtsim import machine
from rtsim.errors import FileProblem, InvalidValue, RtsimError
from rtsim.live import memory as m
from rtsim.live import wall
from rtsim.live.agents import check_ready
from rtsim.live.losses import Losses
from rtsim.live.memory import Memory
from rtsim.live.party import Files, Party
from rtsim.live.plan import LivePlan
from rtsim.live.process import DIVERGED
from rtsim.live.recorder import Recorder
from rtsim.live.status import Status, status_of
from rtsim.schedule import Schedule

if TYPE_CHECKING:
    from rtsim.live.keeper import Keeper

#: How often the supervisor looks, seconds.
PERIOD = 0.02
#: How long processes may take to say that they are ready, seconds; large networks are built meanwhile.
READY_LIMIT = 120.0
#: A process that has not said for so long that it lives is hung, seconds.
HUNG = 5.0
#: From the last process being ready to step 0.
HEAD_START = 0.1
#: How long processes may take to leave before they are killed, seconds.
LEAVE = 1.0


class LiveFault(RtsimError, RuntimeError):
    """A live run that could not begin, or lost its environment before the first step."""


class RunInterrupted(KeyboardInterrupt):
    """Ctrl-C during a live run; ``schedule`` is what was recorded until then, or None."""

    def __init__(self, schedule: Schedule | None) -> None:
        super().__init__("live run interrupted")
        self.schedule = schedule


def play(plan: LivePlan, *, on_status: Callable[[Status], None] | None = None) -> Schedule:
    """Run a plan in real time, and record it.

    Parameters
    ----------
    plan : LivePlan
    on_status : callable, optional
        Called about five times a second.

    Returns
    -------
    Schedule
        With spans and live columns. Its header tells under ``"live"`` the settings, the
        machine, how late the environment was, and what went wrong. It is shorter than the plan
        if the environment was lost on the way.

    Raises
    ------
    RunInterrupted
        On Ctrl-C, carrying what was recorded.
    LiveFault
        If a process cannot begin, or nothing was recorded.
    InvalidValue, UnknownName, FileProblem
        On a system without POSIX pipes and record locks, or with an agent that cannot play.
    """
    if os.name != "posix":
        raise InvalidValue("live runs need a POSIX system such as Linux or macOS")
    from rtsim.envs import make

    check_ready(plan)
    with make(plan.game) as emulator:
        facts = {"actions": emulator.actions, "noop": emulator.noop}
    with contextlib.ExitStack() as to_the_end, _Run(plan, on_status, facts) as run:
        try:
            run.start()
            run.supervise()
            to_the_end.enter_context(wall.uninterrupted())  # what was played is to be kept: Ctrl-C comes too late
        except KeyboardInterrupt:
            to_the_end.enter_context(wall.uninterrupted())
            raise RunInterrupted(run.finish("interrupted")) from None
        found = run.finish()
        if found is None:
            raise LiveFault("the environment process ended before its first step" + run.last_words())
        return found


@dataclass
class _Child:
    place: int
    process: subprocess.Popen[bytes]
    log: Any
    restarts: int = 0
    given_up: bool = False
    ready: bool = False
    since: int = field(default_factory=wall.now_ns)  # when it was started, monotonic ns


@dataclass
class _Run:
    plan: LivePlan
    on_status: Callable[[Status], None] | None
    facts: dict[str, int]
    children: list[_Child] = field(default_factory=list)
    faults: list[dict[str, Any]] = field(default_factory=list)

    def __enter__(self) -> _Run:
        plan = self.plan
        self.memory = Memory(plan)
        program = plan.scenario.program()
        self.memory.rule_state[: len(program.state)] = array("q", program.state)
        self.memory.control[m.PUBLISHED] = -1
        # All wait for step 0, when the environment asks them in order.
        self.memory.workers[:, m.STATUS] = self.memory.learners[:, m.STATUS] = m.WAITING
        self.memory.workers[:, m.BUSY_FROM] = self.memory.learners[:, m.BUSY_FROM] = -1
        self._lock_file = tempfile.TemporaryFile()
        self._lifeline = os.pipe()
        count = 1 + len(plan.hosts) + len(plan.learner_hosts)
        self._bells = [os.pipe() for _ in range(count)]
        self.recorder = Recorder(plan, self.memory)
        self.watch = machine.Watch()
        self.ended, self.diverged = "", False
        self.keeper: Keeper | None = None
        return self

    def __exit__(self, *_: object) -> None:
        with wall.uninterrupted():
            self._leave()
        for child in self.children:
            child.log.close()
        self._lock_file.close()
        if self.keeper is not None:
            if not self.memory.control[m.ORIGIN]:
                self.keeper.forget()
            self.keeper.close()
        for fd in (*self._lifeline, *(fd for bell in self._bells for fd in bell), self.memory.fd):
            os.close(fd)

    def start(self) -> None:
        """Start all processes, wait until each is ready, and set the time of step 0."""
        if self.plan.learning is not None:
            from rtsim.live.keeper import Keeper

            self.keeper = Keeper(self.plan, self.facts["actions"], self.memory, self._lock_file.fileno())
        for place in range(len(self._bells)):
            self.children.append(self._spawn(place))
        limit = time.monotonic() + READY_LIMIT
        while not self.memory.pulses.all():
            for child in self.children:
                if child.process.poll() is not None:
                    raise LiveFault(f"{self._name(child.place)} could not begin{self._words(child)}")
            if time.monotonic() > limit:
                late = [self._name(place) for place in np.flatnonzero(self.memory.pulses == 0).tolist()]
                raise LiveFault(f"{', '.join(late)} took more than {READY_LIMIT:g} s to get ready")
            time.sleep(PERIOD)
        for child in self.children:
            child.ready = True
        self.watch.begin()
        bells = [bell[1] for bell in self._bells[1:]]
        party = Party(self.plan, Files(self.memory.fd, self._lifeline[0], self._lock_file.fileno(), bells))
        self.memory.control[m.ORIGIN] = wall.now_ns() + int(HEAD_START * 1e9)
        self.losses = Losses(party)
        self._ring(bell[1] for bell in self._bells)

    def supervise(self) -> None:
        """Until the environment has done its last step, or is lost."""
        shown = 0.0
        while not self.memory.control[m.FINISHED]:
            time.sleep(PERIOD)
            self.recorder.drain()
            environment = self.children[0]
            if environment.process.poll() is not None and not self.memory.control[m.FINISHED]:
                self._note(0, "ended" + self._words(environment), restarted=False)
                self.ended = "environment lost"
                return
            hung = wall.now_ns() - int(self.memory.pulses[0]) > (HUNG + 2 * self.plan.scenario.step_mean) * 1e9
            if hung and wall.now_ns() > self.memory.control[m.ORIGIN]:
                self._note(0, f"hung for {HUNG:g} s", restarted=False)
                self.ended = "environment lost"
                return
            self._look_after()
            if self.ended:
                return
            if self.keeper is not None and self.keeper.due(self._elapsed_s):
                self._save(self.keeper)
            if self.on_status is not None and time.monotonic() - shown > 0.2:
                shown = time.monotonic()
                self.on_status(status_of(self.plan, self.memory, self.recorder, len(self.faults)))

    def finish(self, ended: str = "") -> Schedule | None:
        """End all processes and merge what was recorded."""
        self.ended = ended or self.ended
        machine_then = self.watch.describe()
        self.recorder.note_unfinished()
        self._leave()
        self.recorder.drain()
        # Of a run that never began there is nothing to keep: its replay memory goes away again.
        if self.keeper is not None and self.memory.control[m.ORIGIN] and not self.diverged:
            self._save(self.keeper)
        about = {
            "plan": self.plan.to_json(),
            "ended": self.ended,
            "faults": self.faults,
            "realtime_class": bool(self.memory.control[m.REALTIME]),
            "own_core": bool(self.memory.control[m.PINNED]),
            "machine": machine_then,
        }
        return self.recorder.schedule(about)

    def last_words(self) -> str:
        """What the environment process said at its end."""
        return self._words(self.children[0]) if self.children else ""

    def _spawn(self, place: int) -> _Child:
        log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the child
        files = [self.memory.fd, self._lifeline[0], self._lock_file.fileno(), self._bells[place][0]]
        bells = [bell[1] for bell in self._bells[1:]]
        said = {
            "plan": self.plan.to_json(),
            "parent": os.getpid(),
            "place": place,
            **dict(zip(("memory", "lifeline", "lock", "bell"), files, strict=True)),
            "bells": bells,
            **self.facts,
        }
        if self.keeper is not None:
            files.append(self.keeper.shared.fd)
            said.update(weights=self.keeper.shared.fd, replay=self.keeper.replay)
        # A session of its own: Ctrl-C in the terminal is for the supervisor alone.
        process = subprocess.Popen(
            [sys.executable, "-m", "rtsim.live.process", json.dumps(said)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[*files, *bells],
            start_new_session=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        return _Child(place, process, log)

    def _look_after(self) -> None:
        """Start processes again that have died or hang."""
        for index, child in enumerate(self.children[1:], 1):
            if child.given_up:
                continue
            if why := self._trouble(child):
                self._replace(index, child, why)
            elif not child.ready and self.memory.pulses[index]:
                child.ready = True
                self._ring(self.losses.let_in(index))
        self._ring(self.losses.unstick())

    def _trouble(self, child: _Child) -> str:
        """Why a process is to be replaced, or nothing."""
        if child.process.poll() is not None:
            return "ended" + self._words(child)
        limit = self._patience if child.ready else READY_LIMIT
        if wall.now_ns() - (int(self.memory.pulses[child.place]) or child.since) <= limit * 1e9:
            return ""
        return f"hung for {limit:g} s" if child.ready else f"took more than {limit:g} s to get ready"

    @property
    def _patience(self) -> float:
        """How long a process may be silent, seconds: what it really computes may take long."""
        scenario, patience = self.plan.scenario, HUNG
        if self.plan.inference == "real":
            patience += 20 * scenario.inference_mean
        if self.plan.learning is not None and scenario.learning_time is not None:
            patience += 20 * scenario.learning_time.mean
        return patience

    def _replace(self, index: int, child: _Child, why: str) -> None:
        child.process.kill()
        child.process.wait()
        if child.process.returncode == DIVERGED:
            self.ended, self.diverged = why.removeprefix("ended: "), True
        again = child.restarts < self.plan.restarts and not self.diverged
        self._note(index, why, restarted=again)
        self._ring(self.losses.lose(index))
        self.memory.pulses[index] = 0
        if again:
            self.children[index] = self._spawn(index)
            self.children[index].restarts = child.restarts + 1
        else:
            child.given_up = True
        child.log.close()

    @staticmethod
    def _ring(bells: Iterable[int]) -> None:
        for bell in bells:
            wall.ring(bell)

    def _save(self, keeper: Keeper) -> None:
        """Write a checkpoint; a run that cannot goes on, and the one before stays."""
        try:
            keeper.save(self._elapsed_s, self.recorder)
        except FileProblem as error:
            self._tell("checkpoint", f"was not written: {error}", restarted=False)

    @property
    def _elapsed_s(self) -> float:
        """Seconds since step 0."""
        return (wall.now_ns() - int(self.memory.control[m.ORIGIN])) / 1e9

    def _note(self, place: int, what: str, restarted: bool) -> None:
        self._tell(self._name(place), what, restarted)

    def _tell(self, name: str, what: str, restarted: bool) -> None:
        self.faults.append({"time_s": round(self._elapsed_s, 3), "process": name, "what": what, "restarted": restarted})

    def _name(self, place: int) -> str:
        if place == 0:
            return "environment process"
        kind, own = (
            [("worker", workers) for workers in self.plan.hosts]
            + [("learner", learners) for learners in self.plan.learner_hosts]
        )[place - 1]
        return f"{kind} {own.start}" if len(own) == 1 else f"{kind}s {own.start}-{own.stop - 1}"

    @staticmethod
    def _words(child: _Child) -> str:
        """The signal that ended a process, or the last line it printed."""
        code = child.process.returncode
        child.log.seek(0)
        lines = child.log.read()[-4000:].decode(errors="replace").strip().splitlines()
        if code is not None and code < 0:
            return f" by signal {-code}"
        return f": {lines[-1]}" if lines else ""

    def _leave(self) -> None:
        """All processes end, kindly or not; calling it twice is fine."""
        if self.memory.control[m.STOP]:
            return
        self.memory.control[m.STOP] = 1
        self._ring(bell[1] for bell in self._bells)
        limit = time.monotonic() + LEAVE
        for child in self.children:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(max(limit - time.monotonic(), 0.001))
        for child in self.children:
            if child.process.poll() is None:
                child.process.kill()
            child.process.wait()
