"""From a plan to a profile: order, progress, what is skipped, what an interrupt leaves."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from rtsim.calibrate import CalibrationInterrupted, CalibrationPlan, Progress, calibrate, measure, measurements
from rtsim.calibrate.machine import memory_needed
from rtsim.errors import InvalidValue
from rtsim.timing.profiles import Profile

#: A quick plan: the smallest model, and content with any precision.
QUICK = CalibrationPlan(k=(0.0625,), batch=(2,), precision_goal=0.9, min_samples=3, max_samples=5)


@pytest.mark.realtime
def test_calibrate_smallest_model_gives_a_profile_that_survives_saving(tmp_path: Path) -> None:
    began = time.perf_counter_ns()
    profile = calibrate(QUICK)
    took = time.perf_counter_ns() - began
    model = profile.find("55k")
    assert model is profile.models["resnet15-k0.0625"]
    assert model.parameters == 54178
    assert model.inference is not None
    runs = [model.inference, model.learning[2]]
    # Every run happened, one after the other, inside the time the calibration took.
    assert 0 < sum(sum(r.samples_ns) + sum(r.warmup_ns) for r in runs) < took
    assert all(3 <= len(r.samples_ns) <= 5 and len(r.warmup_ns) >= 2 for r in runs)
    assert model.settings["k"] == 0.0625
    assert "skipped" not in model.settings
    assert profile.created == profile.machine["date"]
    assert Profile.load(profile.save(tmp_path / "local.json")) == profile


@pytest.mark.realtime
def test_calibrate_larger_model_and_learning_take_longer() -> None:
    """k = 1 does 150 times the arithmetic of k = 0.0625 and takes some ten times as long.

    Medians of 30 runs; that the order turns round would take a machine which pauses 15 of the
    short runs for milliseconds each: below 1e-6 unless it is all but stopped.
    """
    plan = CalibrationPlan(k=(0.0625, 1.0), batch=(2,), precision_goal=0.9, min_samples=30, max_samples=30)
    profile = calibrate(plan)
    small, large = (profile.models[plan.key(k)] for k in plan.k)

    def median(samples: tuple[int, ...]) -> float:
        return statistics.median(samples)

    assert small.inference is not None
    assert large.inference is not None
    assert median(large.inference.samples_ns) > 2 * median(small.inference.samples_ns)
    assert median(large.learning[2].samples_ns) > median(large.inference.samples_ns)


def test_measurements_order_is_inference_then_batches_per_model() -> None:
    plan = CalibrationPlan(k=(0.125, 0.0625), batch=(3, 2), precision_goal=0.9, min_samples=3, max_samples=3)
    done = [(item.k, item.operation) for item in measurements(plan)]
    operations = ["inference", "learning batch 3", "learning batch 2"]
    assert done == [(k, operation) for k in (0.125, 0.0625) for operation in operations]


def test_calibrate_progress_walks_through_every_stage() -> None:
    seen: list[Progress] = []
    calibrate(QUICK, on_progress=seen.append)
    assert {p.model for p in seen} == {"resnet15-k0.0625"}
    assert {p.total for p in seen} == {2}
    for index, operation in enumerate(["inference", "learning batch 2"]):
        mine = [p for p in seen if p.index == index]
        assert {p.operation for p in mine} == {operation}
        stages = list(dict.fromkeys(p.stage for p in mine))
        assert (stages[0], stages[1], stages[-1]) == ("build", "warm-up", "done")
        assert mine[-1].samples >= 3
        assert mine[-1].relative_precision is not None
        assert [p.elapsed_s for p in mine] == sorted(p.elapsed_s for p in mine)


def test_calibrate_interrupt_keeps_what_was_finished(tmp_path: Path) -> None:
    def stop(progress: Progress) -> None:
        if progress.operation == "learning batch 2" and progress.stage == "warm-up":
            raise KeyboardInterrupt

    threads = torch.get_num_threads()
    with pytest.raises(KeyboardInterrupt) as caught:
        calibrate(QUICK, on_progress=stop)
    assert isinstance(caught.value, CalibrationInterrupted)
    profile = caught.value.profile
    model = profile.find("55k")
    assert model.inference is not None
    assert model.learning == {}
    assert "Interrupted" in profile.description
    assert Profile.load(profile.save(tmp_path / "part.json")) == profile
    assert torch.get_num_threads() == threads


def test_calibrate_interrupt_at_once_leaves_an_empty_profile() -> None:
    def stop(progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(CalibrationInterrupted) as caught:
        calibrate(QUICK, on_progress=stop)
    assert caught.value.profile.models == {}


def test_calibrate_too_little_memory_skips_learning_and_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    needed = memory_needed(QUICK, 0.0625, 2)
    monkeypatch.setattr(measure, "memory_available", lambda device: needed - 1)
    stages: list[tuple[str, str]] = []
    profile = calibrate(QUICK, on_progress=lambda p: stages.append((p.operation, p.stage)))
    model = profile.find("55k")
    assert model.inference is not None
    assert model.learning == {}
    assert list(model.settings["skipped"]) == ["learning batch 2"]
    assert "GB of memory" in model.settings["skipped"]["learning batch 2"]
    assert ("learning batch 2", "skipped") in stages
    assert Profile.load(profile.save(tmp_path / "part.json")) == profile


def test_calibrate_no_memory_at_all_measures_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "memory_available", lambda device: 0)
    model = calibrate(QUICK).find("55k")
    assert model.inference is None
    assert set(model.settings["skipped"]) == {"inference", "learning batch 2"}


@pytest.mark.realtime
def test_calibrate_compiled_excludes_and_reports_the_first_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a stand-in for ``torch.compile`` whose first run sleeps; the real one takes half a minute."""

    def slow_first(network: torch.nn.Module, *, dynamic: bool) -> object:
        waits = [0.2]

        def forward(images: torch.Tensor) -> torch.Tensor:
            time.sleep(waits.pop() if waits else 0.0)
            result: torch.Tensor = network(images)
            return result

        assert dynamic is False
        return forward

    monkeypatch.setattr(torch, "compile", slow_first)
    monkeypatch.setattr(torch.compiler, "reset", lambda: None)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    plan = CalibrationPlan(k=(0.0625,), batch=(), compiled=True, precision_goal=0.9, min_samples=3, max_samples=3)
    inference = calibrate(plan).models["resnet15-k0.0625-compiled"].inference
    assert inference is not None
    seconds = float(inference.note.partition("compiled in ")[2].split()[0])
    assert seconds >= 0.2
    assert min(inference.warmup_ns) < 200_000_000


def test_calibrate_cuda_absent_is_refused_before_measuring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    seen: list[Progress] = []
    with pytest.raises(InvalidValue, match="device 'cuda' needs a GPU"):
        calibrate(CalibrationPlan(device="cuda"), on_progress=seen.append)
    assert seen == []


def test_calibrate_package_imports_without_torch_and_names_the_extra() -> None:
    code = (
        "import sys\n"
        "from rtsim.calibrate import CalibrationPlan, calibrate\n"
        "assert 'torch' not in sys.modules\n"
        "sys.modules['torch'] = None\n"
        "try: calibrate(CalibrationPlan())\n"
        "except ImportError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "calibration needs torch; pip install 'rtsim[live]'\n"
