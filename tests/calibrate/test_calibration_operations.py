"""The timed operations do what a worker and a learner do; nothing here measures time but one test."""

from __future__ import annotations

import shutil
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn import functional

from rtsim.calibrate import CalibrationPlan, operations
from rtsim.errors import InvalidValue
from rtsim.networks import ResNet

TINY = 0.0625


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("channels_last", [False, True])
def test_inference_fp32_is_the_argmax_of_the_network(seed: int, channels_last: bool) -> None:
    plan = CalibrationPlan(k=(TINY,), seed=seed, actions=18, channels_last=channels_last)
    torch.manual_seed(seed)
    network = ResNet(TINY, actions=18)
    image = np.random.default_rng(seed).integers(0, 256, size=(84, 84, 1), dtype=np.uint8)
    values = network(torch.tensor(image[:, :, 0] / np.float32(255), dtype=torch.float32)[None, None])
    assert operations.inference(plan, TINY)() == int(values.argmax())


def test_inference_bf16_gives_an_action_nearly_as_good() -> None:
    plan = CalibrationPlan(k=(1.0,), precision="bf16")
    action = operations.inference(plan, 1.0)()
    torch.manual_seed(0)
    network = ResNet(1.0)
    image = np.random.default_rng(0).integers(0, 256, size=(84, 84, 1), dtype=np.uint8)
    values = network(torch.tensor(image[:, :, 0] / np.float32(255), dtype=torch.float32)[None, None])[0]
    # bfloat16 has 8 bits of mantissa, and values are below 0.1: errors stay far below 0.01.
    assert values[action] > values.max() - 0.01


def capture(monkeypatch: pytest.MonkeyPatch, values: float = 0.0) -> list[ResNet]:
    """The networks that operations build from now on, their action values raised by ``values``."""
    built: list[ResNet] = []
    build = operations._network

    def remember(plan: CalibrationPlan, k: float) -> ResNet:
        built.append(build(plan, k))
        with torch.no_grad():
            built[-1].values.bias.add_(values)
        return built[-1]

    monkeypatch.setattr(operations, "_network", remember)
    return built


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_learning_first_update_moves_weights_by_the_learning_rate(
    monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    # Adam's first step is lr · g/(|g| + 1e-8): at most lr, and nearly lr where g is not tiny
    # (Kingma & Ba 2015, Sec. 2.1). The paper's lr is 0.001.
    built = capture(monkeypatch)
    update = operations.learning(CalibrationPlan(precision=precision), TINY, 4)  # type: ignore[arg-type]
    before = [p.detach().clone() for p in built[0].parameters()]
    update()
    moved = torch.cat([(p.detach() - b).flatten().abs() for p, b in zip(built[0].parameters(), before, strict=True)])
    assert all(p.dtype == torch.float32 for p in built[0].parameters())
    assert moved.max() <= 0.001 * (1 + 1e-3)
    assert moved.max() > 0.00099


def test_learning_updates_bring_the_td_error_to_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    """On one batch and a fixed target the values must reach r + 0.99 (1 - end) max Q'.

    The target's values are near 2, so that neither the discount nor the end is lost in them.
    """
    monkeypatch.setattr(operations, "_transitions", lambda plan, batch: fixed_transitions())
    built = capture(monkeypatch, values=2.0)
    update = operations.learning(CalibrationPlan(), TINY, 4)
    images, actions, rewards, ended = fixed_transitions()
    with torch.no_grad():
        best = built[0](images[1] / 255).max(dim=1).values
    goal = rewards + 0.99 * torch.where(ended > 0, torch.zeros(4), best)

    def error() -> float:
        with torch.no_grad():
            values = built[0](images[0] / 255)[torch.arange(4), actions[:, 0]]
        return float((values - goal).abs().max())

    assert error() > 0.5
    for _ in range(250):
        update()
    assert error() < 0.01


def fixed_transitions() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Four quite different images, so that even the smallest network can tell them apart."""
    shades = torch.tensor([0, 80, 160, 255], dtype=torch.uint8).reshape(4, 1, 1, 1).expand(4, 1, 84, 84)
    images = torch.stack([shades, shades.flip(0)]).contiguous()
    return images, torch.tensor([[0], [1], [2], [3]]), torch.tensor([1.0, -1.0, 0.5, 2.0]), torch.tensor([0.0, 1, 0, 1])


def test_transitions_have_the_shapes_of_a_replay_batch() -> None:
    images, actions, rewards, ended = operations._transitions(CalibrationPlan(actions=6), 16)
    assert (images.dtype, images.shape) == (torch.uint8, (2, 16, 1, 84, 84))
    assert actions.shape == (16, 1)
    assert int(actions.min()) >= 0
    assert int(actions.max()) < 6
    assert rewards.shape == ended.shape == (16,)
    assert functional.smooth_l1_loss(rewards, ended).isfinite()


def test_operations_leave_the_global_generator_alone() -> None:
    torch.manual_seed(123)  # not the plan's seed, which would hide a generator left behind
    before = torch.get_rng_state()
    operations.inference(CalibrationPlan(), TINY)()
    operations.learning(CalibrationPlan(), TINY, 2)()
    assert torch.equal(torch.get_rng_state(), before)


def test_threads_error_inside_restores_the_former_number() -> None:
    before = torch.get_num_threads()

    def fail() -> None:
        with operations.intra_op_threads(before + 1):
            assert torch.get_num_threads() == before + 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert torch.get_num_threads() == before


def test_available_cuda_absent_is_refused_naming_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InvalidValue, match=r"device 'cuda' needs a GPU.*device='cpu'.*CUDA build"):
        operations.check_available(CalibrationPlan(device="cuda"))


def test_available_compiler_absent_is_refused_naming_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(InvalidValue, match=r"C\+\+ compiler.*g\+\+, clang\+\+.*compiled=False"):
        operations.check_available(CalibrationPlan(compiled=True))
    operations.check_available(CalibrationPlan(compiled=False))


def test_available_compiler_named_by_cxx_is_the_one_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(InvalidValue, match="no-such-compiler"):
        operations.check_available(CalibrationPlan(compiled=True))


def test_first_run_failing_compiler_is_one_line() -> None:
    def broken() -> None:
        raise RuntimeError("first line\nsecond line")

    with pytest.raises(InvalidValue, match=r"failed \(first line\); .*compiled=False$"):
        operations.first_run(broken)


@pytest.mark.realtime
def test_timer_sleeping_operation_takes_at_least_the_sleep() -> None:
    # The lower bound is guaranteed; the upper one would need a pause of 2 s in the scheduler.
    duration = operations.timer(lambda: time.sleep(0.01), "cpu")()
    assert 10_000_000 <= duration < 2_000_000_000


def test_timer_cuda_times_between_events_and_waits_for_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """With stand-ins for CUDA's events, which give milliseconds: the order of the calls is what counts."""
    calls: list[str] = []

    class Event:
        def __init__(self, *, enable_timing: bool) -> None:
            assert enable_timing

        def record(self) -> None:
            calls.append("record")

        def synchronize(self) -> None:
            calls.append("wait for the end")

        def elapsed_time(self, end: Event) -> float:
            return 1.5 if end is not self else 0.0

    monkeypatch.setattr(torch.cuda, "Event", Event)
    stream = SimpleNamespace(synchronize=lambda: calls.append("wait for the stream"))
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: stream)
    assert operations.timer(lambda: calls.append("run"), "cuda")() == 1_500_000
    assert calls == ["wait for the stream", "record", "run", "record", "wait for the end"]
