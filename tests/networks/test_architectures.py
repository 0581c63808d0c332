"""Networks by name: sizes by hand, heads by their formulas, and files that say what they hold."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from rtsim.errors import FileProblem, InvalidValue
from rtsim.networks import Architecture, ResNet, parameter_count
from rtsim.networks.files import load_weights, save_weights
from rtsim.networks.heads import Duelling, NoisyLinear


def count(architecture: Architecture) -> int:
    return sum(p.numel() for p in architecture.build().parameters())


def test_parameters_are_those_of_the_papers() -> None:
    # Mnih et al. 2015, Methods: 32 of 8 × 8, 64 of 4 × 4, 64 of 3 × 3, 512 units, on 4 channels.
    nature = (64 * 4 + 1) * 32 + (16 * 32 + 1) * 64 + (9 * 64 + 1) * 64 + (3136 + 1) * 512 + 513 * 6
    assert count(Architecture("nature", 6, (84, 84, 4))) == count(Architecture("nature", 6, (4, 84, 84))) == nature
    # Young & Tian 2019, Sec. 4: 16 of 3 × 3 and 128 units, on 10 × 10.
    assert count(Architecture("minatar", 3, (10, 10, 4))) == (36 + 1) * 16 + (1024 + 1) * 128 + 129 * 3
    assert count(Architecture("mlp(64,32)", 2, (4,))) == 5 * 64 + 65 * 32 + 33 * 2
    assert count(Architecture("resnet30-k0.75", 18)) == parameter_count(0.75, 30, 18)


@pytest.mark.parametrize("depth", [15, 30])
def test_plain_resnet_is_the_resnet(depth: int) -> None:
    torch.manual_seed(0)
    resnet = ResNet(0.0625, depth)
    network = Architecture(f"resnet{depth}-k0.0625", 6).build()
    network.load_state_dict(resnet.state_dict())
    frame = torch.randint(0, 256, (2, 84, 84, 1), dtype=torch.uint8)
    torch.testing.assert_close(network(frame), resnet(frame.reshape(2, 1, 84, 84) / 255), rtol=0, atol=0)


def test_image_channels_first_and_last_give_the_same() -> None:
    last, first = Architecture("minatar", 3, (10, 10, 4)).build(1), Architecture("minatar", 3, (4, 10, 10)).build(1)
    image = torch.randint(0, 2, (5, 10, 10, 4), dtype=torch.uint8)
    torch.testing.assert_close(last(image), first(image.permute(0, 3, 1, 2)))
    assert last(image).equal(last(image.float()))  # their bytes are 0 and 1, not brightness


def test_build_seed_decides_the_weights_and_leaves_torch_alone() -> None:
    a = Architecture("mlp(8)", 2, (4,))
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    one, same, other = a.build(1), a.build(1), a.build(2)
    assert torch.rand(1).equal(expected)
    assert one.values.weight.equal(same.values.weight)
    assert not one.values.weight.equal(other.values.weight)


def test_noisy_linear_adds_the_factorised_noise() -> None:
    # Fortunato et al. 2018, Eqs. 9 to 11: w = μ + σ f(ε_j) f(ε_i), f(x) = sgn(x)√|x|, σ = 0.5/√inputs.
    layer = NoisyLinear(4, 2)
    inputs, outputs = np.array([4.0, -1.0, 0.25, 0.0]), np.array([9.0, -4.0])
    layer.set_noise(inputs, outputs)
    x = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    f_in, f_out = np.array([2.0, -1.0, 0.5, 0.0]), np.array([3.0, -2.0])
    weight = layer.weight.detach().numpy() + 0.25 * np.outer(f_out, f_in)
    expected = weight @ np.array([1.0, 2, 3, 4]) + layer.bias.detach().numpy() + 0.25 * f_out
    np.testing.assert_allclose(layer(x)[0].detach().numpy(), expected, rtol=1e-5)
    layer.eval()
    torch.testing.assert_close(layer(x), x @ layer.weight.T + layer.bias)


def test_duelling_advantages_have_mean_zero() -> None:
    head = Duelling(5, 8, actions=3, atoms=4, noisy=False)
    x = torch.randn(6, 5)
    q = head(x).reshape(6, 3, 4)
    torch.testing.assert_close(q.mean(dim=1), head.value(x))
    advantage = head.advantage(x).reshape(6, 3, 4)
    torch.testing.assert_close(q[:, 0] - q[:, 1], advantage[:, 0] - advantage[:, 1])


def test_distribution_values_are_its_means() -> None:
    network = Architecture("mlp(8)", 2, (4,), atoms=3, low=-1, high=3).build(0)
    x = torch.randn(5, 4)
    p = network(x, logits=True).softmax(dim=2)
    torch.testing.assert_close(network(x), -1 * p[:, :, 0] + 1 * p[:, :, 1] + 3 * p[:, :, 2])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "resnet16-k1"}, "unknown"),
        ({"name": "mlp()"}, "unknown"),
        ({"name": "mlp(0)"}, "unknown"),
        ({"name": "resnet15-k0"}, "k 0.0"),
        ({"name": "nature", "observation": (4,)}, "reads images"),
        ({"name": "resnet15-k1", "observation": (84, 84, 4)}, "reads images"),
        ({"actions": 0}, "actions 0"),
        ({"atoms": 3}, "returns from"),
        ({"observation": ()}, "observation shape"),
    ],
)
def test_architecture_that_cannot_be_is_refused(changes, message) -> None:
    with pytest.raises(InvalidValue, match=message):
        Architecture(**{"name": "mlp(8)", "actions": 2, "observation": (84, 84, 1), **changes})


def test_weights_survive_their_file(tmp_path) -> None:
    a = Architecture("minatar", 3, (10, 10, 4), duelling=True, noisy=True, atoms=5, low=-1.0, high=1.0)
    network = a.build(3)
    save_weights(tmp_path / "w.pt", a, network.state_dict())
    found, weights = load_weights(tmp_path / "w.pt")
    assert found == a
    again = found.build()
    again.load_state_dict(weights)
    x = torch.zeros(1, 10, 10, 4)
    assert again.eval()(x).equal(network.eval()(x))
    torch.save(network.state_dict(), tmp_path / "plain.pt")
    assert load_weights(tmp_path / "plain.pt")[0] is None


def test_weights_of_something_else_are_refused(tmp_path) -> None:
    file = tmp_path / "w.pt"
    for value, message in (
        ([1], "not tensors"),
        ({"a": 1}, "other than tensors"),
        ({"architecture": "{}", "weights": {}}, "no network"),
        ({"architecture": 5, "weights": {}}, "no network"),
    ):
        torch.save(value, file)
        with pytest.raises(FileProblem, match=message):
            load_weights(file)


def test_architecture_needs_no_torch() -> None:
    code = (
        "import sys; from rtsim.networks import Architecture\n"
        "Architecture('nature', 6); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
