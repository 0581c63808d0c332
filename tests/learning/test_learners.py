"""Losses and targets against values by hand, and gradients that land late."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from rtsim.errors import InvalidValue, NoConvergence, UnknownName
from rtsim.learning import PRESETS, Batch, Gradient, Learner, Settings, make, merged
from rtsim.learning.agents import project

SMALL = Settings(network="mlp(8)", capacity=200, batch=4, target_every=3, learning_rate=0.01)


def rainbow(**changes: object) -> Settings:
    return Settings(
        algorithm="rainbow", network="mlp(8)", capacity=200, batch=4, steps=3, atoms=5, low=-2, high=2,
        exploration_start=0.0, exploration_end=0.0, target_every=3,
    ).with_(**changes)  # fmt: skip


def learner_with_data(settings: Settings = SMALL, seed: int = 0, count: int = 60) -> Learner:
    learner = make(settings, (3,), np.float32, 2, seed=seed)
    chance = np.random.default_rng(7)
    learner.memory.begin(chance.normal(size=3))
    for k in range(count):
        ended = k % 13 == 12
        learner.memory.append(k % 2, chance.normal(), chance.normal(size=3), ended)
        if ended:
            learner.memory.begin(chance.normal(size=3))
    return learner


def batch_of(rewards: list[float], discounts: list[float], weights: list[float] | None = None) -> Batch:
    n = len(rewards)
    chance = np.random.default_rng(3)
    return Batch(
        chance.normal(size=(n, 3)).astype(np.float32),
        np.arange(n) % 2,
        np.array(rewards, np.float32),
        chance.normal(size=(n, 3)).astype(np.float32),
        np.array(discounts, np.float32),
        np.arange(n),
        np.array(weights or [1.0] * n, np.float32),
    )


def by_hand(weights: dict[str, torch.Tensor], x: np.ndarray) -> np.ndarray:
    """mlp(8) in NumPy: one hidden layer, rectified."""
    w = {name: value.numpy().astype(np.float64) for name, value in weights.items()}
    hidden = np.maximum(0, x @ w["hidden.weight"].T + w["hidden.bias"])
    return np.asarray(hidden @ w["values.weight"].T + w["values.bias"])


def smooth_l1(x: np.ndarray) -> np.ndarray:
    return np.where(np.abs(x) < 1, x**2 / 2, np.abs(x) - 0.5)


def test_dqn_loss_is_smooth_l1_of_the_target_by_hand() -> None:
    learner = learner_with_data()
    for _ in range(4):  # the target network is one update behind then
        learner.apply(learner.gradient(learner.parameters, learner.sample()))
    p, batch = learner.parameters, batch_of([0.5, -3.0, 2.0], [0.99, 0.0, 0.9])
    assert not p.weights["values.bias"].equal(p.target["values.bias"])
    goal = batch.rewards + batch.discounts * by_hand(p.target, batch.following).max(axis=1)
    error = by_hand(p.weights, batch.observations)[np.arange(3), batch.actions] - goal
    gradient = learner.gradient(p, batch)
    assert gradient.loss == pytest.approx(smooth_l1(error).mean(), rel=1e-5)
    np.testing.assert_allclose(gradient.losses, np.abs(error) + 1e-6, rtol=1e-4)
    # Of the bias of the values: mean over transitions of the clipped error, at the action taken.
    expected = [np.clip(error, -1, 1)[batch.actions == a].sum() / 3 for a in (0, 1)]
    np.testing.assert_allclose(gradient.values["values.bias"].numpy(), expected, rtol=1e-4)


def naive_projection(p: list[float], reward: float, discount: float, low: float, high: float) -> list[float]:
    """Bellemare et al. 2017, Algorithm 1, for one transition, with the case l = u that it leaves out."""
    atoms = len(p)
    step = (high - low) / (atoms - 1)
    m = [0.0] * atoms
    for j in range(atoms):
        b = (min(high, max(low, reward + discount * (low + j * step))) - low) / step
        lower, upper = math.floor(b), math.ceil(b)
        if lower == upper:
            m[lower] += p[j]
        else:
            m[lower] += p[j] * (upper - b)
            m[upper] += p[j] * (b - lower)
    return m


def test_project_equals_the_loop_of_the_paper() -> None:
    chance = np.random.default_rng(0)
    p = chance.dirichlet(np.ones(9), size=200)
    rewards, discounts = chance.normal(scale=3, size=200), chance.choice([0.0, 0.5, 0.99, 1.0], 200)
    rewards[:50] = chance.integers(-3, 3, 50)  # some fall on an atom exactly
    tensors = [torch.from_numpy(a) for a in (p, rewards, discounts)]
    found = project(*tensors, torch.linspace(-4, 4, 9, dtype=torch.float64))
    for k in range(200):
        expected = naive_projection(p[k].tolist(), rewards[k], discounts[k], -4, 4)
        np.testing.assert_allclose(found[k].numpy(), expected, atol=1e-12)


def test_rainbow_loss_is_the_divergence_from_the_double_q_target() -> None:
    learner = learner_with_data(rainbow(learning_rate=0.3))
    for _ in range(5):  # the target network is two updates behind
        learner.apply(learner.gradient(learner.parameters, learner.sample()))
    p, batch = learner.parameters, batch_of([0.5, -1.0, 1.0] * 8, [0.97, 0.0, 0.9] * 8, [0.2, 1.0, 0.5] * 8)
    # Without noise: scales of zero, in both networks.
    quiet = [{k: v * (not k.endswith("_scale")) for k, v in w.items()} for w in (p.weights, p.target)]
    p = type(p)(p.version, *quiet)
    gradient = learner.gradient(p, batch)

    def logits(weights: dict[str, torch.Tensor], x: np.ndarray) -> np.ndarray:
        network = learner.architecture.build().eval()
        network.load_state_dict(weights)
        with torch.no_grad():
            return network.logits(torch.from_numpy(x)).numpy().astype(np.float64)

    def softmax(x: np.ndarray) -> np.ndarray:
        return np.asarray(np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True))

    atoms, losses, chosen = np.linspace(-2, 2, 5), [], set()
    for k in range(24):
        best = (softmax(logits(p.weights, batch.following[k : k + 1]))[0] @ atoms).argmax()
        distributions = softmax(logits(p.target, batch.following[k : k + 1]))[0]
        chosen.add((best, (distributions @ atoms).argmax()))
        after = distributions[best]
        m = naive_projection(after.tolist(), float(batch.rewards[k]), float(batch.discounts[k]), -2, 2)
        q = softmax(logits(p.weights, batch.observations[k : k + 1]))[0, batch.actions[k]]
        losses.append(sum(m[j] * math.log(m[j] / q[j]) for j in range(5) if m[j] > 0))
    assert len(chosen) > 2  # the two networks disagree, so it matters who chooses and who values
    assert gradient.loss == pytest.approx(np.mean(np.array(losses) * batch.weights), rel=1e-4)
    np.testing.assert_allclose(gradient.losses, np.maximum(losses, 0) + 1e-6, rtol=1e-3, atol=1e-6)


def test_rainbow_noise_is_drawn_anew_for_every_batch_and_network(monkeypatch) -> None:
    learner, drawn = learner_with_data(rainbow()), []
    monkeypatch.setattr(learner.network, "set_noise", lambda generator: drawn.append(generator.random()))
    for _ in range(3):
        learner.gradient(learner.parameters, learner.sample())
        learner.act(np.ones(3, np.float32))
    assert len(set(drawn)) == 9  # per batch one for each network, and one per action


@pytest.mark.parametrize("settings", [SMALL, rainbow()])
def test_gradient_does_not_depend_on_what_landed_meanwhile(settings: Settings) -> None:
    learner = learner_with_data(settings)
    old, batch = learner.parameters, learner.sample()
    before = learner.gradient(old, batch)
    kept = {name: w.clone() for name, w in old.weights.items()}
    for _ in range(7):  # two copies to the target network, too
        learner.apply(learner.gradient(learner.parameters, learner.sample()))
    after = learner.gradient(old, batch)
    assert after.loss == before.loss
    assert after.version == 0
    for name, value in before.values.items():
        assert value.equal(after.values[name])
        assert kept[name].equal(old.weights[name])
        assert not kept[name].equal(learner.parameters.weights[name]) or kept[name].numel() == 0


def test_apply_delayed_gradients_land_in_any_order_as_adam_says() -> None:
    # Two learners read version 0; the second one's gradient lands on what the first one has changed.
    learner = learner_with_data(SMALL.with_(gradient_norm=1e9))
    start = learner.parameters
    gradients = [learner.gradient(start, learner.sample()) for _ in range(2)]
    for gradient in gradients:
        learner.apply(gradient)
    for name, w in start.weights.items():  # Kingma & Ba 2015, Algorithm 1, in doubles
        w, m, v = w.double(), 0.0, 0.0
        for t, gradient in enumerate(gradients, start=1):
            g = gradient.values[name].double()
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
            w = w - 0.01 * (m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)
        torch.testing.assert_close(learner.parameters.weights[name].double(), w, rtol=1e-4, atol=1e-6)


def test_merged_gradients_equal_one_of_the_batches_together() -> None:
    learner = learner_with_data()
    p, one, two = learner.parameters, learner.sample(), learner.sample()
    together = Batch(
        *(np.concatenate([getattr(one, f), getattr(two, f)]) for f in
          ("observations", "actions", "rewards", "following", "discounts", "rows", "weights"))
    )  # fmt: skip
    found = merged([learner.gradient(p, one), learner.gradient(p, two)])
    expected = learner.gradient(p, together)
    assert found.loss == pytest.approx(expected.loss)
    for name, value in expected.values.items():
        torch.testing.assert_close(found.values[name], value)
    with pytest.raises(InvalidValue, match="no gradients"):
        merged([])


def test_apply_long_gradient_is_cut_to_its_norm() -> None:
    learner = learner_with_data(SMALL.with_(gradient_norm=1e-3))
    gradient = learner.gradient(learner.parameters, learner.sample())
    learner.apply(gradient)
    norm = math.sqrt(sum(float((w.grad**2).sum()) for w in learner._live.values() if w.grad is not None))
    assert norm == pytest.approx(1e-3, rel=1e-3)
    assert math.sqrt(sum(float((g**2).sum()) for g in gradient.values.values())) > 1e-2  # itself it stays as it was


def test_target_is_copied_every_so_many_updates() -> None:
    learner = learner_with_data()
    versions = [learner.parameters]
    for _ in range(7):
        learner.apply(learner.gradient(learner.parameters, learner.sample()))
        versions.append(learner.parameters)
    for v, p in enumerate(versions):
        expected = versions[v - v % 3].weights
        assert all(expected[name].equal(w) for name, w in p.target.items())


def test_sample_past_the_data_step_is_never_drawn() -> None:
    for settings in (SMALL, rainbow(), SMALL.with_(memory="reservoir")):
        learner = learner_with_data(settings)
        rows = np.concatenate([learner.sample(data_step=5).rows for _ in range(40)])
        assert set(rows.tolist()) == set(range(5))


def test_act_depends_on_the_decision_and_not_on_those_before() -> None:
    learner = learner_with_data(SMALL.with_(exploration_steps=100))
    x = np.ones(3, np.float32)
    forward = [learner.act(x, decision=k) for k in range(50)]
    assert forward == [learner.act(x, decision=k) for k in reversed(range(50))][::-1]
    assert len(set(forward)) == 2
    best = int(by_hand(learner.parameters.weights, x[None]).argmax())
    assert all(learner.act(x, decision=k, explore=False) == best for k in range(50))


def test_act_uses_the_version_it_is_given() -> None:
    learner = learner_with_data(SMALL.with_(learning_rate=0.5))
    old = learner.parameters
    for _ in range(5):
        learner.apply(learner.gradient(learner.parameters, learner.sample()))
    x = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    for p in (old, learner.parameters):
        expected = by_hand(p.weights, x).argmax(axis=1).tolist()
        assert [learner.act(row, p, decision=0, explore=False) for row in x] == expected


def test_act_explores_as_often_as_epsilon_says() -> None:
    learner = learner_with_data(SMALL.with_(exploration_start=0.4, exploration_end=0.4))
    x = np.ones(3, np.float32)
    best = learner.best(x)
    others = sum(learner.act(x, decision=k) != best for k in range(3000))
    # Binomial(3000, 0.2): five standard deviations are 110.
    assert abs(others - 600) < 110


def test_gradient_of_infinite_rewards_is_one_clear_line() -> None:
    learner = learner_with_data()
    with pytest.raises(NoConvergence, match=r"loss (nan|inf) at update 1: learning diverged") as caught:
        learner.gradient(learner.parameters, batch_of([math.nan, 1.0], [0.9, 0.9]))
    assert "\n" not in str(caught.value)


def test_apply_infinite_gradient_leaves_the_parameters() -> None:
    learner = learner_with_data()
    before = learner.parameters
    gradient = learner.gradient(before, learner.sample())
    gradient.values["values.bias"][0] = math.inf
    with pytest.raises(NoConvergence, match="gradient"):
        learner.apply(gradient)
    assert learner.version == 0
    assert all(before.weights[name].equal(w) for name, w in learner._live.items())


def test_sample_of_an_empty_memory_is_refused() -> None:
    for settings in (SMALL, rainbow(), SMALL.with_(memory="reservoir")):
        with pytest.raises(InvalidValue, match="no transition yet"):
            make(settings, (3,), np.float32, 2).sample()


def test_settings_refuse_what_cannot_be() -> None:
    for changes in ({"batch": 0}, {"discount": 1.5}, {"learning_rate": math.nan}, {"low": 5.0, "high": 5.0},
                    {"memory": "reservoir", "steps": 3}):  # fmt: skip
        with pytest.raises(InvalidValue):
            SMALL.with_(**changes)
    with pytest.raises(UnknownName, match="rainbow"):
        SMALL.with_(algorithm="rainbo")
    for preset in PRESETS.values():
        assert Settings.from_json(preset.to_json()) == preset


def test_presets_are_the_papers() -> None:
    # Riemer et al. 2025, Sec. 5.
    paper = PRESETS["game-boy"]
    assert (paper.discount, paper.batch, paper.capacity, paper.learning_rate) == (0.99, 16, 1_000_000, 0.001)
    assert [paper.exploration(n) for n in (0, 100_000, 10**9)] == [1.0, 0.05, 0.05]


def test_rmsprop_is_the_centred_one() -> None:
    settings = Settings(
        network="mlp(4)", capacity=10, optimiser="rmsprop", adam_epsilon=0.01, learning_rate=0.1, gradient_norm=1e9
    )
    learner = make(settings, (2,), "float32", actions=2)
    name, before = next((name, w.numpy().copy()) for name, w in learner.parameters.weights.items())
    gradient = np.full(before.shape, 0.5)
    mean = square = 0.0
    expected = before.astype(float)
    for _ in range(3):
        values = {key: torch.zeros_like(w) for key, w in learner.parameters.weights.items()}
        values[name] = torch.from_numpy(gradient.astype(np.float32))
        learner.apply(Gradient(learner.version, values, 0.0, np.zeros(0, np.int64), np.zeros(0, np.float32)))
        # Running means of the gradient and its square, and what that says of its spread (Graves 2013, Eq. 38 to 41).
        mean = 0.95 * mean + 0.05 * gradient
        square = 0.95 * square + 0.05 * gradient**2
        expected = expected - 0.1 * gradient / (np.sqrt(square - mean**2) + 0.01)
    np.testing.assert_allclose(learner.parameters.weights[name].numpy(), expected, rtol=1e-5)
    with pytest.raises(UnknownName, match="optimiser 'sgd' unknown"):
        Settings(optimiser="sgd")
