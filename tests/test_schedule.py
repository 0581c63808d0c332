"""The record of a run: written and read back, compared, counted, and files that are none."""

from __future__ import annotations

import contextlib
import gc
import io
import json
import pickle
import statistics
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtsim.clocks import simulate
from rtsim.errors import FileProblem, InvalidValue
from rtsim.scenario import Scenario
from rtsim.schedule import SPAN_COLUMNS, STEP_COLUMNS, UPDATE_COLUMNS, Schedule
from rtsim.statistics import percentile_of_counts, sum_of_squares
from tests.contract.scenarios import RULES, scenarios


def example(**changes: Any) -> Schedule:
    scenario = Scenario(
        "earliest_deadline(late=release)",
        "lognorm(mean=84ms, cv=0.6)",
        workers=4,
        steps=300,
        learning_time="lognorm(mean=100ms, cv=0.5)",
        learners=3,
        learner_rule="lock_free",
    )
    return simulate(scenario.with_(**changes), spans=True)


# Written and read back.


@settings(max_examples=40)
@given(data=st.data(), rule=st.sampled_from(RULES), spans=st.booleans())
def test_schedule_saved_and_loaded_is_equal_in_every_column(
    data: st.DataObject, rule: str, spans: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    schedule = simulate(data.draw(scenarios(rule, max_steps=60)), spans=spans)
    path = tmp_path_factory.mktemp("schedule") / "s.npz"
    assert schedule.save(path) == path
    loaded = Schedule.load(path)
    assert schedule.diff(loaded) is None
    assert loaded.diff(schedule) is None
    assert loaded.header == schedule.header
    assert loaded.totals == schedule.totals
    assert (loaded.spans is None) == (not spans)
    for (name, mine), (other, theirs) in zip(schedule.arrays(), loaded.arrays(), strict=True):
        assert name == other
        assert mine.dtype == theirs.dtype
        assert np.array_equal(mine, theirs)
    # The same Schedule makes the same bytes again.
    assert loaded.to_bytes() == schedule.to_bytes() == path.read_bytes()
    assert len(schedule) == len(loaded)
    assert Scenario.from_json(loaded.settings).steps == len(loaded)


def test_schedule_columns_have_the_types_of_the_format() -> None:
    schedule = example()
    for columns, kinds in (
        (schedule.steps, STEP_COLUMNS),
        (schedule.updates, UPDATE_COLUMNS),
        (schedule.spans, SPAN_COLUMNS),
    ):
        assert columns is not None
        assert list(columns) == list(kinds)
        for name, kind in kinds.items():
            assert columns[name].dtype == kind
            assert columns[name].ndim == 1
    assert len(schedule.busy_ns) == 4
    assert len(schedule.learner_busy_ns) == 3


def test_schedule_file_is_arrays_and_json_that_any_reader_understands(tmp_path: Path) -> None:
    path = example().save(tmp_path / "s.npz")
    with zipfile.ZipFile(path) as archive:
        assert all(name.endswith(".npy") for name in archive.namelist())
    with np.load(path, allow_pickle=False) as arrays:
        header = json.loads(bytes(arrays["header"]).decode("ascii"))
        assert header["schema"] == "rtsim.schedule/1"
        assert header["clock"] == "simpy"
        assert header["scenario"]["workers"] == 4
        assert header["totals"]["pending"] in (0, 1)
        assert len(arrays["steps/time_ns"]) == 300


def test_schedule_saved_over_a_file_replaces_it_whole(tmp_path: Path) -> None:
    path = tmp_path / "s.npz"
    path.write_text("old")
    example().save(str(path))
    assert Schedule.load(str(path)).diff(example()) is None
    assert [p.name for p in tmp_path.iterdir()] == ["s.npz"]
    with pytest.raises(FileProblem, match="cannot write"):
        example().save(tmp_path / "nowhere" / "s.npz")


# Compared.


def changed(schedule: Schedule, table: str, column: str, row: int, value: int) -> Schedule:
    columns = dict(getattr(schedule, table))
    columns[column] = columns[column].copy()
    columns[column][row] = value
    return replace(schedule, **{table: columns})


def test_diff_of_equal_schedules_is_none() -> None:
    assert example().diff(example()) is None


def test_diff_names_the_first_differing_step_and_every_column_of_it() -> None:
    one = example()
    other = changed(changed(one, "steps", "observation", 100, 3), "steps", "released", 100, 9)
    other = changed(other, "steps", "version", 200, 77)
    said = one.diff(other)
    assert said is not None
    assert said.startswith("first differing step is 100: ")
    assert f"observation {one.steps['observation'][100]} against 3" in said
    assert f"released {one.steps['released'][100]} against 9" in said
    assert "version" not in said
    assert "\n" not in said


def test_diff_says_who_acted_where_that_differs() -> None:
    one = example()
    agent = int(np.flatnonzero(one.acted)[20])
    other = changed(one, "steps", "worker", agent, -1)
    said = one.diff(other)
    assert said is not None
    assert said.startswith(f"first differing step is {agent}: the agent acted, against the default policy; worker ")
    back = other.diff(one)
    assert back is not None
    assert "the default policy acted, against the agent" in back


@pytest.mark.parametrize("column", sorted(STEP_COLUMNS))
def test_diff_sees_every_step_column(column: str) -> None:
    one = example()
    at = int(np.flatnonzero(one.acted)[-1])
    before = int(one.steps[column][at])
    said = one.diff(changed(one, "steps", column, at, before + 1))
    assert said == f"first differing step is {at}: {column} {before} against {before + 1}"


@pytest.mark.parametrize("column", sorted(UPDATE_COLUMNS))
def test_diff_sees_every_update_column(column: str) -> None:
    one = example()
    said = one.diff(changed(one, "updates", column, 7, 99))
    assert said == f"first differing update is 7: {column} {one.updates[column][7]} against 99"


@pytest.mark.parametrize("column", sorted(SPAN_COLUMNS))
def test_diff_sees_every_span_column(column: str) -> None:
    one = example()
    assert one.spans is not None
    said = one.diff(changed(one, "spans", column, 7, 99))
    assert said == f"first differing span is 7: {column} {one.spans[column][7]} against 99"


def test_diff_of_a_shorter_run_counts_the_rows() -> None:
    one = example()
    shorter = replace(one, steps={name: column[:200] for name, column in one.steps.items()})
    assert one.diff(shorter) == "300 steps against 200"
    fewer = replace(one, updates={name: column[:-1] for name, column in one.updates.items()})
    count = len(one.updates["version"])
    assert one.diff(fewer) == f"{count} updates against {count - 1}"


def test_diff_compares_spans_only_where_both_have_them() -> None:
    one = example()
    assert one.diff(replace(one, spans=None)) is None
    assert replace(one, spans=None).diff(one) is None


def test_diff_names_busy_times_and_totals() -> None:
    one = example()
    assert "busy_ns differs" in str(one.diff(replace(one, busy_ns=one.busy_ns + 1)))
    assert "learner_busy_ns differs" in str(one.diff(replace(one, learner_busy_ns=one.learner_busy_ns + 1)))
    assert "totals differ" in str(one.diff(replace(one, totals={**one.totals, "pending": 7})))


def test_diff_ignores_who_made_it() -> None:
    one = example()
    assert one.diff(replace(one, header={"clock": "wall"})) is None


# Counted, against a recomputation in plain Python from the steps and updates.


def plain(schedule: Schedule, warmup: int) -> dict[str, float | None]:
    rows = [{name: int(column[i]) for name, column in schedule.steps.items()} for i in range(len(schedule))]
    updates = [
        {name: int(column[i]) for name, column in schedule.updates.items()}
        for i in range(len(schedule.updates["version"]))
    ]
    window = list(enumerate(rows))[warmup:]
    agent = [(i, row) for i, row in window if row["worker"] >= 0]
    gap_steps = [b - a for (a, _), (b, _) in zip(agent, agent[1:], strict=False)]
    gap_s = [Fraction(b["time_ns"] - a["time_ns"], 10**9) for (_, a), (_, b) in zip(agent, agent[1:], strict=False)]
    delays = sorted(i - row["observation"] for i, row in agent)
    landed = [u for u in updates if u["land_ns"] >= rows[warmup]["time_ns"]]
    ages = []
    for _, row in agent:
        current = max((u["version"] for u in updates if u["land_ns"] <= row["time_ns"]), default=0)
        ages.append(current - row["version"])
    released = sum(row["released"] for _, row in window)
    overwritten = sum(row["overwritten"] for _, row in window)
    horizon = rows[-1]["time_ns"] or 1

    def mean(values: list[Any]) -> float | None:
        return float(sum(values) / Fraction(len(values))) if values else None

    def variance(values: list[Any]) -> float | None:
        return float(statistics.pvariance([Fraction(v) for v in values])) if values else None

    def percentile(q: Fraction) -> int | None:
        # The least delay that at least a share q of them do not exceed.
        return next((d for k, d in enumerate(delays, 1) if Fraction(k, len(delays)) >= q), None)

    return {
        "steps": len(window),
        "inaction_fraction": (len(window) - len(agent)) / len(window),
        "interaction_time_s": mean(gap_s),
        "interaction_time_var_s2": variance(gap_s),
        "interaction_steps": mean(gap_steps),
        "interaction_steps_var": variance(gap_steps),
        "delay_steps_mean": mean(delays),
        "delay_steps_p50": percentile(Fraction(1, 2)),
        "delay_steps_p99": percentile(Fraction(99, 100)),
        "overwritten_fraction": overwritten / released if released else 0.0,
        "released": released,
        "used": len(agent),
        "overwritten": overwritten,
        "dropped": sum(row["dropped"] for _, row in window),
        "worker_utilisation": sum(schedule.busy_ns.tolist()) / horizon / len(schedule.busy_ns),
        "learner_utilisation": sum(schedule.learner_busy_ns.tolist()) / horizon / max(len(schedule.learner_busy_ns), 1),
        "transitions_per_step": sum(u["batch"] for u in landed) / len(window),
        "update_staleness_mean": mean([u["version"] - 1 - u["read_version"] for u in landed]),
        "parameter_age_updates_mean": mean(ages) if updates else None,
    }


@settings(max_examples=150)
@given(data=st.data(), rule=st.sampled_from(RULES), share=st.floats(0, 0.99))
def test_statistics_equal_a_plain_recomputation(data: st.DataObject, rule: str, share: float) -> None:
    schedule = simulate(data.draw(scenarios(rule, max_steps=80)))
    warmup = int(share * len(schedule))
    found = schedule.statistics(warmup)
    expected = plain(schedule, warmup)
    assert {f.name for f in fields(found)} == set(expected)
    for name, value in expected.items():
        actual = getattr(found, name)
        assert (actual is None) == (value is None), name
        if value is not None:
            assert actual == pytest.approx(value, rel=1e-12, abs=1e-18), name


def test_statistics_without_warmup_are_of_the_whole_run() -> None:
    schedule = example()
    assert schedule.statistics() == schedule.statistics(0)
    assert schedule.statistics(299).steps == 1
    assert schedule.statistics(299).interaction_steps is None


@pytest.mark.parametrize("warmup", [-1, 300, 301, 10**9])
def test_statistics_warmup_that_leaves_nothing_is_refused(warmup: int) -> None:
    with pytest.raises(InvalidValue, match=r"warmup_steps .* 0\.\.299"):
        example().statistics(warmup)


def test_statistics_of_a_run_without_actions_have_no_delays() -> None:
    found = simulate(Scenario("unstaggered", "10s", steps=20)).statistics()
    assert found.inaction_fraction == 1
    assert found.used == found.released == 0
    assert found.overwritten_fraction == 0
    for name in (
        "interaction_time_s",
        "interaction_steps_var",
        "delay_steps_mean",
        "delay_steps_p50",
        "delay_steps_p99",
    ):
        assert getattr(found, name) is None
    assert found.update_staleness_mean is None
    assert found.parameter_age_updates_mean is None


def test_statistics_of_one_step_do_not_divide_by_its_length() -> None:
    found = simulate(Scenario("unstaggered", "0ms", steps=1)).statistics()
    assert (found.inaction_fraction, found.worker_utilisation) == (0, 0)


def test_statistics_utilisation_of_a_short_run_is_a_share() -> None:
    assert simulate(Scenario("pipeline(layers=2)", "10s", steps=20)).statistics().worker_utilisation <= 1


def test_schedule_delay_steps_are_those_of_agent_steps() -> None:
    schedule = example()
    where = np.flatnonzero(schedule.steps["worker"] >= 0)
    assert schedule.acted.sum() == len(where)
    assert schedule.delay_steps.tolist() == [int(i - schedule.steps["observation"][i]) for i in where]


@settings(max_examples=200)
@given(st.lists(st.integers(0, 2**62 - 1), max_size=40))
def test_sum_of_squares_is_exact(values: list[int]) -> None:
    assert sum_of_squares(np.array(values, dtype=np.int64)) == sum(v * v for v in values)


@settings(max_examples=200)
@given(st.lists(st.integers(0, 5), max_size=12), st.integers(1, 100))
def test_percentile_of_counts_equals_the_sorted_list(counts: list[int], percent: int) -> None:
    values = [value for value, count in enumerate(counts) for _ in range(count)]
    expected = None
    if values:
        expected = next(v for k, v in enumerate(values, 1) if 100 * k >= percent * len(values))
    assert percentile_of_counts(np.array(counts, dtype=np.int64), percent) == expected


# Files that are not Schedules.


def problem(path: Path) -> str:
    with pytest.raises(FileProblem) as caught:
        Schedule.load(path)
    message = str(caught.value)
    assert "\n" not in message
    assert path.name in message
    assert len(message) < 600
    assert isinstance(caught.value, OSError)
    return message


def packed(**changes: Any) -> bytes:
    """A small Schedule's file with some arrays put in; None takes one out."""
    arrays: dict[str, Any] = {"header": header(), **dict(example(steps=30).arrays())}
    arrays.update(changes)
    stream = io.BytesIO()
    np.savez(stream, **{name: value for name, value in arrays.items() if value is not None})
    return stream.getvalue()


def header(change: Callable[[dict[str, Any]], object] = lambda data: None) -> np.ndarray:
    schedule = example(steps=30)
    data = {**schedule.header, "totals": dict(schedule.totals)}
    change(data)
    return text(json.dumps(data))


def text(content: str) -> np.ndarray:
    return np.frombuffer(content.encode(), dtype=np.uint8)


class Trap:
    """What unpickling must never do."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return (pytest.fail, ("a pickle was executed",))


def trap() -> np.ndarray:
    value = np.empty(1, dtype=object)
    value[0] = Trap()
    return value


def bare_array() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.arange(5))
    return stream.getvalue()


def huge() -> bytes:
    """An array file that claims more than any memory holds."""
    stream = io.BytesIO()
    np.save(stream, np.zeros(1, np.int64))
    array = stream.getvalue().replace(b"(1,), }" + b" " * 15, b"(1000000000000000,), }", 1)
    assert b"000," in array
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("steps/time_ns.npy", array)
    return archive.getvalue()


def columns(prefix: str, **changes: Any) -> bytes:
    return packed(**{f"{prefix}/{name}": value for name, value in changes.items()})


WRONG: list[Any] = [
    ("empty", b"", "other kind|another kind"),
    ("text", b"84ms\n", "another kind"),
    ("JSON", b'{"schema": "rtsim.schedule/1"}', "another kind"),
    ("pickle", pickle.dumps({"a": 1}), "another kind"),
    ("zip without arrays", b"PK\x05\x06" + b"\x00" * 18, ""),
    ("bare array", bare_array(), ""),
    ("object array", packed(**{"steps/worker": trap()}), "another kind"),
    ("object header", packed(header=trap()), "another kind"),
    (
        "foreign npz",
        packed(**dict.fromkeys(["header", *dict(example(steps=30).arrays())]), weights=np.ones(3)),
        "weights",
    ),
    ("no header", packed(header=None), "header"),
    ("header of text", packed(header=text("hello")), "header"),
    ("header of a list", packed(header=text("[1]")), "header"),
    ("header of a number", packed(header=text("5")), "header"),
    ("header of null", packed(header=text("null")), "header"),
    ("header not UTF-8", packed(header=np.array([255, 254, 253], dtype=np.uint8)), "header"),
    ("header of floats", packed(header=np.array([0.5])), "header"),
    ("header without schema", packed(header=header(lambda d: d.pop("schema"))), "header"),
    ("header without totals", packed(header=header(lambda d: d.pop("totals"))), "header"),
    ("header with wrong totals", packed(header=header(lambda d: d.update(totals=[1]))), "header"),
    ("header with text totals", packed(header=header(lambda d: d.update(totals={"pending": "1"}))), "header"),
    ("other schema", packed(header=header(lambda d: d.update(schema="rtsim.schedule/2"))), "rtsim.schedule/2"),
    ("missing step column", columns("steps", version=None), "version"),
    ("unknown step column", columns("steps", wobble=np.arange(30)), "wobble"),
    ("missing update column", columns("updates", batch=None), "batch"),
    ("missing span column", columns("spans", used_step=None), "used_step"),
    ("float column", columns("steps", time_ns=np.arange(30) * 1.0), "float64"),
    ("narrow column", columns("steps", observation=np.zeros(30, np.int32)), "int32"),
    ("big-endian column", columns("steps", observation=np.zeros(30, ">i8")), "observation"),
    ("unsigned column", columns("steps", worker=np.zeros(30, np.uint32)), "uint32"),
    ("matrix column", columns("steps", time_ns=np.zeros((30, 2), np.int64)), "time_ns"),
    ("scalar column", columns("steps", time_ns=np.int64(3)), "time_ns"),
    ("short column", columns("steps", time_ns=np.arange(29)), "length"),
    ("short update column", columns("updates", version=np.arange(1)), "length"),
    ("no busy times", packed(busy_ns=None), "busy_ns"),
    ("float busy times", packed(busy_ns=np.ones(4)), "busy_ns"),
    ("no learner busy times", packed(learner_busy_ns=None), "learner_busy_ns"),
    ("no steps", packed(**{f"steps/{n}": np.zeros(0, k) for n, k in STEP_COLUMNS.items()}), "no steps"),
    ("huge shape", huge(), ""),
]


@pytest.mark.parametrize(("kind", "content", "said"), WRONG, ids=[case[0] for case in WRONG])
def test_schedule_wrong_file_is_a_file_problem_in_one_line(
    kind: str, content: bytes, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "s.npz"
    path.write_bytes(content)
    message = problem(path)
    assert not said or any(word in message for word in said.split("|"))


def test_schedule_deeply_nested_header_is_a_file_problem(tmp_path: Path) -> None:
    path = tmp_path / "s.npz"
    path.write_bytes(packed(header=text("[" * 200_000)))
    problem(path)


def test_schedule_truncated_anywhere_is_a_file_problem(tmp_path: Path) -> None:
    whole = example(steps=30).to_bytes()
    path = tmp_path / "s.npz"
    for size in [*range(0, len(whole), len(whole) // 60), *range(len(whole) - 60, len(whole))]:
        path.write_bytes(whole[:size])
        problem(path)


def test_schedule_with_a_flipped_byte_is_a_file_problem_or_the_same(tmp_path: Path) -> None:
    # The archive has checksums; bytes outside them do not change the content.
    original = example(steps=30)
    whole = original.to_bytes()
    path = tmp_path / "s.npz"
    problems = 0
    for at in range(0, len(whole), max(len(whole) // 150, 1)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            loaded = Schedule.load(path)
        except FileProblem:
            problems += 1
        else:
            assert loaded.diff(original) is None
    assert problems > 100


def test_schedule_truncated_file_is_closed_again(tmp_path: Path) -> None:
    path = tmp_path / "s.npz"
    path.write_bytes(example(steps=30).to_bytes()[:-10])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with contextlib.suppress(FileProblem):
            Schedule.load(path)
        gc.collect()
    assert not [w for w in caught if issubclass(w.category, ResourceWarning)]


def test_schedule_folder_or_missing_file_is_a_file_problem(tmp_path: Path) -> None:
    folder = tmp_path / "s.npz"
    folder.mkdir()
    assert "directory" in problem(folder).lower()
    assert "no such file" in problem(tmp_path / "missing.npz")
