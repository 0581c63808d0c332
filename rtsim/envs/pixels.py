"""Pictures as the papers' networks see them: 84 × 84 pixels, one grey channel, resampled by area.

Every pixel of the result is the mean over the rectangle of the screen that it covers, parts of screen pixels
counted by their area (what OpenCV calls ``INTER_AREA``), rounded half up. All arithmetic is on whole numbers, so the
result does not depend on the machine.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

#: Side of an observation in pixels.
SIDE = 84

Bytes = NDArray[np.uint8]


def overlaps(pixels: int, side: int = SIDE) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Which pixels of one axis every pixel of the result covers, and how much of each.

    Parameters
    ----------
    pixels : int, >= 1
        Pixels of the screen along this axis.

    Returns
    -------
    first : uint32 array, shape (side,)
        The first pixel covered.
    weights : int32 array, shape (side, taps)
        Share of this one and those after it, in units of 1/pixels; every row sums to ``pixels``.

    >>> first, weights = overlaps(3, side=2)
    >>> first.tolist(), weights.tolist()
    ([0, 1], [[2, 1], [1, 2]])
    """
    low = np.arange(side) * pixels  # in units of 1/side of a pixel
    first = low // side
    taps = int(((low + pixels - 1) // side - first).max()) + 1
    edges = (first[:, None] + np.arange(taps)[None, :]) * side
    shared = np.minimum(edges + side, (low + pixels)[:, None]) - np.maximum(edges, low[:, None])
    weights = np.maximum(shared, 0)  # the last ones stand beyond the screen where fewer pixels are covered
    return first.astype(np.uint32), weights.astype(np.int32)


class Resampler:
    """Makes observations out of screens of one size.

    Parameters
    ----------
    height, width : int, pixels

    >>> int(Resampler(144, 160).grey(np.full((144, 160), 7, np.uint8)).min())
    7
    """

    def __init__(self, height: int, width: int) -> None:
        self._rows, self._row_weights = overlaps(height)
        self._columns, self._column_weights = overlaps(width)
        self._sums = np.zeros(width + self._column_weights.shape[1], np.int32)
        self._grey = np.empty((height, width), np.uint8)

    def grey(self, screen: Bytes) -> Bytes:
        """The observation of a grey screen.

        Parameters
        ----------
        screen : uint8 array, shape (height, width)

        Returns
        -------
        uint8 array, shape (84, 84, 1), a new one
        """
        out = np.empty((SIDE, SIDE, 1), np.uint8)
        _area(screen, self._rows, self._row_weights, self._columns, self._column_weights, self._sums, out)
        return out

    def rgb(self, screen: Bytes) -> Bytes:
        """The observation of a screen in colours: its luma 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), resampled.

        Parameters
        ----------
        screen : uint8 array, shape (height, width, 3)
        """
        _luma(screen, self._grey)
        return self.grey(self._grey)


def _kernel(function: Any) -> Any:
    """Compile at the first call and keep the code: beside this file, or where the user's caches are."""
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # neither can be written to: compile in every process, which takes a second
        return numba.njit(**options)(function)


@_kernel
def _luma(screen, grey):
    for y in range(screen.shape[0]):
        for x in range(screen.shape[1]):
            red, green, blue = np.int32(screen[y, x, 0]), np.int32(screen[y, x, 1]), np.int32(screen[y, x, 2])
            # Shares in units of 2^-16, which add up to 1.
            grey[y, x] = (19595 * red + 38470 * green + 7471 * blue + 32768) >> 16


@_kernel
def _area(screen, rows, row_weights, columns, column_weights, sums, out):
    height, width = screen.shape
    whole = height * width
    # A division by ``whole`` as a product: exact while 255 · whole² < 2^44, for screens up to 512 × 512.
    reciprocal = (1 << 44) // whole + 1
    line = np.empty(columns.shape[0], np.int32)
    for i in range(rows.shape[0]):
        first = rows[i]
        weight = row_weights[i, 0]
        for x in range(width):
            sums[x] = weight * np.int32(screen[first, x])
        for tap in range(1, row_weights.shape[1]):
            weight = row_weights[i, tap]
            if weight != 0:
                for x in range(width):
                    sums[x] += weight * np.int32(screen[first + tap, x])
        line[:] = whole // 2
        for tap in range(column_weights.shape[1]):
            for j in range(columns.shape[0]):
                line[j] += column_weights[j, tap] * sums[columns[j] + np.uint32(tap)]
        for j in range(columns.shape[0]):
            out[i, j, 0] = (np.int64(line[j]) * reciprocal) >> 44
