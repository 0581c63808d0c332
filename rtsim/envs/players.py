"""Scripted players of our own Game Boy games: no learning, no randomness, no memory of their own.

A player looks at the game's memory (:meth:`rtsim.envs.Emulator.memory`) and says which action to take now. What it
says depends on that alone, so it may just as well be asked late, by many processes, or for some frames only.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rtsim.envs import registry
from rtsim.envs.gameboy import layout, tiles
from rtsim.envs.machine import BUTTONS
from rtsim.errors import InvalidValue

NOOP = len(BUTTONS)
_ACTION = {name: action for action, name in enumerate(BUTTONS)}

Cells = NDArray[np.bool_]
#: The well, true where something is: quicker to ask for single squares than an array.
Rows = list[list[bool]]
#: Turn, column and row of a piece's box in the well.
Place = tuple[int, int, int]


class Player(Protocol):
    """Anything that chooses actions by looking at a game's memory."""

    def act(self, memory: bytes) -> int:
        """The action to take now, or the game's ``noop``."""
        ...


def player(game: str) -> Player:
    """The scripted player of a game.

    Parameters
    ----------
    game : str
        As for :func:`rtsim.envs.make`.

    Raises
    ------
    InvalidValue
        If it has none.

    >>> type(player("blocks(level=3)")).__name__
    'Blocks'
    """
    name = registry.read(game).entry.name
    if name not in PLAYERS:
        raise no_player(name)
    return PLAYERS[name]()


def no_player(of: object) -> InvalidValue:
    """What is wrong with asking for a scripted player of something that has none."""
    return InvalidValue(f"there is no scripted player for {of}; there is one for {' and '.join(PLAYERS)}")


def _screen(memory: bytes) -> NDArray[np.uint8]:
    """The tiles of the screen, uint8, shape (18, 20)."""
    size = layout.ROWS * layout.COLUMNS
    tiles_seen = np.frombuffer(memory, np.uint8, size, layout.SCREEN - layout.BASE)
    return tiles_seen.reshape(layout.ROWS, layout.COLUMNS)


class Blocks:
    """Puts every piece where the well looks best afterwards, turning, then moving, then hurrying.

    Wells are judged as Pierre Dellacherie did in 2003 (C. Fahey, "Tetris AI"; C. Thiery and B. Scherrer, "Building
    controllers for Tetris", ICGA Journal 2009): minus the height where the piece lands, plus lines times squares of the
    piece in them, minus changes between full and empty along rows and along columns, minus four for every hole, minus
    the depths of wells one column wide.
    """

    def __init__(self) -> None:
        self._known: tuple[tuple[int, Rows], Place | None] = ((0, []), None)

    def act(self, memory: bytes) -> int:
        """The action to take now."""
        column, row, width, height = layout.WELL
        seen = _screen(memory)[row : row + height, column : column + width]
        piece, turn, x, y, held = (layout.read(memory, n) for n in ("piece", "turn", "piece_x", "piece_y", "held"))
        over = layout.read(memory, "gameover") or not layout.read(memory, "playing")
        if over or (seen == tiles.numbers()["FLASH"]).any():
            return NOOP
        goal = self._goal(memory, (seen != tiles.numbers()["EMPTY"]).tolist(), piece, (turn, x, y))
        if goal is None:
            return NOOP
        if goal[0] != turn:
            return _press("B" if (goal[0] - turn) % 4 == 3 else "A", held)
        if goal[1] != x:
            return _press("LEFT" if goal[1] < x else "RIGHT", held)
        # A piece is hurried only by a button that went down after the piece came.
        return _press("DOWN", held) if y == 0 else _ACTION["DOWN"]

    def _goal(self, memory: bytes, board: Rows, piece: int, now: Place) -> Place | None:
        """Where to put the present piece; found once per piece, and again should it have become unreachable."""
        key = layout.read(memory, "pieces"), board
        known, goal = self._known
        if known != key or goal is None or not _reaches(board, piece, now, goal):
            places = list(_places(board, piece, now))
            goal = places[int(_worth(board, piece, places).argmax())] if places else None
            self._known = key, goal
        return goal


def _press(button: str, held: int) -> int:
    """A button that acts when it goes down: let go of first if it is down."""
    return NOOP if held & layout.PAD[button] else _ACTION[button]


def _fits(board: Rows, piece: int, place: Place) -> bool:
    turn, left, top = place
    return all(
        0 <= left + x < len(board[0]) and 0 <= top + y < len(board) and not board[top + y][left + x]
        for x, y in layout.SHAPES[piece][turn]
    )


def _reaches(board: Rows, piece: int, now: Place, goal: Place) -> bool:
    """Whether the piece can turn where it is and then move sideways to the column of the goal."""
    turn, (_, x, y) = goal[0], now
    step = 1 if goal[1] >= x else -1
    return all(_fits(board, piece, (turn, column, y)) for column in range(x, goal[1] + step, step))


def _places(board: Rows, piece: int, now: Place) -> Iterator[Place]:
    """All places where the piece could come to lie."""
    seen = set()
    for turn, squares in enumerate(layout.SHAPES[piece]):
        for x in range(-2, len(board[0])):
            if not _reaches(board, piece, now, (turn, x, 0)):
                continue
            y = now[2]
            while _fits(board, piece, (turn, x, y + 1)):
                y += 1
            covered = frozenset((x + dx, y + dy) for dx, dy in squares)
            if covered not in seen:  # a turn may look the same as another
                seen.add(covered)
                yield turn, x, y


def _worth(board: Rows, piece: int, places: Sequence[Place]) -> NDArray[np.float64]:
    """How good the well is after each place, shape (places,); all arrays have the place as their first axis."""
    squares = np.array([[(left + x, top + y) for x, y in layout.SHAPES[piece][turn]] for turn, left, top in places])
    every = np.arange(len(places))[:, None]
    columns, rows = squares[..., 0], squares[..., 1]
    placed: Cells = np.repeat(np.array(board)[None], len(places), axis=0)
    placed[every, rows, columns] = True
    full: Cells = np.all(placed, axis=2)
    lines = full.sum(axis=1)
    # Full rows go to the top, where they count as empty; the others keep their order.
    order = np.argsort(~full, axis=1, kind="stable")
    after: Cells = placed[every, order] & (np.arange(full.shape[1]) >= lines[:, None])[..., None]
    landing = full.shape[1] - (rows.min(axis=1) + rows.max(axis=1)) / 2
    eroded = lines * full[every, rows].sum(axis=1)
    sides = np.pad(after, ((0, 0), (0, 0), (1, 1)), constant_values=True)
    floor = np.pad(after, ((0, 0), (0, 1), (0, 0)), constant_values=True)
    changes = (sides[..., 1:] != sides[..., :-1]).sum(axis=(1, 2)) + (floor[:, 1:] != floor[:, :-1]).sum(axis=(1, 2))
    covered: Cells = np.logical_or.accumulate(after, axis=1)
    holes = (covered & ~after).sum(axis=(1, 2))
    # A square of a well is empty, open to the sky and walled on both sides; the n-th from the top counts n.
    well = ~covered & sides[..., :-2] & sides[..., 2:]
    depth, wells = np.zeros(after.shape[::2], np.int64), np.zeros(len(places), np.int64)
    for row in range(after.shape[1]):
        depth = (depth + 1) * well[:, row]
        wells += depth.sum(axis=1)
    worth: NDArray[np.float64] = eroded - landing - changes - 4.0 * holes - wells
    return worth


class Walk:
    """Takes a shortest way to the goal: in one go, or, once it has strayed from it, tile by tile.

    Asked late, it walks past every turning, as a button is held until the turning has been seen, and would pace up and
    down before it for ever. That it has strayed shows in the places seen in this maze: they are no longer one shortest
    way, which ends where it stands. From then on it holds the button for the length of one step in every
    :attr:`PERIOD` frames and waits to see the step done, which works while actions are at most :attr:`LATEST` frames
    late. Never late, it never strays.
    """

    #: Frames that a step takes, in which no button is listened to.
    STEP = 4
    #: A prime, and moved on by a frame now and then, so that who looks only every so many frames finds the right ones.
    PERIOD, DRIFT = 17, 256
    #: A step may begin STEP - 1 frames into its turn, and must have been seen when the next turn begins.
    LATEST = PERIOD - 2 * STEP + 1

    def __init__(self) -> None:
        self._known: tuple[bytes, NDArray[np.int64]] = (b"", np.zeros((0, 0), np.int64))

    def act(self, memory: bytes) -> int:
        """The action to take now."""
        if not layout.read(memory, "playing"):
            return NOOP
        x, y, goal_x, goal_y = (layout.read(memory, n) for n in ("player_x", "player_y", "goal_x", "goal_y"))
        screen = _screen(memory)
        passable = screen != tiles.numbers()["WALL"]
        passable[0] = False  # the numbers
        key = passable.tobytes() + bytes((goal_x, goal_y))
        if self._known[0] != key:
            self._known = key, _distances(passable, goal_x, goal_y)
        distances = self._known[1]
        frames = layout.read(memory, "frames")
        if (frames + frames // self.DRIFT) % self.PERIOD >= self.STEP:
            seen = np.sort(distances[1:][screen[1:] == tiles.numbers()["SEEN"]])
            if not np.array_equal(seen, distances[y, x] + np.arange(len(seen))):
                return NOOP  # it has strayed, and waits
        for button, (dx, dy) in _STEPS.items():
            if 0 <= distances[y + dy, x + dx] < distances[y, x]:
                return _ACTION[button]
        return NOOP


_STEPS = {"RIGHT": (1, 0), "LEFT": (-1, 0), "UP": (0, -1), "DOWN": (0, 1)}


def _distances(passable: Cells, goal_x: int, goal_y: int) -> NDArray[np.int64]:
    """Steps to the goal from every tile, -1 where there is no way; walls stand all around."""
    found = np.full(passable.shape, -1)
    found[goal_y, goal_x] = 0
    waiting = deque([(goal_x, goal_y)])
    while waiting:
        x, y = waiting.popleft()
        for dx, dy in _STEPS.values():
            if passable[y + dy, x + dx] and found[y + dy, x + dx] < 0:
                found[y + dy, x + dx] = found[y, x] + 1
                waiting.append((x + dx, y + dy))
    return found


PLAYERS: Mapping[str, Callable[[], Player]] = {"blocks": Blocks, "walk": Walk}
