"""Cells that end the process they run in, for spawned processes to import."""

from __future__ import annotations

import os
import pickle
import signal

from rtsim.experiments.executors import Found, Parcel, measure_all

#: Seed of the cell that is always lethal.
LETHAL = 3


def measure_or_die(parcel: Parcel) -> dict[int, Found]:
    if any(pickle.loads(data).scenario.seed == LETHAL for data in parcel.values()):
        os.kill(os.getpid(), signal.SIGKILL)
    return measure_all(parcel)
