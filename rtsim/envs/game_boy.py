"""Game Boy games: the two of our own, and any ROM of the user's with its integration folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsim.envs.emulator import Emulator, Info, Observation, Step
from rtsim.envs.gameboy import layout
from rtsim.envs.machine import BUTTONS, FPS, Machine, first_state, load_state
from rtsim.envs.pixels import Resampler
from rtsim.errors import InvalidValue

#: Integration folder of our own two games.
OWN = Path(__file__).parent / "gameboy" / "integrations" / "Rtsim-GameBoy"
_MODES = {"blocks": layout.BLOCKS, "walk": layout.WALK}
#: What ``info`` holds.
_COUNTS = {"blocks": ("score", "lines", "level", "pieces"), "walk": ("score", "goals")}
#: Frames that a game may take to appear; it takes about 14.
_PATIENCE = 120


class GameBoy(Emulator):
    """The game of an integration folder: rewards, end and ``info`` are what its scenario says.

    The agent's actions are the papers' six buttons; the default policy presses none, which is not one of them.

    Parameters
    ----------
    text, name : str
    folder : Path
        Integration folder with a ROM.
    state : str, optional
        Saved state that episodes begin in, the default one if not given.
    scenario : str
    """

    def __init__(
        self,
        text: str,
        name: str,
        folder: Path,
        *,
        state: str | None = None,
        scenario: str = "scenario",
        **common: Any,
    ) -> None:
        super().__init__(text, name, **common)
        self.fps, self.actions, self.noop, self.buttons = FPS, len(BUTTONS), len(BUTTONS), BUTTONS
        state = state or first_state(folder)
        begin = load_state(folder, state) if state else None
        self._machine = Machine(folder, scenario)
        self._masks = self._machine.masks
        height, width = self._machine.screen().shape[:2]
        self._resampler = Resampler(height, width)
        self._start = begin if begin is not None else self._machine.save()
        self._look()  # compiles, so that the first reset is not late

    def _begin(self, random: np.random.Generator) -> Observation:
        self._machine.restore(self._start)
        self._machine.frame(self._masks[self.noop])  # the picture of a restored state is drawn by the next frame
        self._outcome()
        return self._look()

    def _look(self) -> Observation:
        return self._resampler.rgb(self._machine.screen())

    def _frame(self, action: int) -> Step:
        self._machine.frame(self._masks[action])
        reward, terminated, info = self._outcome()
        return self._look(), reward, terminated, False, info

    def _outcome(self) -> tuple[float, bool, Info]:
        return self._machine.outcome()

    def _picture(self) -> NDArray[np.uint8]:
        return self._machine.screen()

    def _memory(self) -> bytes:
        return self._machine.work_memory()

    def _save(self) -> Mapping[str, bytes]:
        return {"game_boy": self._machine.save()}

    def _restore(self, parts: Mapping[str, bytes]) -> None:
        self._machine.restore(parts["game_boy"])

    def close(self) -> None:
        """Switch the console off, so that this process may start another."""
        super().close()
        self._machine.close()


class OwnGame(GameBoy):
    """One of the two games of our own. A seed decides the pieces or the mazes; the reward is what the score gains.

    Parameters
    ----------
    game : str
        ``"blocks"`` or ``"walk"``.
    level : int, 0..9
        Level at which the blocks begin.
    """

    def __init__(self, text: str, game: str, *, level: int = 0, **common: Any) -> None:
        super().__init__(text, game, OWN, state="Title", scenario="scenario", **common)
        self._mode, self._counts, self._level = _MODES[game], _COUNTS[game], level
        self._score = 0

    def _begin(self, random: np.random.Generator) -> Observation:
        self._machine.restore(self._start)
        begin(self._machine, self._mode, seed=int(random.integers(1, 2**16)), level=self._level)
        self._score = 0
        return self._look()

    def _outcome(self) -> tuple[float, bool, Info]:
        # Straight from memory; keeping stable-retro's copy of it up to date costs more than the frame.
        value = self._machine.value
        info = {name: value(name) for name in self._counts}
        gained, self._score = info["score"] - self._score, info["score"]
        return float(gained), value("gameover") == 1, info

    def _memory(self) -> bytes:
        return self._machine.work_memory()[: layout.SIZE]

    def _restore(self, parts: Mapping[str, bytes]) -> None:
        super()._restore(parts)
        self._score = self._machine.value("score")


def begin(machine: Machine, mode: int, *, seed: int, level: int) -> None:
    """Begin one of our games from its title screen, and wait until its picture is there."""
    machine.put("seed", seed)
    machine.put("level", level)
    machine.put("start", mode)
    for _ in range(_PATIENCE):
        machine.frame(machine.masks[-1])
        if machine.value("playing"):
            return
    raise InvalidValue("the game does not begin; is this the ROM that comes with rtsim?")
