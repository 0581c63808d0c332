"""The Pareto front of a plan: workers against regret, above the floor that no rule can beat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from rtsim.errors import InvalidValue
from rtsim.pictures import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Row(Protocol):
    """One rule with one number of workers; see :class:`rtsim.planning.Row`."""

    @property
    def key(self) -> str: ...
    @property
    def alg(self) -> str: ...
    @property
    def workers(self) -> int: ...
    @property
    def value(self) -> float: ...
    @property
    def regret_per_s(self) -> float: ...
    @property
    def source(self) -> str: ...
    @property
    def confirmed(self) -> bool: ...
    @property
    def simulated(self) -> Any: ...


class Floor(Protocol):
    """See :class:`rtsim.planning.Floor`."""

    @property
    def workers(self) -> int: ...
    @property
    def regret_per_s(self) -> float: ...
    @property
    def inaction_per_s(self) -> float: ...


class Plan(Protocol):
    """What :func:`plot_pareto` reads of a :class:`rtsim.planning.Plan`."""

    @property
    def rows(self) -> Sequence[Row]: ...
    @property
    def front(self) -> Sequence[Row]: ...
    @property
    def floors(self) -> Sequence[Floor]: ...
    @property
    def single_floors(self) -> Sequence[Floor]: ...
    @property
    def best(self) -> Row | None: ...
    @property
    def design(self) -> Any: ...


def pareto_rows(found: Plan) -> list[dict[str, Any]]:
    """The numbers of :func:`plot_pareto`: every row, then the floors."""
    on_front = {(row.key, row.workers) for row in found.front}
    rows = []
    for row in found.rows:
        low, high = (row.simulated.regret_per_s_ci95 or (None, None)) if row.simulated else (None, None)
        rows.append(
            {
                "key": row.key,
                "workers": row.workers,
                "regret_per_s": row.value,
                "regret_per_s_ci95_low": low,
                "regret_per_s_ci95_high": high,
                "predicted_per_s": row.regret_per_s,
                "source": row.source,
                "on_front": (row.key, row.workers) in on_front,
                "capacity_limit_per_s": None,
            }
        )
    for key, floors in (("floor", found.floors), ("floor, one action per inference", found.single_floors)):
        for floor in floors:
            capacity = {"regret_per_s": floor.regret_per_s, "capacity_limit_per_s": floor.inaction_per_s}
            rows.append({"key": key, "workers": floor.workers, **capacity})
    return rows


def plot_pareto(found: Plan, *, ax: Axes | None = None) -> Axes:
    """Regret against workers: all rows pale, the Pareto front in the colours of its rules, and what cannot be beaten.

    Markers on the front are simulated, with 95 % intervals, where they are filled; hollow ones are predicted. Shaded is
    the floor; black lines are what rules with one action per inference cannot beat: dashed the inaction at the
    capacity limit, dotted with the age of every action.

    Parameters
    ----------
    found : Plan
        Of :func:`rtsim.planning.plan`.
    ax : Axes, optional
        Drawn into; else into a Figure of its own.

    Returns
    -------
    Axes

    Raises
    ------
    InvalidValue
        If it has no rows.
    """
    if not found.rows:
        raise InvalidValue("the plan has no rows to plot")
    ax = ax if ax is not None else style.new_axes(9.0, 4.8)
    front = found.front
    ax.plot(
        [row.workers for row in found.rows],
        [row.value for row in found.rows],
        linestyle="none",
        marker=".",
        markersize=3,
        color="#BBBBBB",
        label="every row",
        zorder=1,
    )
    at = [floor.workers for floor in found.floors]
    limits = [floor.regret_per_s for floor in found.floors]
    if any(floor.inaction_per_s > 0 for floor in found.single_floors):
        inaction = [floor.inaction_per_s for floor in found.single_floors]
        ax.plot(
            at, inaction, **style.THEORY, zorder=1.2, label="capacity limit: inaction alone,\none action per inference"
        )
    if [floor.regret_per_s for floor in found.single_floors] != limits:
        both = [floor.regret_per_s for floor in found.single_floors]
        look = {**style.THEORY, "linestyle": style.THEORY_DASHES[1]}
        ax.plot(at, both, **look, zorder=1.2, label="floor with\none action per inference")
    # The front goes level until the next row betters it.
    ax.step(
        [*(row.workers for row in front), at[-1]],
        [*(row.value for row in front), front[-1].value],
        where="post",
        color="#555555",
        linewidth=1.0,
        zorder=1.5,
        label="Pareto front",
    )
    looks = style.looks((row.key, row.alg) for row in front)
    named: set[str] = set()
    for row in front:
        _draw(ax, row, looks[row.key], row.key if row.key not in named else None)
        named.add(row.key)
    best = found.best
    if best is not None:
        ax.plot(
            best.workers,
            best.value,
            marker="o",
            markersize=12,
            markerfacecolor="none",
            color="black",
            linestyle="none",
            zorder=3,
            label=f"best: {best.workers} worker{'s' * (best.workers != 1)}",
        )
    _finish(ax, found)
    return ax


def _draw(ax: Axes, row: Row, look: style.Look, label: str | None) -> None:
    interval = row.simulated.regret_per_s_ci95 if row.simulated else None
    value = row.value
    bars = None if interval is None else [[max(value - interval[0], 0.0)], [max(interval[1] - value, 0.0)]]
    ax.errorbar(
        [row.workers],
        [value],
        yerr=bars,
        color=look.colour,
        marker=look.marker,
        markersize=7,
        markerfacecolor=look.colour if row.confirmed else "none",
        linestyle="none",
        capsize=2,
        zorder=2.5,
        label=label,
    )


def _finish(ax: Axes, found: Plan) -> None:
    """Axes, title and legend; logarithmic workers for large budgets."""
    from matplotlib.ticker import MaxNLocator, ScalarFormatter

    most = found.floors[-1].workers
    # A noisy delay curve can give negative regrets.
    values = [row.value for row in found.front] + [floor.regret_per_s for floor in found.floors]
    low, high = min(0.0, *values), max(0.0, *(row.value for row in found.front))
    room = 0.08 * (high - low or 1.0)
    ax.set_ylim(low - room if low < 0 else 0.0, high + room)
    bottom = ax.get_ylim()[0]
    limits = [floor.regret_per_s for floor in found.floors]
    ax.fill_between(
        [floor.workers for floor in found.floors],
        limits,
        bottom,
        color="#000000",
        alpha=0.10,
        linewidth=0,
        zorder=0.5,
        label="floor: no rule below",
    )
    if most > 32:
        ax.set_xscale("log", base=2)
        ax.xaxis.set_major_formatter(ScalarFormatter())
        ax.set_xlim(0.93, most * 1.07)
    else:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        ax.set_xlim(0.5, most + 0.5)
    ax.set_xlabel("inference workers $N_I$")
    ax.set_ylabel("regret (reward per second)")
    settings = found.design.to_json()
    del settings["mailbox"]  # rows have their own
    lines = [style.conditions(settings), settings["environment"].replace("$", r"\$")]
    ax.set_title("\n".join(lines), loc="left", fontsize="small")
    style.plain(ax)
