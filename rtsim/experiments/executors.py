"""Where the cells of a sweep run: in this process, in processes beside it, or on a Ray cluster.

An executor takes cells and yields, in any order, ``(index, found)``, or ``(index, Failure)``
for a cell that cannot be had. It never decides what a cell's numbers are.
"""

from __future__ import annotations

import math
import os
import pickle
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rtsim.errors import InvalidValue, MissingExtra, RtsimError
from rtsim.experiments.cells import Cell, Value

if TYPE_CHECKING:
    from concurrent.futures import Future, ProcessPoolExecutor

#: More processes than these a pool does not take on Windows.
MOST_PROCESSES = 61 if sys.platform == "win32" else 1024
#: A cell whose process died this often is run alone, and given up if it dies again.
ATTEMPTS = 3
#: Cells travel in chunks of about a tenth of a second, so that travelling costs little; see Cell.work.
CHUNK_WORK, CHUNK_CELLS = 1e6, 64


@dataclass(frozen=True)
class Failure:
    """Why a cell has no results."""

    reason: str


Found = Mapping[str, Value] | Failure
#: Cells that travel together, by index; and as they travel.
Chunk = dict[int, Cell]
Parcel = dict[int, bytes]
Executor = Callable[[Mapping[int, Cell]], Iterator[tuple[int, Found]]]


def measure(cell: Cell) -> Found:
    """The results of a cell, or why it has none; runs wherever the executor put it."""
    try:
        return cell.results()
    except RtsimError as error:
        return Failure(str(error))
    except MemoryError:
        return Failure("out of memory")
    except Exception as error:  # one cell must not end the sweep
        return Failure(f"{type(error).__name__}: {error}")


def measure_all(parcel: Parcel) -> dict[int, Found]:
    """:func:`measure` for each of some cells, which travel as bytes: what cannot be read here fails alone."""
    return {index: _measure_bytes(data) for index, data in parcel.items()}


def _measure_bytes(data: bytes) -> Found:
    try:
        cell = pickle.loads(data)
    except Exception as error:
        return Failure(
            f"{error}; worker processes do not know it: register it where they import it, or give processes=1"
        )
    return measure(cell)


def parcel_of(chunk: Chunk) -> Parcel:
    """Some cells as bytes, from this process to one of ours: never a file, never from elsewhere."""
    return {index: pickle.dumps(cell) for index, cell in chunk.items()}


def chunks(cells: Mapping[int, Cell]) -> list[Chunk]:
    """The cells in their order, those of little work together."""
    found: list[Chunk] = []
    work = math.inf
    for index, cell in cells.items():
        if work + cell.work > CHUNK_WORK or len(found[-1]) >= CHUNK_CELLS:
            found.append({})
            work = 0.0
        found[-1][index] = cell
        work += cell.work
    return found


def cores() -> int:
    """Cores this process may use."""
    with suppress(AttributeError):  # not everywhere
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def in_process() -> Iterator[Executor]:
    """One after the other, here."""
    yield lambda cells: ((index, measure(cell)) for index, cell in cells.items())


@contextmanager
def local(processes: int) -> Iterator[Executor]:
    """In processes beside this one; a process that dies takes no finished cell with it."""
    pool = _Pool(processes)
    try:
        yield pool.run
    finally:
        pool.stop()


def leave_with_parent() -> None:
    """Called in a worker process: it does not outlive a parent that was killed."""
    import threading
    from multiprocessing import connection, parent_process

    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _begin_worker() -> None:
    """Ctrl-C is the parent's to answer; and a worker goes with its parent."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    leave_with_parent()


class _Pool:
    """A process pool that is made anew when one of its processes has died.

    Cells in flight then are run again, each on its own; since nobody knows who was to blame, those
    that were in flight too often run alone, and are given up if they kill their process again.
    """

    def __init__(self, processes: int) -> None:
        self.processes = processes
        self.waiting: list[Chunk] = []
        self.deaths: dict[int, int] = {}
        self.flying: dict[Future[dict[int, Found]], Chunk] = {}
        self.pool: ProcessPoolExecutor | None = None

    def start(self) -> ProcessPoolExecutor:
        """A new pool that has been seen to work."""
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor
        from concurrent.futures.process import BrokenProcessPool

        for _ in range(ATTEMPTS):
            # Not forked: compiled code and threads of this process do not survive that everywhere.
            context = multiprocessing.get_context("spawn")
            pool = ProcessPoolExecutor(self.processes, mp_context=context, initializer=_begin_worker)
            first = pool.submit(cores)
            processes = list((pool._processes or {}).values())
            try:
                first.result()
                return pool
            except BrokenProcessPool:
                pool.shutdown()
            if any((process.exitcode or 0) > 0 for process in processes):
                break  # not killed: they fail by themselves
        raise InvalidValue(
            "worker processes do not start; in a script, call sweep() under if __name__ == '__main__': "
            "(they import it too), or give processes=1"
        )

    def run(self, cells: Mapping[int, Cell]) -> Iterator[tuple[int, Found]]:
        """Measure some cells."""
        from concurrent.futures import FIRST_COMPLETED, wait
        from concurrent.futures.process import BrokenProcessPool

        if any(cell.clock == "compiled" for cell in cells.values()):
            # Compiled here, where it is not, all processes find it on the disk.
            from rtsim.clocks import kernel

            kernel.built_in()
        self.waiting = chunks(cells)[::-1]
        self.deaths = dict.fromkeys(cells, 0)
        while self.waiting or self.flying:
            self._submit()
            done, _ = wait(self.flying, return_when=FIRST_COMPLETED)
            for future in done:
                chunk = self.flying.pop(future)
                try:
                    yield from future.result().items()
                except BrokenProcessPool:
                    yield from self._again(chunk)

    def _again(self, chunk: Chunk) -> Iterator[tuple[int, Found]]:
        for index, cell in reversed(chunk.items()):
            self.deaths[index] += 1
            if self.deaths[index] > ATTEMPTS:
                yield index, Failure("its process was killed again and again; is there enough memory?")
            else:
                self.waiting.append({index: cell})
        self._drop_pool()

    def _suspect(self, chunk: Chunk) -> bool:
        return max(self.deaths[index] for index in chunk) >= ATTEMPTS

    def _submit(self) -> None:
        from concurrent.futures.process import BrokenProcessPool

        # Two per process, so that nobody waits for work; a suspect flies alone.
        while self.waiting and len(self.flying) < 2 * self.processes:
            if self.flying and any(map(self._suspect, [self.waiting[-1], *self.flying.values()])):
                return
            self.pool = self.pool or self.start()
            try:
                self.flying[self.pool.submit(measure_all, parcel_of(self.waiting[-1]))] = self.waiting[-1]
                self.waiting.pop()
            except BrokenProcessPool:  # a process died; the futures in flight tell, and count
                if self.flying:
                    return
                self._drop_pool()

    def _drop_pool(self) -> None:
        if self.pool is not None and not self.flying:
            self.pool.shutdown(wait=True, cancel_futures=True)
            self.pool = None

    def stop(self) -> None:
        """End all processes now, whatever they are doing."""
        if self.pool is None:
            return
        processes = list((self.pool._processes or {}).values())
        self.pool.shutdown(wait=False, cancel_futures=True)
        if self.flying:
            for process in processes:
                process.terminate()


@contextmanager
def on_ray(address: str | None = None) -> Iterator[Executor]:
    """On a Ray cluster, or one started on this machine; Ray runs the tasks of lost nodes again.

    Parameters
    ----------
    address : str, optional
        As for ``ray.init``, e.g. ``"auto"``. Every node needs the same version of rtsim.

    Raises
    ------
    MissingExtra, InvalidValue
        If Ray is not installed, or the cluster cannot be reached.
    """
    try:
        import ray
    except ImportError:
        raise MissingExtra("--executor ray", "ray", "ray") from None
    started = not ray.is_initialized()
    if started:
        _connect(ray, address)
    try:
        yield lambda cells: _ray_tasks(ray, cells)
    finally:
        if started:
            ray.shutdown()


def _connect(ray: Any, address: str | None) -> None:
    where = f"the Ray cluster at {address!r}" if address else "Ray on this machine"
    try:
        host, _, port = (address or "").rpartition(":")
        if host and port.isdecimal() and "://" not in host:  # Ray itself would try for minutes
            import socket

            socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
        # Without it Ray warns at every start of what a later version will do about GPUs, which nobody uses here.
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        options = {} if address else {"include_dashboard": False}
        ray.init(address=address, log_to_driver=False, logging_level="ERROR", **options)
    except (ValueError, RuntimeError, OSError, OverflowError) as error:
        raise InvalidValue(f"cannot reach {where}: {' '.join(str(error).split())[:300]}") from error


def remote_measure(parcel: Parcel, version: str) -> dict[int, Found]:
    """What a Ray task runs: :func:`measure_all`, if the node has the same rtsim."""
    from rtsim.version import __version__

    if __version__ != version:
        failure = Failure(f"a node has rtsim {__version__}, this one {version}; install the same on all")
        return dict.fromkeys(parcel, failure)
    return measure_all(parcel)


def _ray_tasks(ray: Any, cells: Mapping[int, Cell]) -> Iterator[tuple[int, Found]]:
    from rtsim.version import __version__

    task = ray.remote(num_cpus=1, max_retries=ATTEMPTS)(remote_measure)
    waiting = chunks(cells)[::-1]
    flying: dict[Any, Chunk] = {}
    while waiting or flying:
        # Asked every time: a cluster may grow.
        room = 4 * max(int(ray.cluster_resources().get("CPU", 1)), 1)
        while waiting and len(flying) < room:
            chunk = waiting.pop()
            flying[task.remote(parcel_of(chunk), __version__)] = chunk
        done, _ = ray.wait(list(flying), num_returns=1)
        for reference in done:
            chunk = flying.pop(reference)
            try:
                yield from ray.get(reference).items()
            except ray.exceptions.RayError as error:
                if len(chunk) > 1:  # one of them is to blame; the others are not to suffer
                    waiting += [{index: cell} for index, cell in chunk.items()]
                    continue
                failure = Failure(" ".join(str(error).split())[:300])
                yield from dict.fromkeys(chunk, failure).items()
