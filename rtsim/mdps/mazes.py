"""A deterministic grid maze, for the claims about deterministic environments."""

from __future__ import annotations

import numpy as np

from rtsim.errors import InvalidValue
from rtsim.mdps.tabular import TabularMDP

#: Row and column steps of the four actions: up, right, down, left.
MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))


def maze(width: int = 5, height: int = 5, doors: float = 0.1, seed: int = 0) -> TabularMDP:
    """A random grid maze whose way out leads back to the entrance.

    Four deterministic actions (up, right, down, left); walking into a wall stays. The walls are those of a random
    spanning tree of the grid, with each remaining wall opened with probability ``doors``. Stepping onto the goal, the
    bottom right cell, pays 1 and leads at once to the entrance, the top left cell, so the optimal gain is 1 / (length
    of the shortest path). State row·width + column; the goal itself is never occupied. Default: stay.

    Parameters
    ----------
    width, height : int
        At least 1, with at least 2 cells in all.
    doors : float
        In 0..1; 0 leaves one path between any two cells.
    seed : int

    >>> maze(2, 1).p[:, 1].argmax(axis=1), maze(2, 1).r[0]
    (array([0, 0]), array([0., 1., 0., 0.]))
    """
    cells = width * height
    if cells < 2:
        raise InvalidValue(f"a maze of {width} by {height} has no way to go; give at least 2 cells")
    if not 0 <= doors <= 1:
        raise InvalidValue(f"doors {doors:g} must lie in 0..1")
    random = np.random.default_rng(seed)
    is_open = _spanning_tree(width, height, random)
    for cell in range(cells):
        for a in (1, 2):  # each wall once
            target = _neighbour(cell, a, width, height)
            if target is not None and random.random() < doors:
                is_open[cell, a] = is_open[target, (a + 2) % 4] = True
    p = np.zeros((cells, 4, cells))
    r = np.zeros((cells, 4))
    for cell in range(cells - 1):
        for a in range(4):
            target = _neighbour(cell, a, width, height)
            reached = target if target is not None and is_open[cell, a] else cell
            if reached == cells - 1:
                r[cell, a], reached = 1.0, 0
            p[cell, a, reached] = 1.0
    p[-1, :, 0] = 1.0
    return TabularMDP.of(p, r)


def _neighbour(cell: int, action: int, width: int, height: int) -> int | None:
    row, column = cell // width + MOVES[action][0], cell % width + MOVES[action][1]
    return row * width + column if 0 <= row < height and 0 <= column < width else None


def _spanning_tree(
    width: int, height: int, random: np.random.Generator
) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """Which of the four sides of each cell are open, by a random depth-first walk."""
    is_open = np.zeros((width * height, 4), dtype=np.bool_)
    seen, path = {0}, [0]
    while path:
        cell = path[-1]
        ways = [a for a in range(4) if (t := _neighbour(cell, a, width, height)) is not None and t not in seen]
        if not ways:
            path.pop()
            continue
        a = ways[int(random.integers(len(ways)))]
        target = _neighbour(cell, a, width, height)
        assert target is not None
        is_open[cell, a] = is_open[target, (a + 2) % 4] = True
        seen.add(target)
        if target != width * height - 1:  # the goal is a dead end: no way leads through it
            path.append(target)
    return is_open
