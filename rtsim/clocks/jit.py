"""Compiles the rules' own source: the functions in ``rtsim/schedulers``, not a copy of them.

A rule is plain Python on integers and may call helpers of its module. Numba wants helpers to
be compiled functions, so each rule function is given a twin of itself: the same code object,
with the helpers it names replaced by their compiled twins.
"""

from __future__ import annotations

import gc
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FunctionType
from typing import Any, cast

import numba

from rtsim.errors import InvalidValue

_twins: dict[Any, Any] = {}
#: What is called by compiled code only needs no entry from Python, half of what there is to compile.
CALLED = {"no_cpython_wrapper": True}
#: A rule of a user is checked as Python checks it: indices, and division by zero.
CHECKED = {"boundscheck": True, "error_model": "python", **CALLED}
_REFUSED = (numba.types.Float, numba.types.Complex, numba.types.UnicodeType, numba.types.SliceType)


def njit(*signature: str, **options: Any) -> Any:
    """``numba.njit`` as everything here is compiled.

    Without reference counting: the arrays outlive every call, and counting made the loop three
    times slower. Without checks for division by zero, which the built-in rules do not do.
    """
    decorate: Any = numba.njit(*signature, **{"_nrt": False, "error_model": "numpy", **options})  # type: ignore[call-overload]
    return lambda function: _general(decorate(function))


def _general(dispatcher: Any) -> Any:
    """Have a helper compiled once for an int, not once for each constant it is called with."""
    ask, general = getattr(dispatcher, "get_call_template", None), cast(Any, numba.types.unliteral)
    if ask is not None:  # there is none with NUMBA_DISABLE_JIT
        dispatcher.get_call_template = lambda args, kws: ask([general(a) for a in args], kws)
    return dispatcher


def _helpers(function: FunctionType) -> dict[str, FunctionType]:
    names = {name: function.__globals__.get(name) for name in function.__code__.co_names}
    return {name: found for name, found in names.items() if isinstance(found, FunctionType)}


def fingerprint(function: Callable[..., Any], inside: tuple[Any, ...] = ()) -> tuple[Any, ...]:
    """What a function does: its code, and that of its helpers with the constants they read.

    Raises
    ------
    InvalidValue
        For anything but a plain function.
    """
    name = getattr(function, "__qualname__", repr(function))
    if not isinstance(function, FunctionType):
        raise InvalidValue(f"{name} is not a plain function")
    if function.__closure__ or function.__defaults__ or function.__kwdefaults__:
        raise InvalidValue(f"{name} has a closure or default arguments; pass what it needs in params")
    if function.__code__ in inside:
        raise InvalidValue(f"{name} calls itself")
    read = {name: function.__globals__[name] for name in function.__code__.co_names if name in function.__globals__}
    for other, value in read.items():
        if not isinstance(value, int | FunctionType | type(len) | type):
            kind = type(value).__name__
            raise InvalidValue(f"{name} reads {other}, a {kind}; rules read whole numbers and call plain functions")
    inside = (*inside, function.__code__)
    helpers = {name: fingerprint(helper, inside) for name, helper in _helpers(function).items()}
    return function.__code__, tuple(
        (name, helpers.get(name, value if isinstance(value, int) else id(value))) for name, value in read.items()
    )


def compiled(function: Callable[..., Any], **options: Any) -> Any:
    """The numba function of a rule function, helpers included.

    >>> from rtsim.schedulers.free_running import start_fresh
    >>> import numpy as np
    >>> state = np.zeros(1, dtype=np.int64)
    >>> compiled(start_fresh)(20, 0, 0, 16, state, state) == start_fresh(20, 0, 0, 16, [0], [0])
    True
    """
    key = fingerprint(function), tuple(options.items())
    if key not in _twins:
        assert isinstance(function, FunctionType)
        names = {name: compiled(helper, **options) for name, helper in _helpers(function).items()}
        twin = FunctionType(function.__code__, {**function.__globals__, **names}, function.__name__)
        twin.__module__, twin.__qualname__ = function.__module__, function.__qualname__
        _twins[key] = njit(**options)(twin)
    return _twins[key]


def checked(function: Callable[..., Any], arguments: tuple[Any, ...], answer: Any, words: str) -> Any:
    """The numba function of a user's rule function, if that means the same as the function itself.

    Raises
    ------
    InvalidValue
        If it does not compile, computes with anything but whole numbers, or its answer is not
        of the type ``answer``, in words ``words``.
    """
    twin = compiled(function, **CHECKED)
    if not hasattr(twin, "overloads"):  # NUMBA_DISABLE_JIT: it is the function itself
        return twin
    name = function.__qualname__
    try:
        twin.compile(arguments)
    except Exception as error:
        raise InvalidValue(f"{name}: {_essence(error, function.__code__.co_filename)}") from error
    found = twin.overloads[arguments].signature.return_type
    if found != answer:
        raise InvalidValue(f"{name} returns {found}, not {words}")
    assert isinstance(function, FunctionType)
    _refuse_other_than_whole_numbers(function)
    return twin


def _refuse_other_than_whole_numbers(function: FunctionType) -> None:
    for overload in compiled(function, **CHECKED).overloads.values():
        for variable, kind in overload.type_annotation.typemap.items():
            if isinstance(kind, _REFUSED) or kind == numba.types.uint64:
                shown = "" if variable.startswith("$") else f" in {variable.split('.')[0]}"
                raise InvalidValue(f"{function.__qualname__} computes with {kind}{shown}; rules use whole numbers only")
    for helper in _helpers(function).values():
        _refuse_other_than_whole_numbers(helper)


def _essence(error: Exception, file: str) -> str:
    """The one line of numba's explanation that says what is wrong, and where in the user's file."""
    lines = [line.strip() for line in str(error).splitlines()]
    said = [line for line in lines if line and not line.startswith(("Failed in", "During:", "File", "- "))]
    first = said[0].split(" Raised from")[0].rstrip(":.") if said else type(error).__name__
    call = next((line.removeprefix(">>> ") for line in said if line.startswith(">>> ")), None)
    if first.startswith("No implementation") and call:
        first = f"{call} is not known"
    elif first.startswith("NRT required"):
        first = "it makes lists, texts or other objects"
    where = re.findall(rf'File "[^"]*{re.escape(Path(file).name)}", line (\d+)', str(error))
    return first + (f" (line {where[-1]})" if where else "")


def sources_digest(*sources: Path) -> str:
    """A digest of some files, and of all Python source in some folders: compiled code is stale when it changes."""
    digest = hashlib.sha256(numba.__version__.encode())
    for source in sources:
        for path in sorted(source.glob("*.py")) if source.is_dir() else [source]:
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
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK)
    except OSError:
        writable = False
    config: Any = numba.config
    before, collecting = config.CACHE_DIR, gc.isenabled()
    gc.disable()  # what a compiler makes lives on: looking through it for garbage takes a tenth of its time
    try:
        config.CACHE_DIR = str(folder)
        yield writable
    finally:
        config.CACHE_DIR = before
        if collecting:
            gc.enable()
