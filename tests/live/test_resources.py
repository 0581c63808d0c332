"""What processes hold, and how fast it grows."""

from __future__ import annotations

import subprocess
import sys
import tempfile

import numpy as np
import pytest

from rtsim.live.resources import holding, slope


def test_holding_sees_a_child_and_an_open_file_and_that_they_have_gone() -> None:
    before = holding()
    program = "print('here', flush=True); input()"
    child = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()  # until then it may hold next to nothing
    with tempfile.TemporaryFile():
        during = holding()
    child.communicate(b"\n")
    after = holding()
    assert during.processes == before.processes + 1
    assert during.descriptors >= before.descriptors + 2  # the file, our end of the pipe, and the child's own
    assert during.children_bytes > 1_000_000
    assert (after.processes, after.descriptors) == (before.processes, before.descriptors)


def test_slope_of_noise_is_flat_and_of_a_leak_is_not() -> None:
    # 170 samples of 10 s, s.d. 1 MB about 1 GB; the leak is 100 kB a minute, 2.8 MB in all.
    times = np.arange(170) * 10.0
    noise = 1e9 + 1e6 * np.random.default_rng(1).standard_normal(170)
    seconds = times[-1]
    assert slope(times, noise).flat(seconds, 0.002)
    assert not slope(times, noise + 1e5 / 60 * times).flat(seconds, 0.002)


def test_interval_of_a_slope_is_that_of_a_textbook() -> None:
    # x = 1..5, y = 2, 4, 5, 4, 5: slope 0.6, its standard error √(2.4/3/10) = 0.2828; t(0.995; 3) = 5.841.
    found = slope([1.0, 2.0, 3.0, 4.0, 5.0], [2.0, 4.0, 5.0, 4.0, 5.0])
    assert found.per_s == pytest.approx(0.6)
    assert found.ci99 == pytest.approx((0.6 - 5.841 * 0.28284, 0.6 + 5.841 * 0.28284), abs=1e-3)
