"""Emulated games at their consoles' rates: Atari through ale-py, the Game Boy through stable-retro.

>>> game = make("blocks(level=3)")
>>> game, game.noop, game.buttons
(<blocks(level=3), 6 actions, 59.7275 frames/s>, 6, ('A', 'B', 'LEFT', 'UP', 'RIGHT', 'DOWN'))
>>> observation = game.reset(seed=1)
>>> observation, reward, terminated, truncated, info = game.step(game.noop)
>>> state = game.save()
>>> game.restore(state)
>>> game.close()

Importing this package registers the games with Gymnasium, where that is installed:
``gymnasium.make("rtsim/Blocks-v0")``; and ``rtsim/Scheduled-v0``, any environment in real time
(:class:`rtsim.envs.scheduled.ScheduledEnv`). :func:`rtsim.envs.worlds.environment` makes any of them from a text such
as ``"mdp:delay(n=10, p=0.9)"``.
"""

import importlib.util

from rtsim.envs.emulator import SHAPE, Emulator, Observation, observation_hash
from rtsim.envs.integrations import import_rom
from rtsim.envs.registry import ENTRIES, make, read

if importlib.util.find_spec("gymnasium") is not None:
    from rtsim.envs.gym import register

    register()

__all__ = ["ENTRIES", "SHAPE", "Emulator", "Observation", "import_rom", "make", "observation_hash", "read"]
