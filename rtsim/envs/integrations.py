"""A user's own Game Boy ROMs: integration folders in stable-retro's layout, in the user's data folder.

An integration folder holds the ROM (``rom.gb``), its SHA-1 (``rom.sha``), what is known of its memory (``data.json``),
what is a reward and when the game is over (``scenario.json``), ``metadata.json`` and saved states (``*.state``).
Scripts are never taken over: files from elsewhere are data.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from rtsim.envs.machine import LARGEST_FILE, SUFFIXES, default_state, read_json, unpacked
from rtsim.envs.untrusted import check_integration, integration_json
from rtsim.errors import TEMPORARY, FileProblem, InvalidValue, UnknownName

#: The smallest and the largest ROM that a Game Boy can address.
SMALLEST, LARGEST = 2**15, 2**23
_MINIMAL = {"data.json": '{"info": {}}\n', "scenario.json": "{}\n", "metadata.json": "{}\n"}
_COLOUR_ONLY = 0xC0


def folder() -> Path:
    """The user's integrations: in ``$RTSIM_DATA``, else ``$XDG_DATA_HOME/rtsim``, else ``~/.local/share/rtsim``."""
    own, common = os.environ.get("RTSIM_DATA"), os.environ.get("XDG_DATA_HOME")
    base = Path(own) if own else (Path(common) if common else Path.home() / ".local" / "share") / "rtsim"
    return base / "integrations"


def names() -> list[str]:
    """Integrations with a Game Boy ROM, the user's and those whose ROM was imported into stable-retro."""
    return sorted({path.name for root in (folder(), *_shipped()) for path in _with_rom(root)})


def _with_rom(root: Path) -> Iterator[Path]:
    for suffix in SUFFIXES:
        yield from (rom.parent for rom in root.glob(f"*/rom{suffix}") if not rom.parent.name.startswith("."))


def _shipped() -> list[Path]:
    """Folders with the integrations that stable-retro brings (without ROMs); it is not imported."""
    found = importlib.util.find_spec("stable_retro")
    if found is None or found.origin is None:
        return []
    return [Path(found.origin).parent / "data" / kind for kind in ("stable", "experimental", "contrib")]


def find(name: str) -> Path:
    """The folder of an integration that has a ROM.

    Raises
    ------
    UnknownName
        Saying how to bring one.
    """
    _check(name)
    for root in (folder(), *_shipped()):
        if any(path.name == name for path in _with_rom(root)):
            return root / name
    known = names()
    if known:
        raise UnknownName("integration", name, known)
    raise InvalidValue(
        f"integration {name!r} unknown; bring a ROM of yours: rtsim import-rom FILE --integration {name}"
    )


def _check(name: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", name):
        raise InvalidValue(
            f"integration {name[:80]!r} must be a name of letters, digits, '-', '_' and '.', e.g. Mine-GameBoy"
        )


def import_rom(source: str | Path, name: str, *, replace: bool = False) -> Path:
    """Copy a ROM of the user's into an integration folder of that name; all of it or nothing.

    What is known of the game comes from ``source`` if that is a folder, else from the integration of this name that
    stable-retro brings, else there are no rewards, no end and no variables.

    Parameters
    ----------
    source : path
        A ROM file, or a folder with one and with integration files.
    name : str
    replace : bool
        Replace the user's integration of that name.

    Returns
    -------
    Path
        The new folder.

    Raises
    ------
    FileProblem
        If the ROM is missing, too large, no Game Boy ROM, or not the one that ``rom.sha`` names; or if an integration
        file is damaged, cannot be played, or asks for a script.
    InvalidValue
        If there is one of that name already.
    """
    _check(name)
    target = folder() / name
    if target.exists() and not replace:
        raise InvalidValue(f"integration {name} exists already in {folder()}; give another name, or --replace")
    path = Path(source)
    rom_file, files = (_only_rom(path), _files(path)) if path.is_dir() else (path, _known(name))
    rom = _rom(rom_file)
    found = hashlib.sha1(rom).hexdigest()
    expected = files.get("rom.sha", b"").decode("ascii", "replace").split()
    if expected and found not in (digest.lower() for digest in expected):
        raise FileProblem(
            f"{rom_file.name} is not the ROM that {name} is made for: its SHA-1 is {found}, "
            f"not {' or '.join(expected)[:200]}"
        )
    suffix = ".gbc" if rom[0x143] == _COLOUR_ONLY else ".gb"
    minimal = {file: text.encode() for file, text in _MINIMAL.items()}
    own = {f"rom{suffix}": rom, "rom.sha": f"{found}\n".encode()}
    files = {**minimal, **files, **own}
    _check_usable(files)
    _write(target, files)
    return target


def _known(name: str) -> dict[str, bytes]:
    for root in _shipped():
        if (root / name / "data.json").is_file():
            return _files(root / name)
    return {}


def _only_rom(path: Path) -> Path:
    roms = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES)
    if len(roms) != 1:
        raise FileProblem(f"folder {path.name} holds {len(roms) or 'no'} Game Boy ROMs (.gb, .gbc); it must hold one")
    return roms[0]


def _files(path: Path) -> dict[str, bytes]:
    """The integration files of a folder, without the ROM; whatever else lies there stays there."""
    found = {}
    for file in sorted(path.iterdir()):
        if file.name == "rom.sha" or file.suffix in (".json", ".state"):
            found[file.name] = _bytes(file, LARGEST_FILE)
    return found


def _check_usable(files: dict[str, bytes]) -> None:
    """What cannot be played is not taken over."""
    read = {
        name: integration_json(f"{name} of the integration", text)
        for name, text in files.items()
        if name.endswith(".json")
    }
    check_integration(read["data.json"], read["scenario.json"])
    first = default_state(read["metadata.json"])
    if first is not None and f"{first}.state" not in files:
        raise FileProblem(f"metadata.json of the integration begins in state {first[:60]!r}, which is not there")
    for name in files:
        if name.endswith(".state"):
            try:
                unpacked(files[name])
            except (OSError, EOFError, zlib.error) as error:
                raise FileProblem(f"state {name} of the integration is damaged: {error}") from None


def _rom(path: Path) -> bytes:
    """A ROM file, checked by its header (Pan Docs, "The Cartridge Header")."""
    rom = _bytes(path, LARGEST)
    if len(rom) < SMALLEST:
        raise FileProblem(f"{path.name} is no Game Boy ROM: {len(rom)} bytes, and the smallest has {SMALLEST}")
    checksum = -sum(byte + 1 for byte in rom[0x134:0x14D]) & 0xFF
    if rom[0x14D] != checksum:
        raise FileProblem(f"{path.name} is no Game Boy ROM: the checksum of its header is wrong")
    said = SMALLEST << min(rom[0x148], 16)
    if len(rom) != said:
        raise FileProblem(f"{path.name} is cut off or too long: {len(rom)} bytes, its header says {said}")
    return rom


def _bytes(path: Path, limit: int) -> bytes:
    try:
        if not path.is_file():
            raise FileProblem(f"cannot read {str(path)[:200]!r}: there is no such file")
        if path.stat().st_size > limit:
            raise FileProblem(f"{path.name} is larger than {limit} bytes")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        if isinstance(error, FileProblem):
            raise
        raise FileProblem(f"cannot read {str(path)[:200]!r}: {getattr(error, 'strerror', None) or error}") from error


def _write(target: Path, files: dict[str, bytes]) -> None:
    """A folder of files, complete or not at all; one that was there before is replaced."""
    work = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=target.parent))
        new, old = work / "new", work / "old"
        new.mkdir()
        for name, content in files.items():
            (new / name).write_bytes(content)
        if target.exists():
            target.rename(old)
        try:
            new.rename(target)
        except OSError:
            if old.exists():
                old.rename(target)
            raise
    except OSError as error:
        raise FileProblem(f"cannot write {str(target)[:200]!r}: {error.strerror or error}") from error
    finally:
        if work is not None:
            shutil.rmtree(work, ignore_errors=True)


def defines_rewards(name: str, scenario: str = "scenario") -> bool:
    """Whether the scenario of an integration says what is a reward; without that all rewards are 0.

    Raises
    ------
    UnknownName, InvalidValue, FileProblem
        If there is no such integration, or its scenario cannot be read.
    """
    found = read_json(find(name), f"{scenario}.json")
    return any(found.get(key) for key in ("reward", "rewards"))
