"""Regret against time, with its three parts and the growth that the bounds speak of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rtsim.errors import InvalidValue
from rtsim.pictures import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

#: How the parts are drawn: Tol's high-contrast colours and grey, and a line each. No rule has one of them.
PART_LOOKS: dict[str, tuple[str, style.Dash, float]] = {
    "total": ("#A0A0A0", "-", 3.2),
    "inaction": ("#BB5566", "-.", 1.6),
    "delay": ("#DDAA33", ":", 2.2),
    "learn": ("#004488", "-", 1.6),
}
_WORDS = {
    "total": r"total $τ\,g^*\!/τ_M - \sum r$",
    "inaction": r"inaction $Δ_\mathrm{inaction}$",
    "delay": r"delay $Δ_\mathrm{delay}$",
    "learn": r"learning $Δ_\mathrm{learn}$",
}
#: What stands in the rows beside the parts drawn.
BESIDE = ("boundary", "noise")
#: The reference lines lie this much above the ends of the curves whose slope they show.
ABOVE = 2.0
#: Share of the total from which on a part has a reference line of its own.
NEGLIGIBLE = 1e-3
#: Of the largest value; what is smaller is a zero, computed.
ROUNDING = 1e-12


class Curve(Protocol):
    """Where one run's regret was read off."""

    @property
    def steps(self) -> NDArray[np.int64]: ...
    @property
    def seconds(self) -> Floats: ...


class Regrets(Protocol):
    """Regret over seeds; see :class:`rtsim.regret.RegretOverSeeds`."""

    @property
    def seeds(self) -> tuple[int, ...]: ...
    @property
    def curves(self) -> Sequence[Curve]: ...
    def curve(self, part: str) -> tuple[Floats, Floats]: ...


class Bound(Protocol):
    """The three terms of a bound; see :class:`rtsim.theory.RealtimeRegret`."""

    @property
    def learn(self) -> float: ...
    @property
    def inaction(self) -> float: ...
    @property
    def delay(self) -> float: ...


def regret_rows(regret: Regrets, *, bound: Callable[[float], Bound] | None = None) -> list[dict[str, Any]]:
    """The numbers of :func:`plot_regret`, one row per time: means and 95 % intervals of all parts, and the bound's."""
    seconds = _seconds(regret)
    parts = {part: regret.curve(part) for part in (*PART_LOOKS, *BESIDE)}
    found = []
    for at, time in enumerate(seconds.tolist()):
        row: dict[str, Any] = {"seconds": time, "steps": int(regret.curves[0].steps[at]), "seeds": len(regret.seeds)}
        for part, (mean, band) in parts.items():
            low, high = band[at].tolist()
            row[part] = float(mean[at])
            row[f"{part}_ci95_low"], row[f"{part}_ci95_high"] = (None, None) if np.isnan(low) else (low, high)
        if bound is not None:
            terms = bound(time)
            row |= {"bound_learn": terms.learn, "bound_inaction": terms.inaction, "bound_delay": terms.delay}
        found.append(row)
    return found


def plot_regret(
    regret: Regrets, *, bound: Callable[[float], Bound] | None = None, title: str = "", ax: Axes | None = None
) -> Axes:
    """Regret against time on logarithmic axes: total, inaction, delay and learning, means over seeds with 95 % bands.

    The parts add up to the total and to what the last state is worth less than the first, and luck
    (:mod:`rtsim.regret`), so that they can lie above the total in the beginning. What is not positive has no place on
    such an axis: the line is interrupted there, as the legend says, and a part that never is positive stands in the
    legend only.

    Black dashed lines have the slopes of the bounds of Riemer et al. 2025: 1/2 (Equation 2, learning) and 1
    (Equations 3 and 4, inaction and delay). With ``bound`` they are the bound, with all constants 1, where it is
    positive, that of Equation 2 only if there is learning regret; otherwise they are
    slopes without a height of their own, at twice the last value of the part they are about, or of the total.

    Parameters
    ----------
    regret : RegretOverSeeds
        With curves, e.g. of ``regret_over_seeds(..., points=64)``.
    bound : callable, optional
        Seconds to the three terms, e.g. ``partial(rtsim.theory.realtime_regret, interaction_time=…, …)``.
    title : str
        What was simulated.
    ax : Axes, optional
        Drawn into; else into a Figure of its own.

    Returns
    -------
    Axes

    Raises
    ------
    InvalidValue
        If there are fewer than two times, or nothing positive to draw.
    """
    seconds = _seconds(regret)
    if len(seconds) < 2:
        raise InvalidValue("the regret has one point in time; ask for more, e.g. regret_over_seeds(..., points=64)")
    parts = {part: regret.curve(part) for part in PART_LOOKS}
    means = np.array([mean for mean, _ in parts.values()])
    means[np.abs(means) < ROUNDING * np.abs(means).max()] = 0.0
    if not (means > 0).any():
        raise InvalidValue("no part of the regret is ever positive: there is nothing to draw on a logarithmic axis")
    ax = ax if ax is not None else style.new_axes(8.0, 4.6)
    ax.set_xscale("log")
    ax.set_yscale("log")
    lowest = means[means > 0].min()
    for mean, (part, (_, band)) in zip(means, parts.items(), strict=True):
        colour, line, width = PART_LOOKS[part]
        shown = np.where(mean > 0, mean, np.nan)
        label = _WORDS[part] + ("" if (mean > 0).any() else ": none")
        if (mean > 0).any() and (mean[np.argmax(mean > 0) :] <= 0).any():
            label += "\n(not drawn where ≤ 0)"
        ax.plot(seconds, shown, color=colour, linestyle=line, linewidth=width, label=label, gid=part)
        if not np.isnan(band).any():
            low, high = np.maximum(band, lowest / 10).T
            ax.fill_between(
                seconds, low, high, where=mean > 0, color=colour, alpha=0.22, linewidth=0, gid=f"{part} band"
            )
    references = _bounds(seconds, bound, means) if bound is not None else _slopes(seconds, means)
    top = max(float(means.max()), *(float(y[-1]) for _, _, y in references))
    for label, dashes, y in references:
        style_of = {**style.THEORY, "linestyle": dashes}
        ax.plot(seconds, np.where(y > 0, y, np.nan), label=label, gid="reference", **style_of)
    ax.set_xlim(seconds[0], seconds[-1])
    ax.set_ylim(max(lowest / 2, top * 1e-7), top * 2)
    ax.set_xlabel("time $τ$ (s)")
    ax.set_ylabel("regret (units of reward)")
    count = len(regret.seeds)
    runs = f"mean over {count} seeds, bands: 95 % interval" if count > 1 else "1 seed"
    ax.set_title("\n".join(part for part in (title, runs) if part), loc="left", fontsize="small")
    style.plain(ax, grid="both")
    return ax


def regrets_rows(regrets: Mapping[str, Regrets]) -> list[dict[str, Any]]:
    """The numbers of :func:`plot_regrets`: those of each panel, under its title."""
    return [{"panel": title, **row} for title, regret in regrets.items() for row in regret_rows(regret)]


def plot_regrets(regrets: Mapping[str, Regrets]) -> Figure:
    """Several of :func:`plot_regret` below each other, all to the same scale, each with slopes of its own.

    Parameters
    ----------
    regrets : mapping of str to RegretOverSeeds
        By title.

    Returns
    -------
    Figure

    Raises
    ------
    InvalidValue
        If there is none, or one has fewer than two times.
    """
    from matplotlib.figure import Figure

    if not regrets:
        raise InvalidValue("there is no regret to draw")
    figure = Figure(figsize=(8.0, 0.6 + 3.6 * len(regrets)), layout="constrained")
    panels = figure.subplots(len(regrets), squeeze=False)[:, 0]
    drawn = []
    for panel, (title, regret) in zip(panels, regrets.items(), strict=True):
        if any((regret.curve(part)[0] > 0).any() for part in PART_LOOKS):
            drawn.append(plot_regret(regret, title=title, ax=panel))
        else:
            panel.set_axis_off()
            panel.set_title(f"{title}: no regret at any time", loc="left", fontsize="small")
    if drawn:
        limits = np.array([(*panel.get_xlim(), *panel.get_ylim()) for panel in drawn])
        for panel in drawn:
            panel.set_xlim(limits[:, 0].min(), limits[:, 1].max())
            panel.set_ylim(limits[:, 2].min(), limits[:, 3].max())
    return figure


def _seconds(regret: Regrets) -> Floats:
    """Mean over the seeds; Schedules of random step times differ a little."""
    return np.asarray(np.mean([curve.seconds for curve in regret.curves], axis=0))


Reference = tuple[str, style.Dash, Floats]


def _slopes(seconds: Floats, means: Floats) -> list[Reference]:
    total, inaction, delay, learn = (float(values[-1]) for values in means)
    top = total if total > 0 else float(means[:, -1].max())
    linear = inaction + delay
    # A part that has stopped growing, or never was, has no slope to be held against.
    heights = (linear if linear > NEGLIGIBLE * top else top, learn if learn > NEGLIGIBLE * top else top)
    labels = (
        "a slope only, no bound: $∝ τ$,\nas Equations 3 and 4 grow",
        "a slope only, no bound: $∝ √τ$,\nas Equation 2 grows",
    )
    share = seconds / seconds[-1]
    return [
        (label, dashes, ABOVE * height * share**power)
        for label, dashes, height, power in zip(labels, style.THEORY_DASHES[:2], heights, (1.0, 0.5), strict=True)
    ]


def _bounds(seconds: Floats, bound: Callable[[float], Bound], means: Floats) -> list[Reference]:
    terms = [bound(time) for time in seconds.tolist()]
    linear, root = (np.array(values) for values in zip(*((t.inaction + t.delay, t.learn) for t in terms), strict=True))
    found: list[Reference] = []
    if (linear > 0).any():
        found.append(("Equation 3 + Equation 4", style.THEORY_DASHES[0], linear))
    if (root > 0).any() and (means[-1] > 0).any():
        found.append(("Equation 2, constant 1", style.THEORY_DASHES[1], root))
    return found or _slopes(seconds, means)
