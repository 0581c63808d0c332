"""The torch modules against the integer arithmetic and against what a residual block is."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from rtsim import networks
from rtsim.errors import InvalidValue
from rtsim.networks import PUBLISHED_K, ResNet, activation_count, parameter_count
from rtsim.networks.resnet import Residual


def on_meta(k: float, depth: int = 15, actions: int = 6) -> ResNet:
    with torch.device("meta"):
        return ResNet(k, depth, actions)


@pytest.mark.parametrize("actions", [6, 18])
@pytest.mark.parametrize(("depth", "k"), [*((d, k) for d in (15, 30) for k in PUBLISHED_K[d]), (15, 0.7), (30, 2.3)])
def test_resnet_parameters_equal_the_integer_count(depth: int, k: float, actions: int) -> None:
    network = on_meta(k, depth, actions)
    assert sum(p.numel() for p in network.parameters()) == parameter_count(k, depth, actions)


@pytest.mark.parametrize("depth", [15, 30])
def test_resnet_convolutions_are_as_many_as_the_depth(depth: int) -> None:
    convolutions = [m for m in on_meta(1, depth).modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) == depth
    padded = [m for m in convolutions if m.padding == (1, 1)]
    assert len(padded) == depth * 4 // 5


@pytest.mark.parametrize("depth", [15, 30])
def test_resnet_forward_gives_one_value_per_action(depth: int) -> None:
    values = on_meta(29, depth, actions=18)(torch.zeros(3, 1, 84, 84, device="meta"))
    assert values.shape == (3, 18)


def test_resnet_forward_of_each_image_does_not_depend_on_the_others() -> None:
    torch.manual_seed(1)
    network = ResNet(0.0625)
    images = torch.rand(4, 1, 84, 84)
    together = network(images)
    assert together.std() > 0
    torch.testing.assert_close(together[2:3], network(images[2:3]), rtol=1e-4, atol=1e-6)


def test_residual_identity_kernels_gives_x_plus_relu_of_x() -> None:
    # conv = identity: x + relu(relu(x)) = 2x above zero and x below.
    block = Residual(3)
    for convolution in (block.first, block.second):
        nn.init.dirac_(convolution.weight)
        assert convolution.bias is not None
        nn.init.zeros_(convolution.bias)
    x = torch.linspace(-1, 1, 3 * 5 * 5).reshape(1, 3, 5, 5)
    torch.testing.assert_close(block(x), torch.where(x > 0, 2 * x, x))


class CountOutputs(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sums the sizes of all new tensors that the kernels below write."""

    kernels = ("convolution", "max_pool2d", "relu", "add")

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        result = func(*args, **(kwargs or {}))
        if func.__name__.startswith(self.kernels):
            self.total += (result[0] if isinstance(result, tuple) else result).numel()
        return result


@pytest.mark.parametrize("depth", [15, 30])
def test_activation_count_equals_what_the_kernels_write_but_for_the_head(depth: int) -> None:
    network = on_meta(2, depth)
    with CountOutputs() as traced:
        network(torch.zeros(1, 1, 84, 84, device="meta"))
    # The head: rectified features and hidden units, and both linear layers ("addmm").
    head = network.hidden.in_features + 512 + 512 + 6
    assert traced.total - activation_count(2, depth) == head


def test_resnet_wrong_k_is_refused() -> None:
    with pytest.raises(InvalidValue, match="filter multiplier"):
        ResNet(k=0.01)


def test_networks_without_torch_counts_but_has_no_resnet() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from rtsim import networks\n"
        "from rtsim.errors import MissingExtra\n"
        "assert networks.parameter_count(1) == 903718\n"
        "try: networks.ResNet\n"
        "except MissingExtra as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "rtsim.networks.ResNet needs torch; pip install 'rtsim[live]'\n"


def test_networks_unknown_attribute_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="LeNet"):
        getattr(networks, "LeNet")  # noqa: B009 (plain access is what users write; mypy refuses it)
