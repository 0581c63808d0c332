"""Others that do the same at the same time: on shared cores, or on one GPU.

Workers of a live run are processes; on one GPU they take turns. Threads of one process, each
with a CUDA stream of its own, are the alternative: their kernels can overlap, but Python runs
one of them at a time. Both are company to the one that is measured.

``python -m rtsim.calibrate.company`` is one such process; :func:`company` starts them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from rtsim.calibrate.plan import CalibrationPlan
from rtsim.errors import InvalidValue

#: Runs of a companion before it counts as there: the first ones are slow, and learning allocates its memory.
WARMUPS = 2
#: How long a companion thread may take to finish its last run, seconds.
PATIENCE = 60.0


@contextmanager
def company(plan: CalibrationPlan, k: float, batch: int | None, run: Callable[[], object]) -> Iterator[None]:
    """While it lasts, ``plan.processes - 1`` processes or ``plan.streams - 1`` threads do the same over and over.

    Parameters
    ----------
    plan : CalibrationPlan
    k : float
    batch : int or None
        None: inference; else learning at this batch size.
    run : callable
        The operation that is measured. Threads that infer share it, and its weights.

    Raises
    ------
    InvalidValue
        If one of them cannot begin, or ends before it is told to: the times were not those
        of as many as the plan says.
    """
    with _processes(plan, k, batch), _threads(plan, k, batch, run):
        yield


@contextmanager
def _processes(plan: CalibrationPlan, k: float, batch: int | None) -> Iterator[None]:
    order = json.dumps({"plan": asdict(plan), "k": k, "batch": batch})
    children: list[subprocess.Popen[str]] = []
    said: str
    try:
        for _ in range(plan.processes - 1):
            children.append(
                subprocess.Popen(
                    [sys.executable, "-m", "rtsim.calibrate.company", order],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    start_new_session=True,  # Ctrl-C is for the one that measures
                )
            )
        for child in children:
            assert child.stdout is not None
            line = ""
            while line != "ready":
                said, line = line, child.stdout.readline().strip()
                if not line:
                    raise InvalidValue(f"processes {plan.processes}: one could not begin: {said or 'killed'}")
        yield
        if any(child.poll() is not None for child in children):
            raise InvalidValue(
                f"processes {plan.processes}: one ended during the measurement, for want of memory perhaps; "
                "give fewer processes"
            )
    finally:
        for child in children:
            child.kill()
            child.communicate()


@contextmanager
def _threads(plan: CalibrationPlan, k: float, batch: int | None, run: Callable[[], object]) -> Iterator[None]:
    from rtsim.calibrate import operations

    leave = threading.Event()
    there = [threading.Event() for _ in range(plan.streams - 1)]
    failed: list[BaseException] = []

    def infer(ready: threading.Event) -> None:
        try:
            with operations.own_stream(plan):
                own = run if batch is None else operations.learning(plan, k, batch)
                for _ in range(WARMUPS):
                    own()
                ready.set()
                while not leave.is_set():
                    own()
        except BaseException as error:  # told where it can be seen
            failed.append(error)
        finally:
            ready.set()

    threads = [threading.Thread(target=infer, args=(ready,), daemon=True) for ready in there]
    try:
        for thread in threads:
            thread.start()
        for ready in there:
            ready.wait()
        with operations.own_stream(plan):
            yield
    finally:
        leave.set()
        for thread in threads:
            thread.join(PATIENCE)
    if failed:
        reason = (str(failed[0]).strip() or type(failed[0]).__name__).splitlines()[0]
        raise InvalidValue(f"streams {plan.streams}: one failed ({reason}); give fewer streams")


def _accompany(order: dict[str, Any]) -> None:
    """Infer, or learn, until the other end of stdin closes."""
    from rtsim.calibrate import operations

    def leave() -> None:
        sys.stdin.read()
        os._exit(0)

    threading.Thread(target=leave, daemon=True).start()
    said = order["plan"]
    plan = CalibrationPlan(**{**said, "k": tuple(said["k"]), "batch": tuple(said["batch"])})
    k, batch = order["k"], order["batch"]
    with operations.intra_op_threads(plan.threads):
        run: Callable[[], object]
        run = operations.inference(plan, k) if batch is None else operations.learning(plan, k, batch)
        for _ in range(WARMUPS):
            run()
        print("ready", flush=True)
        while True:
            run()


if __name__ == "__main__":
    try:
        _accompany(json.loads(sys.argv[1]))
    except Exception as error:  # the last line is what is shown
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        print(f"{type(error).__name__}: {reason}", flush=True)
        os._exit(3)
