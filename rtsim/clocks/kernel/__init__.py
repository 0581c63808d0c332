"""The compiled event loop: one kernel for all built-in rules, and one for each rule of a user's."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from rtsim import schedulers
from rtsim.clocks import jit
from rtsim.clocks.jit import kept_beside, njit, sources_digest
from rtsim.clocks.kernel import layout, loop, own, rules

#: Types of the arguments of advance; given, so that compiling happens here and nowhere else.
SIGNATURE = "int64(int64[::1], int64[:, ::1], int64[::1], int64[::1], int64[::1], int64[::1], int64[:, ::1])"

#: What the machine code is made from, and how.
SOURCES = (Path(__file__).parent, Path(schedulers.__file__).parent, Path(jit.__file__))

__all__ = ["SIGNATURE", "advance_for", "built_in", "layout", "own", "rules"]


@cache
def built_in() -> Any:
    """The kernel of the built-in rules: compiled once on a machine, loaded after that."""
    with kept_beside(sources_digest(*SOURCES)) as kept:
        # Without a folder to keep it in, it is compiled every time.
        return njit(SIGNATURE, cache=kept)(loop.advance_source)


def advance_for(next_start: Callable[..., Any], on_end: Callable[..., Any], trusted: bool) -> Any:
    """The kernel that runs a pair of rule functions.

    Parameters
    ----------
    trusted : bool
        Whether the rule is built in: only those run without checks of indices and divisors. A user's
        rule may be made of built-in functions and yet give them arrays of the wrong size.

    Raises
    ------
    InvalidValue
        If they do not compile.
    """
    if trusted:
        return built_in()
    return own.kernel(next_start, on_end, SIGNATURE)
