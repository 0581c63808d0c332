"""One Game Boy, as stable-retro emulates it: frames, buttons, memory and saved states.

The ROM and what is known of its memory lie in an integration folder, in stable-retro's layout. Its core allows one
emulator per process.
"""

from __future__ import annotations

import gc
import gzip
import io
import weakref
import zlib
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rtsim.envs.untrusted import check_integration, check_name, integration_json
from rtsim.errors import FileProblem, InvalidValue, MissingExtra, check_file

#: Frames per second of the console: 4194304 clock ticks at 70224 a frame, as rtsim writes it elsewhere.
FPS = 59.7275
#: The buttons of the papers' agents (Riemer et al. 2025, App. A), in their order.
BUTTONS = ("A", "B", "LEFT", "UP", "RIGHT", "DOWN")
#: File name endings of ROMs, also of those for the colour console only.
SUFFIXES = (".gb", ".gbc")
#: Bytes of an integration file, and of a state when unpacked.
LARGEST_FILE = 2**24

_running: weakref.ref[Machine] | None = None


def rom_of(folder: Path) -> Path:
    """The ROM of an integration folder.

    Raises
    ------
    FileProblem
    """
    for suffix in SUFFIXES:
        if (folder / f"rom{suffix}").is_file():
            return folder / f"rom{suffix}"
    raise FileProblem(
        f"integration {folder.name} has no ROM; bring your own: rtsim import-rom FILE --integration {folder.name}"
    )


class Machine:
    """A Game Boy with the ROM of an integration folder in it, just switched on.

    Parameters
    ----------
    folder : Path
    scenario : str
        Name of the JSON file in it that says what is a reward and when the game is over.

    Raises
    ------
    MissingExtra, FileProblem
    InvalidValue
        If this process has a Machine already.
    """

    folder: Path
    masks: NDArray[np.uint8]
    _emulator: Any

    def __init__(self, folder: Path, scenario: str = "scenario") -> None:
        global _running
        try:
            import stable_retro
            from stable_retro.data import GameData
        except ImportError:
            raise MissingExtra("a Game Boy game", "stable-retro", "envs") from None
        if _present() is not None:
            gc.collect()  # nobody may know it any more
        present = _present()
        if present is not None:
            raise InvalidValue(
                f"a Game Boy ({present.folder.name}) runs in this process already, and its core allows one; "
                "close() it first, or start another process"
            )
        self.folder = folder
        rom = rom_of(folder)
        _check_files(folder, scenario)  # before stable-retro reads them: it would run the scripts they name
        try:
            self._emulator = stable_retro.RetroEmulator(str(rom))
        except RuntimeError as error:
            raise FileProblem(f"stable-retro does not run {rom.name} of {folder.name}: {error}") from None
        _running = weakref.ref(self)
        self._data: Any = GameData()
        self._emulator.configure_data(self._data)
        self._emulator.step()
        names = stable_retro.get_system_info(stable_retro.get_romfile_system(str(rom)))["buttons"]
        #: Row k holds the k-th of BUTTONS down, the last one none.
        self.masks = np.array([[name == button for name in names] for button in (*BUTTONS, "")], np.uint8)
        try:
            understood = self._data.load(str(folder / "data.json"), str(folder / f"{scenario}.json"))
            if understood:
                self.outcome()
        except (ValueError, RuntimeError, TypeError) as error:  # stable-retro raises bare ones
            self.close()
            raise FileProblem(f"{scenario}.json of {folder.name} cannot be used: {error}") from None
        if not understood:
            self.close()
            raise FileProblem(f"stable-retro does not understand data.json or {scenario}.json of {folder.name}")

    def frame(self, buttons: NDArray[np.uint8]) -> None:
        """Let one frame pass with a row of ``masks`` held."""
        self._emulator.set_button_mask(buttons, 0)
        self._emulator.step()

    def screen(self) -> NDArray[np.uint8]:
        """The picture, uint8, shape (144, 160, 3)."""
        picture: NDArray[np.uint8] = self._emulator.get_screen()
        return picture

    def value(self, name: str) -> int:
        """A variable of data.json, as it is now."""
        value: int = self._data.lookup_value(name)
        return value

    def put(self, name: str, value: int) -> None:
        """Write a variable of data.json into the console's memory."""
        self._data.set_value(name, value)

    def work_memory(self) -> bytes:
        """The 8 KiB from address 0xC000 on."""
        blocks = self._data.memory.blocks
        return bytes(blocks[0xC000]) + bytes(blocks[0xD000])

    def outcome(self) -> tuple[float, bool, dict[str, Any]]:
        """Reward of the last frame, whether the game is over, and all variables, as the scenario has it."""
        self._data.update_ram()
        return float(self._data.current_reward()), bool(self._data.is_done()), dict(self._data.lookup_all())

    def save(self) -> bytes:
        """The state of the console."""
        state: bytes = self._emulator.get_state()
        return state

    def restore(self, state: bytes) -> None:
        """Go back to a state; the picture is that of before until the next frame."""
        if len(state) != len(self._emulator.get_state()) or not self._emulator.set_state(state):
            raise InvalidValue(f"this saved state does not fit the ROM of {self.folder.name} or this stable-retro")
        self._data.reset()
        self._data.update_ram()

    def close(self) -> None:
        """Switch off."""
        self._data = None  # it looks into the emulator's memory: first
        self._emulator = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _present() -> Machine | None:
    """The machine of this process that is switched on, if any."""
    machine = _running() if _running is not None else None
    return machine if machine is not None and machine._emulator is not None else None


def states(folder: Path) -> list[str]:
    """Names of the saved states that an integration folder has."""
    return sorted(path.stem for path in folder.glob("*.state"))


def read_json(folder: Path, file: str) -> dict[str, Any]:
    """A JSON file of an integration folder, checked.

    Raises
    ------
    FileProblem
    """
    path = folder / file
    if not path.is_file():
        raise FileProblem(f"integration {folder.name} has no {file}")
    if check_file(path, file) > LARGEST_FILE:
        raise FileProblem(f"{file} of {folder.name} is larger than {LARGEST_FILE} bytes")
    try:
        text = path.read_bytes()
    except OSError as error:
        raise FileProblem(f"cannot read {file} of {folder.name}: {error.strerror}") from error
    return integration_json(f"{file} of {folder.name}", text)


def _check_files(folder: Path, scenario: str) -> None:
    file = f"{check_name(scenario, 'scenario')}.json"
    check_integration(read_json(folder, "data.json"), read_json(folder, file), f"{file} of {folder.name}")


def first_state(folder: Path) -> str | None:
    """The state that its games begin in: ``default_state`` of metadata.json; None is switching on.

    Raises
    ------
    FileProblem
    """
    if not (folder / "metadata.json").exists():
        return None
    return default_state(read_json(folder, "metadata.json"))


def default_state(metadata: dict[str, Any]) -> str | None:
    """What a parsed metadata.json says of it; FileProblem if that leads out of the folder."""
    name = metadata.get("default_state")
    return check_name(name, "default_state") if isinstance(name, str) else None


def load_state(folder: Path, name: str) -> bytes:
    """A saved state of an integration folder.

    Raises
    ------
    FileProblem
        If it is missing or damaged.
    """
    path = folder / f"{check_name(name, 'state')}.state"
    if not path.is_file():
        known = ", ".join(states(folder)) or "none at all"
        raise FileProblem(f"integration {folder.name} has no state {name!r}; it has {known}")
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise FileProblem(f"state {path.name} of {folder.name} is larger than {LARGEST_FILE} bytes")
        return unpacked(path.read_bytes())
    except FileProblem:
        raise
    except (OSError, EOFError, zlib.error) as error:
        raise FileProblem(f"state {path.name} of {folder.name} is damaged: {error}") from None


def unpacked(state: bytes) -> bytes:
    """The state in the bytes of its file; OSError, EOFError or zlib.error if that is damaged."""
    with gzip.open(io.BytesIO(state), "rb") as stream:
        return stream.read(LARGEST_FILE)
