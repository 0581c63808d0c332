"""How late the environment of a live run was, as a distribution over its deadlines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rtsim.errors import InvalidValue
from rtsim.pictures import style
from rtsim.schedule import Schedule

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: What is later than this is a missed deadline in rtsim play, ns.
MISSED_NS = 1_000_000
#: Where the axis begins, µs: nobody minds less, and 0, which many steps have, is no place on a logarithmic axis.
FROM_US = 0.1


def lateness_rows(schedule: Schedule) -> list[dict[str, Any]]:
    """Every distinct lateness, ns, and the share of steps that were later."""
    late = _late(schedule)
    values, counts = np.unique(late, return_counts=True)
    later = 1 - np.cumsum(counts) / len(late)
    return [
        {"late_ns": int(value), "share_of_steps_later": float(share)}
        for value, share in zip(values, later, strict=True)
    ]


def plot_lateness(schedule: Schedule, *, ax: Axes | None = None) -> Axes:
    """Share of steps that began later than a given time after their deadline, on logarithmic axes.

    Parameters
    ----------
    schedule : Schedule
        Recorded live.
    ax : Axes, optional
        Drawn into; else into a Figure of its own.

    Returns
    -------
    Axes

    Raises
    ------
    InvalidValue
        If the Schedule was not recorded live.
    """
    late = np.sort(np.maximum(_late(schedule), 1)) / 1e9
    ax = ax if ax is not None else style.new_axes(8.0, 4.0)
    # Of n steps the k-th in order has n − k later ones; the last one is drawn down to the axis.
    share = np.append(1 - np.arange(1, len(late)) / len(late), 0.5 / len(late))
    ax.step(late * 1e6, share, where="post", color=style.colour(style.rule_name(str(schedule.settings["rule"]))))
    ax.axvline(MISSED_NS / 1e3, label="missed deadline: later than 1 ms", **style.THEORY)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_ylim(0.5 / len(late), 1.3)
    ax.set_xlim(FROM_US, max(late[-1] * 1e6 * 2, 3e3))
    ax.set_xlabel("time after the deadline (µs)")
    ax.set_ylabel(f"share of steps later (of {len(late)})")
    ax.legend(fontsize="small", frameon=False)
    ax.set_title(style.headline(schedule.settings, len(schedule.busy_ns)), loc="left", fontsize="small")
    style.plain(ax)
    return ax


def _late(schedule: Schedule) -> Any:
    if schedule.live is None:
        raise InvalidValue("this Schedule was simulated, so no step was late; give a file of rtsim play --record")
    return schedule.live["late_ns"]
