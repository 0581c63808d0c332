"""Plays given actions and tells everything that was seen; also as a process of its own:

python played.py GAME STATE_FILE ACTION ...
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from rtsim.envs import Emulator, make, observation_hash


def played(emulator: Emulator, actions: Iterable[int]) -> list[tuple[Any, ...]]:
    """Hash of the observation, reward, ends and counts of every step."""
    steps = (emulator.step(action) for action in actions)
    return [(observation_hash(o), reward, over, cut, sorted(info.items())) for o, reward, over, cut, info in steps]


def some_actions(emulator: Emulator, length: int, seed: int = 0) -> list[int]:
    """Random actions, the default policy's among them, each held for a few frames as a hand would."""
    random = np.random.default_rng(seed)
    choices = [*range(emulator.actions), emulator.noop]
    return np.repeat(random.choice(choices, length // 4 + 1), 4)[:length].tolist()


if __name__ == "__main__":
    with make(sys.argv[1]) as restored:
        restored.restore(Path(sys.argv[2]).read_bytes())
        print([observation_hash(restored.observe()), *played(restored, map(int, sys.argv[3:]))])
