"""MinAtar's games (Young & Tian 2019): ``rtsim/MinAtar-v0`` with Gymnasium, from the extra ``minatar``."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from rtsim.errors import MissingExtra, UnknownName

GAMES = ("asterix", "breakout", "freeway", "seaquest", "space_invaders")
SIDE = 10


class MinAtar(gymnasium.Env[NDArray[np.uint8], np.int64]):
    """One of the games; after the same seed and actions it is the same.

    The package's own environment carries the last action of an episode, which a sticky step repeats, into the
    next one; here an episode begins with no last action.

    Parameters
    ----------
    game : str
        One of :data:`GAMES`.
    sticky : float, 0..1
        Probability that a step repeats the last action instead.
    ramping : bool
        Whether the game grows harder.
    minimal : bool
        Only the actions that this game knows, instead of all six.
    """

    metadata = {"render_modes": []}  # noqa: RUF012 - as Gymnasium has it

    def __init__(self, game: str = "breakout", sticky: float = 0.1, ramping: bool = True, minimal: bool = True) -> None:
        if game not in GAMES:
            raise UnknownName("MinAtar game", game, GAMES)
        try:
            from minatar import Environment
        except ModuleNotFoundError as error:
            raise MissingExtra(f"the game {game}", "minatar", "minatar") from error
        self._game = Environment(game, sticky_action_prob=sticky, difficulty_ramping=ramping)
        self._actions = self._game.minimal_action_set() if minimal else list(range(6))
        #: The index of doing nothing, the default policy.
        self.noop = 0
        self.action_space = gymnasium.spaces.Discrete(len(self._actions))
        shape = (SIDE, SIDE, self._game.n_channels)
        self.observation_space = gymnasium.spaces.Box(0, 1, shape, np.uint8)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.uint8], dict[str, Any]]:
        """Begin an episode: the first one of a seed, else the next one."""
        super().reset(seed=seed)
        self._game.seed(int(self.np_random.integers(2**31)))
        self._game.last_action = 0
        self._game.reset()
        return self._observation(), {}

    def step(self, action: Any) -> tuple[NDArray[np.uint8], float, bool, bool, dict[str, Any]]:
        """One frame."""
        reward, ended = self._game.act(self._actions[int(action)])
        return self._observation(), float(reward), bool(ended), False, {}

    def _observation(self) -> NDArray[np.uint8]:
        return np.asarray(self._game.state(), np.uint8)
