"""Delay curves: reward per step measured against delay, as open JSON or CSV.

What an environment is known by where it is no table: how much a policy earns if its actions come k steps late, for some
k, and what the default policy earns. ``rtsim measure`` writes such a file, ``rtsim plan`` reads it; a training run
or a robot's log can give one too.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import PchipInterpolator

from rtsim.errors import FileProblem, InvalidValue, read_text, write_atomically

SCHEMA = "rtsim.delay_curve/1"
MAX_BYTES = 10_000_000
#: Longest delay in a curve, steps.
MAX_DELAY = 1_000_000
#: Largest reward, either way: sums and squares of many are finite.
MAX_REWARD = 1e100

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Point:
    """Reward at one delay.

    Attributes
    ----------
    delay_steps : int
        Age of the observation an action was computed from, steps, >= 0.
    reward_per_step : float
    interval : float or None
        Half width of the mean's 95 % interval, if known.
    """

    delay_steps: int
    reward_per_step: float
    interval: float | None = None

    def __post_init__(self) -> None:
        if isinstance(self.delay_steps, bool) or not isinstance(self.delay_steps, int | np.integer):
            raise InvalidValue(f"delay_steps {self.delay_steps!r:.40} must be a whole number of steps")
        if not 0 <= self.delay_steps <= MAX_DELAY:
            raise InvalidValue(f"delay_steps {self.delay_steps} must lie in 0..{MAX_DELAY}")
        _reward("reward_per_step", self.reward_per_step)
        if self.interval is not None and _reward("interval", self.interval) < 0:
            raise InvalidValue(f"interval {self.interval!r:.40} is a half width and must be >= 0")


@dataclass(frozen=True)
class DelayCurve:
    """Reward per step against delay, and on steps left to the default policy.

    Attributes
    ----------
    points : tuple of Point
        In ascending order of delay; the first is at delay 0.
    env : str
        What it was measured on.
    fps : float or None
        Environment steps per second of that environment; delays in steps mean nothing at another rate.
    default_reward : float or None
        Reward per step if the default policy acts on every step.
    default_interval : float or None
        Half width of its 95 % interval.
    details : mapping
        Whatever else the file says, kept as it is.

    Raises
    ------
    InvalidValue

    >>> curve = DelayCurve((Point(0, 1.0), Point(2, 0.8), Point(6, 0.4)), env="demo", fps=60.0)
    >>> curve.lost([0, 1, 2, 4, 50]).round(3)  # linear between the points; the last one's beyond
    array([0. , 0.1, 0.2, 0.4, 0.6])
    """

    points: tuple[Point, ...]
    env: str = ""
    fps: float | None = None
    default_reward: float | None = None
    default_interval: float | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "points", tuple(self.points))
        delays = [point.delay_steps for point in self.points]
        if len(delays) < 2 or delays[0] != 0:
            raise InvalidValue("it needs a point at delay_steps 0, the undelayed reward, and at least one other")
        if any(b <= a for a, b in zip(delays, delays[1:], strict=False)):
            raise InvalidValue(f"delay_steps {delays[:20]} must ascend, each once")
        if self.fps is not None and _reward("fps", self.fps) <= 0:
            raise InvalidValue(f"fps {self.fps!r:.40} must be > 0")
        for name in ("default_reward", "default_interval"):
            if getattr(self, name) is not None:
                _reward(name, getattr(self, name))

    @property
    def longest(self) -> int:
        """The longest delay measured, steps."""
        return self.points[-1].delay_steps

    def lost(self, delays: ArrayLike) -> Floats:
        """Reward per step lost at these delays, against none: linear between the points, the last one's beyond.

        Parameters
        ----------
        delays : array_like, shape (n,), steps

        Returns
        -------
        float64, shape (n,), reward per step
            May be negative where chance had a late policy earn more.
        """
        at, rewards = self._columns()
        return np.asarray(rewards[0] - np.interp(np.asarray(delays, dtype=np.float64), at, rewards), dtype=np.float64)

    def weights(self, delays: ArrayLike) -> Floats:
        """How much of each point's reward is earned at these probabilities of 0, 1, 2, … steps.

        Parameters
        ----------
        delays : array_like, shape (n,)

        Returns
        -------
        float64, shape (points,)

        >>> DelayCurve((Point(0, 1.0), Point(2, 0.8), Point(6, 0.4))).weights([0.5, 0.0, 0.0, 0.0, 0.5])
        array([0.5 , 0.25, 0.25])
        """
        at, _ = self._columns()
        probabilities = np.asarray(delays, dtype=np.float64)
        steps = np.arange(len(probabilities))
        return np.array([probabilities @ np.interp(steps, at, unit) for unit in np.eye(len(at))])

    def bend(self, delays: ArrayLike) -> float:
        """How much more a smooth curve through the points earns at these probabilities of 0, 1, 2, … steps.

        Than the straight lines between them: monotone cubics (PCHIP) take their place. What lies between the points is
        not known better than that.

        >>> DelayCurve((Point(0, 1.0), Point(2, 0.2), Point(4, 0.0))).bend([0.0, 1.0]) < 0  # a hollow curve
        True
        """
        at, rewards = self._columns()
        probabilities = np.asarray(delays, dtype=np.float64)
        steps = np.minimum(np.arange(len(probabilities)), at[-1])
        smooth = PchipInterpolator(at, rewards)(steps)
        return float(probabilities @ (smooth - np.interp(steps, at, rewards)))

    @property
    def widths(self) -> Floats | None:
        """Half widths of the points' 95 % intervals, then the default's (0 if unknown); None if a point has none."""
        found = [point.interval for point in self.points]
        return None if None in found else np.array([*found, self.default_interval or 0.0], dtype=np.float64)

    @property
    def constant(self) -> bool:
        """Whether the same is earned at every delay."""
        return len({point.reward_per_step for point in self.points}) == 1

    @property
    def unsure(self) -> bool:
        """Whether no delay, nor the default policy, earns less than no delay by more than its 95 % interval.

        The two intervals add in squares: they are independent measurements. False where a point has no interval.

        >>> [DelayCurve((Point(0, 1.0, width), Point(2, 0.8, width))).unsure for width in (0.2, 0.1)]
        [True, False]
        """
        if (widths := self.widths) is None:
            return False
        _, rewards = self._columns()
        lost = rewards[0] - np.append(rewards[1:], rewards[0] if self.default_reward is None else self.default_reward)
        return bool((lost <= np.hypot(widths[1:], widths[0])).all())

    def _columns(self) -> tuple[Floats, Floats]:
        return (
            np.array([point.delay_steps for point in self.points], dtype=np.float64),
            np.array([point.reward_per_step for point in self.points], dtype=np.float64),
        )

    def to_json(self) -> dict[str, Any]:
        """The curve in the schema ``rtsim.delay_curve/1``."""
        points = [
            {"delay_steps": int(p.delay_steps), "reward_per_step": p.reward_per_step, "interval": p.interval}
            for p in self.points
        ]
        default = None
        if self.default_reward is not None:
            default = {"reward_per_step": self.default_reward, "interval": self.default_interval}
        known = {"schema": SCHEMA, "env": self.env, "fps": self.fps, "points": points, "default": default}
        return {**known, **{name: value for name, value in self.details.items() if name not in known}}

    def save(self, path: str | Path) -> Path:
        """Write the curve as JSON; the file appears whole or not at all."""
        text = json.dumps(self.to_json(), indent=1, ensure_ascii=False, allow_nan=False)
        return write_atomically(path, (text + "\n").encode())

    @classmethod
    def load(cls, path: str | Path) -> DelayCurve:
        """Read a curve: JSON in the schema above, or, from ``*.csv``, a table.

        The table has columns delay_steps, reward_per_step and, if known, interval; a row whose delay is the word
        ``default`` holds the default policy's reward. Lines beginning with # are comments.

        Raises
        ------
        FileProblem
            If the file cannot be read, or is no delay curve; the message says what is wrong first.

        Examples
        --------
        >>> import tempfile, pathlib
        >>> name = pathlib.Path(tempfile.mkdtemp()) / "curve.csv"
        >>> _ = name.write_text("delay_steps,reward_per_step,interval\\n0,1.0,0.02\\n4,0.6,0.03\\ndefault,0.1,0.01\\n")
        >>> curve = DelayCurve.load(name)
        >>> curve.lost([0, 4]), curve.default_reward
        (array([0. , 0.4]), 0.1)
        >>> DelayCurve.load(curve.save(name.with_suffix(".json"))).points == curve.points
        True
        """
        text = read_text(path, "delay curve", MAX_BYTES)
        try:
            return _from_csv(text) if str(path).lower().endswith(".csv") else _from_json(text)
        except (ValueError, KeyError, TypeError, RecursionError, csv.Error) as error:
            raise FileProblem(f"delay curve {str(path)!r}: {error}") from error


def _reward(name: str, value: object) -> float:
    # A whole number may be larger than any float.
    if isinstance(value, bool) or not isinstance(value, int | float | np.floating) or value != value:
        raise InvalidValue(f"{name} {value!r:.40} must be a finite number")
    if not -MAX_REWARD <= value <= MAX_REWARD:
        raise InvalidValue(f"{name} {value!r:.40} must lie in {-MAX_REWARD:g}..{MAX_REWARD:g}")
    return float(value)


def _from_json(text: str) -> DelayCurve:
    data = json.loads(text)
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        found = data.get("schema") if isinstance(data, dict) else data
        raise InvalidValue(f"schema is {found!r:.40}; this version reads {SCHEMA!r}, or a .csv")
    points = data.get("points")
    if not isinstance(points, list) or not all(isinstance(point, dict) for point in points):
        raise InvalidValue("points must be a list of objects with delay_steps and reward_per_step")
    default = data.get("default")
    if default is not None and not isinstance(default, dict):
        raise InvalidValue("default must be an object with reward_per_step")
    env = data.get("env", "")
    if not isinstance(env, str):
        raise InvalidValue(f"env {env!r:.40} must be text")
    return DelayCurve(
        tuple(Point(_get(p, "delay_steps"), _get(p, "reward_per_step"), p.get("interval")) for p in points),
        env,
        data.get("fps"),
        None if default is None else _get(default, "reward_per_step"),
        None if default is None else default.get("interval"),
        {k: v for k, v in data.items() if k not in ("schema", "env", "fps", "points", "default")},
    )


def _get(entry: dict[str, Any], name: str) -> Any:
    if name not in entry:
        raise InvalidValue(f"an entry has no {name}: {entry!r:.60}")
    return entry[name]


def _from_csv(text: str) -> DelayCurve:
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    rows = csv.DictReader(io.StringIO("\n".join(lines)))
    missing = {"delay_steps", "reward_per_step"} - set(rows.fieldnames or ())
    if missing:
        raise InvalidValue(f"no column {', '.join(sorted(missing))}; it needs delay_steps and reward_per_step")
    points: list[Point] = []
    default: tuple[float | None, float | None] = (None, None)
    for row in rows:
        reward = float(row["reward_per_step"])
        width = float(row["interval"]) if (row.get("interval") or "").strip() else None
        if row["delay_steps"].strip() == "default":
            default = (reward, width)
        else:
            points.append(Point(int(row["delay_steps"]), reward, width))
    return DelayCurve(tuple(points), default_reward=default[0], default_interval=default[1])
