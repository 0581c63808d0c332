"""The loops over steps, compiled when first needed, or loaded if they were compiled before.

The source is plain Python on arrays: :func:`source` gives it uncompiled, the readable twin that does the same,
bit for bit.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import FunctionType

_I, _F = "int64[::1]", "float64[::1]"
_WORLD = (_I, _I, _I, _F, _F, _F)
_DRAWS = (_F, _F, _F)
_OUT = (_I, _I, _F)
#: turns, versions, begun, begun_version, begun_step, batch, credited, led_to, available, applied, lows, highs
_LESSONS = (_I,) * 12
_Q = (_I, _F, _F, _F, _F, _I, _I, _I)
_COUNTS = (_I, _F, _I, _I, _I, _F, _F, _F, _F, _F, _F, _I, _I)

#: Helpers that are called, not copied in place.
RARE = ("plan",)

#: Where each loop stands, and the types of its arguments; given, so that compiling happens here and nowhere else.
LOOPS = {
    "faulty": ("moves", (_I, "int32[::1]")),
    "walk": ("moves", (*_WORLD, *_DRAWS, _I, _I, _F, _F, *_OUT)),
    "anticipate": ("pending", (*_WORLD, *_DRAWS, _I, _F, _F, _F, _F, _F, *_OUT)),
    "expect": ("expected", (_I, _I, _F, _I, _I, _I, _F, _F, _I, _F, _F)),
    "q_at_once": ("q_learning", (*_WORLD, *_DRAWS, _I, _I, _F, *_Q, *_OUT)),
    "q_as_landed": ("q_learning", (*_WORLD, *_DRAWS, _I, _I, _F, *_LESSONS, _F, _F, *_Q, *_OUT)),
    "ucrl2_at_once": ("ucrl2", (*_WORLD, *_DRAWS, _I, *_COUNTS, *_OUT)),
    "ucrl2_as_landed": ("ucrl2", (*_WORLD, *_DRAWS, _I, *_LESSONS, *_COUNTS, *_OUT)),
}


def source(name: str) -> Callable[..., int]:
    """A loop as Python runs it."""
    function: Callable[..., int] = getattr(importlib.import_module(f"{__name__}.{LOOPS[name][0]}"), name)
    return function


@cache
def loop(name: str) -> Callable[..., int]:
    """A loop, compiled."""
    from rtsim.clocks.jit import kept_beside, sources_digest

    function = source(name)
    with kept_beside(sources_digest(Path(__file__).parent)) as kept:
        made: Callable[..., int] = compiled(function, f"int64({', '.join(LOOPS[name][1])})", cache=kept)
    return made


def compiled(function: Callable[..., int], *signature: str, **options: bool) -> Callable[..., int]:
    """A function whose helpers are compiled into it: a copy in place of each call, but for what is :data:`RARE`."""
    from rtsim.clocks.jit import njit

    assert isinstance(function, FunctionType)
    helpers = {
        called: compiled(helper, forceinline=called not in RARE)
        for called in function.__code__.co_names
        if isinstance(helper := function.__globals__.get(called), FunctionType)
    }
    twin = FunctionType(function.__code__, {**function.__globals__, **helpers}, function.__name__)
    twin.__module__, twin.__qualname__ = function.__module__, function.__qualname__
    made: Callable[..., int] = njit(*signature, **options)(twin)
    return made
