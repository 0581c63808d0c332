"""Builds the Game Boy ROM and its stable-retro integration from ``source/``; needs sdcc (Debian package ``sdcc``).

    python -m rtsim.envs.gameboy.build [FOLDER]

writes ``rom.gb``, ``rom.sha`` and ``data.json`` into the integration folder that comes with rtsim, or into another one;
``--states`` also makes the saved states (needs stable-retro). The same compiler makes the same bytes. The ROM holds no
logo: emulators do not ask for one, the real machine does.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import subprocess
import tempfile
from pathlib import Path

from rtsim.envs.gameboy import layout, tiles
from rtsim.errors import FileProblem, write_atomically

INTEGRATION = Path(__file__).parent / "integrations" / "Rtsim-GameBoy"
#: Version of sdcc that made the ROM that comes with rtsim; another one may make other bytes.
COMPILER = "4.2.0"
#: First byte of the program; below it are interrupts and the cartridge's header.
CODE = 0x0200
C_TYPES = {"|u1": "uint8_t", "|i1": "int8_t", "<u2": "uint16_t", "<u4": "uint32_t"}


def generated() -> dict[str, str]:
    """The C that is made from the tables in ``layout.py`` and from ``tiles.txt``, by file name."""
    screen = f"screen[{layout.COLUMNS * layout.ROWS}]"
    variables = {name: (v.address, C_TYPES[v.kind]) for name, v in layout.VARIABLES.items()}
    declared = "".join(f"extern {kind} {name};\n" for name, (_, kind) in variables.items())
    defined = "".join(f"__at(0x{address:04X}) {kind} {name};\n" for name, (address, kind) in variables.items())
    shapes = "".join(
        "    {" + ", ".join("{" + ", ".join(f"0x{y:X}{x:X}" for x, y in turn) + "}" for turn in piece) + "},\n"
        for piece in layout.SHAPES
    )
    return {
        "layout.h": f"#include <stdint.h>\n{declared}extern uint8_t {screen};\n",
        "layout.c": f"#include <stdint.h>\n{defined}__at(0x{layout.SCREEN:04X}) uint8_t {screen};\n",
        "shapes.h": f"/* four squares 0xYX in four turns */\nstatic const uint8_t shapes[7][4][4] = {{\n{shapes}}};\n",
        "tiles.h": tiles.header(),
        "tiles.c": tiles.source(),
    }


def rom() -> bytes:
    """Compile the ROM.

    Raises
    ------
    FileProblem
        If sdcc is missing or complains.
    """
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        for name, text in generated().items():
            (work / name).write_text(text, encoding="ascii")
        for path in sorted(tiles.SOURCE.glob("*.[chs]")):
            (work / path.name).write_bytes(path.read_bytes())
        _run(work, "sdasgb", "-o", "start.rel", "start.s")
        parts = sorted(path.stem for path in work.glob("*.c"))
        for part in parts:
            _run(work, "sdcc", "-msm83", "--opt-code-speed", "--Werror", "-c", f"{part}.c")
        place = ["--code-loc", f"0x{CODE:X}", "--data-loc", f"0x{layout.FREE:X}"]
        objects = ["start.rel", *(f"{part}.rel" for part in parts)]
        _run(work, "sdcc", "-msm83", "--no-std-crt0", *place, "-o", "rom.ihx", *objects)
        _run(work, "makebin", "-Z", "-yN", "-yn", "RTSIM", "rom.ihx", "rom.gb")
        return (work / "rom.gb").read_bytes()


def _run(folder: Path, *command: str) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    except FileNotFoundError:
        raise FileProblem(f"{command[0]} not found; the Debian package sdcc has it") from None
    if done.returncode:
        raise FileProblem(f"{' '.join(command)} failed: {(done.stdout + done.stderr).strip()}")


def data() -> str:
    """``data.json``: the variables, for stable-retro."""
    info = {name: {"address": v.address, "type": v.kind} for name, v in layout.VARIABLES.items()}
    return json.dumps({"info": info}, indent=2) + "\n"


def states(folder: Path) -> dict[str, bytes]:
    """The saved states of an integration, compressed without a time: the title, and each game begun with seed 1."""
    from rtsim.envs.game_boy import begin
    from rtsim.envs.machine import Machine

    found = {}
    with Machine(folder) as machine:
        for _ in range(30):
            machine.frame(machine.masks[-1])
        found["Title"] = machine.save()
        for name, mode in (("Blocks", layout.BLOCKS), ("Walk", layout.WALK)):
            machine.restore(found["Title"])
            begin(machine, mode, seed=1, level=0)
            found[name] = machine.save()
    return {f"{name}.state": gzip.compress(_steady(state), mtime=0) for name, state in found.items()}


def _steady(state: bytes) -> bytes:
    """A state of gambatte without what differs from run to run: what it does not use, and the time of day."""
    fields = {b"dmgpal": 24, b"rambank": 1, b"rambmod": 1, b"rombank": 2, b"rtcbase": 4, b"rtchalt": 4}
    for field, size in fields.items():
        before, label, after = state.partition(field + b"\0" + size.to_bytes(3, "big"))
        if label:
            state = before + label + bytes(size) + after[size:]
    return state


def main() -> None:
    """Build into a folder."""
    parser = argparse.ArgumentParser(description="Build the Game Boy ROM and its integration.")
    parser.add_argument("folder", nargs="?", type=Path, default=INTEGRATION)
    parser.add_argument("--states", action="store_true", help="make the saved states too (needs stable-retro)")
    arguments = parser.parse_args()
    built = rom()
    write_atomically(arguments.folder / "rom.gb", built)
    write_atomically(arguments.folder / "rom.sha", hashlib.sha1(built).hexdigest().encode() + b"\n")
    write_atomically(arguments.folder / "data.json", data().encode())
    if arguments.states:
        for name, state in states(arguments.folder).items():
            write_atomically(arguments.folder / name, state)


if __name__ == "__main__":
    main()
