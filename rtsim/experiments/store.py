"""A run directory: what a sweep is, and one file of results that grows while it runs.

``sweep.json`` holds the grids; ``results.csv`` one row per finished cell, with a column for
every setting and every number found. Rows are appended as cells finish, one write each, so that
a kill at any moment loses at most the row being written; reading drops what is not whole.
When a sweep ends its rows are put in the order of its cells. Neither file holds a
time or a machine: the same sweep gives the same bytes however it ran (on one platform with the
same pinned libraries; the last digits of libm differ between platforms).
"""

from __future__ import annotations

import csv
import errno
import hashlib
import io
import json
import math
import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rtsim import mdps
from rtsim.errors import TEMPORARY, FileProblem, InvalidValue, read_text, write_atomically
from rtsim.experiments.cells import FOUND, SETTINGS, Cell, Value
from rtsim.experiments.grid import Grid
from rtsim.timing.profiles import shipped
from rtsim.version import __version__

SCHEMA = "rtsim.sweep/1"
DESIGN, RESULTS, LOCK = "sweep.json", "results.csv", ".lock"
#: What a finished cell has, one or the other.
ANSWERS = {
    "statistics": ("inaction_fraction",),
    "required_workers": ("required", "required_reason"),
    "required_learners": ("required", "required_reason"),
}
COLUMNS: dict[str, type] = {"cell": int, **SETTINGS, **FOUND}
MAX_BYTES = 10**10
#: Temporary files older than this, in s, are left over; younger ones may be being written, by a report.
STALE = 3600.0
Record = dict[str, Value]


def _line(values: Sequence[Value]) -> bytes:
    """One CSV line; floats so that they read back as the same float."""
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerow(
        ["" if value is None else repr(value) if isinstance(value, float) else value for value in values]
    )
    return stream.getvalue().encode()


HEADER = _line(list(COLUMNS))


def _typed(kind: type, text: str) -> Value:
    if text == "":
        return None
    value: Value = kind(text)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(text)
    return value


def read_rows(path: Path) -> tuple[list[Record], int]:
    """The whole rows of a results file, typed, and how many lines were not whole.

    Raises
    ------
    FileProblem
        If it cannot be read or has other columns.
    """
    text = read_text(path, "results", MAX_BYTES)
    lines = text.split("\n")
    if len(lines) == 1 and HEADER.startswith(text.encode()):
        return [], 0  # killed before the first row
    if lines[0].encode() + b"\n" != HEADER:
        raise FileProblem(f"results {str(path)!r} have other columns than this version writes; begin a new run")
    torn = lines.pop() != ""  # what follows the last newline is nothing, or half a row
    rows, dropped = [], int(torn)
    for line in filter(None, lines[1:]):
        try:
            (cells,) = csv.reader([line], strict=True)
            rows.append({name: _typed(COLUMNS[name], cell) for name, cell in zip(COLUMNS, cells, strict=True)})
        except (ValueError, csv.Error):
            dropped += 1
    return rows, dropped


@dataclass
class RunDirectory:
    """An open run directory; only one process may have it open for writing.

    Attributes
    ----------
    path : Path
    grids : tuple of Grid
    cells : list of Cell
        In the order of the grids.
    finished : dict of int to bytes
        Rows by cell.
    discarded : int
        Rows that were not whole, or not of this sweep, when it was opened.
    """

    path: Path
    grids: tuple[Grid, ...]
    cells: list[Cell]
    finished: dict[int, bytes] = field(default_factory=dict)
    discarded: int = 0
    _file: int = -1
    _lock: int = -1

    @classmethod
    def open(cls, path: str | Path, grids: Sequence[Grid], cells: list[Cell], *, resume: bool) -> RunDirectory:
        """Begin a run, or take one up again.

        Parameters
        ----------
        grids, cells
            The sweep; see :func:`read_design` for that of a run begun before.
        resume : bool
            Whether a run that has begun may be continued; one that has not is begun either way.

        Raises
        ------
        FileProblem
            If the directory cannot be made or read, or another process is writing to it.
        InvalidValue
            If it holds another sweep, or ``resume`` is missing.
        """
        if not str(path):
            raise InvalidValue("the run directory has no name; give one, e.g. runs/first")
        folder = Path(path)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            begun = (folder / DESIGN).exists()
            foreign = [child.name for child in folder.iterdir() if not _empty(child.name)]
        except (OSError, ValueError) as error:  # ValueError: a NUL byte in the path
            reason = getattr(error, "strerror", None) or error
            raise FileProblem(f"cannot make run directory {str(folder)!r}: {reason}") from error
        if foreign and not begun:
            raise InvalidValue(f"{str(folder)!r} is not empty and holds no sweep; name another directory")
        run = cls(folder, tuple(grids), cells)
        run._take_lock()
        try:
            run._begin(resume)
        except BaseException:
            run.close()
            raise
        return run

    def _begin(self, resume: bool) -> None:
        design, results = self.path / DESIGN, self.path / RESULTS
        if design.exists():
            if not resume:
                raise InvalidValue(
                    f"{str(self.path)!r} holds a sweep already; continue it with --resume, or name another directory"
                )
            same_sweep(self.path, self.grids)
        else:
            write_atomically(design, design_bytes(self.grids, len(self.cells)))
        for left in self.path.glob(TEMPORARY + "*"):
            if time.time() - left.stat().st_mtime > STALE:  # of a process that was killed while it wrote
                left.unlink()
        if results.exists():
            self._take_rows(results)
        write_atomically(results, HEADER + b"".join(self.finished.values()))
        self._file = os.open(results, os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0))

    def _take_rows(self, results: Path) -> None:
        """Keep what is whole and of this sweep; the rest will be run again."""
        rows, self.discarded = read_rows(results)
        torn = self.discarded
        wanted = list(SETTINGS)
        for row in rows:
            index = row["cell"]
            if isinstance(index, int) and 0 <= index < len(self.cells):
                settings = self.cells[index].settings()
                whole = any(row[name] is not None for name in ANSWERS.get(str(row["measure"]), ()))
                if whole and all(row[name] == settings[name] for name in wanted):
                    self.finished[index] = _line(list(row.values()))
                    continue
            self.discarded += 1
        if self.discarded > torn:  # whole rows, but not ours: somebody's all the same
            write_atomically(results.with_suffix(".csv.bak"), results.read_bytes())

    def _take_lock(self) -> None:
        """Held by the file system until this process ends, however it ends."""
        try:
            self._lock = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        except OSError as error:
            raise FileProblem(f"cannot write to {str(self.path)!r}: {error.strerror or error}") from error
        try:
            _lock(self._lock)
        except OSError as error:
            os.close(self._lock)
            self._lock = -1
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK):
                message = f"another process is writing to {str(self.path)!r}; wait for it or stop it"
            else:
                message = f"cannot lock {str(self.path)!r}: {error.strerror}; use a directory on a local disk"
            raise FileProblem(message) from error

    @property
    def open_cells(self) -> list[int]:
        """Indices of the cells that have no row yet."""
        return [index for index in range(len(self.cells)) if index not in self.finished]

    def append(self, index: int, found: Mapping[str, Value]) -> None:
        """Add the row of a finished cell, in one write.

        Raises
        ------
        FileProblem
            If the disk is full; no half row stays.
        """
        values: Record = {"cell": index, **self.cells[index].settings(), **found}
        line = _line([values.get(name) for name in COLUMNS])
        status = os.fstat(self._file)
        if status.st_nlink == 0:
            raise FileProblem(f"{str(self.path / RESULTS)!r} has been deleted while the sweep ran")
        before = status.st_size
        try:
            written = os.write(self._file, line)
            if written < len(line):
                raise OSError(28, "no space left on device")
        except OSError as error:
            os.ftruncate(self._file, before)
            raise FileProblem(f"cannot write results in {str(self.path)!r}: {error.strerror or error}") from error
        self.finished[index] = line

    def close(self) -> None:
        """Put the rows in the order of the cells and let the directory go."""
        try:
            if self._file >= 0:
                os.close(self._file)
                self._file = -1
                ordered = b"".join(self.finished[index] for index in sorted(self.finished))
                write_atomically(self.path / RESULTS, HEADER + ordered)
        finally:
            if self._lock >= 0:
                os.close(self._lock)
                self._lock = -1


def _lock(file: int) -> None:
    """Take an open file for this process alone, or OSError."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _empty(name: str) -> bool:
    """Whether a directory with such a file counts as empty: what a kill at the very start leaves."""
    return name == LOCK or name.startswith(TEMPORARY)


def design_bytes(grids: Sequence[Grid], cells: int) -> bytes:
    """The content of ``sweep.json``."""
    data = {
        "schema": SCHEMA,
        "rtsim": __version__,
        "cells": cells,
        "grids": [grid.to_json() for grid in grids],
        "files": _file_digests(grids),
    }
    return (json.dumps({**data, "digest": _digest(data)}, indent=1, ensure_ascii=False) + "\n").encode()


def _digest(data: Mapping[str, Any]) -> str:
    """Tells whether anybody has changed a design since the run began: rows would no longer belong to their cells."""
    rest = {key: value for key, value in data.items() if key != "digest"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _file_digests(grids: Sequence[Grid]) -> dict[str, str]:
    """SHA-256 of the profile and MDP files that are named: a sweep must not go on with others."""
    axes = [a for g in grids for a in (g.inference_time, g.learning_time, g.dispatch_time, g.step_time)]
    texts = [law for axis in axes for law in axis if law is not None]
    names = {name for text in texts for name in re.findall(r"profile:([^#]+)#", text)} - set(shipped())
    names |= {mdp.strip() for grid in grids for mdp in grid.mdp if mdp and mdps.is_file(mdp)}
    digests = {}
    for name in sorted(names):
        try:
            digests[name] = hashlib.sha256(Path(name).read_bytes()).hexdigest()
        except (OSError, ValueError) as error:
            raise FileProblem(f"cannot read {name!r}: {getattr(error, 'strerror', None) or error}") from error
    return digests


def read_design(path: str | Path) -> tuple[Grid, ...]:
    """The grids of a run directory.

    Raises
    ------
    FileProblem, InvalidValue
        If it holds no sweep, or one of another version, or one that has been changed.
    """
    data = _load(Path(path) / DESIGN)
    try:
        return tuple(Grid.from_json(grid) for grid in data["grids"])
    except (KeyError, TypeError, AttributeError) as error:
        raise FileProblem(f"{DESIGN} in {str(path)!r} is not a sweep's: {error!r}") from error


def _load(design: Path) -> dict[str, Any]:
    folder = str(design.parent)
    try:
        if not design.exists():
            raise FileProblem(f"{folder!r} holds no sweep ({DESIGN} is missing); begin one with rtsim sweep")
        data = json.loads(read_text(design, "sweep", 10**8))
    except FileProblem:
        raise
    except (ValueError, RecursionError, OSError) as error:
        raise FileProblem(f"cannot read {DESIGN} in {folder!r}: {error}") from error
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise FileProblem(f"{str(design)!r} is not of schema {SCHEMA}")
    if data.get("digest") != _digest(data):
        raise FileProblem(f"{str(design)!r} has been changed since the run began; restore it, or begin a new run")
    return data


def same_sweep(path: Path, grids: Sequence[Grid]) -> None:
    """Refuse to go on with other grids, other profiles or another version.

    Raises
    ------
    InvalidValue, FileProblem
    """
    data = _load(path / DESIGN)
    if data["rtsim"] != __version__:
        raise InvalidValue(
            f"{str(path)!r} was begun by rtsim {data['rtsim']}, this is {__version__}; finish it so, or begin anew"
        )
    if data["grids"] != [grid.to_json() for grid in grids]:
        raise InvalidValue(f"{str(path)!r} holds another sweep; give --resume alone, or name another directory")
    if data["files"] != _file_digests(grids):
        raise InvalidValue(f"a profile or MDP file has changed since the sweep in {str(path)!r} began; begin anew")
