"""Entry of every process of a run: ``python -m rtsim.live.process``; started by the supervisor only."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from rtsim.clocks.draws import DrawnDurations
from rtsim.errors import NoConvergence, RtsimError
from rtsim.live import memory as m
from rtsim.live import wall
from rtsim.live.party import Files, HurriedTurn, Party
from rtsim.live.plan import LivePlan

if TYPE_CHECKING:
    from rtsim.live.agenda import Agenda
    from rtsim.live.environment import EnvironmentProcess
    from rtsim.live.learners import Updates

#: Exit codes of a process that failed, and of one whose learning diverged: it would again, if it were started again.
FAILED, DIVERGED = 3, 4
#: Timed inferences from this mean on leave a process asleep nearly all the time, so that it may go before others, s.
LONG = 0.002


def main(argument: str) -> None:
    """Take part in a run as the argument (JSON) says, until it is over."""
    said = json.loads(argument)
    wall.prepare_process(said["parent"])
    plan = LivePlan.from_json(said["plan"])
    party = Party(plan, Files(said["memory"], said["lifeline"], said["lock"], said["bells"]))
    lifeline = wall.Lifeline(said["lifeline"], said["bell"])
    place: int = said["place"]
    if place:
        wall.pin(environment=False)
    process: EnvironmentProcess | Agenda
    if place == 0:
        process = _environment(party, lifeline, said)
        process.prepare()
    elif place <= len(plan.hosts):
        process = _inference(party, lifeline, said)
    else:
        process = _learning(party, lifeline, said)
    # Only now: until then it has computed, and would have kept others from it.
    if place and _sleeps_mostly(plan, place):
        wall.realtime_class(wall.HOLDING_BACK)
    elif place and wall.realtime_class(wall.HOLDING_BACK):
        wall.ordinary_class()
        party.turn_kind = HurriedTurn
    _begin(party, lifeline, place)
    process.run()


def _sleeps_mostly(plan: LivePlan, place: int) -> bool:
    """Whether this process, not the environment's, holds back what it does, and computes next to nothing."""
    computes = plan.learning is not None and (place > len(plan.hosts) or plan.scenario.learner.inline)
    return plan.inference == "timed" and plan.scenario.inference_mean > LONG and not computes


def _environment(party: Party, lifeline: wall.Lifeline, said: dict[str, Any]) -> EnvironmentProcess:
    from rtsim.live.environment import EnvironmentProcess

    if party.plan.learning is None:
        return EnvironmentProcess(party, lifeline)
    from rtsim.live.gradients import ReplayFile
    from rtsim.live.lessons import Lessons

    return EnvironmentProcess(party, lifeline, Lessons(party.plan, party.memory, ReplayFile(*said["replay"])))


def _inference(party: Party, lifeline: wall.Lifeline, said: dict[str, Any]) -> Agenda:
    from rtsim.live.agents import Agent, Question, agent_of
    from rtsim.live.workers import InferenceProcess

    plan, updates, version_used = party.plan, None, None
    agent: Agent
    if plan.learning is None:
        agent = agent_of(plan, said["actions"], said["noop"])
    else:
        from rtsim.live.learnt import LearntAgent

        agent = learnt = LearntAgent(plan, said["actions"], said["weights"])
        version_used = learnt.version_used
        updates = _real_updates(party, range(1), said) if plan.scenario.learner.inline else None
    # The first time of everything takes long: imports, and memory that later passes use again.
    agent.choose(Question(np.zeros(plan.frame_bytes, np.uint8), np.zeros(m.CONSOLE, np.uint8), 0, 0, 1, 1))
    DrawnDurations(plan.scenario).inference(0).draw(0)
    workers = plan.hosts[said["place"] - 1]
    return InferenceProcess(party, lifeline, workers, agent, plan.inference == "timed", updates, version_used)


def _learning(party: Party, lifeline: wall.Lifeline, said: dict[str, Any]) -> Agenda:
    from rtsim.live.learners import LearningProcess, TimedUpdates

    learners = party.plan.learner_hosts[said["place"] - 1 - len(party.plan.hosts)]
    updates: Updates = TimedUpdates(party, learners, DrawnDurations(party.scenario))
    if party.plan.learning is not None:
        updates = _real_updates(party, learners, said)
    return LearningProcess(party, lifeline, learners, updates)


def _real_updates(party: Party, learners: range, said: dict[str, Any]) -> Updates:
    from rtsim.live.gradients import RealUpdates, ReplayFile

    replay = ReplayFile(*said["replay"])
    return RealUpdates(party, learners, said["weights"], said["lock"], said["actions"], replay)


def _begin(party: Party, lifeline: wall.Lifeline, place: int) -> None:
    """Say that this process is ready, and wait for step 0 to be set."""
    party.memory.pulses[place] = wall.now_ns()
    while not party.memory.control[m.ORIGIN]:
        if party.stopping or not lifeline.wait(1_000_000):
            raise SystemExit(0)
    party.origin = int(party.memory.control[m.ORIGIN])


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except Exception as error:
        # The supervisor shows the last line.
        import traceback

        traceback.print_exc()
        # What rtsim says on purpose is said in full; of anything else the kind matters, too.
        kind = "" if isinstance(error, RtsimError) else f"{type(error).__name__}: "
        print(kind + " ".join(str(error).split()), file=sys.stderr, flush=True)
        os._exit(DIVERGED if isinstance(error, NoConvergence) else FAILED)
