"""Durations and rates as people write them: ``"84ms"``, ``"59.7275fps"``.

Public functions take float seconds or such a string. Inside the clocks time is int64
nanoseconds, so that two clocks can agree to the last bit.
"""

from __future__ import annotations

import math
import operator
import re
from decimal import Decimal
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rtsim.errors import InvalidValue

NS = 1_000_000_000
#: Longest single duration a clock accepts, 11.6 days: heavy tails are cut here so that
#: sums of times stay far inside int64.
MAX_DURATION_NS = 10**15

UNITS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "min": 60.0,
    "h": 3600.0,
}
RATES = ("fps", "hz", "Hz")
_QUANTITY = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|nan|inf|-inf)\s*([a-zA-Zµ]*)\s*")


def split_quantity(text: str) -> tuple[float, str]:
    """Split ``"84ms"`` into ``(84.0, "ms")``; the unit may be empty.

    >>> split_quantity("59.7275fps")
    (59.7275, 'fps')
    """
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise InvalidValue(f"{text!r} is not a number with a unit; write e.g. '84ms' or '59.7275fps'")
    return float(match[1]), match[2]


def seconds(value: float, unit: str, what: str = "duration") -> float:
    """Convert ``value`` in ``unit`` to float seconds; a rate becomes the time of one period.

    A bare number is in seconds.

    >>> seconds(84, "ms")
    0.084
    """
    if unit in RATES:
        if not (value > 0 and math.isfinite(value)):
            raise InvalidValue(f"{what} {value}{unit} must be a finite rate > 0; give e.g. '60fps'")
        return 1.0 / value
    if unit and unit not in UNITS:
        raise InvalidValue(f"{what} has unit {unit!r}; choose from {', '.join(UNITS)}, fps")
    if not math.isfinite(value) or value < 0:
        raise InvalidValue(f"{what} {value}{unit or ' s'} must be finite and >= 0; give e.g. '84ms'")
    # 84 * 1e-3 is not the float nearest to 0.084; going through the decimal digits is.
    return float(Decimal(repr(value)).scaleb(_EXPONENTS[unit])) if unit in _EXPONENTS else value * UNITS.get(unit, 1.0)


_EXPONENTS = {"ns": -9, "us": -6, "µs": -6, "ms": -3}


def duration(value: float | str, what: str = "duration") -> float:
    """Float seconds from a number of seconds or a string with a unit.

    Raises
    ------
    InvalidValue
        If it is negative, not finite, or not a duration.

    >>> duration("84ms")
    0.084
    """
    if isinstance(value, str):
        return seconds(*split_quantity(value), what)
    try:
        if isinstance(value, bool):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidValue(f"{what} {_brief(value)} must be a number of seconds or a text such as '84ms'") from error
    return seconds(number, "", what)


def check_unit(what: str, text: str) -> None:
    """Refuse a text such as ``"84"`` for a time: seconds were hardly meant; ``"0.084"`` is understood as they are.

    Raises
    ------
    InvalidValue
    """
    try:
        number = float(text)
    except ValueError:
        return
    if number >= 1:
        raise InvalidValue(f"{what} {text} has no unit; write {text}ms or {text}s")


def _brief(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def whole(value: object, name: str, low: int, high: int) -> int:
    """A whole number in low..high, also from a numpy integer or a float without a fraction part.

    Raises
    ------
    InvalidValue

    >>> whole(6, "workers", 1, 10)
    6
    """
    try:
        if isinstance(value, bool):
            raise TypeError
        number = int(value) if isinstance(value, float) and value.is_integer() else operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = None
    if number is None or not low <= number <= high:
        shown = number if isinstance(value, float) and abs(value) < 2**53 and number is not None else value
        raise InvalidValue(f"{name} {_brief(shown)} must be a whole number in {low}..{high}")
    return number


def exact(value: float) -> str:
    """The shortest text of a bare number that reads back as the very same float.

    >>> exact(0.02), exact(99.99999), exact(2.0)
    ('0.02', '99.99999', '2')
    """
    short = f"{value:g}"
    return short if float(short) == value else repr(float(value))


def to_ns(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Round float64 seconds to int64 nanoseconds, cut at :data:`MAX_DURATION_NS`."""
    return np.minimum(np.rint(values * 1e9), float(MAX_DURATION_NS)).astype(np.int64)


def ns(value: float) -> int:
    """One float duration in seconds as int nanoseconds.

    >>> ns(0.084)
    84000000
    """
    return int(to_ns(np.array([value], dtype=np.float64))[0])


def show(value: float) -> str:
    """A duration for people, with a unit that keeps the number readable.

    >>> show(0.0839), show(2.5), show(0.0)
    ('83.9 ms', '2.5 s', '0 s')
    """
    if value == 0 or not math.isfinite(value):
        return f"{value:g} s"
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if abs(value) >= scale:
            return f"{value / scale:.4g} {unit}"
    return f"{value / 1e-9:.4g} ns"


@lru_cache(maxsize=4096)  # dozens of texts are tried, and sweeps spell the same values in every cell
def spell(value: float) -> str:
    """The shortest text that :func:`duration` reads back as the very same float.

    >>> spell(0.084), spell(1e-6), spell(20.0)
    ('84ms', '1us', '20s')
    """
    value = float(value)
    candidates = [f"{value!r}s".replace(".0s", "s")]
    for unit in ("ms", "us", "ns"):
        for digits in range(1, 18):
            text = f"{value / UNITS[unit]:.{digits}g}{unit}"
            if "e" not in text and duration(text) == value:
                candidates.append(text)
                break
    # Prefer a number of 1 to 999 in its unit, then the shorter text.
    return min(candidates, key=lambda text: (not 1 <= split_quantity(text)[0] < 1000, len(text)))
