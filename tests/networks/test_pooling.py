"""Quick pooling is torch's own, value for value and gradient for gradient."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rtsim.networks.architecture import Architecture
from rtsim.networks.pooling import QuickMaxPool, quicken_pooling


@pytest.mark.parametrize("stride", [1, 2, 3, 4])
@pytest.mark.parametrize("sides", [(3, 3), (7, 8), (82, 82), (16, 3)])
def test_quick_pooling_has_the_values_and_gradients_of_torch(stride, sides) -> None:
    torch.manual_seed(0)
    x = torch.randn(3, 2, *sides).round(decimals=1)  # ties, too
    own, quick = nn.MaxPool2d(3, stride), QuickMaxPool(3, stride)
    with torch.no_grad():
        assert torch.equal(own(x), quick(x))
    gradients = []
    for pool in (own, quick):
        leaf = x.clone().requires_grad_()
        pool(leaf).square().sum().backward()
        gradients.append(leaf.grad)
    assert torch.equal(*gradients)


@pytest.mark.parametrize("name", ["resnet15-k0.0625", "resnet30-k0.125", "nature"])
def test_quickened_network_has_the_same_values_and_weights(name) -> None:
    plain, quick = (Architecture(name, actions=4).build(seed=1) for _ in range(2))
    quicken_pooling(quick)
    pools = [module for module in quick.modules() if isinstance(module, nn.MaxPool2d)]
    assert len(pools) == sum(isinstance(module, nn.MaxPool2d) for module in plain.modules())
    assert bool(pools) == name.startswith("resnet")
    assert all(type(pool) is QuickMaxPool for pool in pools)
    assert plain.state_dict().keys() == quick.state_dict().keys()
    image = torch.randint(0, 256, (2, 84, 84, 1), dtype=torch.uint8)
    with torch.no_grad():
        assert torch.equal(plain(image), quick(image))
