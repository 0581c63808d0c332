"""The Schedule: who acted at every environment step, from which observation, and what was learned.

A Schedule is data. It does not know which clock made it, and everything downstream (regret,
environments, plots) reads it alone.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsim.errors import FileProblem, write_atomically
from rtsim.statistics import Statistics, Tally, sum_of_squares
from rtsim.timing.units import whole

SCHEMA = "rtsim.schedule/1"
#: What to do about a file that is none.
HINT = "give a file of rtsim simulate --out or rtsim play --record"
MAX_BYTES = 64 * 10**9

#: Columns with one row per environment step, shape (T,). -1 where the default policy acted.
STEP_COLUMNS = {
    "time_ns": np.int64,  # start of the step
    "observation": np.int64,  # index of the step whose observation the action was computed from
    "worker": np.int32,
    "inference": np.int64,  # index among that worker's inferences, from 0
    "chunk_index": np.int32,  # position in its chunk, 0 unless chunking
    "component": np.int8,  # drawn component of a mixture law
    "start_ns": np.int64,  # the inference's start, end, and the action's release
    "end_ns": np.int64,
    "release_ns": np.int64,
    "version": np.int64,  # updates landed when the inference started: the parameters it used
    "released": np.int32,  # actions released since the step before read the mailbox
    "overwritten": np.int32,  # of those waiting, replaced before any step used them
    "dropped": np.int32,  # thrown away: late, or the queue was full
}
#: Columns with one row per landed update, shape (U,), in order of landing.
UPDATE_COLUMNS = {
    "learner": np.int32,
    "start_ns": np.int64,
    "end_ns": np.int64,  # gradient computed
    "land_ns": np.int64,  # gradient applied
    "data_step": np.int64,  # newest step that had begun at the start
    "read_version": np.int64,  # parameters the gradient was computed on
    "version": np.int64,  # parameters after landing
    "batch": np.int64,  # transitions
}
#: A further column of the updates of live runs that really learn.
LIVE_UPDATE_COLUMNS = {"loss": np.float64}
#: Optional: one row per finished inference, shape (I,), in order of ending.
SPAN_COLUMNS = {
    "worker": np.int32,
    "inference": np.int64,
    "observation": np.int64,
    "start_ns": np.int64,
    "end_ns": np.int64,
    "release_ns": np.int64,  # -1: dropped by the rule, or still held at the end
    "used_step": np.int64,  # step that used its (first) action, -1: none
}
#: Further columns of the spans of live runs.
LIVE_SPAN_COLUMNS = {
    "began_ns": np.int64,  # when the process really took the inference up; its start is the rule's
    "posted_ns": np.int64,  # when its action lay ready for the environment
}
#: Live runs only: one row per environment step, shape (T,).
LIVE_COLUMNS = {
    "action": np.int32,  # what the emulator was given
    "reward": np.float64,
    "observation_hash": np.int64,  # of the observation published at this step
    "ended": np.int8,  # CONTINUES, TERMINATED or TRUNCATED: what this step did to the episode
    "stale": np.int8,  # 1: the action came from a former episode, and the default policy acted instead
    "late_ns": np.int64,  # from the step's deadline to the environment's waking up for it
    "runtime_ns": np.int64,  # what the runtime took between deadline and emulator, and after the last step
    "waking_ns": np.int64,  # of that, what the kernel took to wake workers and learners that begin with the step
    "emulator_ns": np.int64,  # what the emulator took
}


#: What a step did to its episode: nothing, or ended it, by itself or by a limit on its length.
CONTINUES, TERMINATED, TRUNCATED = range(3)


def ending(terminated: bool, truncated: bool) -> int:
    """What Gymnasium's two answers say of an episode, as one number.

    >>> ending(terminated=True, truncated=True) == TERMINATED
    True
    """
    return TERMINATED if terminated else TRUNCATED if truncated else CONTINUES


@dataclass(frozen=True, eq=False)
class Schedule:
    """One run of one rule, as columns.

    Attributes
    ----------
    header : dict
        Schema, clock, and the scenario's settings: JSON values.
    steps : dict of str to array, each shape (T,)
        See :data:`STEP_COLUMNS`.
    updates : dict of str to array, each shape (U,)
        See :data:`UPDATE_COLUMNS`, and for live runs that learn :data:`LIVE_UPDATE_COLUMNS`.
    busy_ns, learner_busy_ns : int64 arrays, shape (workers,), (learners,)
        Time spent inferring or learning, up to the last step.
    totals : dict of str to int
        ``stale_episode`` (live runs only), ``pending``: actions still waiting after the last
        step, ``longest_inference_ns``: the longest inference that ended, used or not.
    spans : dict of str to array, or None
        See :data:`SPAN_COLUMNS`, and for live runs :data:`LIVE_SPAN_COLUMNS`.
    live : dict of str to array, or None
        What happened in a live run beside its timing; see :data:`LIVE_COLUMNS`.
    """

    header: dict[str, Any]
    steps: dict[str, NDArray[Any]]
    updates: dict[str, NDArray[Any]]
    busy_ns: NDArray[np.int64]
    learner_busy_ns: NDArray[np.int64]
    totals: dict[str, int] = field(default_factory=dict)
    spans: dict[str, NDArray[Any]] | None = None
    live: dict[str, NDArray[Any]] | None = None

    def __len__(self) -> int:
        return len(self.steps["time_ns"])

    @property
    def acted(self) -> NDArray[np.bool_]:
        """Where the agent acted, bool, shape (T,); elsewhere the default policy did."""
        return np.asarray(self.steps["worker"] >= 0)

    @property
    def delay_steps(self) -> NDArray[np.int64]:
        """Step minus step of the observation, for agent steps only, int64, shape (agent steps,)."""
        where = np.flatnonzero(self.acted)
        return np.asarray(where - self.steps["observation"][where], dtype=np.int64)

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that made it, JSON values; ``Scenario.from_json`` takes those of a simulation."""
        return dict(self.header["scenario"])

    def statistics(self, warmup_steps: int = 0) -> Statistics:
        """Statistics of all steps from ``warmup_steps`` on; see :class:`~rtsim.statistics.Statistics`."""
        return self.tally(warmup_steps).statistics()

    def tally(self, warmup_steps: int = 0) -> Tally:
        """Counts of all steps from ``warmup_steps`` on.

        Raises
        ------
        InvalidValue
            If the warm-up leaves no step.
        """
        count = len(self)
        warmup_steps = whole(warmup_steps, "warmup_steps", 0, count - 1)
        steps = {name: column[warmup_steps:] for name, column in self.steps.items()}
        acted = np.flatnonzero(steps["worker"] >= 0)
        gap_ns, gaps = np.diff(steps["time_ns"][acted]), np.diff(acted)
        updates = self.updates
        landed = updates["land_ns"] >= self.steps["time_ns"][warmup_steps]
        newest = np.searchsorted(updates["land_ns"], steps["time_ns"][acted], side="right")
        current = np.concatenate([np.zeros(1, np.int64), updates["version"]])[newest]
        return Tally(
            steps=count - warmup_steps,
            used=len(acted),
            released=int(steps["released"].sum()),
            overwritten=int(steps["overwritten"].sum()),
            dropped=int(steps["dropped"].sum()),
            gaps=len(gaps),
            gap_ns=int(gap_ns.sum()),
            gap_ns_squared=sum_of_squares(gap_ns),
            gap_steps=int(gaps.sum()),
            gap_steps_squared=sum_of_squares(gaps),
            transitions=int(updates["batch"][landed].sum()),
            updates=int(landed.sum()),
            staleness=int((updates["version"] - 1 - updates["read_version"])[landed].sum()),
            age=int((current - steps["version"][acted]).sum()),
            learned=len(updates["version"]) > 0,
            horizon_ns=int(self.steps["time_ns"][-1]),
            busy_ns=tuple(self.busy_ns.tolist()),
            learner_busy_ns=tuple(self.learner_busy_ns.tolist()),
            longest_inference_ns=self.totals["longest_inference_ns"],
            pending=self.totals["pending"],
            delay_counts=np.bincount(acted + warmup_steps - steps["observation"][acted]).astype(np.int64),
        )

    def arrays(self) -> Iterator[tuple[str, NDArray[Any]]]:
        """All arrays by the name they have in the file."""
        for name, column in self.steps.items():
            yield f"steps/{name}", column
        for name, column in self.updates.items():
            yield f"updates/{name}", column
        for name, column in (self.spans or {}).items():
            yield f"spans/{name}", column
        for name, column in (self.live or {}).items():
            yield f"live/{name}", column
        yield "busy_ns", self.busy_ns
        yield "learner_busy_ns", self.learner_busy_ns

    def to_bytes(self) -> bytes:
        """The content of its ``.npz`` file: a compressed archive of arrays and a JSON header."""
        header = json.dumps({**self.header, "totals": self.totals}, sort_keys=True, ensure_ascii=True)
        stream = io.BytesIO()
        columns: dict[str, Any] = dict(self.arrays())
        np.savez_compressed(stream, header=np.frombuffer(header.encode(), dtype=np.uint8), **columns)
        return stream.getvalue()

    def save(self, path: str | Path) -> Path:
        """Write the ``.npz`` file; it appears whole or not at all."""
        return write_atomically(path, self.to_bytes())

    @classmethod
    def load(cls, path: str | Path) -> Schedule:
        """Read a file written by :meth:`save`.

        Raises
        ------
        FileProblem
            If it is missing, truncated, or not a Schedule of a known schema.
        """
        name = str(path)
        try:
            if Path(path).exists() and not Path(path).is_file():
                kind = "a directory" if Path(path).is_dir() else "no regular file"
                raise FileProblem(f"cannot read Schedule {name!r}: it is {kind}; {HINT}")
            _check_archive(path, name)
            with np.load(path, allow_pickle=False) as archive:
                if not hasattr(archive, "files"):
                    raise FileProblem(f"{name!r} is a bare array, not a Schedule; {HINT}")
                arrays = {key: archive[key] for key in archive.files}
        except FileProblem:
            raise
        except FileNotFoundError as error:
            raise FileProblem(f"cannot read Schedule {name!r}: no such file") from error
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, NotImplementedError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else "truncated or of another kind"
            raise FileProblem(f"cannot read Schedule {name!r}: {reason}; {HINT}") from error
        except Exception as error:  # zlib.error and the like share no base with the above
            raise FileProblem(f"cannot read Schedule {name!r}: {error}") from error
        return _from_arrays(arrays, name)

    def diff(self, other: Schedule) -> str | None:
        """The first difference between two Schedules in words, or None if every column is equal.

        Steps are compared first, then updates, then spans where both have them, then totals.
        Headers are not compared: two clocks may make the same Schedule.
        """
        for table, mine, theirs in (
            ("step", self.steps, other.steps),
            ("update", self.updates, other.updates),
            ("span", self.spans or {}, other.spans or {}),
        ):
            if table == "span" and (self.spans is None or other.spans is None):
                continue
            found = _first_difference(table, mine, theirs)
            if found:
                return found
        for name, a, b in (
            ("busy_ns", self.busy_ns, other.busy_ns),
            ("learner_busy_ns", self.learner_busy_ns, other.learner_busy_ns),
        ):
            if not np.array_equal(a, b):
                return f"{name} differs: {a.tolist()} against {b.tolist()}"
        if self.totals != other.totals:
            return f"totals differ: {self.totals} against {other.totals}"
        return None


def _check_archive(path: str | Path, name: str) -> None:
    """Refuse what is no Schedule before anything is unpacked: a small archive can hold a huge array."""
    known = {"header.npy", "busy_ns.npy", "learner_busy_ns.npy"}
    for prefix, columns in (
        ("steps", STEP_COLUMNS),
        ("updates", UPDATE_COLUMNS | LIVE_UPDATE_COLUMNS),
        ("spans", SPAN_COLUMNS | LIVE_SPAN_COLUMNS),
        ("live", LIVE_COLUMNS),
    ):
        known |= {f"{prefix}/{column}.npy" for column in columns}
    with zipfile.ZipFile(path) as archive:
        foreign = sorted(set(archive.namelist()) - known)
        size = sum(entry.file_size for entry in archive.infolist())
    if foreign:
        raise FileProblem(f"{name!r} is not a Schedule: it holds {foreign[0][:60]!r}; {HINT}")
    if size > MAX_BYTES:
        raise FileProblem(f"{name!r} would unpack to {size / 1e9:.3g} GB, more than the {MAX_BYTES / 1e9:g} GB allowed")


def _first_difference(table: str, mine: dict[str, NDArray[Any]], theirs: dict[str, NDArray[Any]]) -> str | None:
    lengths = [len(next(iter(columns.values()))) if columns else 0 for columns in (mine, theirs)]
    shared = min(lengths)
    # A live run's spans have columns that a simulation cannot have.
    rows = {name: np.flatnonzero(mine[name][:shared] != theirs[name][:shared]) for name in mine if name in theirs}
    first = min((int(where[0]) for where in rows.values() if len(where)), default=None)
    if first is None:
        return None if lengths[0] == lengths[1] else f"{lengths[0]} {table}s against {lengths[1]}"
    words = [
        f"{name} {mine[name][first]} against {theirs[name][first]}"
        for name, where in rows.items()
        if len(where) and where[0] == first
    ]
    if table == "step":
        agents = [bool(columns["worker"][first] >= 0) for columns in (mine, theirs)]
        if agents[0] != agents[1]:
            actors = ["the agent" if a else "the default policy" for a in agents]
            words.insert(0, f"{actors[0]} acted, against {actors[1]}")
    return f"first differing {table} is {first}: " + "; ".join(words)


def _from_arrays(arrays: dict[str, NDArray[Any]], name: str) -> Schedule:
    def fail(why: str) -> FileProblem:
        return FileProblem(f"{name!r} is not a Schedule: {why}; {HINT}")

    try:
        header = json.loads(bytes(arrays["header"].astype(np.uint8)).decode())
        totals = header.pop("totals")
        schema = header["schema"]
        if not isinstance(totals, dict) or not all(isinstance(v, int) for v in totals.values()):
            raise TypeError
        if not {"pending", "longest_inference_ns"} <= set(totals) or not isinstance(header["scenario"], dict):
            raise TypeError
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise fail("it has no readable header") from error
    if schema != SCHEMA:
        raise fail(f"its schema is {schema!r}, this version reads {SCHEMA!r}")

    def table(
        prefix: str, kinds: dict[str, Any], needed: bool = True, more: dict[str, Any] | None = None
    ) -> dict[str, NDArray[Any]] | None:
        found = {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
        if not found and not needed:
            return None
        if more and set(more) & set(found):
            kinds = kinds | more
        if set(found) != set(kinds):
            raise fail(f"columns {sorted(set(found) ^ set(kinds))} of {prefix[:-1]} are missing or unknown")
        for column, kind in kinds.items():
            if found[column].dtype != kind or found[column].ndim != 1:
                raise fail(f"column {prefix}{column} is {found[column].dtype}, not {np.dtype(kind)}")
        if len({len(v) for v in found.values()}) != 1:
            raise fail(f"columns of {prefix[:-1]} differ in length")
        return {column: found[column] for column in kinds}

    steps, updates = table("steps/", STEP_COLUMNS), table("updates/", UPDATE_COLUMNS, True, LIVE_UPDATE_COLUMNS)
    assert steps is not None
    assert updates is not None
    for column in ("busy_ns", "learner_busy_ns"):
        if column not in arrays or arrays[column].dtype != np.int64 or arrays[column].ndim != 1:
            raise fail(f"{column} is missing")
    if len(steps["time_ns"]) == 0:
        raise fail("it has no steps")
    acted = np.flatnonzero(steps["worker"] >= 0)
    seen = steps["observation"][acted]
    live = table("live/", LIVE_COLUMNS, False)
    if live is not None and len(live["action"]) != len(steps["time_ns"]):
        raise fail("its live columns are of another length")
    if (np.diff(steps["time_ns"]) < 0).any() or (seen < 0).any() or (seen > acted).any():
        raise fail("its steps go back in time or use observations of the future")
    return Schedule(
        header,
        steps,
        updates,
        arrays["busy_ns"],
        arrays["learner_busy_ns"],
        totals,
        table("spans/", SPAN_COLUMNS, False, LIVE_SPAN_COLUMNS),
        live,
    )
