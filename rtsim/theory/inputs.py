"""Arguments of the closed forms: what makes no sense is refused, not computed with."""

from __future__ import annotations

import math

from rtsim.errors import InvalidValue
from rtsim.timing.units import whole

#: Largest whole number taken: exact as a float.
LARGEST = 2**53


def positive(**values: float) -> None:
    """Finite numbers above 0.

    >>> positive(step=0.0)
    Traceback (most recent call last):
    rtsim.errors.InvalidValue: step 0.0 must be a finite number > 0
    """
    for name, value in values.items():
        if not (_is_number(value) and 0 < value < math.inf):
            raise InvalidValue(f"{name} {value!r:.60} must be a finite number > 0")


def not_negative(**values: float) -> None:
    """Finite numbers of at least 0."""
    for name, value in values.items():
        if not (_is_number(value) and 0 <= value < math.inf):
            raise InvalidValue(f"{name} {value!r:.60} must be a finite number >= 0")


def probability(**values: float) -> None:
    """Numbers in 0..1."""
    for name, value in values.items():
        if not (_is_number(value) and 0 <= value <= 1):
            raise InvalidValue(f"{name} {value!r:.60} must be a probability in 0..1")


def count(value: int, name: str, low: int = 1, high: int = LARGEST) -> int:
    """A whole number in low..high."""
    return whole(value, name, low, high)


def _is_number(value: object) -> bool:
    try:
        return not isinstance(value, bool | str) and not math.isnan(float(value))  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return False
