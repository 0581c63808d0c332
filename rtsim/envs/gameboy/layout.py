"""Where the Game Boy games keep what is read or written from outside: one table for ROM and Python.

The build script makes ``layout.h`` and ``data.json`` from it.
"""

from __future__ import annotations

import struct
from typing import NamedTuple


class Variable(NamedTuple):
    """A number in work RAM.

    Attributes
    ----------
    address : int
        In 0xC000..0xDFFF.
    kind : str
        Type as stable-retro and NumPy spell it: ``|u1``, ``|i1``, ``<u2`` or ``<u4``.
    """

    address: int
    kind: str


VARIABLES = {
    "mode": Variable(0xC000, "|u1"),  # TITLE, BLOCKS or WALK
    "start": Variable(0xC001, "|u1"),  # written from outside on the title screen: the game to begin
    "seed": Variable(0xC002, "<u2"),  # ... after these two
    "level": Variable(0xC004, "|u1"),  # 0..9
    "playing": Variable(0xC005, "|u1"),  # 1 once the game's whole screen has been drawn
    "gameover": Variable(0xC006, "|u1"),
    "held": Variable(0xC007, "|u1"),  # buttons down in the last frame, as bits (PAD)
    "score": Variable(0xC008, "<u4"),
    "lines": Variable(0xC00C, "<u2"),
    "goals": Variable(0xC00E, "<u2"),
    "frames": Variable(0xC010, "<u2"),  # since power on, modulo 65536
    "rng": Variable(0xC012, "<u2"),
    "piece": Variable(0xC014, "|u1"),  # row of SHAPES
    "turn": Variable(0xC015, "|u1"),  # 0..3, clockwise
    "piece_x": Variable(0xC016, "|i1"),  # of the piece's box in the well, in squares
    "piece_y": Variable(0xC017, "|i1"),
    "next": Variable(0xC018, "|u1"),
    "pieces": Variable(0xC019, "<u2"),  # that have appeared, the present one included
    "player_x": Variable(0xC01C, "|u1"),  # in tiles of the screen
    "player_y": Variable(0xC01D, "|u1"),
    "goal_x": Variable(0xC01E, "|u1"),
    "goal_y": Variable(0xC01F, "|u1"),
}

#: First byte of the memory described here, and how many there are.
BASE, SIZE = 0xC000, 0x268
#: The screen as tile numbers, ``ROWS`` times ``COLUMNS``.
SCREEN, COLUMNS, ROWS = 0xC100, 20, 18
#: Where the compiler may put its own variables.
FREE = 0xC400

TITLE, BLOCKS, WALK = range(3)
#: Bits of ``held``.
PAD = {"RIGHT": 1, "LEFT": 2, "UP": 4, "DOWN": 8, "A": 16, "B": 32, "SELECT": 64, "START": 128}
#: The well: first column and row on the screen, width and height, in tiles.
WELL = (1, 1, 10, 16)

#: The pieces as they appear: squares (x, y) in a box of ``side`` squares that they turn in.
_PIECES = (
    (4, ((0, 1), (1, 1), (2, 1), (3, 1))),
    (4, ((1, 0), (2, 0), (1, 1), (2, 1))),
    (3, ((0, 1), (1, 1), (2, 1), (1, 0))),
    (3, ((0, 1), (1, 1), (1, 0), (2, 0))),
    (3, ((0, 0), (1, 0), (1, 1), (2, 1))),
    (3, ((0, 1), (1, 1), (2, 1), (0, 0))),
    (3, ((0, 1), (1, 1), (2, 1), (2, 0))),
)

Squares = tuple[tuple[int, int], ...]


def _turned(side: int, squares: Squares, square: bool) -> Squares:
    """The squares after a quarter turn clockwise; the 2 × 2 piece stays as it is."""
    return squares if square else tuple((side - 1 - y, x) for x, y in squares)


def _turns(side: int, squares: Squares) -> tuple[Squares, ...]:
    found = [squares]
    for _ in range(3):
        found.append(_turned(side, found[-1], square=squares == _PIECES[1][1]))
    return tuple(found)


#: ``SHAPES[piece][turn]``: the four squares (x, y) of every piece in its four positions, y downwards.
SHAPES = tuple(_turns(side, squares) for side, squares in _PIECES)

_FORMATS = {"|u1": "<B", "|i1": "<b", "<u2": "<H", "<u4": "<I"}


def read(memory: bytes, name: str) -> int:
    """One variable out of the memory that starts at ``BASE``.

    >>> read(bytes(8) + (1234).to_bytes(4, "little"), "score")
    1234
    """
    address, kind = VARIABLES[name]
    value: int = struct.unpack_from(_FORMATS[kind], memory, address - BASE)[0]
    return value
