"""Integration files from elsewhere: what names a script, or cannot be played, is refused at import and at make."""

from __future__ import annotations

import gzip
import json
import re

import pytest

from rtsim.cli.main import main
from rtsim.envs import integrations, make
from rtsim.envs.game_boy import OWN
from rtsim.envs.machine import Machine, load_state
from rtsim.envs.untrusted import DEEPEST, integration_json
from rtsim.errors import FileProblem

DATA = {"info": {"score": {"address": 49313, "type": "|u1"}}}
SCRIPTS = [
    r'{"\u0073cripts": ["x.lua"], "reward": {"\u0073cript": "l\u0075a:f"}}',
    '{"reward": {"script": "f"}}',
    '{"Scripts": []}',
    '{"done": {"variables": {"score": {"op": ["LUA:f"]}}}}',
    '{"rewards": [{"a": [{"x": " lua:f"}]}]}',
]
#: By file: what is wrong with it, and what is said.
BAD = [
    *(("scenario.json", text, "asks for a script") for text in SCRIPTS),
    ("extra.json", '{"scripts": ["x.lua"]}', "asks for a script"),
    # Readers differ in which of two equal keys counts.
    ("scenario.json", '{"reward": {"script": "lua:f"}, "reward": {}}', "gives the same key twice"),
    ("scenario.json", '{"reward": {"variables": {"gone": {"reward": 1}}}}', "uses variable 'gone'"),
    ("scenario.json", '{"done": {"nodes": {"a": {"variables": {"gone": {"op": "zero"}}}}}}', "uses variable 'gone'"),
    ("scenario.json", '{"reward": 5}', "must be an object"),
    ("scenario.json", '{"rewards": [{"variables": {"gone": {"reward": 1}}}]}', "uses variable 'gone'"),
    ("scenario.json", '{"crop": 5}', "crop of scenario.json.* must be a list"),
    ("scenario.json", '{"done": {"variables": {"score": 5}}}', "must say of variable 'score'"),
    ("data.json", '{"info": []}', "must be an object of variables"),
    ("data.json", '{"info": {"score": {"address": NaN, "type": "|u1"}}}', "holds NaN, which is no number"),
    ("data.json", '{"info": {"score": {"address": 1e999, "type": "|u1"}}}', "holds 1e999, which is no number"),
    ("data.json", '{"info": {"score": {"address": 4294967296, "type": "|u1"}}}', "variable 'score' of data.json needs"),
    ("data.json", '{"info": {"score": {"address": 1, "type": "%s"}}}', "variable 'score' of data.json needs"),
    ("data.json", '{"info": {"score": ' + '{"a":' * 900 + "1" + "}" * 900 + "}}", "is nested more than"),
    ("data.json", "{" + '"a":{' * 100_000, "is not JSON"),
    ("metadata.json", '{"default_state": "../../secret"}', "without a path"),
    ("metadata.json", '{"default_state": "/etc/hostname"}', "without a path"),
]


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A data folder of the user's, empty."""
    folder = tmp_path / "data"
    monkeypatch.setenv("RTSIM_DATA", str(folder))
    return folder / "integrations"


def write(folder, **files: str) -> None:
    """An integration folder with our ROM and these files."""
    folder.mkdir(parents=True)
    (folder / "rom.gb").write_bytes((OWN / "rom.gb").read_bytes())
    for name, text in {"data": json.dumps(DATA), "scenario": "{}", "metadata": "{}", **files}.items():
        (folder / f"{name}.json").write_text(text)


@pytest.mark.parametrize(("file", "text", "said"), BAD, ids=range(len(BAD)))
def test_import_refuses_it(data, tmp_path, capsys, file, text, said):
    write(tmp_path / "folder", **{file.removesuffix(".json"): text})
    assert main(["import-rom", str(tmp_path / "folder"), "--integration", "X"]) == 2
    error = capsys.readouterr().err
    assert re.search(said, error)
    assert error.count("\n") == 1
    assert not data.exists() or not list(data.iterdir())


@pytest.mark.parametrize(("file", "text", "said"), BAD, ids=range(len(BAD)))
def test_a_folder_placed_by_hand_is_checked_before_it_is_loaded(data, monkeypatch, file, text, said):
    stable_retro = pytest.importorskip("stable_retro")
    loads = []
    monkeypatch.setattr(stable_retro.data.GameData, "load", lambda *files: loads.append(files))
    write(data / "X", **{file.removesuffix(".json"): text})
    game = "retro:X(scenario=extra)" if file == "extra.json" else "retro:X"
    with pytest.raises(FileProblem, match=said):
        make(game)
    assert loads == []


def test_what_only_stable_retro_knows_is_one_clear_problem(data):
    pytest.importorskip("stable_retro")
    write(data / "X", scenario='{"crop": [{"x": 1}, 5]}')
    with pytest.raises(FileProblem, match=r"scenario\.json of X cannot be used"):
        make("retro:X")
    write(data / "Y", data='{"info": {"score": {"address": 1, "type": "|u1"}}}')
    make("retro:Y").close()  # nothing was left running


def test_names_of_states_and_scenarios_lead_nowhere_else(data):
    pytest.importorskip("stable_retro")
    write(data / "X")
    (data / "Y.state").write_bytes(gzip.compress(b"x"))
    (data / "Y.json").write_text("{}")
    for load in (load_state, Machine):
        for name in ("../Y", "..", "", "/Y", "a\0b"):
            with pytest.raises(FileProblem, match="without a path"):
                load(data / "X", name)


def test_a_damaged_or_missing_first_state_is_not_taken_over(data, tmp_path):
    write(tmp_path / "folder", metadata='{"default_state": "One"}')
    with pytest.raises(FileProblem, match="begins in state 'One', which is not there"):
        integrations.import_rom(tmp_path / "folder", "X")
    for content in (b"no gzip", gzip.compress(bytes(1000))[:-9]):
        (tmp_path / "folder" / "One.state").write_bytes(content)
        with pytest.raises(FileProblem, match=r"state One\.state of the integration is damaged"):
            integrations.import_rom(tmp_path / "folder", "X")
    assert not data.exists() or not list(data.iterdir())


def test_what_is_no_script_is_read():
    text = b'{"description": "no lua: here", "scripted": 1, "a": [1.5, {"b": null}]}'
    assert integration_json("x.json", text) == json.loads(text)
    deep = '{"a":' * (DEEPEST - 1) + "1" + "}" * (DEEPEST - 1)
    assert integration_json("x.json", deep.encode()) == json.loads(deep)
