"""What environments of others do wrong, told in one line."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rtsim.errors import InvalidValue, RtsimError


@contextmanager
def faults_of(name: object) -> Iterator[None]:
    """Around what an environment does: an error of its own becomes ours, and keeps its cause.

    Raises
    ------
    InvalidValue

    >>> with faults_of("Mine-v0"):
    ...     [][1]
    Traceback (most recent call last):
        ...
    rtsim.errors.InvalidValue: environment Mine-v0 failed: IndexError: list index out of range
    """
    try:
        yield
    except (RtsimError, MemoryError):
        raise
    except Exception as error:  # an environment may raise anything
        reason = " ".join(str(error).split())[:160]
        raise InvalidValue(f"environment {name} failed: {type(error).__name__}: {reason}") from error


def reward_of(name: object, value: Any) -> float:
    """A reward as a finite number.

    Raises
    ------
    InvalidValue

    >>> reward_of("Mine-v0", 1)
    1.0
    """
    reward = float(value)
    if not math.isfinite(reward):
        raise InvalidValue(f"environment {name} gave the reward {reward}; it must be a finite number")
    return reward


def fps_of(name: object, metadata: dict[str, Any]) -> float | None:
    """The environment's steps per second, where it says them.

    Raises
    ------
    InvalidValue

    >>> fps_of("Mine-v0", {"render_fps": 50}), fps_of("Mine-v0", {})
    (50.0, None)
    """
    told = metadata.get("render_fps")
    try:
        fps = None if told is None else float(told)
    except (TypeError, ValueError):
        fps = math.nan
    if fps is not None and not 0 < fps < math.inf:
        raise InvalidValue(f"environment {name} says render_fps {told!r:.40}, which is no number of steps per second")
    return fps
