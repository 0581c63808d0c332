"""Simulation beside life: statistics of many plans, and delay distributions of a few."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rtsim.errors import InvalidValue
from rtsim.pictures import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: A plan that was played and simulated: ``name``, ``group``, ``rule``, and what ``Agreement.to_json`` has.
Plan = Mapping[str, Any]

#: What is drawn, and how the axis is called.
SHOWN = {"inaction fraction": "inaction fraction", "delay, mean": "mean delay (steps)"}
#: Delays with a smaller share than this, live and simulated, are not drawn.
RARE = 1e-3


def agreement_rows(plans: Sequence[Plan]) -> list[dict[str, Any]]:
    """The numbers of :func:`plot_agreement`."""
    found = []
    for plan in plans:
        for row in plan["rows"]:
            if row["quantity"] in SHOWN:
                found.append(
                    {
                        "plan": plan["name"],
                        "rule": plan["rule"],
                        "quantity": row["quantity"],
                        "live": row["live"],
                        "live_ci99_low": (row["live_ci99"] or [None, None])[0],
                        "live_ci99_high": (row["live_ci99"] or [None, None])[1],
                        "simulated": row["simulated"],
                        "simulated_ci99_low": (row["simulated_ci99"] or [None, None])[0],
                        "simulated_ci99_high": (row["simulated_ci99"] or [None, None])[1],
                    }
                )
    return found


def plot_agreement(plans: Sequence[Plan]) -> Figure:
    """Inaction and mean delay of every plan: live hollow squares on simulated lines.

    A thick line is the simulated mean with its 99 % interval, in the colour of the rule, a hollow square the
    mean of the live runs with theirs.

    Parameters
    ----------
    plans : sequence of mappings
        See :data:`Plan`.

    Raises
    ------
    InvalidValue
        If there is none.
    """
    if not plans:
        raise InvalidValue("there are no plans to plot; run some first")
    from matplotlib.figure import Figure

    places, place = [], 0.0
    for before, plan in zip([None, *plans[:-1]], plans, strict=True):
        place += 1.0 if before is None or before["group"] == plan["group"] else 1.8
        places.append(place)
    figure = Figure(figsize=(11.0, 1.4 + 0.26 * place), layout="constrained")
    grid = figure.subplots(1, len(SHOWN), sharey=True)
    for ax, (quantity, label) in zip(grid, SHOWN.items(), strict=True):
        for y, plan in zip(places, plans, strict=True):
            row = next(row for row in plan["rows"] if row["quantity"] == quantity)
            _simulated(ax, y, row, style.colour(style.rule_name(plan["rule"])))
            _live(ax, y, row)
        ax.set_xlabel(label)
        style.plain(ax, legend=False, grid="both")
    most = max(row[who] or 0.0 for plan in plans for row in plan["rows"][:1] for who in ("live", "simulated"))
    grid[0].set_xlim(-0.02, min(1.25 * most + 0.05, 1.02))  # the intervals of few runs may reach far beyond
    _logarithmic(grid[1], plans)
    grid[0].set_yticks(places, [str(plan["name"]) for plan in plans], fontsize="small")
    grid[0].set_ylim(place + 1, 0)
    _legend(figure)
    return figure


def _logarithmic(ax: Axes, plans: Sequence[Plan]) -> None:
    """From delays of one step to a hundred, with plain numbers."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    shown = [row for plan in plans for row in plan["rows"] if row["quantity"] == "delay, mean"]
    known = [row[who] for row in shown for who in ("live", "simulated") if row[who]]
    ax.set_xscale("log")
    ax.set_xlim(min(known, default=1.0) / 1.3, max(known, default=1.0) * 1.3)
    ax.xaxis.set_major_locator(FixedLocator([d * 10**n for n in range(-1, 4) for d in (1, 2, 5)]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, place: style.digits(value)))
    ax.xaxis.set_minor_locator(NullLocator())


def _simulated(ax: Axes, y: float, row: Mapping[str, Any], colour: str) -> None:
    if row["simulated"] is None:
        return
    low, high = row["simulated_ci99"] or (row["simulated"],) * 2
    ax.plot([low, high], [y, y], color=colour, linewidth=5, alpha=0.45, solid_capstyle="butt", zorder=2)
    ax.plot([row["simulated"]] * 2, [y - 0.38, y + 0.38], color=colour, linewidth=2.2, zorder=2.2)


def _live(ax: Axes, y: float, row: Mapping[str, Any]) -> None:
    if row["live"] is None:
        return
    low, high = row["live_ci99"] or (row["live"],) * 2
    errors = [[row["live"] - low], [high - row["live"]]]
    ax.errorbar([row["live"]], [y], xerr=errors, color="black", elinewidth=0.9, capsize=2, **_square(), zorder=3)


def _square() -> dict[str, Any]:
    return {**style.HARDWARE, "markeredgecolor": "black", "markersize": 6}


def _legend(figure: Figure) -> None:
    from matplotlib.lines import Line2D

    simulated = Line2D([], [], color="#555555", marker="|", markersize=11, markeredgewidth=2.2, linewidth=5, alpha=0.6)
    live = Line2D([], [], color="black", **_square())
    names = [
        "simulated, 99 % interval of the mean",
        "live, 99 % interval of the mean of the runs",
    ]
    figure.legend([simulated, live], names, loc="outside upper left", frameon=False, fontsize="small", ncols=2)


def delays_rows(plans: Sequence[Plan]) -> list[dict[str, Any]]:
    """The numbers of :func:`plot_delays`."""
    return [
        {"plan": plan["name"], "delay_steps": delay, "live_share": live, "simulated_share": simulated}
        for plan in plans
        for delay, live, simulated in _shares(plan)
    ]


def plot_delays(plans: Sequence[Plan]) -> Figure:
    """How the delays of a few plans are distributed: live hollow squares on the simulated line.

    Raises
    ------
    InvalidValue
        If there is none.
    """
    if not plans:
        raise InvalidValue("there are no plans to plot; run some first")
    from matplotlib.figure import Figure

    across = min(len(plans), 3)
    down = -(-len(plans) // across)
    figure = Figure(figsize=(3.8 * across, 0.5 + 2.7 * down), layout="constrained")
    grid = figure.subplots(down, across, squeeze=False)
    for ax in grid.flat[len(plans) :]:
        ax.set_visible(False)
    for ax, plan in zip(grid.flat, plans, strict=False):
        delays, live, simulated = zip(*_shares(plan), strict=True) if _shares(plan) else ((), (), ())
        edges = [delay - 0.5 for delay in delays] + [delay + 0.5 for delay in delays[-1:]]
        ax.stairs(
            simulated, edges or [0.0], color=style.colour(style.rule_name(plan["rule"])), linewidth=2, label="simulated"
        )
        ax.plot(delays, live, color="black", label="live", **_square())
        ax.set_title(
            f"{plan['name']}\nlargest difference of the distributions {plan['delay_distance']:.3f}",
            loc="left",
            fontsize="small",
        )
        ax.set_xlabel("delay (steps)")
        ax.set_ylim(bottom=0)
        ax.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        style.plain(ax, legend=False)
    for row in grid:
        row[0].set_ylabel("share of the agent's steps")
    grid[0][0].legend(frameon=False, fontsize="small")
    return figure


def _shares(plan: Plan) -> list[tuple[int, float, float]]:
    """(delay, live share, simulated share) from the first delay that occurs to the last; steps between stay."""
    live, simulated = list(plan["live_delays"]), list(plan["simulated_delays"])
    length = max(len(live), len(simulated))
    live += [0.0] * (length - len(live))
    simulated += [0.0] * (length - len(simulated))
    seen = [d for d in range(length) if max(live[d], simulated[d]) >= RARE]
    return [(d, live[d], simulated[d]) for d in range(seen[0], seen[-1] + 1)] if seen else []
