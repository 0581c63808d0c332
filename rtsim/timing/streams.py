"""Named random streams: one seed, one stream per worker and purpose.

The j-th draw of a named stream depends on the seed, the name and j alone: not on the rule,
the number of workers, or the clock that asks. That is what makes algorithms comparable on
common random numbers and clocks comparable bit for bit. Draws are made in blocks of a fixed
size and rounded to int64 nanoseconds.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from rtsim.errors import InvalidValue
from rtsim.timing import units
from rtsim.timing.composite import Contention
from rtsim.timing.laws import Law

BLOCK = 1024
#: The first block, and the second: of hundreds of workers few ever draw more.
FIRST_BLOCK = BLOCK // 2
PURPOSES = {"inference": 0, "learning": 1, "dispatch": 2, "step": 3, "spells": 4}


def generator(seed: int, purpose: str, index: int) -> np.random.Generator:
    """The random generator named (purpose, index) under a seed >= 0."""
    sequence = np.random.SeedSequence(entropy=seed, spawn_key=(PURPOSES[purpose], index))
    return np.random.Generator(np.random.PCG64(sequence))


class BlockStream:
    """Durations of one named stream, block by block.

    Parameters
    ----------
    law : Law
    seed, purpose, index
        The name of the stream; see :data:`PURPOSES`.
    """

    def __init__(self, law: Law, seed: int, purpose: str, index: int) -> None:
        self._law = law
        self._generator = generator(seed, purpose, index)
        self._drawn = 0

    def block(self) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
        """The next durations (int64 ns, shape (n,)) and mixture components (int8); n is FIRST_BLOCK or BLOCK."""
        first = self._drawn
        uniforms = self._generator.random(FIRST_BLOCK if first < BLOCK else BLOCK)
        self._drawn += len(uniforms)
        return units.to_ns(self._law.draw(uniforms, first)), self._law.component(uniforms, first)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Endless (duration_ns, component) pairs of plain ints."""
        while True:
            durations, components = self.block()
            yield from zip(durations.tolist(), components.tolist(), strict=True)


class Spells:
    """When the machine is slow: alternating calm and slow spells, the first one calm.

    Parameters
    ----------
    law : Contention
    seed : int
    purpose_index : int
        Which law of the scenario it belongs to, so that inference and learning have their own.
    """

    def __init__(self, law: Contention, seed: int, purpose_index: int) -> None:
        self._generator = generator(seed, "spells", purpose_index)
        self._means = np.tile([law.calm, law.slow], BLOCK // 2)
        self.permille = law.permille
        #: Switch times in ns, ascending; an even number of switches before t means calm.
        self.switches: list[int] = []

    def extend_to(self, now: int) -> None:
        """Make the switch times reach beyond ``now`` ns."""
        while not self.switches or self.switches[-1] <= now:
            lengths = np.maximum(units.to_ns(self._means * self._generator.standard_exponential(BLOCK)), 1)
            start = self.switches[-1] if self.switches else 0
            self.switches.extend((start + np.cumsum(lengths)).tolist())

    def stretch(self, duration: int, now: int) -> int:
        """A duration in ns that starts at ``now`` ns, lengthened if that is in a slow spell."""
        self.extend_to(now)
        if bisect_right(self.switches, now) % 2 == 0:
            return duration
        whole, rest = divmod(duration, 1000)
        return whole * self.permille + rest * self.permille // 1000


class StepClock:
    """When environment steps start: a fixed rate, or the running sum of sampled step times.

    Parameters
    ----------
    step_time : Fraction (period in ns) or Law
        With a period, step i starts at round(i · period) (half to even): no drift. With a
        law, at the sum of the first i sampled step times, each at least 1 ns.
    seed : int
    """

    def __init__(self, step_time: Fraction | Law, seed: int) -> None:
        self._rate: FixedRate | None = None
        if isinstance(step_time, Fraction):
            self._rate = FixedRate(step_time)
        else:
            self._stream = BlockStream(step_time, seed, "step", 0)
        self._next = 0
        self._end = 0

    def block(self) -> NDArray[np.int64]:
        """Start times of the next steps, int64 ns, ascending, shape (n,), n <= BLOCK; the first ever is 0."""
        if self._rate is not None:
            self._next += BLOCK
            return self._rate.starts(self._next - BLOCK)
        lengths = np.maximum(self._stream.block()[0], 1)
        ends = self._end + np.cumsum(lengths)
        if ends[-1] < self._end:
            raise InvalidValue("the environment steps last longer than 292 years together; give fewer or shorter steps")
        starts = ends - lengths
        self._end = int(ends[-1])
        return starts

    def first(self, count: int) -> NDArray[np.int64]:
        """The next ``count`` starts, int64 ns, ascending; of a new clock the first ones.

        >>> StepClock(Fraction(10**9, 60), seed=0).first(3).tolist()
        [0, 16666667, 33333333]
        """
        blocks: list[NDArray[np.int64]] = []
        while sum(map(len, blocks)) < count:
            blocks.append(self.block())
        return np.concatenate(blocks)[:count] if blocks else np.zeros(0, np.int64)

    def __iter__(self) -> Iterator[int]:
        while True:
            yield from self.block().tolist()


class FixedRate:
    """round(i · period) for blocks of i, half to even, int64 ns.

    Parameters
    ----------
    period : Fraction
        ns; the denominator is at most 1e9.

    >>> FixedRate(Fraction(5, 2)).starts(0)[:4].tolist()
    [0, 2, 5, 8]
    """

    def __init__(self, period: Fraction) -> None:
        # round(x) = ⌊(2 n i + d) / 2 d⌋ for x = n i / d, but for ties. What i adds within a block
        # is divided once and for all; rest < 1e9, so nothing overflows int64.
        self._numerator, self._denominator = 2 * period.numerator, period.denominator
        self._unit = 2 * period.denominator
        whole, rest = divmod(self._numerator, self._unit)
        within = np.arange(BLOCK, dtype=np.int64)
        more, self._parts = np.divmod(rest * within, self._unit)
        self._wholes = whole * within + more

    def starts(self, first: int) -> NDArray[np.int64]:
        """round(i · period) for i = first .. first + BLOCK − 1, shape (BLOCK,)."""
        base, part = divmod(self._numerator * first + self._denominator, self._unit)
        parts = self._parts + part
        found = self._wholes + (parts >= self._unit)
        found += base
        if self._denominator % 2 == 0:  # the only ones with ties, which were rounded up
            found -= (parts % self._unit == 0) & (found % 2 == 1)
        return found
