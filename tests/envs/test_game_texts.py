"""Games by name, as Gymnasium environments and on the command line."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from rtsim.cli.main import main
from rtsim.envs import atari, make, read
from rtsim.errors import InvalidValue, MissingExtra, RtsimError, UnknownName


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("blocks", "blocks"),
        (" blocks ( level = 3 , noops=0 )", "blocks(level=3)"),
        ("walk(sticky=0.25)", "walk(sticky=0.25)"),
        ("atari:boxing", "atari:Boxing"),
        ("atari:BoxingNoFrameskip-v4", "atari:Boxing"),
        ("atari: name_this_game (noops=30, sticky=0.25)", "atari:NameThisGame(sticky=0.25, noops=30)"),
        ("retro:Tetris-GameBoy-v0(state=Level0.TypeA)", "retro:Tetris-GameBoy-v0(state=Level0.TypeA)"),
    ],
)
def test_text_is_understood_and_spelt_in_one_way(text, canonical):
    assert read(text).text == canonical
    assert read(canonical) == read(text)


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("tetris", UnknownName, "game 'tetris' unknown; choose from atari:GAME, blocks, retro:INTEGRATION, walk"),
        ("", UnknownName, "choose from"),
        (
            "atari:Boxxing",
            UnknownName,
            r"^Atari game 'Boxxing' unknown; did you mean 'Boxing', one of 1[0-9][0-9]\?$",
        ),
        ("atari", InvalidValue, "must read atari:GAME"),
        ("blocks:3", InvalidValue, "must read blocks"),
        ("blocks(3)", InvalidValue, r"by name: blocks\(level=...\)"),
        ("blocks(level=10)", InvalidValue, r"level.* must be a whole number in 0\.\.9"),
        (
            "blocks(levels=1)",
            UnknownName,
            r"^option 'levels' of game 'blocks' unknown \(did you mean 'level'\?\); choose from level, noops, sticky$",
        ),
        ("atari:zzzz", UnknownName, "'zzzz' unknown; choose from Adventure, .* and [0-9]+ more$"),
        ("atari:Boxing(sticky=1.5)", InvalidValue, r"sticky=1.5 must be a number in 0\.\.1"),
        ("atari:Boxing(sticky=0.5", InvalidValue, "not understood at column"),
        ("retro:nobody-has-this", RtsimError, "nobody-has-this"),
        ("retro:../../etc", InvalidValue, "must be a name of letters"),
        ("retro:X(state=3)", InvalidValue, "must be a name"),
        (3, InvalidValue, "must be a text"),
    ],
)
def test_game_that_is_not_there_gets_one_clear_line(text, kind, said, tmp_path, monkeypatch):
    monkeypatch.setenv("RTSIM_DATA", str(tmp_path))
    with pytest.raises(kind, match=said) as caught:
        make(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("text", "package"), [("atari:Boxing", "ale-py"), ("blocks", "stable-retro")])
def test_missing_package_is_named_with_the_command_that_brings_it(text, package, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "ale_py", None)
    monkeypatch.setitem(sys.modules, "stable_retro", None)
    atari.games.cache_clear()
    try:
        with pytest.raises(MissingExtra, match=rf"needs {package}; pip install 'rtsim\[envs\]'"):
            make(text)
    finally:
        atari.games.cache_clear()


def test_emulators_are_imported_only_when_a_game_is_made():
    code = "import sys, rtsim.envs; print({'torch', 'ale_py', 'stable_retro'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("name", ["Blocks", "Walk", "Boxing", "Krull", "NameThisGame"])
def test_gymnasium_finds_nothing_to_complain_about(name):
    environment = gymnasium.make(f"rtsim/{name}-v0", render_mode="rgb_array")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            # Its last checks make a second environment, which a process cannot have of a Game Boy.
            check_env(environment.unwrapped, skip_render_check=name in ("Blocks", "Walk"), skip_close_check=True)
        assert environment.metadata["render_fps"] == environment.unwrapped.emulator.fps
        environment.reset(seed=1)
        picture = environment.render()
        assert picture.dtype == np.uint8
        assert picture.shape == ((144, 160, 3) if name in ("Blocks", "Walk") else (210, 160, 3))
    finally:
        environment.close()


def test_gymnasium_environment_takes_any_text_and_the_default_policy():
    environment = gymnasium.make("rtsim/Game-v0", game="blocks(level=9)")
    try:
        begun = []
        for seed in (4, None, 4):
            observation, _ = environment.reset(seed=seed)
            begun.append((environment.unwrapped.emulator.memory(), observation.tobytes()))
        assert begun[0] == begun[2] != begun[1]
        noop = environment.unwrapped.noop
        assert not environment.action_space.contains(noop)
        for _ in range(400):
            *_, over, cut, _ = environment.step(noop)
            if over:
                break
        assert over
        assert not cut
    finally:
        environment.close()


def test_command_line_lists_the_games(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("RTSIM_DATA", str(tmp_path))
    assert main(["games"]) == 0
    plain = capsys.readouterr().out
    for word in ("blocks", "walk", "atari:GAME", "retro:INTEGRATION", "NameThisGame", "none here", "sticky"):
        assert word in plain
    names = plain.partition("atari:\n")[2].partition("retro:")[0]
    assert names.split() == list(atari.games())
    assert max(map(len, names.splitlines())) <= 100
    assert main(["games", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [entry["name"] for entry in found["games"]] == ["blocks", "walk", "atari", "retro"]
    assert {"Boxing", "Krull", "NameThisGame"} <= set(found["atari"])
    assert found["retro"] == []
    assert found["games"][0]["options"]["level"]["high"] == 9
