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

#: Where each loop stands, and the types of its arguments; given, so that compiling happens here and nowhere else.
LOOPS = {
    "faulty": ("moves", (_I, "int32[::1]")),
    "walk": ("moves", (*_WORLD, *_DRAWS, _I, _I, _F, _F, *_OUT)),
    "anticipate": ("pending", (*_WORLD, *_DRAWS, _I, _F, _F, _F, _F, _F, *_OUT)),
}


def source(name: str) -> Callable[..., int]:
    """A loop as Python runs it."""
    function: Callable[..., int] = getattr(importlib.import_module(f"{__name__}.{LOOPS[name][0]}"), name)
    return function


@cache
def loop(name: str) -> Callable[..., int]:
    """A loop, compiled."""
    from rtsim.clocks.jit import compiled, kept_beside, njit, sources_digest

    function = source(name)
    assert isinstance(function, FunctionType)
    helpers = {
        called: compiled(helper)
        for called in function.__code__.co_names
        if isinstance(helper := function.__globals__.get(called), FunctionType)
    }
    twin = FunctionType(function.__code__, {**function.__globals__, **helpers}, name)
    twin.__module__, twin.__qualname__ = function.__module__, function.__qualname__
    with kept_beside(sources_digest(Path(__file__).parent)) as kept:
        made: Callable[..., int] = njit(f"int64({', '.join(LOOPS[name][1])})", cache=kept)(twin)
    return made
