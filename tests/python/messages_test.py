"""What errors say is said in Python's words: no remedy is spelled in C++."""
import os
import re
from pathlib import Path

import pytest

import tg

SOURCE = Path(os.environ["TG_TEST_SOURCE"])
LEAF, X = tg.ones(2, requires_grad=True), tg.tensor([1.0, 2.0])


def twice():
    y = (LEAF * 2).sum()
    y.backward()
    y.backward()


MISTAKES = {
    "retain_graph=True": twice, "gradient=... of its shape": lambda: (LEAF * 2).backward(),
    r"requires_grad_\(\) on a leaf": lambda: X.sum().backward(), "inside tg.no_grad": lambda: LEAF.add_(1),
    r"x\[\.\.\.\]: index 5 is out of range": lambda: X[5], r"x\[\.\.\.\] = \.\.\.: ": lambda: X.clone().__setitem__(0, tg.ones(3)),
    r"index it with x\[\.\.\.\]": lambda: X.item(), "cast it to float32": lambda: tg.ones(1, dtype="int8").requires_grad_(),
    "cast it to bool": lambda: X.masked_fill(X, 0), r"x\[mask\]": lambda: X.take(X > 0), "replacement=True": lambda: X.multinomial(5),
    "known: cpu, interpreter, null": lambda: tg.ones(1, device="cuda"),
    "requires_grad: only a leaf": lambda: (LEAF * 2).requires_grad_(False),
    "argument 0 is int32": lambda: tg.grad(lambda t: t.sum())(tg.arange(3)),
    "join them in collate_fn": lambda: list(tg.data.DataLoader([tg.ones(1), tg.ones(2)], 2)),
    "out= must be None": lambda: X.sum(out=X), "inplace= must be None": lambda: tg.nn.functional.relu(X, inplace=True),
    "cycle_momentum=True: only rates": lambda: tg.optim.lr_scheduler.OneCycleLR(tg.optim.SGD([LEAF], 1.0), 1.0, 9, cycle_momentum=True),
    "how many steps": lambda: tg.optim.lr_scheduler.OneCycleLR(tg.optim.SGD([LEAF], 1.0), 1.0),
    "movedim: 2 axes to 1 places": lambda: X.movedim((0, 0), 0), "norm: p is a number or 'fro'": lambda: X.norm("nuc"),
}
CPP = re.compile(r"\{\.\w|tg::|NoGrad|set_requires_grad|::in_batches|keep_graph|\bat\(|= true\b|Tensor\(\)")


@pytest.mark.parametrize("text", MISTAKES)
def test_remedies_are_pythons(text):
    with pytest.raises(Exception, match=text) as raised:
        MISTAKES[text]()
    assert not CPP.search(str(raised.value))


@pytest.mark.parametrize("call, given", [
    (lambda x: x.round(digits=2), "Tensor of float32 (100, 100), digits=2"),
    (lambda x: tg.matmul(x, "y"), "Tensor of float32 (100, 100), 'y'"),
    (lambda x: x.gather(0, [1, 2]), "Tensor of float32 (100, 100), 0, list"),
    (lambda x: x.sum(device=x), "device=Tensor of float32 (100, 100)"),
    (lambda x: tg.Tensor(x, dtype="float33"), "100), dtype='float33'"),
    (lambda x: tg.nn.Linear(3, x), "3, Tensor of float32 (100, 100)"),
    (lambda x: tg.optim.SGD([x], lr=x), "lr=Tensor of float32 (100, 100)"),
    (lambda x: tg.nn.Linear(3, 4)(3), "Linear, 3")])
def test_arguments_that_nothing_takes_are_described(call, given):
    """Not printed: in at most ten lines."""
    x = tg.ones(100, 100) * float("nan")
    with pytest.raises(TypeError, match="incompatible (function|constructor) arguments") as raised:
        call(x)
    text = str(raised.value)
    assert text.count("\n") < 10 and text.endswith(given) and "nan" not in text


def test_relu_may_be_told_that_it_is_not_in_place():
    assert tg.nn.functional.relu(X, inplace=False).tolist() == tg.nn.functional.dropout(X, 0.0, inplace=False).tolist() == [1.0, 2.0]


def test_no_other_message_speaks_cpp():
    """Every text of an error in the library that has C++ in it is one of the above, or cannot reach Python."""
    texts = {re.sub(r"\s+", " ", " ".join(re.findall(r'"((?:[^"\\]|\\.)*)"', statement)))
             for path in SOURCE.glob("src/**/*.cpp") if "cli" not in path.parts
             for statement in re.findall(r"(?:throw \w*Error|require_dtype)\(.*?\);", path.read_text(), re.S)}
    cpp = sorted(text for text in texts if CPP.search(text))
    known = ("NoGrad lives", "keep_graph", ".seed", "only leaves have gradients", "only a leaf can stop", "only floats have gradients",
             "index it with at(...)", "a mask goes to at(mask)", "with replacement = true", "in_batches", "tg::register_{0}",
             "a default Tensor()")
    assert [text for text in cpp if not any(k in text for k in known)] == []
