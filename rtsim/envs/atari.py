"""Atari 2600 games through ale-py, whose package brings them: the raw interface, one frame a step.

As ``BoxingNoFrameskip-v4`` of Gymnasium, with the screen made grey and 84 × 84 by area: no frame is skipped, no two are
merged, actions are not sticky unless asked for, and action 0 is no button (Riemer et al. 2025, App. A).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsim.envs.emulator import Emulator, Observation, Step
from rtsim.envs.pixels import Resampler
from rtsim.errors import InvalidValue, MissingExtra, UnknownName

#: Frames per second that the console is taken to run at (an NTSC one really draws 59.92).
FPS = 60.0


@cache
def games() -> Mapping[str, str]:
    """Names of the games that ale-py brings, and of their files: ``{"NameThisGame": "name_this_game", ...}``.

    Empty where it is not installed; it is not imported.
    """
    found = importlib.util.find_spec("ale_py")
    if found is None or found.origin is None:
        return {}
    files = sorted((Path(found.origin).parent / "roms").glob("*.bin"))
    return {path.stem.title().replace("_", ""): path.stem for path in files}


def _rom(game: str) -> str:
    found = importlib.util.find_spec("ale_py")
    folder = Path(found.origin).parent if found is not None and found.origin is not None else Path()
    return str(folder / "roms" / f"{games()[game]}.bin")


def find(name: str) -> str:
    """The name of a game as rtsim spells it; capitals and Gymnasium's ``NoFrameskip-v4`` do not matter.

    Raises
    ------
    MissingExtra, UnknownName
    """
    known = {game.lower(): game for game in games()}
    if not known:
        raise MissingExtra("an Atari game", "ale-py", "envs")
    short = name.lower().removesuffix("noframeskip-v4").replace("_", "")
    if short not in known:
        raise UnknownName("Atari game", name, known.values())
    return known[short]


class Atari(Emulator):
    """One Atari game.

    Parameters
    ----------
    game : str
        A name of :func:`games`.
    text : str
        The canonical text, for ``id``.
    limit : int, frames, >= 0
        Episodes are truncated after so many frames, by default half an hour; 0: never.
    """

    def __init__(self, game: str, text: str, *, limit: int = 108_000, **common: Any) -> None:
        super().__init__(text, game, **common)
        try:
            from ale_py import ALEInterface, LoggerMode
        except ImportError:
            raise MissingExtra("an Atari game", "ale-py", "envs") from None
        ALEInterface.setLoggerMode(LoggerMode.Error)
        self._ale: Any = ALEInterface()
        self._ale.setInt("random_seed", 0)
        self._ale.setFloat("repeat_action_probability", 0.0)  # Emulator does it, with random numbers of each episode
        self._ale.setInt("frame_skip", 1)
        self._ale.setInt("max_num_frames_per_episode", limit)
        self._ale.loadROM(_rom(game))
        self._codes = self._ale.getMinimalActionSet()
        self.buttons = tuple(code.name for code in self._codes)
        self.fps, self.actions, self.noop = FPS, len(self._codes), 0
        height, width = self._ale.getScreenDims()
        self._grey = np.empty((height, width), np.uint8)
        self._resampler = Resampler(height, width)
        # A reset takes the emulator 15 ms, going back to its first one 0.1 ms: an environment in real time has 16.
        self._ale.reset_game()
        self._start = self._ale.cloneState(), self._look()

    def _begin(self, random: np.random.Generator) -> Observation:
        self._ale.restoreState(self._start[0])
        return self._start[1]

    def _look(self) -> Observation:
        self._ale.getScreenGrayscale(self._grey)
        return self._resampler.grey(self._grey)

    def _frame(self, action: int) -> Step:
        ale = self._ale
        reward = float(ale.act(self._codes[action]))
        terminated = ale.game_over(with_truncation=False)
        return self._look(), reward, terminated, ale.game_truncated(), {"lives": ale.lives()}

    def _picture(self) -> NDArray[np.uint8]:
        picture: NDArray[np.uint8] = self._ale.getScreenRGB()
        return picture

    def _memory(self) -> bytes:
        return bytes(self._ale.getRAM())

    def _save(self) -> Mapping[str, bytes]:
        return {"ale": self._ale.cloneState(include_rng=True).serialize()}

    def _restore(self, parts: Mapping[str, bytes]) -> None:
        from ale_py import ALEState

        try:
            self._ale.restoreState(ALEState(parts["ale"]))
        except (RuntimeError, ValueError, KeyError) as error:
            raise InvalidValue(f"ale-py does not take this saved state of {self.id}: {error}") from None

    def close(self) -> None:
        """Let the emulator go."""
        super().close()
        self._ale = None
