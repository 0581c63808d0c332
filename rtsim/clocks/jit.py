"""Compiles the rules' own source: the functions in ``rtsim/schedulers``, not a copy of them.

A rule is plain Python on integers and may call helpers of its module. Numba wants helpers to
be compiled functions, so each rule function is given a twin of itself: the same code object,
with the helpers it names replaced by their compiled twins.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FunctionType
from typing import Any

import numba

_twins: dict[Any, Any] = {}


def njit(*signature: str, **options: Any) -> Any:
    """``numba.njit`` as everything here is compiled.

    Without reference counting: the arrays outlive every call, and counting made the loop three
    times slower. Without checks for division by zero, which the rules' contract excludes.
    """
    decorate: Any = numba.njit(*signature, _nrt=False, error_model="numpy", **options)  # type: ignore[call-overload]
    return lambda function: _general(decorate(function))


def _general(dispatcher: Any) -> Any:
    """Have a helper compiled once for an int, not once for each constant it is called with."""
    ask = getattr(dispatcher, "get_call_template", None)
    if ask is not None:  # there is none with NUMBA_DISABLE_JIT
        dispatcher.get_call_template = lambda args, kws: ask([numba.types.unliteral(a) for a in args], kws)
    return dispatcher


def compiled(function: Callable[..., Any]) -> Any:
    """The numba function of a rule function, helpers included.

    >>> from rtsim.schedulers.free_running import start_fresh
    >>> import numpy as np
    >>> state = np.zeros(1, dtype=np.int64)
    >>> compiled(start_fresh)(20, 0, 0, 16, state, state) == start_fresh(20, 0, 0, 16, [0], [0])
    True
    """
    assert isinstance(function, FunctionType)
    if function not in _twins:
        names = {
            name: compiled(helper)
            for name in function.__code__.co_names
            if isinstance(helper := function.__globals__.get(name), FunctionType)
        }
        twin = FunctionType(
            function.__code__,
            {**function.__globals__, **names},
            function.__name__,
            function.__defaults__,
            function.__closure__,
        )
        twin.__module__, twin.__qualname__ = function.__module__, function.__qualname__
        _twins[function] = njit()(twin)
    return _twins[function]


def sources_digest(*folders: Path) -> str:
    """A digest of all Python source in some folders: compiled code is stale when it changes."""
    digest = hashlib.sha256(numba.__version__.encode())
    for folder in folders:
        for path in sorted(folder.glob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@contextmanager
def kept_beside(digest: str) -> Iterator[bool]:
    """While this is active, numba keeps what it compiles in a folder named by ``digest``.

    Numba looks only at the file a cached function stands in, not at the functions it calls;
    a folder of their own for each version of the sources, in NUMBA_CACHE_DIR if the user has
    set it, keeps stale machine code out. Yields whether there is such a folder; without one,
    numba would keep the code beside the sources under a name that does not change.
    """
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    folder = Path(os.environ.get("NUMBA_CACHE_DIR") or home) / "rtsim" / f"kernel-{digest}"
    changes: dict[str, Any] = {"CACHE_DIR": str(folder)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK)
    except OSError:
        writable = False
    before = {name: getattr(numba.config, name) for name in changes}
    try:
        for name, value in changes.items():
            setattr(numba.config, name, value)
        yield writable
    finally:
        for name, value in before.items():
            setattr(numba.config, name, value)
