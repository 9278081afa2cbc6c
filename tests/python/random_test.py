"""Random numbers: the same whatever generator gives them, as many as asked for, and distributed as they should be."""
import copy
import pickle
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import tg

N = 20000
DRAWS = {
    "rand": lambda **k: tg.rand(4, 3, **k), "randn": lambda **k: tg.randn((4, 3), **k),
    "rand_like": lambda **k: tg.rand_like(tg.zeros(5), **k), "randn_like": lambda **k: tg.randn_like(tg.zeros(5), **k),
    "randint": lambda **k: tg.randint(-3, 9, (5,), **k), "randint_from_0": lambda **k: tg.randint(9, (5,), **k),
    "uniform": lambda **k: tg.uniform((5,), -1, 2, **k), "normal": lambda **k: tg.normal(1.0, 2.0, (5,), **k),
    "kaiming_uniform": lambda **k: tg.kaiming_uniform((4, 3), **k), "kaiming_normal": lambda **k: tg.kaiming_normal((4, 3), a=1, **k),
    "xavier_uniform": lambda **k: tg.xavier_uniform((4, 3), **k), "xavier_normal": lambda **k: tg.xavier_normal((4, 3), gain=2, **k),
    "glorot_uniform": lambda **k: tg.glorot_uniform((4, 3), **k), "glorot_normal": lambda **k: tg.Tensor.glorot_normal((4, 3), **k),
    "randperm": lambda **k: tg.randperm(9, **k), "bernoulli": lambda **k: tg.full((9,), 0.5).bernoulli(**k),
    "multinomial": lambda **k: tg.multinomial(tg.ones(9), 4, **k), "with_replacement": lambda **k: tg.ones(3).multinomial(9, True, **k),
    "uniform_": lambda **k: tg.zeros(5).uniform_(2, 3, **k), "normal_": lambda **k: tg.zeros(5).normal_(2, 3, **k),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_generators_agree(draw):
    tg.manual_seed(7)
    expected = [draw().tolist(), draw().tolist()]
    assert expected[0] != expected[1]
    own = tg.Generator(7)
    assert [draw(generator=own).tolist(), draw(generator=own).tolist()] == expected and own.calls == 2
    assert draw(generator=own.manual_seed(7)).tolist() == expected[0]
    assert draw(generator=None).tolist() not in expected
    with tg.Drawing(tg.Generator(7)):
        assert [draw().tolist(), draw().tolist()] == expected


def test_copies_go_on_alike():
    own = tg.Generator(3)
    tg.rand(2, generator=own)
    for other in (copy.copy(own), copy.deepcopy(own)):
        assert (other.key, other.calls) == (own.key, 1)
        assert tg.rand(2, generator=other).tolist() == tg.rand(2, generator=copy.copy(own)).tolist()


def test_generators_are_pickled_and_put_back():
    for own in (tg.Generator(3), tg.Generator.with_key((1, 2))):
        for drawn in range(2):
            other, state = pickle.loads(pickle.dumps(own)), own.get_state()
            first = tg.rand(2, generator=own).tolist()
            assert tg.rand(2, generator=other).tolist() == first and tg.rand(2, generator=own.set_state(state)).tolist() == first
    state = tg.get_rng_state()
    first = tg.rand(3).tolist()
    assert tg.rand(3).tolist() != first
    tg.set_rng_state(state)
    assert tg.rand(3).tolist() == first


def test_a_key_is_used_as_it_is():
    own = tg.Generator.with_key((0, 7))
    assert tg.rand(3, generator=own).tolist() != tg.rand(3, generator=tg.Generator(7)).tolist()
    assert own.key == [0, 7]


def test_threads_share_a_generator():
    own = tg.Generator(1)
    with ThreadPoolExecutor(4) as pool:
        drawn = list(pool.map(lambda _: tuple(tg.rand(2, generator=own).tolist()), range(40)))
    own.manual_seed(1)
    assert sorted(drawn) == sorted(tuple(tg.rand(2, generator=own).tolist()) for _ in range(40))


@pytest.mark.parametrize("draw, mean, std", [
    (lambda g: tg.uniform((N,), -1, 3, generator=g), 1, 4 / math.sqrt(12)), (lambda g: tg.normal(1.0, 2.0, (N,), generator=g), 1, 2),
    (lambda g: tg.kaiming_uniform((N // 100, 50, 2), generator=g), 0, math.sqrt(2 / 100)),
    (lambda g: tg.kaiming_normal((N // 100, 50, 2), a=1, generator=g), 0, math.sqrt(1 / 100)),
    (lambda g: tg.xavier_uniform((200, 100), generator=g), 0, math.sqrt(2 / 300)),
    (lambda g: tg.xavier_normal((200, 100), gain=3, generator=g), 0, 3 * math.sqrt(2 / 300)),
    (lambda g: tg.full((N,), 0.3).bernoulli(generator=g), 0.3, math.sqrt(0.21)),
    (lambda g: tg.multinomial(tg.Tensor([1.0, 0.0, 3.0]), N, replacement=True, generator=g).float(), 1.5, math.sqrt(0.75))])
def test_mean_and_deviation(draw, mean, std):
    x = draw(tg.Generator(5)).double().numpy()
    assert abs(x.mean() - mean) < 5 * std / math.sqrt(N) and abs(x.std() / std - 1) < 0.03


def test_orders_and_draws_without_replacement():
    own = tg.Generator(2)
    assert sorted(tg.randperm(100, generator=own).tolist()) == list(range(100))
    assert tg.randperm(5, generator=own, dtype="int64").dtype == tg.int64
    rows = tg.multinomial(tg.Tensor([[1.0, 2.0, 0.0, 1.0]] * 50), 3, generator=own).numpy()
    assert rows.shape == (50, 3) and (np.sort(rows) == [0, 1, 3]).all()
    with pytest.raises(tg.ValueError, match="multinomial"):
        tg.ones(2).multinomial(3)


def test_in_place():
    x = tg.zeros(2, 3)
    assert x.normal_(5, 0) is x and x.tolist() == [[5] * 3] * 2
    x[0].uniform_(7, 7)
    x[1, 1:].bernoulli_(1.0)
    assert x.tolist() == [[7] * 3, [5, 1, 1]]
    assert set(tg.zeros(500).bernoulli_(0.3, generator=tg.Generator(1)).tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("name", ["kaiming_uniform", "kaiming_normal", "xavier_uniform", "xavier_normal"])
def test_weights_in_place(name):
    layer = tg.nn.Linear(6, 4)
    weight = layer.weight
    assert getattr(tg.nn.init, name + "_")(weight, 2.0, generator=tg.Generator(3)) is weight
    assert weight.tolist() == getattr(tg, name)((4, 6), 2.0, generator=tg.Generator(3)).tolist()
    assert weight.is_leaf and weight.requires_grad
    layer(tg.ones(1, 6)).sum().backward()
    assert weight.grad.tolist() == [[1] * 6] * 4
    tg.nn.init.constant_(weight, 3)
    assert layer.weight.tolist() == [[3] * 6] * 4
    assert (tg.nn.init.zeros_(weight) + tg.nn.init.ones_(layer.bias)[0]).tolist() == [[1] * 6] * 4
    assert tg.nn.init.uniform_(weight, 2, 2).tolist() == tg.nn.init.normal_(weight, 2, 0).tolist()


def test_normal_of_tensors():
    mean, std = tg.Tensor([0.0, 50.0, 100.0], dtype="float64"), tg.Tensor([[1.0], [0.0]], requires_grad=True)
    tg.manual_seed(1)
    drawn = tg.normal(mean, std)
    tg.manual_seed(1)
    expected = tg.randn(2, 3, dtype="float64") * std + mean
    assert drawn.dtype == tg.float64 and np.array_equal(drawn.detach().numpy(), expected.detach().numpy())
    assert drawn[1].tolist() == mean.tolist() and tg.normal(mean).shape == tg.normal(mean, 2.0).shape == tg.normal(1.0, mean).shape == (3,)
    drawn.sum().backward()
    assert np.allclose(std.grad.numpy()[0], (drawn - mean).detach().numpy()[0].sum())
