"""Emulators for tests. The Game Boy's core allows one per process, so every test gives its own back."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from rtsim.envs import Emulator, make


@pytest.fixture
def game() -> Iterator[Callable[[str], Emulator]]:
    """``make``, whose emulators are closed after the test."""
    made: list[Emulator] = []

    def call(text: str) -> Emulator:
        made.append(make(text))
        return made[-1]

    yield call
    for emulator in made:
        emulator.close()
