"""The wall clock: a scenario in real processes against a real emulator, recorded as a Schedule.

* :func:`play` runs a :class:`LivePlan` in real time;
* :mod:`rtsim.live.virtual` puts a Schedule, recorded or simulated, on its emulator at full speed;
* :mod:`rtsim.live.agreement` says how far the simulator is from what happened.

How it works. One process steps the emulator at absolute deadlines, others infer. They share
one anonymous file of memory: observations, the rule's state, and a ring of rows per worker.
The rules are the functions of :mod:`rtsim.schedulers`; whoever has something to ask asks them
under one lock, at a logical time (:mod:`rtsim.live.party`). What they answer is written down
in times, never in messages: an action that is released at a time or held for a step lies in
its worker's ring, and the environment takes it when that has come.
"""

from rtsim.live.plan import LivePlan
from rtsim.live.run import LiveFault, RunInterrupted, play
from rtsim.live.status import Status

__all__ = ["LiveFault", "LivePlan", "RunInterrupted", "Status", "play"]
