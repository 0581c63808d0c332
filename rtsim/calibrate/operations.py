"""The operations that are timed: one action inference, one DQN update. Imports torch."""

from __future__ import annotations

import copy
import gc
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from rtsim.calibrate.plan import CalibrationPlan
from rtsim.errors import InvalidValue
from rtsim.networks.resnet import ResNet
from rtsim.networks.sizes import SIDE

#: Discount, learning rate and gradient norm of the paper's DQN (Riemer et al. 2025, Sec. 5;
#: the clipping is in the authors' code).
DISCOUNT, LEARNING_RATE, GRADIENT_NORM = 0.99, 0.001, 10.0

Network = Callable[[Tensor], Tensor]


def check_available(plan: CalibrationPlan) -> None:
    """Refuse a plan that this machine cannot run, before anything is measured.

    Raises
    ------
    InvalidValue
        If CUDA or a C++ compiler is asked for and absent.
    """
    if plan.device == "cuda" and not torch.cuda.is_available():
        raise InvalidValue(
            f"device 'cuda' needs a GPU, but torch {torch.__version__} sees none; "
            "give device='cpu', or install a CUDA build of torch"
        )
    if plan.compiled and not any(map(shutil.which, _compilers())):
        raise InvalidValue(
            f"compiled True needs a C++ compiler, but none of {', '.join(_compilers())} is on the PATH; "
            "install one (e.g. the package g++), or give compiled=False"
        )


def _compilers() -> list[str]:
    chosen = os.environ.get("CXX")
    return [chosen] if chosen else ["g++", "clang++", "cl"]


@contextmanager
def intra_op_threads(threads: int) -> Iterator[None]:
    """Set torch's intra-op threads, and restore them on the way out."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def released(plan: CalibrationPlan) -> Iterator[None]:
    """Free what compiled code and the GPU's allocator keep, so that models do not pile up."""
    try:
        yield
    finally:
        if plan.compiled:
            torch.compiler.reset()
        gc.collect()
        if plan.device == "cuda":
            torch.cuda.empty_cache()


@contextmanager
def own_stream(plan: CalibrationPlan) -> Iterator[None]:
    """A CUDA stream of this thread's own, if the plan has several."""
    if plan.device == "cuda" and plan.streams > 1:
        torch.cuda.synchronize()  # what the default stream has made is read by all
        stream: Any = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        with torch.cuda.stream(stream):
            yield
    else:
        yield


def timer(operation: Callable[[], object], device: str) -> Callable[[], int]:
    """A callable that runs ``operation`` once and returns its duration, int ns, >= 1.

    On the CPU by the monotonic clock; on a GPU by CUDA events, the end event being waited
    for, so that the work itself is timed and not its being queued. Other streams are not waited for.
    """

    def on_cpu() -> int:
        start = time.perf_counter_ns()
        operation()
        return max(1, time.perf_counter_ns() - start)

    def on_cuda() -> int:
        event: Any = torch.cuda.Event  # without types in torch
        start, end = event(enable_timing=True), event(enable_timing=True)
        torch.cuda.current_stream().synchronize()
        start.record()
        operation()
        end.record()
        end.synchronize()
        milliseconds: float = start.elapsed_time(end)
        return max(1, round(milliseconds * 1e6))

    return on_cuda if device == "cuda" else on_cpu


def inference(plan: CalibrationPlan, k: float) -> Callable[[], int]:
    """What a worker does per action: uint8 image to float, network, argmax, int.

    Returns
    -------
    callable
        Takes nothing and returns the action, 0 <= action < plan.actions. The observation is
        uint8, shape (84, 84, 1), in host memory, as an environment hands it over.
    """
    network = _network(plan, k)
    dtype = torch.bfloat16 if plan.precision == "bf16" else torch.float32
    network.to(dtype)
    forward = _maybe_compiled(plan, network)
    observation = np.random.default_rng(plan.seed).integers(0, 256, size=(SIDE, SIDE, 1), dtype=np.uint8)

    @torch.inference_mode()
    def act() -> int:
        # One channel: height, width, channel and channel, height, width are the same bytes.
        image = torch.from_numpy(observation).to(plan.device).reshape(1, 1, SIDE, SIDE)
        return int(forward(_as_input(plan, image, dtype)).argmax(dim=1).item())

    return act


def learning(plan: CalibrationPlan, k: float, batch: int) -> Callable[[], None]:
    """One DQN update: smooth L1 of the TD error against a target network, Adam.

    Parameters
    ----------
    batch : int, >= 1
        Transitions in the batch: observations uint8 (batch, 1, 84, 84) in host memory.

    Returns
    -------
    callable
        Takes nothing and changes the network's weights. Drawing the batch from a replay
        buffer and copying the weights to the target network are not part of it.
    """
    network = _network(plan, k)
    target = copy.deepcopy(network).requires_grad_(False)
    optimiser = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    forward, target_forward = _maybe_compiled(plan, network), _maybe_compiled(plan, target)
    images, actions, rewards, ended = _transitions(plan, batch)

    def update() -> None:
        observed, following = (_as_input(plan, part.to(plan.device), torch.float32) for part in images)
        act, reward, end = (part.to(plan.device) for part in (actions, rewards, ended))
        with torch.autocast(plan.device, dtype=torch.bfloat16, enabled=plan.precision == "bf16"):
            value = forward(observed).gather(1, act).squeeze(1)
            with torch.no_grad():
                best = target_forward(following).amax(dim=1)
        goal = reward + DISCOUNT * (1 - end) * best.float()
        loss = functional.smooth_l1_loss(value.float(), goal)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(network.parameters(), GRADIENT_NORM)
        optimiser.step()

    return update


def first_run(operation: Callable[[], object]) -> float:
    """Run a compiled operation once, which compiles it; seconds that this took.

    Raises
    ------
    InvalidValue
        If compiling fails.
    """
    start = time.perf_counter()
    try:
        operation()
    except (RuntimeError, OSError) as error:
        first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InvalidValue(
            f"compiled True: torch.compile failed ({first_line}); mend the compiler, or give compiled=False"
        ) from error
    return time.perf_counter() - start


def _network(plan: CalibrationPlan, k: float) -> ResNet:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        network = ResNet(k, plan.depth, plan.actions)
    moved = network.to(plan.device)
    # The types of torch know Module.to(memory_format=...) only together with a device and a dtype.
    anything: Any = moved
    return anything.to(memory_format=torch.channels_last) if plan.channels_last else moved


def _transitions(plan: CalibrationPlan, batch: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Random images uint8 (2, batch, 1, 84, 84), actions int64 (batch, 1), rewards, episode ends (batch,)."""
    generator = torch.Generator().manual_seed(plan.seed)
    images = torch.randint(0, 256, (2, batch, 1, SIDE, SIDE), dtype=torch.uint8, generator=generator)
    actions = torch.randint(0, plan.actions, (batch, 1), generator=generator)
    rewards = torch.randn(batch, generator=generator)
    ended = (torch.rand(batch, generator=generator) < 0.01).float()
    return images, actions, rewards, ended


def _maybe_compiled(plan: CalibrationPlan, network: nn.Module) -> Network:
    return torch.compile(network, dynamic=False) if plan.compiled else network


def _as_input(plan: CalibrationPlan, images: Tensor, dtype: torch.dtype) -> Tensor:
    scaled = images.to(dtype).div_(255)
    return scaled.contiguous(memory_format=torch.channels_last) if plan.channels_last else scaled
