"""The pictures of the Game Boy games: ``source/tiles.txt`` as tile numbers and as C."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).parent / "source"
_SHADES = {shade: number for number, shade in enumerate(".-+#")}


@cache
def pictures() -> dict[str, tuple[str, ...]]:
    """Names and pictures of all tiles in order, eight rows of eight shades each."""
    found: dict[str, tuple[str, ...]] = {}
    text = (SOURCE / "tiles.txt").read_text(encoding="ascii")
    for band in text.strip().split("\n\n"):
        if not band.startswith(";"):
            names, *rows = (line.split() for line in band.splitlines())
            found |= {name: tuple(row[index] for row in rows) for index, name in enumerate(names)}
    return found


@cache
def numbers() -> dict[str, int]:
    """Number of every tile; a family is also known by its first: ``BLOCK`` is ``BLOCK0``.

    >>> numbers()["EMPTY"], numbers()["BLOCK"] == numbers()["BLOCK0"]
    (0, True)
    """
    own = {name: number for number, name in enumerate(pictures())}
    return {**own, "BLOCK": own["BLOCK0"], "DIGIT": own["DIGIT0"], "LETTER": own["LETTERA"]}


def _planes(picture: tuple[str, ...]) -> Iterator[int]:
    """Two bytes a row: the low bits of the eight shades, leftmost first, and the high bits."""
    for row in picture:
        shades = [_SHADES[shade] for shade in row]
        for bit in (0, 1):
            yield sum((shade >> bit & 1) << 7 - x for x, shade in enumerate(shades))


def header() -> str:
    """``tiles.h``: numbers of the tiles, and their data declared."""
    defined = "".join(f"#define TILE_{name} {number}\n" for name, number in numbers().items())
    return f"{defined}extern const uint8_t tile_data[{16 * len(pictures())}];\n"


def source() -> str:
    """``tiles.c``: the data of the tiles."""
    rows = "".join(
        f"    {', '.join(f'0x{byte:02X}' for byte in _planes(picture))}, /* {name} */\n"
        for name, picture in pictures().items()
    )
    return f'#include "games.h"\nconst uint8_t tile_data[{16 * len(pictures())}] = {{\n{rows}}};\n'
