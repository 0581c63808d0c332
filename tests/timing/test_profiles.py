"""Profiles: written and read back, and every kind of file that is not one."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtsim.errors import FileProblem, InvalidValue, RtsimError, UnknownName
from rtsim.timing import LiveTimes, ModelTimes, Profile, Samples, law, shipped

NUMBERS = st.lists(st.integers(0, 10**15), min_size=1, max_size=30).map(tuple)
SAMPLES = st.builds(Samples, NUMBERS, st.lists(st.integers(0, 10**15), max_size=4).map(tuple), st.text(max_size=20))
JSON_VALUES = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.text(max_size=8), st.lists(st.integers(0, 9)))
SETTINGS = st.dictionaries(st.text(max_size=8), JSON_VALUES, max_size=3)
MODELS = st.builds(
    ModelTimes,
    st.text(min_size=1, max_size=8),
    st.integers(0, 10**12),
    SETTINGS,
    st.one_of(st.none(), SAMPLES),
    st.dictionaries(st.integers(1, 4096), SAMPLES, max_size=2),
)
LIVE = st.builds(LiveTimes, SETTINGS, st.dictionaries(st.text(min_size=1, max_size=8), SAMPLES, max_size=3))
PROFILES = st.builds(
    Profile,
    st.text(min_size=1, max_size=10),
    st.text(max_size=20),
    SETTINGS,
    st.dictionaries(st.text(min_size=1, max_size=8), MODELS, max_size=3),
    st.text(max_size=20),
    st.one_of(st.none(), LIVE),
)


@settings(max_examples=100)
@given(profile=PROFILES)
def test_profile_saved_and_loaded_is_the_same(profile: Profile, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("profile") / "p.json"
    assert profile.save(path) == path
    assert Profile.load(path) == profile
    assert Profile.load(str(path)) == profile
    # Any JSON reader sees the raw samples and where they came from.
    data = json.loads(path.read_text(encoding="utf-8"))
    assert data["schema"] == "rtsim.profile/1"
    for key, model in profile.models.items():
        if model.inference is not None:
            assert data["models"][key]["inference"]["samples_ns"] == list(model.inference.samples_ns)


def small() -> Profile:
    times = Samples((80_000_000, 84_000_000, 90_000_000), (200_000_000,), "note")
    models = {
        "a": ModelTimes("1M", 1_000_000, {"device": "cpu"}, times, {16: times}),
        "b": ModelTimes("10M", 10_000_000, {}, None, {}),
        "c": ModelTimes("10M", 10_000_001, {}, times, {}),
    }
    live = LiveTimes({"workers": 4}, {"dispatch": Samples((100_000, 300_000)), "emulator.atari:Boxing": times})
    return Profile("here", "a machine", {"cpu": "x"}, models, "2026-01-01", live)


def test_samples_summary_equals_the_statistics_by_hand() -> None:
    summary = Samples((80, 84, 90)).to_json()["summary"]
    assert summary["n"] == 3
    assert summary["mean_ns"] == 84.7
    # ((80 − 84.667)² + (84 − 84.667)² + (90 − 84.667)²)/2 = 25.33
    assert summary["std_ns"] == 5.0
    assert (summary["min_ns"], summary["max_ns"]) == (80, 90)
    assert summary["quantiles_ns"] == {"p1": 80, "p10": 80, "p50": 84, "p90": 90, "p99": 90, "p99.9": 90}
    assert Samples((80,)).to_json()["summary"]["std_ns"] is None


def test_law_profile_text_of_a_file_draws_from_its_samples(tmp_path: Path) -> None:
    path = small().save(tmp_path / "p.json")
    found = law(f"profile:{path}#1M")
    assert found.mean == pytest.approx((0.080 + 0.084 + 0.090) / 3)
    assert law(f"profile:{path}#a@batch16").mean == found.mean
    assert law(f"profile:{path}#a", batch=16).mean == found.mean


def test_law_profile_text_of_the_live_loop_draws_from_its_samples(tmp_path: Path) -> None:
    path = small().save(tmp_path / "p.json")
    found = law(f"profile:{path}#live.dispatch")
    assert found.mean == pytest.approx(0.000_2)
    assert str(found) == f"profile:{path}#live.dispatch"
    assert law(f"profile:{path}#live.emulator.atari:Boxing").mean == law(f"profile:{path}#a").mean


def test_profile_model_named_like_a_time_of_the_live_loop_is_the_model() -> None:
    profile = replace(small(), models={"live.dispatch": small().models["a"]})
    assert profile.samples("live.dispatch") == small().models["a"].inference


def test_profile_without_live_is_written_as_before() -> None:
    assert "live" not in replace(small(), live=None).to_json()


def test_profile_find_by_key_or_by_a_label_of_one_model() -> None:
    profile = small()
    assert profile.find("a") is profile.find("1M")
    with pytest.raises(UnknownName, match="ambiguous"):
        profile.find("10M")
    with pytest.raises(UnknownName, match="choose from"):
        profile.find("nothing")


def test_profile_times_that_were_not_measured_are_refused_with_the_remedy() -> None:
    with pytest.raises(InvalidValue, match="calibrate"):
        small().samples("b")
    with pytest.raises(UnknownName, match=r"'dispatsh' unknown .*'dispatch'.*choose from dispatch, emulator"):
        small().samples("live.dispatsh")
    with pytest.raises(InvalidValue, match=r"live.dispatch .* is no learning step"):
        small().samples("live.dispatch", batch=16)
    with pytest.raises(InvalidValue, match=r"'epyc' does not say .* --live only"):
        Profile.load("epyc").samples("live.dispatch")
    with pytest.raises(InvalidValue, match=r"batch 8 .*has: 16.*--batch 8"):
        small().samples("a", batch=8)


def test_profile_shipped_names_load_and_unknown_ones_list_them() -> None:
    assert "paper" in shipped()
    for name in shipped():
        assert Profile.load(name).models
    with pytest.raises(UnknownName, match="paper"):
        Profile.load("papr")


def test_profile_save_replaces_the_file_whole(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text("old")
    small().save(path)
    assert Profile.load(path) == small()
    assert os.listdir(tmp_path) == ["p.json"]
    assert path.stat().st_mode & 0o777 == 0o666 & ~current_umask()


def current_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_profile_save_into_a_missing_folder_is_a_file_problem(tmp_path: Path) -> None:
    with pytest.raises(FileProblem, match="cannot write"):
        small().save(tmp_path / "nowhere" / "p.json")


# Files that are not profiles.


def edited(change: Callable[[dict[str, Any]], object]) -> bytes:
    data = small().to_json()
    change(data)
    return json.dumps(data).encode()


def put(data: dict[str, Any], path: str, value: object) -> None:
    *parents, last = path.split(".")
    for name in parents:
        data = data[name]
    data[last] = value


WRONG_FIELDS: list[tuple[str, object, str]] = [
    ("schema", "rtsim.profile/99", "rtsim.profile/99"),
    ("schema", None, "None"),
    ("schema", 1, "schema"),
    ("name", 5, "name"),
    ("name", None, "name"),
    ("description", [], "description"),
    ("machine", "fast", "machine"),
    ("created", 2026, "created"),
    ("models", [], "models"),
    ("models", None, "models"),
    ("models.a", "fast", "models.a"),
    ("models.a.label", 1, "models.a.label"),
    ("models.a.parameters", "many", "models.a.parameters"),
    ("models.a.parameters", True, "True"),
    ("models.a.parameters", 1.5, "1.5"),
    ("models.a.settings", [], "models.a.settings"),
    ("models.a.inference", [], "models.a.inference"),
    ("models.a.inference", 84, "models.a.inference"),
    ("models.a.inference.samples_ns", [], "empty"),
    ("models.a.inference.samples_ns", {}, "samples_ns"),
    ("models.a.inference.samples_ns", [1, -1], "-1"),
    ("models.a.inference.samples_ns", [1, True], "True"),
    ("models.a.inference.samples_ns", [1, 2.5], "2.5"),
    ("models.a.inference.samples_ns", [1, None], "None"),
    ("models.a.inference.samples_ns", [1, "2"], "'2'"),
    ("models.a.inference.samples_ns", [10**16], "1e15"),
    ("models.a.inference.warmup_ns", [-3], "-3"),
    ("models.a.inference.note", 7, "note"),
    ("models.a.learning", [], "learning"),
    ("models.a.learning", {"0": {"samples_ns": [1]}}, "batch"),
    ("models.a.learning", {"-1": {"samples_ns": [1]}}, "batch"),
    ("models.a.learning", {"sixteen": {"samples_ns": [1]}}, "sixteen"),
    ("models.a.learning", {"16": {}}, "samples_ns"),
    ("live", None, "live"),
    ("live", [], "live"),
    ("live.times", None, "live.times"),
    ("live.settings", 4, "live.settings"),
    ("live.times.dispatch", 5, "live.times.dispatch"),
    ("live.times.dispatch.samples_ns", [], "empty"),
    ("live.times.dispatch.samples_ns", [-1], "-1"),
]


@pytest.mark.parametrize(("field", "value", "said"), WRONG_FIELDS, ids=lambda v: str(v)[:40])
def test_profile_wrong_field_is_named_in_one_line(field: str, value: object, said: str, tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_bytes(edited(lambda data: put(data, field, value)))
    assert said in problem(path)


WRONG_FILES = [
    ("empty", b"", "JSON"),
    ("text", b"84ms\n", "JSON"),
    ("binary", bytes(range(256)), "UTF-8"),
    ("nul bytes", b"\x00" * 100, "JSON"),
    ("list", b"[1, 2]", "the file"),
    ("number", b"84", "the file"),
    ("null", b"null", "the file"),
    ("foreign JSON", b'{"cells": [], "nbformat": 4}', "schema"),
    ("NaN sample", edited(lambda d: put(d, "models.a.inference.samples_ns", [float("nan")])), "NaN"),
    ("infinite sample", edited(lambda d: put(d, "models.a.inference.samples_ns", [float("inf")])), "Infinity"),
    ("deep lists", b"[" * 200_000, "JSON"),
    ("deep objects", b'{"a":' * 100_000, "JSON"),
    ("deep but whole", b'{"schema": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", ""),
    ("UTF-16", json.dumps(small().to_json()).encode("utf-16"), "UTF-8"),
    ("byte order mark", b"\xef\xbb\xbf" + json.dumps(small().to_json()).encode(), "JSON"),
    ("two documents", json.dumps(small().to_json()).encode() * 2, "JSON"),
    ("huge number", b'{"schema": ' + b"1" * 5000 + b"}", ""),
    ("superscript batch", edited(lambda d: put(d, "models.a.learning", {"²": {"samples_ns": [1]}})), "batch"),
]


@pytest.mark.parametrize(("kind", "content", "said"), WRONG_FILES, ids=lambda v: v if isinstance(v, str) else "")
def test_profile_wrong_file_is_a_file_problem_in_one_line(kind: str, content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_bytes(content)
    assert said in problem(path)


def problem(path: Path) -> str:
    with pytest.raises(FileProblem) as caught:
        Profile.load(path)
    message = str(caught.value)
    assert "\n" not in message
    assert path.name in message
    assert len(message) < 600
    assert isinstance(caught.value, OSError)
    return message


def test_profile_truncated_anywhere_is_a_file_problem(tmp_path: Path) -> None:
    whole = small().save(tmp_path / "whole.json").read_bytes()
    path = tmp_path / "p.json"
    # Without its last newline it is still whole.
    for size in [*range(0, len(whole) - 2, 37), len(whole) - 2]:
        path.write_bytes(whole[:size])
        problem(path)


def test_profile_folder_or_missing_file_is_a_file_problem(tmp_path: Path) -> None:
    folder = tmp_path / "folder.json"
    folder.mkdir()
    assert "directory" in problem(folder).lower()
    assert "No such file" in problem(tmp_path / "missing.json")


def test_profile_path_with_a_nul_byte_is_an_error_of_ours() -> None:
    with pytest.raises(RtsimError):
        Profile.load("a\x00.json")
