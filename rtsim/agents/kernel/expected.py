"""The distribution of a state that moves on its own, carried along a Schedule."""

from __future__ import annotations


def expect(first, target, chance, acted, seen, which, table, tolerance, most, kept, lost):
    """Expected loss of each step: ``table[which[i]]`` weighted by the distribution of the state on step ``seen[i]``.

    first : int64 (2 S + 1,); target : int64 (n,); chance : float64 (n,)
        Successors of each state on default steps, then on agent steps.
    acted, seen, which : int64 (T,)
        1 where the agent acts, the step observed (<= i), the table that tells the loss.
    table : float64 (W·S,)
    tolerance : float64 (1,)
        If >= 0, all steps move alike, and the distribution is taken for stationary when it cannot move this far
        any more: a change never becomes larger in the 1-norm.
    most : int64 (1,)
        Steps along which it is carried; if it still moves then, the answer is -1 and ``lost`` is not complete, else 0.
    kept : float64 (R·S,)
        Distributions of the last R steps; that of step 0 is given. R exceeds all i − seen[i] by 2.
    lost : float64 (T,)
    """
    size = (len(first) - 1) // 2
    rows = len(kept) // size
    moving = True
    for i in range(len(seen)):
        at, begin = seen[i] % rows * size, which[i] * size
        total = 0.0
        for s in range(size):
            total += kept[at + s] * table[begin + s]
        lost[i] = total
        here, there = i % rows * size, (i + 1) % rows * size
        if moving:
            if i >= most[0]:
                return -1
            for s in range(size):
                kept[there + s] = 0.0
            for s in range(size):
                mass = kept[here + s]
                row = acted[i] * size + s
                for k in range(first[row], first[row + 1]):
                    kept[there + target[k]] += mass * chance[k]
            change = 0.0
            for s in range(size):
                change += abs(kept[there + s] - kept[here + s])
            moving = change * (len(seen) - i) > tolerance[0]
        else:
            for s in range(size):
                kept[there + s] = kept[here + s]
    return 0
