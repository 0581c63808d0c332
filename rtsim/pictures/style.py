"""One look per algorithm, the same in every picture.

Colours are those of Okabe & Ito (2008), completed by four dark ones so that the ten built-in
rules stay apart under protanopia, deuteranopia and tritanopia. A rule keeps its colour
everywhere; variants of one rule (other options) share it and differ in marker and line, and every
second one is hollow and larger, so that both are seen where they coincide.
Theory is black and dashed, hardware a hollow square: neither belongs to any rule.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from rtsim.timing import units

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {
    "sequential": "#5430BF",
    "one_step_lag": "#882255",
    "unstaggered": "#56B4E9",
    "max_time": "#0072B2",
    "exp_time": "#E69F00",
    "phase_locked": "#009E73",
    "time_triggered": "#D55E00",
    "earliest_deadline": "#CC79A7",
    "chunking": "#134C13",
    "pipeline": "#39004C",
}
#: For rules that are not built in, by a hash of their name.
OTHER_COLOURS = ("#999933", "#AA4499", "#6699CC", "#8C564B", "#44AA99", "#4C4C13")
#: Filled, and no square: squares are hardware.
MARKERS = ("o", "^", "D", "v", "P", "<", "X", ">", "p", "*", "h", "8", "d")
_MARKER = {
    "sequential": "p",
    "one_step_lag": "h",
    "unstaggered": "v",
    "max_time": "o",
    "exp_time": "^",
    "phase_locked": "D",
    "time_triggered": "P",
    "earliest_deadline": "X",
    "chunking": "<",
    "pipeline": "*",
}
_Point = TypeVar("_Point")
Dash = str | tuple[int, tuple[float, ...]]
#: Lines of simulated results; none is the plain dashed line of theory.
LINES: tuple[Dash, ...] = ("-", ":", "-.", (0, (4, 1, 1, 1, 1, 1)))
#: Lines of theory, all black.
THEORY_DASHES: tuple[Dash, ...] = ((0, (5, 2)), (0, (2, 1.5)), (0, (8, 2, 2, 2)), (0, (1, 1.5)), (0, (12, 3)))
THEORY: dict[str, Any] = {"color": "black", "linestyle": THEORY_DASHES[0], "linewidth": 1.3}
HARDWARE: dict[str, Any] = {"marker": "s", "markerfacecolor": "none", "linestyle": "none", "markersize": 7}
DEFAULT_POLICY = "#9A9A9A"
LEARNER = "#6B6B6B"


@dataclass(frozen=True)
class Look:
    """How one algorithm is drawn."""

    colour: str
    marker: str
    line: Dash
    hollow: bool = False

    def marks(self, size: float) -> dict[str, Any]:
        """What matplotlib is told of markers of a size in points."""
        if self.hollow:
            return {"marker": self.marker, "markersize": 1.6 * size, "markerfacecolor": "none", "markeredgewidth": 1.2}
        return {"marker": self.marker, "markersize": size, "markeredgecolor": "white", "markeredgewidth": 0.5}


def colour(rule: str) -> str:
    """The colour of a rule, by its name without options.

    >>> colour("max_time"), colour("my_rule") == colour("my_rule")
    ('#0072B2', True)
    """
    return COLOURS.get(rule) or OTHER_COLOURS[zlib.crc32(rule.encode()) % len(OTHER_COLOURS)]


def look(rule: str, variant: int = 0) -> Look:
    """The look of the ``variant``-th set of options (from 0) of a rule.

    >>> look("max_time", 1)
    Look(colour='#0072B2', marker='v', line=':', hollow=True)
    """
    marker = _MARKER.get(rule) or MARKERS[zlib.crc32(rule.encode()) // len(OTHER_COLOURS) % len(MARKERS)]
    # 3 and 13 have no common factor, so that 13 variants have 13 markers.
    turned = MARKERS[(MARKERS.index(marker) + 3 * variant) % len(MARKERS)]
    return Look(colour(rule), turned, LINES[variant % len(LINES)], variant % 2 == 1)


def looks(keys: Iterable[tuple[str, str]]) -> dict[str, Look]:
    """A look for every key of a picture, from pairs (key, rule); variants count in the order given.

    >>> [found.line for found in looks([("max_time", "max_time"), ("max_time(printed=true)", "max_time")]).values()]
    ['-', ':']
    """
    seen: dict[str, int] = {}
    found: dict[str, Look] = {}
    for key, rule in keys:
        if key not in found:
            found[key] = look(rule, seen.get(rule, 0))
            seen[rule] = seen.get(rule, 0) + 1
    return found


def grouped(
    points: Iterable[_Point], series: Callable[[_Point], str], across: Callable[[_Point], float]
) -> dict[str, list[_Point]]:
    """The points of each series, series in the order given, the points of each along the axis.

    >>> grouped([("b", 2), ("a", 1), ("b", 1)], lambda point: point[0], lambda point: point[1])
    {'b': [('b', 1), ('b', 2)], 'a': [('a', 1)]}
    """
    found: dict[str, list[_Point]] = {}
    for point in points:
        found.setdefault(series(point), []).append(point)
    return {name: sorted(here, key=across) for name, here in found.items()}


def rule_name(text: str) -> str:
    """The name in a rule's text.

    >>> rule_name("time_triggered(deadline=p99.9)")
    'time_triggered'
    """
    return text.split("(", 1)[0].strip()


def time_unit(longest_s: float) -> tuple[float, str]:
    """(units per second, unit) for an axis that reaches to ``longest_s`` seconds.

    >>> time_unit(1.5), time_unit(200.0), time_unit(2e-4)
    ((1000.0, 'ms'), (1.0, 's'), (1000000.0, 'µs'))
    """
    for limit, scale, unit in ((1e-6, 1e9, "ns"), (1e-3, 1e6, "µs"), (10.0, 1e3, "ms")):
        if longest_s < limit:
            return scale, unit
    return 1.0, "s"


def conditions(scenario: dict[str, Any]) -> str:
    """What was simulated, in one line for small type."""
    parts = [f"inference time {scenario['inference_time']}"] if "inference_time" in scenario else []
    if scenario.get("dispatch_time"):
        parts.append(f"dispatch time {scenario['dispatch_time']}")
    if scenario.get("learning_time"):
        parts.append(f"learning time {scenario['learning_time']}")
    if "step_time" in scenario:
        parts.append(f"step time {_step_time(str(scenario['step_time']))}")
    if "mailbox" in scenario:
        parts.append(f"mailbox {scenario['mailbox']}")
    # A dollar sign would begin a formula, and file names may hold anything.
    text = "".join(c if c.isprintable() else "?" for c in ", ".join(parts))
    return text.replace("$", r"\$")


def _step_time(text: str) -> str:
    """A step time with its unit, also where it is spelt as a rate.

    >>> _step_time("50fps"), _step_time("10ms"), _step_time("gamma(mean=16ms, cv=0.1)")
    ('20 ms (50 fps)', '10ms', 'gamma(mean=16ms, cv=0.1)')
    """
    for rate in units.RATES:
        number = text.removesuffix(rate)
        if number != text and "(" not in text:
            return f"{units.show(1 / float(number))} ({number} {rate})"
    return text


def headline(scenario: dict[str, Any], workers: int, drawn: int | None = None) -> str:
    """Two lines of title: the rule and its workers, of which only ``drawn`` may be shown, and the conditions."""
    count = "1 worker" if workers == 1 else f"{workers} workers"
    if drawn is not None and drawn < workers:
        count = f"first {drawn} of {workers} workers"
    return f"{scenario['rule']}, {count}\n{conditions(scenario)}"


def new_axes(width: float, height: float) -> Axes:
    """Axes in a Figure of its own, size in inches, unknown to pyplot."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained").add_subplot()


def figure_of(axes: Axes) -> Figure:
    """The Figure that axes lie in, also if they lie in a subfigure of it."""
    from matplotlib.figure import Figure

    root = axes.get_figure(root=True)
    assert isinstance(root, Figure)
    return root


def plain(axes: Axes, legend: bool = True, grid: str = "y") -> None:
    """Quiet spines and grid, and the legend to the right of the axes, where no data is."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.grid(axis=grid, color="#DDDDDD", linewidth=0.6)  # type: ignore[arg-type]
    axes.set_axisbelow(True)
    if legend:
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, fontsize="small", borderaxespad=0.0)


def halo(width: float = 1.6) -> list[Any]:
    """A thin white outline, so that black lines can be seen on dark bars."""
    from matplotlib.patheffects import Normal, Stroke

    return [Stroke(linewidth=width, foreground="white"), Normal()]


def digits(value: float) -> str:
    """A number for a label: four digits, no exponent where it can be helped."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    return f"{value:.4g}"
