"""What every emulated game can do: be stepped by one frame, looked at, saved and restored exactly.

An emulator waits for nobody: whoever calls :meth:`Emulator.step` sets the pace. One call is one frame of the
console, with the buttons of one action held during it.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rtsim.envs.pixels import SIDE
from rtsim.errors import InvalidValue
from rtsim.timing import units

Observation = NDArray[np.uint8]
Info = dict[str, Any]
Step = tuple[Observation, float, bool, bool, Info]

#: Shape of every observation: rows, columns, one grey channel.
SHAPE = (SIDE, SIDE, 1)

_MAGIC = b"rtsim.state/1\n"
_HEADER = struct.Struct("<II")  # length of the JSON after it, checksum of all that follows


def observation_hash(observation: Observation) -> int:
    """64 bits that tell two observations apart, as an int64: what a recording keeps of every step.

    The first eight bytes of BLAKE2b, little-endian; two different pictures agree with probability 2^-64.

    Parameters
    ----------
    observation : uint8 array, C-contiguous

    >>> observation_hash(np.zeros(SHAPE, np.uint8))
    -964662595239194562
    """
    digest = hashlib.blake2b(np.ascontiguousarray(observation).data, digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


class Emulator(ABC):
    """A game on an emulator.

    Parameters
    ----------
    text, name : str
        ``id`` and ``name``.
    sticky : float, 0..1
        Probability that a frame repeats the action of the frame before instead of its own (Machado et al. 2018).
    noops : int, >= 0
        An episode begins with a random number of frames without buttons, at most this many.

    Attributes
    ----------
    id : str
        The text that :func:`rtsim.envs.make` makes this emulator of, e.g. ``"atari:Boxing(sticky=0.25)"``.
    name : str
        For people, e.g. ``"Boxing"``.
    fps : float
        Frames (steps) per second of the console, where a game is played in real time.
    actions : int, >= 1
        The agent's actions are 0..actions-1.
    noop : int
        The action of the default policy, no button at all. Where the agent has it (Atari) it is one of its actions,
        where it has not (Game Boy, Riemer et al. 2025, App. A) it is ``actions``; :meth:`step` takes it either way.
    buttons : tuple of str
        What the agent's actions press.
    """

    #: Set by each kind of emulator.
    fps: float
    actions: int
    noop: int
    buttons: tuple[str, ...]

    def __init__(self, text: str, name: str, *, sticky: float = 0.0, noops: int = 0) -> None:
        self.id, self.name = text, name
        self._sticky, self._noops = sticky, noops
        self._seed, self._episode, self._last = 0, -1, 0
        self._random = np.random.default_rng(0)
        self._observation = np.zeros(SHAPE, np.uint8)
        self._closed = False

    def reset(self, seed: int | None = None) -> Observation:
        """Begin an episode.

        Parameters
        ----------
        seed : int, 0 <= seed < 2**63, optional
            Begins the first episode of this seed; without it, the next one. Equal seeds, episodes and actions make
            equal pictures and rewards. A new emulator stands before the first episode of seed 0.

        Returns
        -------
        uint8 array, shape (84, 84, 1)
        """
        self._check_open()
        if seed is not None:
            self._seed = units.whole(seed, "seed", 0, 2**63 - 1)
        self._episode = 0 if seed is not None else self._episode + 1
        self._random = np.random.default_rng([self._seed, self._episode])
        self._last = self.noop
        self._observation = self._begin(self._random)
        for _ in range(int(self._random.integers(self._noops + 1))):
            self._observation = self._frame(self.noop)[0]
        return self.observe()

    def step(self, action: int) -> Step:
        """Let one frame pass with the buttons of an action held.

        Parameters
        ----------
        action : int
            0..actions-1, or ``noop``.

        Returns
        -------
        observation : uint8 array, shape (84, 84, 1)
            A new array.
        reward : float
        terminated : bool
            The game is over; :meth:`reset` begins the next.
        truncated : bool
            The episode was ended by a limit on its length.
        info : dict of str to int
            What the game counts; it differs between games.

        Raises
        ------
        InvalidValue
            If there is no such action, or no episode has begun.
        """
        self._check_begun()
        if not (0 <= action < self.actions or action == self.noop):
            raise InvalidValue(
                f"action {action} of {self.id} must be in 0..{self.actions - 1}, or {self.noop} for none"
            )
        if self._sticky and self._random.random() < self._sticky:
            action = self._last
        self._last = action
        result = self._frame(action)
        self._observation = result[0]
        return result

    def observe(self) -> Observation:
        """The present observation, uint8, shape (84, 84, 1), a copy; after :meth:`restore` too."""
        self._check_begun()
        return self._observation.copy()

    def save(self) -> bytes:
        """Everything that decides what comes next, and the present observation.

        It holds plain bytes and JSON, no code, and is read by the same versions of rtsim and of the emulator.
        """
        self._check_begun()
        parts = {"observation": self._observation.tobytes(), **self._save()}
        header = {
            "id": self.id,
            "seed": self._seed,
            "episode": self._episode,
            "last": self._last,
            "random": self._random.bit_generator.state,
            "parts": {name: len(part) for name, part in parts.items()},
        }
        described = json.dumps(header).encode()
        body = described + b"".join(parts.values())
        return _MAGIC + _HEADER.pack(len(described), zlib.crc32(body)) + body

    def restore(self, state: bytes) -> None:
        """Go back to a state saved by an emulator with the same ``id``, also in another process.

        The same actions lead to the same observations and rewards as after :meth:`save`. :meth:`screen` alone
        shows the old picture until the next step.

        Raises
        ------
        InvalidValue
            If the bytes are damaged or belong to another game.
        """
        self._check_open()
        header, parts = _unpack(state)
        if header["id"] != self.id:
            raise InvalidValue(f"saved state of {str(header['id'])[:80]} cannot be restored into {self.id}")
        observation = np.frombuffer(parts.pop("observation"), np.uint8).reshape(SHAPE).copy()
        self._restore(parts)
        self._random.bit_generator.state = header["random"]
        self._seed, self._episode, self._last = header["seed"], header["episode"], header["last"]
        self._observation = observation

    def reseed(self, seed: int) -> None:
        """Let other random numbers come from here on; all else stays as it is.

        They decide sticky frames. What the game itself draws comes from its memory, which a saved state holds, so that
        two restored copies draw alike whatever the seed.

        Parameters
        ----------
        seed : int, 0 <= seed < 2**63
        """
        self._check_begun()
        self._random = np.random.default_rng(units.whole(seed, "seed", 0, 2**63 - 1))

    def screen(self) -> NDArray[np.uint8]:
        """The whole picture in colours, uint8, shape (height, width, 3); stale from a restore until the next step.

        144 × 160 on the Game Boy, 210 × 160 for most Atari games.
        """
        self._check_open()
        return self._picture()

    def memory(self) -> bytes:
        """The console's work memory, for scripted players.

        128 bytes of an Atari; 8 KiB from address 0xC000 on of a Game Boy, of our own games the part of it that
        ``rtsim.envs.gameboy.layout`` describes.
        """
        self._check_open()
        return self._memory()

    def close(self) -> None:
        """Let the emulator go. Calling it twice is fine."""
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{self.id}, {self.actions} actions, {self.fps:g} frames/s>"

    def _check_open(self) -> None:
        if self._closed:
            raise InvalidValue(f"{self.id} is closed; make a new one")

    def _check_begun(self) -> None:
        self._check_open()
        if self._episode < 0:
            raise InvalidValue(f"{self.id} has not begun; call reset() first")

    @abstractmethod
    def _begin(self, random: np.random.Generator) -> Observation:
        """Begin an episode; what is random about it comes from ``random``."""

    @abstractmethod
    def _frame(self, action: int) -> Step:
        """One frame with a valid action."""

    @abstractmethod
    def _picture(self) -> NDArray[np.uint8]: ...

    @abstractmethod
    def _memory(self) -> bytes: ...

    @abstractmethod
    def _save(self) -> Mapping[str, bytes]: ...

    @abstractmethod
    def _restore(self, parts: Mapping[str, bytes]) -> None: ...


def _unpack(state: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Header and parts of what :meth:`Emulator.save` made."""
    start = len(_MAGIC) + _HEADER.size
    if not isinstance(state, bytes) or len(state) < start or not state.startswith(_MAGIC):
        raise InvalidValue("this is no saved state of an emulator, or one of another version of rtsim")
    length, checksum = _HEADER.unpack_from(state, len(_MAGIC))
    if zlib.crc32(state[start:]) != checksum:
        raise InvalidValue("this saved state of an emulator is damaged or cut off")
    header = json.loads(state[start : start + length])
    parts, at = {}, start + length
    for name, size in header["parts"].items():
        parts[name] = state[at : at + size]
        at += size
    return header, parts
