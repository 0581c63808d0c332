"""``rtsim import-rom``."""

from __future__ import annotations

from rtsim.cli import render
from rtsim.cli.arguments import ImportRom
from rtsim.errors import InvalidValue


def run(arguments: ImportRom) -> int:
    """Copy a ROM of the user's into an integration folder."""
    from rtsim.envs.integrations import import_rom

    if not arguments.source or not arguments.integration:
        raise InvalidValue("give a ROM and a name for it: rtsim import-rom FILE --integration NAME")
    made = import_rom(arguments.source, arguments.integration, replace=arguments.replace)
    render.wrote(made)
    render.line(f"retro:{made.name}")
    return 0
