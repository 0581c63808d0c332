"""Sweeps: many cells, in parallel, in a directory from which they can go on after a kill."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rtsim.errors import InvalidValue, UnknownName
from rtsim.experiments.executors import MOST_PROCESSES, Executor, Failure, cores, in_process, local, on_ray
from rtsim.experiments.grid import Grid, cells_of
from rtsim.experiments.store import RESULTS, Record, RunDirectory, read_design, read_rows
from rtsim.timing.units import whole

EXECUTORS = ("local", "ray")
#: Called with the cells finished, all cells, and the share of the expected work that is done.
Progress = Callable[[int, int, float], None]


@dataclass
class SweepResult:
    """How a sweep ended.

    Attributes
    ----------
    path : Path
        Its run directory.
    cells, finished, before : int
        All cells, those with results, and how many of these were there when it began.
    discarded : int
        Rows of a former run that were not whole, or not of this sweep.
    failures : dict of int to str
        Cells that could not be had, and why; they are tried again on resuming.
    interrupted : bool
    """

    path: Path
    cells: int
    before: int
    discarded: int
    finished: int = 0
    failures: dict[int, str] = field(default_factory=dict)
    interrupted: bool = False

    @property
    def results(self) -> Path:
        """The file of results."""
        return self.path / RESULTS


def sweep(
    path: str | Path,
    grids: Grid | Sequence[Grid] | None = None,
    *,
    resume: bool = False,
    processes: int | None = None,
    executor: str = "local",
    address: str | None = None,
    on_progress: Progress | None = None,
) -> SweepResult:
    """Run every cell of some grids; results are appended to ``path/results.csv`` as they finish.

    Parameters
    ----------
    path : str or Path
        Run directory; made if it does not exist.
    grids : Grid or sequence of Grid, optional
        May be left out when resuming.
    resume : bool
        Go on with a run begun before; cells with results are not run again.
    processes : int, optional
        Processes beside this one; all cores if not given, and with 1 everything runs here.
    executor : {"local", "ray"}
    address : str, optional
        Of a Ray cluster.
    on_progress : callable(finished, cells, share), optional

    Returns
    -------
    SweepResult

    Raises
    ------
    InvalidValue, UnknownName, FileProblem, MissingExtra

    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> grid = Grid(alg=("max_time",), inference_time=("84ms",), workers=(3, 6), steps=300, seeds=1)
    >>> sweep(folder, grid, processes=1).finished
    2
    >>> [round(row["inaction_fraction"], 1) for row in results(folder)]
    [0.4, 0.0]
    """
    from multiprocessing import parent_process

    if parent_process() is not None and executor == "local" and processes != 1:
        raise InvalidValue(
            "sweep() is called in a worker process; in a script, call it under if __name__ == '__main__':, or give "
            "processes=1"
        )
    if executor not in EXECUTORS:
        raise UnknownName("executor", executor, EXECUTORS)
    if address is not None and executor != "ray":
        raise InvalidValue(f"address {address!r} is that of a Ray cluster; give --executor ray too")
    processes = min(cores(), MOST_PROCESSES) if processes is None else whole(processes, "processes", 1, MOST_PROCESSES)
    if grids is None:
        if not resume:
            raise InvalidValue("a sweep needs a grid, or resume=True")
        grids = read_design(path)
    elif isinstance(grids, Grid):
        grids = (grids,)
    elif not all(isinstance(grid, Grid) for grid in grids):
        raise InvalidValue("grids must be a Grid, or several in a tuple")
    cells = cells_of(grids, processes if executor == "local" else 1)
    place = on_ray(address) if executor == "ray" else in_process() if processes == 1 else local(processes)
    with place as run:
        directory = RunDirectory.open(path, grids, cells, resume=resume)
        try:
            return _fill(directory, run, on_progress or (lambda finished, cells, share: None))
        finally:
            with _unhurried():
                directory.close()


@contextmanager
def _unhurried() -> Iterator[None]:
    """While the rows are put in order, a second Ctrl-C has to wait."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {which: signal.signal(which, signal.SIG_IGN) for which in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for which, handler in before.items():
            signal.signal(which, handler)


def _fill(directory: RunDirectory, run: Executor, on_progress: Progress) -> SweepResult:
    cells = directory.cells
    result = SweepResult(directory.path, len(cells), len(directory.finished), directory.discarded)
    # The longest first, so that none is left alone at the end.
    wanted = sorted(directory.open_cells, key=lambda index: -cells[index].work)
    total = sum(cells[index].work for index in wanted) or 1.0
    done = 0.0
    on_progress(result.before, len(cells), 0.0)
    try:
        for index, found in run({index: cells[index] for index in wanted}) if wanted else ():
            if isinstance(found, Failure):
                result.failures[index] = found.reason
            else:
                directory.append(index, found)
            done += cells[index].work
            on_progress(len(directory.finished), len(cells), done / total)
    except KeyboardInterrupt:
        result.interrupted = True
    result.finished = len(directory.finished)
    return result


def results(path: str | Path) -> list[Record]:
    """The finished rows of a run directory, in the order of its cells.

    Raises
    ------
    FileProblem
    """
    read_design(path)
    rows, _ = read_rows(Path(path) / RESULTS)
    return sorted(rows, key=lambda row: (row["cell"] is None, row["cell"] or 0))
