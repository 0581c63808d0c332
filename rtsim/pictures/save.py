"""Figures on disk: the picture, and beside it the numbers it shows."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtsim.errors import InvalidValue, write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: What each format must not record for the same figure to give the same bytes.
SUFFIXES: dict[str, dict[str, Any]] = {
    ".png": {},
    ".svg": {"Date": None},
    ".pdf": {"CreationDate": None},
}
Rows = Sequence[Mapping[str, Any]]


def save_figure(figure: Figure, path: str | Path, data: Rows | None = None) -> tuple[Path, ...]:
    """Write a figure and, as ``<stem>.csv`` beside it, its data if given; each file appears whole or not at all.

    The same figure gives the same bytes: no dates are written.

    Parameters
    ----------
    figure : Figure
    path : str or Path
        Ending in .png, .svg or .pdf.
    data : sequence of mappings, optional
        One per row, what ``x_rows`` gives for ``plot_x``; columns in the order in which they first appear.

    Returns
    -------
    tuple of Path
        The figure's, and the data's.

    Raises
    ------
    InvalidValue
        For any other suffix; nothing is written then.
    FileProblem
        If the directory does not exist or cannot be written.
    """
    target = checked_suffix(path)
    if data is None:
        return (write_atomically(target, to_bytes(figure, target.suffix.lower())),)
    # The data first: whoever sees the figure can count on the data.
    table = write_atomically(target.with_suffix(".csv"), to_csv(data).encode())
    return write_atomically(target, to_bytes(figure, target.suffix.lower())), table


def checked_suffix(path: str | Path) -> Path:
    """The path, if it ends in a format we write; InvalidValue otherwise (so that it can be asked before a long run)."""
    target = Path(path)
    if target.suffix.lower() not in SUFFIXES:
        raise InvalidValue(
            f"figure {str(path)!r} must end in one of {', '.join(SUFFIXES)}; give e.g. {target.stem or 'figure'}.png"
        )
    return target


def to_bytes(figure: Figure, suffix: str, dpi: int = 150) -> bytes:
    """The content of the figure's file."""
    from matplotlib import rc_context

    stream = io.BytesIO()
    # SVG names its elements by a hash, salted at random unless told otherwise.
    with rc_context({"svg.hashsalt": "rtsim"}):
        figure.savefig(stream, format=suffix[1:], dpi=dpi, bbox_inches="tight", metadata=SUFFIXES[suffix])
    return stream.getvalue()


def to_csv(data: Rows) -> str:
    """The rows as CSV text; None is an empty cell.

    >>> to_csv([{"workers": 1, "inaction_fraction": 0.5}, {"workers": 2, "inaction_fraction": None}])
    'workers,inaction_fraction\\n1,0.5\\n2,\\n'
    """
    columns = list(dict.fromkeys(name for row in data for name in row))
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, lineterminator="\n")
    if columns:
        writer.writeheader()
    writer.writerows(data)
    return stream.getvalue()
