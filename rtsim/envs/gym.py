"""The games as Gymnasium environments: ``rtsim/Blocks-v0``, ``rtsim/Walk-v0``, ``rtsim/Boxing-v0``, ...

``gymnasium.make("rtsim/Game-v0", game="atari:Boxing(sticky=0.25)")`` takes any text of :func:`rtsim.envs.make`.
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from rtsim.envs import atari
from rtsim.envs.emulator import SHAPE, Emulator
from rtsim.envs.registry import make
from rtsim.errors import InvalidValue

if TYPE_CHECKING:
    from rtsim.envs.scheduled import ScheduledEnv

_HERE = "rtsim.envs.gym:Game"


class Game(gymnasium.Env[NDArray[np.uint8], np.int64]):
    """One game as a Gymnasium environment.

    Its default policy, no button, is :attr:`noop`; ``step`` takes that too where it is not in the action space.

    Parameters
    ----------
    game : str
        As for :func:`rtsim.envs.make`.
    render_mode : str, optional
        ``"rgb_array"``: :meth:`render` returns the whole picture in colours.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 60}  # noqa: RUF012 - as Gymnasium has it

    def __init__(self, game: str = "blocks", render_mode: str | None = None) -> None:
        self.emulator: Emulator = make(game)
        self.noop = self.emulator.noop
        self.action_space = gymnasium.spaces.Discrete(self.emulator.actions)
        self.observation_space = gymnasium.spaces.Box(0, 255, SHAPE, np.uint8)
        self.render_mode = render_mode
        self.metadata = {**self.metadata, "render_fps": self.emulator.fps}
        self._begun = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.uint8], dict[str, Any]]:
        """Begin an episode: the first one of a seed, else the next one."""
        super().reset(seed=seed)
        if seed is None and not self._begun:
            seed = int(self.np_random.integers(2**31))
        self._begun = True
        return self.emulator.reset(seed), {}

    def step(self, action: Any) -> tuple[NDArray[np.uint8], float, bool, bool, dict[str, Any]]:
        """One frame."""
        return self.emulator.step(int(action))

    def render(self) -> NDArray[np.uint8] | None:  # type: ignore[override,unused-ignore]
        """The whole picture, uint8, shape (height, width, 3)."""
        return self.emulator.screen() if self.render_mode == "rgb_array" else None

    def close(self) -> None:
        """Let the emulator go."""
        self.emulator.close()


def make_scheduled(
    env_id: str | gymnasium.Env[Any, Any] | None = None,
    *,
    env_kwargs: dict[str, Any] | None = None,
    render_mode: str | None = None,
    **settings: Any,
) -> ScheduledEnv:
    """What ``gymnasium.make("rtsim/Scheduled-v0", ...)`` makes.

    Parameters
    ----------
    env_id : str or gymnasium.Env
        Name of a registered environment, or one that is there.
    env_kwargs : dict, optional
        For ``gymnasium.make(env_id, ...)``.
    render_mode : str, optional
        Likewise.
    **settings
        As for :class:`~rtsim.envs.scheduled.ScheduledEnv`.

    Raises
    ------
    InvalidValue, UnknownName

    >>> settings = {"rule": "one_step_lag", "inference_time": "20ms"}
    >>> env = gymnasium.make("rtsim/Scheduled-v0", env_id="CartPole-v1", **settings)
    >>> env.reset(seed=0)[1]["decision"]
    0
    """
    from rtsim.envs.scheduled import ScheduledEnv

    if env_id is None:
        raise InvalidValue('rtsim/Scheduled-v0 needs an environment; give env_id=, e.g. env_id="CartPole-v1"')
    if isinstance(env_id, str):
        given: dict[str, Any] = {} if render_mode is None else {"render_mode": render_mode}
        env_id = gymnasium.make(env_id, **given, **(env_kwargs or {}))
    elif env_kwargs or render_mode not in (None, env_id.render_mode):
        raise InvalidValue("env_kwargs and render_mode go with the name of an environment, not with one that is there")
    return ScheduledEnv(env_id, **settings)


def register() -> None:
    """Tell Gymnasium about every game that is there, MDPs and ``Scheduled``; doing so again changes nothing."""
    texts = {"Blocks": "blocks", "Walk": "walk", **{name: f"atari:{name}" for name in atari.games()}}
    for name, text in texts.items():
        if f"rtsim/{name}-v0" not in gymnasium.registry:
            gymnasium.register(f"rtsim/{name}-v0", _HERE, kwargs={"game": text})
    if "rtsim/Game-v0" not in gymnasium.registry:
        gymnasium.register("rtsim/Game-v0", _HERE)
    if "rtsim/MDP-v0" not in gymnasium.registry:
        gymnasium.register("rtsim/MDP-v0", "rtsim.envs.tabular:Tabular")
    if "rtsim/Scheduled-v0" not in gymnasium.registry:
        gymnasium.register("rtsim/Scheduled-v0", "rtsim.envs.gym:make_scheduled")
    if importlib.util.find_spec("minatar") is not None and "rtsim/MinAtar-v0" not in gymnasium.registry:
        gymnasium.register("rtsim/MinAtar-v0", "rtsim.envs.minatar:MinAtar")
