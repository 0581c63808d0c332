"""The compiled event loop; importing it compiles it, or loads what was compiled before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rtsim import schedulers
from rtsim.clocks.jit import kept_beside, njit, sources_digest
from rtsim.clocks.kernel import layout, rules
from rtsim.clocks.kernel.loop import advance_source

#: Types of the arguments of advance; given, so that compiling happens here and nowhere else.
SIGNATURE = "int64(int64[::1], int64[:, ::1], int64[::1], int64[::1], int64[::1], int64[::1], int64[:, ::1])"


def _compile() -> Any:
    with kept_beside(sources_digest(Path(__file__).parent, Path(schedulers.__file__).parent)) as kept:
        # Without a folder to keep it in, it is compiled every time.
        return njit(SIGNATURE, cache=kept)(advance_source)


advance = _compile()

__all__ = ["SIGNATURE", "advance", "layout", "rules"]
