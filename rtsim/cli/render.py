"""Tables on stdout, progress on stderr."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from rtsim.timing import Profile, Samples

#: Width when stdout is not a terminal: nothing is wrapped, and the same run prints the same bytes everywhere.
PIPE_WIDTH = 1000
#: Seconds between lines of progress where there is no terminal.
QUIET = 60.0
#: Share of a mean below which a difference is rounding: an ns of 10 ms.
ROUNDING = 1e-7
#: Of names in columns, everywhere.
LISTING_WIDTH = 98


def console() -> Console:
    """Where results go: stdout, plain text unless it is a terminal."""
    from rich.console import Console

    class Printer(Console):
        def on_broken_pipe(self) -> None:
            """Rich would end the process: see :func:`printing`."""
            raise BrokenPipeError

    if sys.stdout.isatty():
        return Printer(highlight=False, emoji=False)
    return Printer(width=PIPE_WIDTH, highlight=False, emoji=False, color_system=None, force_terminal=False)


def table(title: str, columns: list[str], rows: list[list[str]], *, left: int = 1) -> None:
    """Print a table; the first ``left`` columns are text, the others numbers."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    grid = Table(title=escape(title), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for index, name in enumerate(columns):
        grid.add_column(escape(name), justify="left" if index < left else "right", overflow="fold")
    for row in rows:
        grid.add_row(*(escape(_printable(cell)) for cell in row))
    console().print(grid)


def listing(title: str, names: Iterable[str]) -> None:
    """Print many short names in columns, in reading order."""
    found = [_printable(name) for name in names]
    width = max(map(len, found), default=0) + 2
    across = max(LISTING_WIDTH // width, 1)
    line(f"{title}:" if found else f"{title}: none here")
    for begin in range(0, len(found), across):
        line(("  " + "".join(name.ljust(width) for name in found[begin : begin + across])).rstrip())


def line(text: str) -> None:
    """Print one line of result as it is."""
    print(_printable(text))


def _printable(text: str) -> str:
    """Text from a file may hold what steers a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)


@contextmanager
def printing() -> Iterator[None]:
    """While results are printed: a reader that has gone (head, less) must not keep files from being written."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        silence()


def silence() -> None:
    """Let stdout lead nowhere, so that Python does not complain at exit either."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def dump(data: dict[str, Any]) -> None:
    """Print JSON on stdout."""
    print(json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False))


def note(text: str) -> None:
    """Something the user should know that is not the result, on stderr."""
    print(text, file=sys.stderr)


def learns_at_once(agent: str) -> None:
    """A learner has been given no learning time."""
    note(f"rtsim: {agent} learns at every step (no --learning-time)")


def wrote(path: object) -> None:
    """Say on stderr which file was written."""
    note(f"wrote {path}")


def percent(value: float | None, digits: int = 2) -> str:
    """A fraction as per cent.

    >>> percent(0.0123), percent(None)
    ('1.23 %', '-')
    """
    return "-" if value is None else f"{100 * value:.{digits}f} %"


def number(value: float | None, digits: int = 2) -> str:
    """A number, or - for None.

    >>> number(3.14159), number(None)
    ('3.14', '-')
    """
    return "-" if value is None else f"{round(value, digits) + 0.0:.{digits}f}"  # + 0.0: never -0.00


def is_rounding(value: float, of: float) -> bool:
    """Whether a difference is nothing but rounding: of floating point, or of times kept in whole ns.

    >>> is_rounding(3.2e-7, 33.33), is_rounding(3.2e-5, 33.33)
    (True, False)
    """
    return abs(value) <= max(ROUNDING * abs(of), 1e-12)


def half_width(half: float | None, mean: float | None, digits: int | None = None) -> str:
    """Half the width of an interval around a mean: to two digits, or to so many places; rounding is 0, and None -.

    >>> half_width(0.254, 13.76), half_width(1.8e-15, 13.76), half_width(0.254, 13.76, 1)
    ('0.25', '0', '0.3')
    """
    if half is None:
        return "-"
    if is_rounding(half, mean or 0.0):
        return "0"
    return f"{half:.2g}" if digits is None else f"{half:.{digits}f}"


def plus_minus(half: float | None, mean: float | None, digits: int | None = None) -> str:
    """:func:`half_width` as it stands behind the mean, or nothing for None.

    >>> plus_minus(0.254, 13.76), plus_minus(None, 13.76)
    (' ± 0.25', '')
    """
    return "" if half is None else f" ± {half_width(half, mean, digits)}"


@contextmanager
def progress(enabled: bool = True, counted: bool = True) -> Iterator[Callable[[str, float, float], None]]:
    """A progress bar on stderr, if that is a terminal; yields update(what, done, total); ``counted`` shows these."""
    if not enabled or not sys.stderr.isatty():
        yield lambda what, done, total: None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}" if counted else "{task.percentage:.0f} %"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=1)
        yield lambda what, done, total: bar.update(task, description=escape(what), completed=done, total=total)


class Told:
    """How far long work has come: a bar with the time left on a terminal, a line a minute elsewhere.

    Parameters
    ----------
    update : callable
        Of :func:`progress`.
    """

    def __init__(self, update: Callable[[str, float, float], None]) -> None:
        self.update = update
        self.begun = self.told = time.monotonic()

    def __call__(self, what: str, share: float) -> None:
        """``what`` is being done; ``share`` of the whole is done."""
        self.update(what, share, 1.0)
        now = time.monotonic()
        if now - self.told >= QUIET:
            self.told = now
            left = (now - self.begun) * (1 - share) / share if share else 0.0
            note(f"rtsim: {what}, about {_left(left)} left")


def _left(seconds: float) -> str:
    """Minutes, or seconds where there are none.

    >>> _left(29.6), _left(90.0)
    ('30 s', '2 min')
    """
    return f"{seconds:.0f} s" if seconds < 60 else f"{seconds / 60:.0f} min"


def samples_cells(samples: Samples | None) -> list[str]:
    """Median, mean ± standard deviation, longest and number of measured samples."""
    from rtsim.timing import units

    if samples is None:
        return ["-"] * 4
    found = samples.to_json()["summary"]
    spread = "-" if found["std_ns"] is None else units.show(found["std_ns"] / 1e9)
    return [
        units.show(found["quantiles_ns"]["p50"] / 1e9),
        f"{units.show(found['mean_ns'] / 1e9)} ± {spread}",
        units.show(found["max_ns"] / 1e9),
        str(found["n"]),
    ]


SAMPLES_COLUMNS = ["median", "mean ± sd", "longest", "samples"]


#: What the times of the live loop are; ``emulator.GAME`` is the rest.
LIVE_TIMES = {
    "dispatch": "an inference's start until it is taken up",
    "dispatch.step": "... woken by the environment",
    "dispatch.timer": "... woken by its own timer",
    "dispatch.continued": "... going on at once",
    "copy": "copy of an observation",
    "hand_over": "an inference's end until its action lies ready",
    "overshoot": "timed inference, beyond its drawn time",
    "runtime": "runtime per step, environment process",
}


def live_rows(profile: Profile) -> list[list[str]]:
    """A row per time of the live loop: its name as in a law, what it is, and the cells of its samples."""
    times = {} if profile.live is None else profile.live.times
    return [
        [
            f"live.{name}",
            LIVE_TIMES.get(name, f"emulator per step, {name.removeprefix('emulator.')}"),
            *samples_cells(entry),
        ]
        for name, entry in times.items()
    ]


def without_samples(profile: Profile) -> dict[str, Any]:
    """A profile as JSON values with summaries only."""
    data = profile.to_json()
    for model in data["models"].values():
        for entry in [model["inference"], *model["learning"].values()]:
            if entry:
                del entry["samples_ns"], entry["warmup_ns"]
    for entry in data.get("live", {}).get("times", {}).values():
        del entry["samples_ns"], entry["warmup_ns"]
    return data
