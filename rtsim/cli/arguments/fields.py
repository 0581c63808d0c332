"""The kinds of fields: what ``--help`` shows in place of a value, and of a default."""

from __future__ import annotations

from typing import Annotated, Any

import tyro


def shown_default(value: str) -> str:
    """What --help says of a default: nothing where there is none."""
    return "" if value in ("", "''", "None") else f"(default: {value})"


def several(metavar: str) -> Any:
    """Of a field that takes any number of values."""
    return tyro.conf.arg(metavar=f"{metavar} ...", help_behavior_hint=shown_default)


Text = Annotated[str, tyro.conf.arg(metavar="TEXT", help_behavior_hint=shown_default)]
File = Annotated[str, tyro.conf.arg(metavar="FILE", help_behavior_hint=shown_default)]
Folder = Annotated[str, tyro.conf.arg(metavar="DIR", help_behavior_hint=shown_default)]
Law = Annotated[str, tyro.conf.arg(metavar="LAW", help_behavior_hint=shown_default)]
#: Steps per second: a text, because 60, 60fps and 60Hz are all said.
Rate = Annotated[str, tyro.conf.arg(metavar="X", help_behavior_hint=shown_default)]
Number = Annotated[int, tyro.conf.arg(metavar="N", help_behavior_hint=shown_default)]
#: A whole number that has a default only once other settings are known.
Optional = Annotated[int | None, tyro.conf.arg(metavar="N", help_behavior_hint=shown_default)]
Share = Annotated[float, tyro.conf.arg(metavar="X")]
Flag = Annotated[bool, tyro.conf.FlagCreatePairsOff]
Texts = Annotated[tuple[str, ...], several("A B")]
Laws = Annotated[tuple[str, ...], several("LAW")]
Batches = Annotated[tuple[int, ...], several("B")]
