"""Results as tables: read, written, and summed up over seeds."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from importlib import resources
from pathlib import Path

from rtsim.errors import FileProblem, read_text, write_atomically
from rtsim.intervals import Interval, mean_ci95
from rtsim.studies.design import METHODS, REFERENCES, Cell, find

#: Largest table that is read, bytes.
MAX_TABLE = 10**8
#: No number in a table is as large, either way.
MAX_VALUE = 1e100


@dataclass(frozen=True)
class Row(Cell):
    """A cell, how far it had come, and what it had found until then.

    Attributes
    ----------
    figure, panel, method, depth, parameters, delay_steps, seed, budget_steps :
        The :class:`Cell`.
    step : int
        Environment steps.
    seconds : float
        Environment time.
    actions : int
        Environment steps on which the agent acted and did something else than noop.
    default_steps : int
        Environment steps on which the default policy acted.
    updates : int
    reward : float
        Sum of the rewards.
    episodes : int
        Ended until then.
    score : float or None
        Mean reward of those episodes; where there are none by nature, reward per step.
    late_score : float or None
        The same of the last fifth of the training.
    staleness : float or None
        Mean number of updates between the parameters that an update was computed on and its own landing.
    rtsim, machine : str
        What made it.
    """

    step: int
    seconds: float
    actions: int
    default_steps: int
    updates: int
    reward: float
    episodes: int
    score: float | None
    late_score: float | None
    staleness: float | None
    rtsim: str = ""
    machine: str = ""

    @property
    def cell(self) -> Cell:
        """What it is a result of."""
        return Cell(*(getattr(self, field.name) for field in fields(Cell)))


_KINDS = {field.name: str(field.type) for field in fields(Row)}


def write(path: str | Path, rows: Sequence[Row]) -> Path:
    """Write a table, whole or not at all.

    Raises
    ------
    FileProblem
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(_KINDS)
    for row in rows:
        writer.writerow(_shown(value) for value in asdict(row).values())
    return write_atomically(path, stream.getvalue().encode())


def _shown(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.8g}" if isinstance(value, float) else str(value)


def read(path: str | Path) -> list[Row]:
    """The rows of a table; none if there is no such file.

    Raises
    ------
    FileProblem
        If it is something else, naming the line.
    """
    if not Path(path).exists():
        return []
    return list(_rows(read_text(path, "table", MAX_TABLE), str(path)))


def _rows(text: str, name: str) -> Iterator[Row]:
    lines = csv.reader(io.StringIO(text))
    if next(lines, None) != list(_KINDS):
        raise FileProblem(f"{name!r} is no table of a figure: its first line must name the columns {', '.join(_KINDS)}")
    for number, line in enumerate(lines, 2):
        try:
            row = Row(*(_value(kind, text) for kind, text in zip(_KINDS.values(), line, strict=True)))  # type: ignore[arg-type]
            if row.method not in (*METHODS, *REFERENCES):
                raise ValueError(f"there is no method {row.method[:40]!r}")
            yield row
        except ValueError as error:
            raise FileProblem(f"line {number} of {name!r} is no result: {error}") from error


def _value(kind: str, text: str) -> int | float | str | None:
    if kind == "str":
        return text
    if not text and "None" in kind:
        return None
    value = int(text) if kind == "int" else float(text)
    if not abs(value) < MAX_VALUE:
        raise ValueError(f"{text[:40]} is too large, or no number")
    return value


def shipped(number: int) -> list[Row]:
    """The table that comes with rtsim for a figure; empty if none does.

    Raises
    ------
    InvalidValue
        If there is no such figure.
    """
    file = resources.files("rtsim.studies") / "results" / f"cells_{find(number).table}.csv"
    return list(_rows(file.read_text(encoding="utf-8"), file.name)) if file.is_file() else []


@dataclass(frozen=True)
class Point:
    """A place of a curve: means over seeds.

    Attributes
    ----------
    panel, method, depth, parameters, delay_steps, budget_steps, step :
        As in :class:`Row`.
    seeds : int
    seconds, actions, reward : float
        Means.
    reward_ci95 : (float, float) or None
        Student t interval.
    score, late_score : float or None
        Means over the seeds that have one.
    score_ci95 : (float, float) or None
    """

    panel: str
    method: str
    depth: int
    parameters: int
    delay_steps: int
    budget_steps: int
    step: int
    seeds: int
    seconds: float
    actions: float
    reward: float
    reward_ci95: Interval | None
    score: float | None
    score_ci95: Interval | None
    late_score: float | None


def points(rows: Iterable[Row]) -> list[Point]:
    """Means over seeds, of cells of the largest budget that each panel has, in the order of the rows."""
    rows = list(rows)
    largest: dict[str, int] = {}
    for row in rows:
        largest[row.panel] = max(largest.get(row.panel, 0), row.budget_steps)
    groups: dict[tuple[str, str, int, int, int, int, int], list[Row]] = {}
    for row in rows:
        if row.budget_steps == largest[row.panel]:
            key = (row.panel, row.method, row.depth, row.parameters, row.delay_steps, row.budget_steps, row.step)
            groups.setdefault(key, []).append(row)
    found = []
    for key, group in groups.items():
        reward, interval = mean_ci95([row.reward for row in group])
        score, score_interval = _mean([row.score for row in group])
        late, _ = _mean([row.late_score for row in group])
        seconds, actions = (
            sum(values) / len(group) for values in zip(*((r.seconds, r.actions) for r in group), strict=True)
        )
        found.append(
            Point(*key, len(group), seconds, actions, reward, interval, score, score_interval, late)
        )  # fmt: skip
    return found


def _mean(values: Sequence[float | None]) -> tuple[float | None, Interval | None]:
    known = [value for value in values if value is not None]
    return mean_ci95(known) if known else (None, None)
