"""What is predictable k steps ahead, the p that explains it, and what acting late earns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rtsim.pictures import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from rtsim.experiments.predictability import Predictability

#: Colour and marker by what is predicted and how branches went on; no rule has one of these colours.
LOOKS = {
    ("observation", "default"): ("#332288", "o"),
    ("observation", "policy"): ("#4FA3D1", "^"),
    ("best_action", "default"): ("#B35900", "D"),
    ("best_action", "policy"): ("#DDCC77", "v"),
}
NAMES = {"observation": "same observation", "best_action": "same action best"}


def predictability_rows(found: Predictability) -> list[dict[str, Any]]:
    """The numbers of :func:`plot_predictability`: shares, then rewards."""
    rows: list[dict[str, Any]] = []
    for what, under in LOOKS:
        effective = getattr(found, what)[under].value
        for point in found.points:
            if point.under != under:
                continue
            share = getattr(point, what)
            low, high = share.ci95 or (None, None)
            rows.append(
                {
                    "what": what,
                    "under": under,
                    "delay_steps": point.delay_steps,
                    "value": share.value,
                    "ci95_low": low,
                    "ci95_high": high,
                    "fit": None if effective is None else effective**point.delay_steps,
                }
            )
    for late in found.curve.points:
        mean, half = late.reward_per_step, late.interval or 0.0
        rows.append(
            {
                "what": "reward_per_step",
                "under": "policy",
                "delay_steps": late.delay_steps,
                "value": mean,
                "ci95_low": mean - half,
                "ci95_high": mean + half,
                "fit": found.fitted(late.delay_steps),
            }
        )
    return rows


def plot_predictability(found: Predictability, *, title: str = "") -> Figure:
    """Left, the share of branches foretold against delay; right, reward per step with actions that late.

    Markers have 95 % intervals; lines are p^k with the effective p, and the same on the scale of rewards, from the
    policy without delay down to the default policy (dotted).

    Parameters
    ----------
    found : Predictability
    title : str

    Returns
    -------
    Figure
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(10.4, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    _shares(left, found)
    _rewards(right, found)
    for ax in (left, right):
        ax.set_xlabel("delay $k$ (steps)")
        ax.set_xlim(left=-0.03 * found.effort.delays[-1])
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        style.plain(ax, legend=False)
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), frameon=False, fontsize="small", ncols=1)
    if title:
        # A dollar sign would begin a formula.
        figure.suptitle(title.replace("$", r"\$"), x=0.01, ha="left", fontsize="small")
    return figure


def _shares(ax: Axes, found: Predictability) -> None:
    rows = predictability_rows(found)
    longest = found.effort.delays[-1]
    for number, ((what, under), (colour, marker)) in enumerate(LOOKS.items()):
        here = [row for row in rows if (row["what"], row["under"]) == (what, under)]
        p = getattr(found, what)[under].value
        by = "default policy" if under == "default" else "policy"
        aside = (number - 1.5) * 0.008 * longest  # side by side, so that all are seen
        _draw(ax, here, colour, marker, f"{NAMES[what]}, {by}: p = {style.digits(p)}", markersize=6, offset=aside)
        grid = np.linspace(0, longest, 200)
        ax.plot(grid, p**grid, color=colour, linewidth=1.2, gid=f"fit {what} {under}")
    ax.set_ylabel("share of branches foretold")
    ax.set_ylim(-0.02, 1.03)


def _rewards(ax: Axes, found: Predictability) -> None:
    here = [row for row in predictability_rows(found) if row["what"] == "reward_per_step"]
    p = found.rewards.value
    label = "policy, actions $k$ steps late" + ("" if p is None else f": p = {style.digits(p)}")
    _draw(ax, here, "#2A7F62", "P", label)
    if p is not None:
        grid = np.linspace(0, found.effort.delays[-1], 200)
        fitted = [found.fitted(k) for k in grid.tolist()]
        ax.plot(grid, np.array(fitted, np.float64), color="#2A7F62", linewidth=1.2, gid="fit rewards")
    base = found.curve.default_reward
    assert base is not None
    ax.axhline(base, color=style.DEFAULT_POLICY, linestyle=":", linewidth=1.4, label="default policy alone")
    ax.set_ylabel("reward per step")
    if found.curve.constant:
        ax.set_title("the same at every delay", fontsize="small")


def _draw(
    ax: Axes,
    rows: list[dict[str, Any]],
    colour: str,
    marker: str,
    label: str,
    *,
    markersize: float = 7,
    offset: float = 0.0,
) -> None:
    values = [row["value"] for row in rows]
    # Without an interval, none is drawn.
    low = [value if row["ci95_low"] is None else row["ci95_low"] for value, row in zip(values, rows, strict=True)]
    high = [value if row["ci95_high"] is None else row["ci95_high"] for value, row in zip(values, rows, strict=True)]
    bars = [np.subtract(values, low).clip(0), np.subtract(high, values).clip(0)]
    ax.errorbar(
        [row["delay_steps"] + offset for row in rows],
        values,
        yerr=bars,
        color=colour,
        marker=marker,
        linestyle="none",
        elinewidth=1.1,
        capsize=2,
        zorder=3,
        label=label,
        markersize=markersize,
    )
