"""Learning curves of a training: reward against environment steps, a line per seed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from rtsim.errors import InvalidValue
from rtsim.pictures import style
from rtsim.pictures.learning import MARK_EVERY, REFERENCES

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Part(Protocol):
    """Steps of a training that follow each other; see :class:`rtsim.learning.Row`."""

    @property
    def step(self) -> int: ...
    @property
    def seconds(self) -> float: ...
    @property
    def reward_rate(self) -> float: ...
    @property
    def score(self) -> float: ...


class Player(Protocol):
    """Who learns nothing and is never late; see :class:`rtsim.learning.Reference`."""

    @property
    def player(self) -> str: ...
    @property
    def reward_rate(self) -> float: ...
    @property
    def score(self) -> float: ...


def training_rows(curves: Mapping[int, Sequence[Part]], players: Sequence[Player] = ()) -> list[dict[str, Any]]:
    """The numbers of :func:`plot_training`: a row per seed and part, which ends at its step, and one per player."""
    found: list[dict[str, Any]] = []
    for seed, parts in curves.items():
        for part in parts:
            found.append({"line": f"seed {seed}", "step": part.step, "seconds": part.seconds, **_values(part)})
    return found + [{"line": each.player, "step": None, "seconds": None, **_values(each)} for each in players]


def _values(of: Part | Player) -> dict[str, float | None]:
    values = {"reward_per_s": of.reward_rate, "score": of.score}
    return {name: None if math.isnan(value) else value for name, value in values.items()}


def plot_training(
    curves: Mapping[int, Sequence[Part]],
    players: Sequence[Player] = (),
    *,
    rule: str = "",
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """The score of episodes, or where none ended the reward per second, against environment steps.

    Each marker stands in the middle of the steps that it is the mean of. Players that learn nothing are grey lines.

    Parameters
    ----------
    curves : mapping of int to sequence of Part
        By seed, each from the beginning of the training.
    players : sequence of Player
    rule : str
        Whose colour the lines have.
    title : str
    ax : Axes, optional
        Drawn into; else into a Figure of its own.

    Returns
    -------
    Axes

    Raises
    ------
    InvalidValue
        If no curve has a part.
    """
    if not any(curves.values()):
        raise InvalidValue("no curve has a row yet; train for more steps, or give fewer --row-steps")
    scored = any(not math.isnan(part.score) for parts in curves.values() for part in parts)
    value = "score" if scored else "reward_rate"
    ax = ax if ax is not None else style.new_axes(9.0, 4.8)
    for number, (seed, parts) in enumerate(curves.items()):
        look = style.look(style.rule_name(rule), number)
        begins = [0, *(part.step for part in parts)]
        points = [
            ((begin + part.step) / 2, getattr(part, value))
            for begin, part in zip(begins, parts, strict=False)
            if not math.isnan(getattr(part, value))
        ]
        ax.plot(
            [x for x, _ in points], [y for _, y in points], color=look.colour, linestyle=look.line, linewidth=1.3,
            markevery=1 if len(points) <= MARK_EVERY else (number % MARK_EVERY, MARK_EVERY), label=f"seed {seed}",
            **look.marks(5.5),
        )  # fmt: skip
    for each in players:
        level = getattr(each, value)
        if not math.isnan(level):
            label = f"{each.player} player,\nnever late"
            ax.axhline(level, label=label, zorder=1.5, **REFERENCES[each.player])
    last = max((parts[-1] for parts in curves.values() if parts), key=lambda part: part.step)
    ax.set_xlim(0, last.step)
    ax.set_xlabel("environment steps")
    ax.set_ylabel("score (mean reward per episode)" if scored else "reward per second (1/s)")
    _time_axis(ax, last.seconds / last.step)
    ax.set_title(title, loc="left", fontsize="small")
    style.plain(ax, grid="both")
    return ax


def _time_axis(ax: Axes, step_s: float) -> None:
    """Environment time above the picture."""
    longest = ax.get_xlim()[1] * step_s
    unit, scale = ("h", 3600.0) if longest >= 5 * 3600 else ("min", 60.0) if longest >= 5 * 60 else ("s", 1.0)
    factor = step_s / scale

    def to_time(x: Any) -> Any:
        return x * factor

    def to_steps(x: Any) -> Any:
        return x / factor

    top = ax.secondary_xaxis("top", functions=(to_time, to_steps))
    top.set_xlabel(f"environment time ({unit})")
    top.spines["top"].set_color("#888888")
