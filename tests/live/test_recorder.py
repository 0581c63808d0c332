"""The log of a live run against a plain array that grows."""

from __future__ import annotations

import numpy as np
import pytest

from rtsim.live.recorder import BLOCK, Log


@pytest.mark.parametrize("sizes", [(0,), (1, 2, 3), (BLOCK,), (BLOCK - 1, 1, 1), (3 * BLOCK + 5, 0, 7), (BLOCK, BLOCK)])
def test_a_log_holds_what_was_appended_in_order(sizes):
    log, naive = Log(3), np.zeros((0, 3), np.int64)
    for size in sizes:
        rows = np.arange(3 * size).reshape(size, 3) + 10 * len(naive)
        log.append(rows)
        naive = np.concatenate([naive, rows])
        rows[:] = -1  # a ring is written over
        assert len(log) == len(naive)
        for count in (0, 1, 2, BLOCK, BLOCK + 1, len(naive), len(naive) + 9):
            np.testing.assert_array_equal(log.newest(count), naive[max(len(naive) - count, 0) :])
    table = log.table(("a", "b", "c"))
    np.testing.assert_array_equal(np.column_stack(list(table.values())), naive)
