"""A law that remembers what it has drawn: under common random numbers every rule asks for the same draws."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rtsim.timing import Law
from rtsim.timing.composite import Contention
from rtsim.timing.laws import Floats, Index

#: Blocks of draws kept, about 8 kB each.
MOST = 10_000


class Remembered(Law):
    """Another law, whose draws are kept; the same numbers to the bit.

    Some quantile functions take a hundred times longer than simulating what they give.

    >>> import numpy as np
    >>> from rtsim.timing import law
    >>> kept, uniforms = Remembered(law("gamma(mean=84ms, cv=0.3)")), np.array([0.1, 0.9])
    >>> kept.draw(uniforms) is kept.draw(uniforms.copy())
    True
    """

    def __init__(self, law: Law) -> None:
        self.law = law
        self._kept: dict[tuple[bytes, int], Floats] = {}

    def draw(self, uniforms: Floats, first: Index = 0) -> Floats:
        if not isinstance(first, int):
            return self.law.draw(uniforms, first)
        key = (uniforms.tobytes(), first)
        if key not in self._kept:
            if len(self._kept) >= MOST:
                self._kept.clear()
            self._kept[key] = self.law.draw(uniforms, first)
            self._kept[key].flags.writeable = False
        return self._kept[key]

    @property
    def spells(self) -> Contention | None:  # type: ignore[override]
        return self.law.spells

    @property
    def mean(self) -> float:
        return self.law.mean

    @property
    def least_mean(self) -> float:
        return self.law.least_mean

    @property
    def upper(self) -> float:
        return self.law.upper

    def cdf(self, t: float) -> float:
        return self.law.cdf(t)

    def limited_mean(self, t: float) -> float:
        return self.law.limited_mean(t)

    def quantile(self, q: float) -> float:
        return self.law.quantile(q)

    def component(self, uniforms: Floats, first: Index = 0) -> NDArray[np.int8]:
        return self.law.component(uniforms, first)

    def __str__(self) -> str:
        return str(self.law)


@lru_cache(maxsize=4)
def remembered(law: Law) -> Remembered:
    """The same law, remembering across runs."""
    return Remembered(law)
