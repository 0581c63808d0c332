"""Delay regret against delay: the paper's bound, the exact optimum, and simulation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from rtsim.errors import InvalidValue
from rtsim.pictures import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: One per p_minimax, dark to light; no rule has one of them.
COLOURS = ("#332288", "#2A7F62", "#B35900", "#4FA3D1", "#DDCC77")
MARKERS = ("o", "^", "D", "v", "P")
#: Panels beside one another, at most.
MOST_PANELS = 4


class Loss(Protocol):
    """What a delay costs; see :class:`rtsim.experiments.DelayLoss`."""

    @property
    def mdp(self) -> str: ...
    @property
    def family(self) -> str: ...
    @property
    def states(self) -> int: ...
    @property
    def p_minimax(self) -> float: ...
    @property
    def delay(self) -> int: ...
    @property
    def bound(self) -> float: ...
    @property
    def exact(self) -> float: ...
    @property
    def proved(self) -> bool: ...
    @property
    def measured(self) -> float: ...
    @property
    def measured_ci95(self) -> tuple[float, float] | None: ...
    @property
    def steps(self) -> int: ...
    @property
    def seeds(self) -> int: ...


def delay_regret_rows(points: Sequence[Loss]) -> list[dict[str, Any]]:
    """The numbers of :func:`plot_delay_regret`."""
    found = []
    for point in points:
        low, high = point.measured_ci95 or (None, None)
        found.append(
            {
                "mdp": point.mdp,
                "states": point.states,
                "p_minimax": point.p_minimax,
                "delay_steps": point.delay,
                "bound": point.bound,
                "exact": point.exact,
                "proved": point.proved,
                "measured": point.measured,
                "measured_ci95_low": low,
                "measured_ci95_high": high,
                "steps": point.steps,
                "seeds": point.seeds,
            }
        )
    return found


def plot_delay_regret(points: Sequence[Loss]) -> Figure:
    """Delay regret per action against delay, one panel per family of MDPs, one colour per p_minimax.

    Dashed lines are 1 − p_minimax^k (Riemer et al. 2025, Equation 4), solid lines what the best memoryless
    policy k steps late loses, exactly, markers that policy's simulated delay regret with 95 % intervals.

    Parameters
    ----------
    points : sequence of DelayLoss
        E.g. of :func:`rtsim.experiments.delay_losses`.

    Returns
    -------
    Figure

    Raises
    ------
    InvalidValue
        If there are no points, or more than four families.
    """
    if not points:
        raise InvalidValue("there are no delay losses to plot; give delay_losses() at least one MDP and delay")
    from matplotlib.figure import Figure

    panels: dict[str, list[Loss]] = {}
    for point in points:
        panels.setdefault(f"MDP {point.family}, {point.states} states", []).append(point)
    if len(panels) > MOST_PANELS:
        raise InvalidValue(f"{len(panels)} families of MDPs are too many for one picture; give at most {MOST_PANELS}")
    chances = sorted({round(point.p_minimax, 9) for point in points})
    figure = Figure(figsize=(2.6 + 3.9 * len(panels), 4.2), layout="constrained")
    grid = figure.subplots(1, len(panels), squeeze=False, sharex=True, sharey=True)[0]
    for ax, (name, here) in zip(grid, panels.items(), strict=True):
        _draw(ax, here, chances)
        ax.set_title(name, loc="left", fontsize="small")
    grid[0].set_ylabel("delay regret per action (units of reward)")
    longest, seeds = max(point.delay for point in points), max(point.seeds for point in points)
    grid[0].set_xlim(-0.03 * longest, 1.03 * longest)
    grid[0].set_ylim(-0.02, 1.02)
    runs = f"{max(point.steps for point in points)} steps, {seeds} seed{'s' * (seeds > 1)}"
    figure.suptitle(
        f"simulation: {runs}" + (", bars: 95 % interval" if seeds > 1 else ""),
        x=0.01,
        ha="left",
        fontsize="small",
    )
    _legend(figure, grid)
    return figure


def _draw(ax: Axes, points: Sequence[Loss], chances: Sequence[float]) -> None:
    from matplotlib.ticker import MaxNLocator

    for name, here in style.grouped(points, lambda p: repr(round(p.p_minimax, 9)), lambda p: p.delay).items():
        chance = float(name)
        number = chances.index(chance)
        colour = COLOURS[number % len(COLOURS)]
        delays, measured = [p.delay for p in here], [p.measured for p in here]
        intervals = [p.measured_ci95 or (p.measured, p.measured) for p in here]
        bars = [
            [max(0.0, mean - low) for mean, (low, _) in zip(measured, intervals, strict=True)],
            [max(0.0, high - mean) for mean, (_, high) in zip(measured, intervals, strict=True)],
        ]
        proved = all(p.proved for p in here)
        ax.plot(
            delays,
            [p.exact for p in here],
            color=colour,
            linewidth=1.4,
            label="exact optimum" if proved else "best policy found",
            gid=f"exact {chance:g}",
        )
        ax.errorbar(
            delays,
            measured,
            yerr=bars,
            color=colour,
            marker=MARKERS[number % len(MARKERS)],
            linestyle="none",
            markersize=6.5,
            markeredgecolor="white",
            markeredgewidth=0.5,
            elinewidth=1.2,
            capsize=2,
            zorder=3,
            label=rf"simulation, $p_\mathrm{{minimax}}$ = {style.digits(chance)}",
        )
        dashed = {**style.THEORY, "color": colour}
        ax.plot(delays, [p.bound for p in here], label="bound", gid=f"bound {chance:g}", **dashed)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    ax.set_xlabel("delay $k$ (steps)")
    style.plain(ax, legend=False)


def _legend(figure: Figure, grid: Any) -> None:
    from matplotlib.lines import Line2D

    handles: dict[str, Any] = {}
    for ax in grid:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            handles.setdefault(str(label), handle)
    found = {label: handle for label, handle in handles.items() if label.startswith("simulation")}
    for label in ("exact optimum", "best policy found"):
        if label in handles:
            found[label + "\n(memoryless policy)"] = Line2D([], [], color="#555555", linewidth=1.4)
    bound = Line2D([], [], **{**style.THEORY, "color": "#555555"})
    found[r"bound $1 - p_\mathrm{minimax}^{\,k}$" + "\n(Equation 4)"] = bound
    figure.legend(found.values(), found.keys(), loc="outside right upper", frameon=False, fontsize="small")
