"""Entry of every process of a run: ``python -m rtsim.live.process``; started by the supervisor only."""

from __future__ import annotations

import json
import os
import sys
import time

import numpy as np

from rtsim.clocks.draws import DrawnDurations
from rtsim.errors import RtsimError
from rtsim.live import memory as m
from rtsim.live import wall
from rtsim.live.party import Files, Party
from rtsim.live.plan import LivePlan

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
        if plan.inference == "timed" and plan.scenario.inference_mean > LONG:
            wall.realtime_class(wall.HOLDING_BACK)
    if place == 0:
        from rtsim.live.environment import EnvironmentProcess

        environment = EnvironmentProcess(party, lifeline)
        environment.prepare()
        _begin(party, lifeline, place)
        environment.run()
    elif place <= len(plan.hosts):
        from rtsim.live.agents import Question, agent_of
        from rtsim.live.workers import InferenceProcess

        agent = agent_of(plan, said["actions"], said["noop"])
        workers = plan.hosts[place - 1]
        # The first time of everything takes long: imports, and memory that later passes use again.
        agent.choose(Question(np.zeros(plan.frame_bytes, np.uint8), np.zeros(m.CONSOLE, np.uint8), 0, 0, 1, 1))
        DrawnDurations(plan.scenario).inference(0).draw(0)
        process = InferenceProcess(party, lifeline, workers, agent, plan.inference == "timed")
        _begin(party, lifeline, place)
        process.run()
    else:
        from rtsim.live.learners import LearningProcess

        learning = LearningProcess(party, lifeline, plan.learner_hosts[place - 1 - len(plan.hosts)])
        _begin(party, lifeline, place)
        learning.run()


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
        time.sleep(0)
        os._exit(3)
