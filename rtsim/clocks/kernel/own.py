"""Kernels for rules that are not built in, compiled once in a process.

Numba keeps on disk neither a kernel that takes a compiled function as argument nor one that
closes over one. So the built-in rules share a kernel that does neither, and a user's rule gets
the same source with its own two functions in the place of the built-in ones.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec, module_from_spec
from typing import Any

from numba import types

from rtsim.clocks import jit
from rtsim.clocks.kernel import loop
from rtsim.clocks.kernel.layout import hot

_kernels: dict[Any, Any] = {}
_ARRAY = types.Array(types.int64, 1, "C")
START = (*(types.int64,) * 4, _ARRAY, _ARRAY), types.int64, "a whole number"
END = (*(types.int64,) * 6, _ARRAY, _ARRAY), types.UniTuple(types.int64, 2), "two whole numbers"


def functions(next_start: Callable[..., Any], on_end: Callable[..., Any]) -> tuple[Any, Any]:
    """Both functions compiled, or InvalidValue, which says why not."""
    return jit.checked(next_start, *START), jit.checked(on_end, *END)


def kernel(next_start: Callable[..., Any], on_end: Callable[..., Any], signature: str) -> Any:
    """The kernel of one pair of functions; for the same code with the same constants it is the same one."""
    key = jit.fingerprint(next_start), jit.fingerprint(on_end)
    if key not in _kernels:
        _kernels[key] = jit.njit(signature)(_source(*functions(next_start, on_end)))
    return _kernels[key]


def _source(start: Any, end: Any) -> Any:
    """The event loop, as a module of its own, that asks these two functions."""

    def ask_start(rule, now, w, step, step_start, params, state):
        return start(now, w, step, step_start, params, state)

    def ask_end(rule, now, w, started, observation, step, step_start, params, state):
        return end(now, w, started, observation, step, step_start, params, state)

    spec = find_spec(loop.__name__)
    assert spec is not None
    assert spec.loader is not None
    module: Any = module_from_spec(spec)
    spec.loader.exec_module(module)
    module.ask_start, module.ask_end_hot = hot(ask_start), hot(ask_end)
    module.ask_end_rare = module.ask_end_hot
    return module.advance_source
