"""A user's own ROMs, tried with ours: what is taken over, what is refused, and that nothing is left half done."""

from __future__ import annotations

import hashlib
import json
import shutil

import pytest

from rtsim.cli import played as cli_played
from rtsim.cli.main import main
from rtsim.envs import integrations
from rtsim.envs.game_boy import OWN
from rtsim.errors import FileProblem, InvalidValue
from tests.envs.played import played, some_actions

ROM = (OWN / "rom.gb").read_bytes()


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A data folder of the user's, empty."""
    folder = tmp_path / "data"
    monkeypatch.setenv("RTSIM_DATA", str(folder))
    return folder / "integrations"


@pytest.fixture
def rom(tmp_path):
    path = tmp_path / "mine.gb"
    path.write_bytes(ROM)
    return path


def changed(rom: bytes, **at: int) -> bytes:
    """A ROM with other bytes in its header, and a checksum that fits."""
    new = bytearray(rom)
    for address, value in at.items():
        new[int(address[1:], 16)] = value
    new[0x14D] = -sum(byte + 1 for byte in new[0x134:0x14D]) & 0xFF
    return bytes(new)


def refused(capsys, *words: str) -> str:
    """The line that the command line says of bad input."""
    assert main(["import-rom", *words]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err


def test_bare_rom_becomes_a_game_without_rewards(data, rom, game, capsys):
    assert main(["import-rom", str(rom), "--integration", "Mine-GameBoy"]) == 0
    assert capsys.readouterr().out == "retro:Mine-GameBoy\n"
    made = data / "Mine-GameBoy"
    assert (made / "rom.gb").read_bytes() == ROM
    assert (made / "rom.sha").read_text().strip() == hashlib.sha1(ROM).hexdigest()
    assert [path.name for path in data.iterdir()] == ["Mine-GameBoy"]
    assert integrations.names() == ["Mine-GameBoy"]
    assert not integrations.defines_rewards("Mine-GameBoy")
    assert cli_played.without_rewards("retro:Mine-GameBoy")
    emulator = game("retro:Mine-GameBoy")
    emulator.reset()
    for _ in range(30):
        assert emulator.step(emulator.noop)[1:] == (0.0, False, False, {})


def test_folder_brings_rewards_end_variables_and_states(data, game):
    integrations.import_rom(OWN, "Copy")
    assert not any(cli_played.without_rewards(name) for name in ("retro:Copy", "retro:Copy(state=Walk)", "blocks"))
    assert sorted(path.name for path in (data / "Copy").iterdir()) == sorted(path.name for path in OWN.iterdir())
    emulator = game("retro:Copy")
    emulator.reset()
    rewards, over = [], False
    while not over and len(rewards) < 3000:
        _, reward, over, _, info = emulator.step(5 if len(rewards) % 3 else emulator.noop)
        rewards.append(reward)
    assert over
    assert sum(rewards) == info["score"] > 0
    emulator.reset()
    played(emulator, some_actions(emulator, 200))
    state, actions = emulator.save(), some_actions(emulator, 300, seed=1)
    expected = played(emulator, actions)
    emulator.restore(state)
    assert played(emulator, actions) == expected
    emulator.close()
    walk = game("retro:Copy(state=Walk)")
    walk.reset()
    assert walk.step(0)[4]["mode"] == 2
    walk.close()
    with pytest.raises(FileProblem, match=r"no state 'Run'; it has Blocks, Title, Walk"):
        game("retro:Copy(state=Run)")
    with pytest.raises(FileProblem, match=r"Copy has no other\.json"):
        game("retro:Copy(scenario=other)")


def test_known_game_of_stable_retro_wants_the_rom_it_is_made_for(data, rom, capsys):
    said = refused(capsys, str(rom), "--integration", "Tetris-GameBoy-v0")
    assert f"its SHA-1 is {hashlib.sha1(ROM).hexdigest()}, not " in said
    assert not data.exists() or not list(data.iterdir())


def test_wrong_hash_in_a_folder_is_refused(data, tmp_path, capsys):
    folder = shutil.copytree(OWN, tmp_path / "folder")
    (folder / "rom.gb").write_bytes(changed(ROM, x134=0x58))
    assert "is not the ROM that X is made for" in refused(capsys, str(folder), "--integration", "X")
    assert not data.exists() or not list(data.iterdir())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no such file"),
        (b"", "is no Game Boy ROM: 0 bytes"),
        (b"\x00" * 2**15, "checksum of its header is wrong"),
        (ROM[:-1], "32767 bytes"),
        (ROM + b"\xff", "is cut off or too long: 32769 bytes, its header says 32768"),
        (changed(ROM, x148=3), "its header says 262144"),
        (ROM + bytes(2**23), "is larger than 8388608 bytes"),
    ],
    ids=["missing", "empty", "zeros", "short", "long", "cut", "oversized"],
)
def test_file_that_is_no_rom_is_refused(data, tmp_path, capsys, content, said):
    path = tmp_path / "file.gb"
    if content is not None:
        path.write_bytes(content)
    assert said in refused(capsys, str(path), "--integration", "X")
    assert not data.exists() or not list(data.iterdir())


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("data.json", "{", "data.json of the integration is not JSON"),
        ("data.json", "[" * 100_000, "data.json of the integration is not JSON"),
        ("scenario.json", "[]", "scenario.json of the integration must be a JSON object"),
        ("scenario.json", '{"reward": {"script": "lua:f"}, "scripts": ["x.lua"]}', "asks for a script"),
        ("other.gb", "", "holds 2 Game Boy ROMs"),
    ],
)
def test_folder_with_a_bad_file_is_refused(data, tmp_path, capsys, file, content, said):
    folder = shutil.copytree(OWN, tmp_path / "folder")
    (folder / file).write_text(content)
    assert said in refused(capsys, str(folder), "--integration", "X")
    assert not data.exists() or not list(data.iterdir())


def test_folder_without_a_rom_and_bad_names_are_refused(data, tmp_path, rom, capsys):
    (tmp_path / "empty").mkdir()
    assert "folder empty holds no Game Boy ROMs" in refused(capsys, str(tmp_path / "empty"), "--integration", "X")
    for name in ("../X", ".X", "a/b", "x" * 100):
        assert "must be a name of letters" in refused(capsys, str(rom), "--integration", name)
    assert "give a ROM and a name" in refused(capsys, str(rom))


def test_code_and_strangers_are_not_taken_over(data, tmp_path):
    folder = shutil.copytree(OWN, tmp_path / "folder")
    for name in ("script.lua", "setup.py", "notes.txt"):
        (folder / name).write_text("x")
    made = integrations.import_rom(folder, "X")
    assert not {path.suffix for path in made.iterdir()} & {".lua", ".py", ".txt"}


def test_integration_that_exists_is_replaced_only_when_told(data, rom, capsys):
    integrations.import_rom(OWN, "X")
    before = {path.name: path.read_bytes() for path in (data / "X").iterdir()}
    assert "exists already" in refused(capsys, str(rom), "--integration", "X")
    assert {path.name: path.read_bytes() for path in (data / "X").iterdir()} == before
    assert main(["import-rom", str(rom), "--integration", "X", "--replace"]) == 0
    assert json.loads((data / "X" / "data.json").read_text()) == {"info": {}}
    assert [path.name for path in data.iterdir()] == ["X"]


def test_failed_copy_leaves_what_was_there(data, rom, monkeypatch):
    integrations.import_rom(OWN, "X")
    before = {path.name: path.read_bytes() for path in (data / "X").iterdir()}

    def full(self, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(FileProblem, match="No space left on device"):
        integrations.import_rom(rom, "X", replace=True)
    assert {path.name: path.read_bytes() for path in (data / "X").iterdir()} == before
    assert [path.name for path in data.iterdir()] == ["X"]


def test_colour_only_rom_is_kept_as_one(data, tmp_path):
    path = tmp_path / "colour.gbc"
    path.write_bytes(changed(ROM, x143=0xC0))
    assert (integrations.import_rom(path, "Colour") / "rom.gbc").exists()


def test_damaged_state_is_told(data, game):
    made = integrations.import_rom(OWN, "X")
    (made / "Blocks.state").write_bytes(b"x")
    with pytest.raises(FileProblem, match=r"state Blocks\.state of X is damaged"):
        game("retro:X(state=Blocks)")
    with pytest.raises(InvalidValue, match="exists already"):
        integrations.import_rom(OWN, "X")
