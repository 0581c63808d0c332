"""Frames per second of the emulated games against the bare emulator; run with ``--benchmark-enable`` to measure.

What rtsim adds to a frame (reading the screen, 84 × 84 grey, reward, checks) may cost no more than a frame itself: on a
core that emulates 14,000 to 21,000 frames a second, 10,000 to 15,000 are left.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from rtsim.envs import make

#: Few enough that no game is over before they are.
FRAMES = 1000


@pytest.mark.benchmark(timer=time.process_time)
@pytest.mark.parametrize("text", ["blocks", "walk", "atari:Boxing", "atari:Krull", "atari:NameThisGame"])
def test_observed_frame_costs_at_most_two_bare_ones(benchmark: Any, text: str) -> None:
    with make(text) as game:
        bare = _bare(game)

        def observed() -> None:
            for _ in range(FRAMES):
                game.step(game.noop)

        def begin() -> None:
            game.reset(0)

        benchmark.pedantic(observed, setup=begin, rounds=10, warmup_rounds=1)
        if benchmark.stats is None:
            return
        alone = min(_seconds(bare, game) for _ in range(10)) / FRAMES
        own = benchmark.stats.stats.min / FRAMES
        benchmark.extra_info |= {"frames_per_s": round(1 / own), "emulator_alone": round(1 / alone)}
        assert own <= 2 * alone


def _bare(game: Any) -> Callable[[], object]:
    """One frame of the emulator below, nothing read from it."""
    if game.id.startswith("atari"):
        return lambda: game._ale.act(0)
    return lambda: game._machine._emulator.step()


def _seconds(frame: Callable[[], object], game: Any) -> float:
    """Processor time of a round of frames."""
    game.reset(0)
    start = time.process_time()
    for _ in range(FRAMES):
        frame()
    return time.process_time() - start
