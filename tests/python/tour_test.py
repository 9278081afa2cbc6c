"""The programs of docs/tour.md in Python: each prints, to the letter, what the page says its C++ twin prints."""
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TOUR = Path(os.environ["TG_TEST_SOURCE"], "docs/tour.md").read_text()

# A program for each C++ program of the page, in order; None where only C++ can do it. A line %% stands between two outputs.
PROGRAMS = ["""
x = Tensor([2.0], requires_grad=True)
y = x * x + x.sin()
print(tg.explain(y, "graph"), end="")
%%
y.backward()
print(f"dy/dx    {x.grad}\\n2x+cosx  {2 * x + x.cos()}")
%%
first, = tg.gradient(x * x + x.sin(), [x], create_graph=True)
second, = tg.gradient(first, [x], create_graph=True)
third, = tg.gradient(second, [x])
print(f"second {second} which is 2 - sin x, {2 - x.sin()}\\nthird  {third} which is -cos x, {-x.cos()}")
""", """
x = Tensor([0.5], requires_grad=True)
y = (x * x).sin()
print(tg.explain(y, "graph"), tg.explain(y, "gradient"), sep="\\n", end="")
%%
y.backward()
print(f"{x.grad} is 2x cos(x*x), {2 * x * (x * x).cos()}")
""", """
x, y = Tensor([3.0], requires_grad=True), Tensor([4.0], requires_grad=True)
z = x * y
z.backward(Tensor([10.0]))
print(f"dz/dx * 10 = {x.grad}, dz/dy * 10 = {y.grad}")
""", """
for start in (3.0, -3.0):
    x = Tensor([start], requires_grad=True)
    y = x * x if x.mean() > 0 else -x
    print(f"x = {x}\\n{tg.explain(y, 'graph')}", end="")
    y.backward()
    print(f"dy/dx = {x.grad}")
""", """
X = Tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
b = Tensor([10.0, 20.0, 30.0], requires_grad=True)
Y = X + b
print(f"{Y}\\n\\n{tg.explain(Y, 'graph')}\\n{tg.explain(Y, 'gradient')}")
Y.backward(X)
print(f"gradient of b: {b.grad}, the sum of the seed's rows: {X.sum(dim=0)}")
""", """
x, y, w = (tg.ones(4, 8, device="null", requires_grad=True) for _ in range(3))
z = x * y + w
print(tg.explain(z, "graph"), end="")
%%
print(tg.explain(z, "gradient"), end="")
%%
print(tg.explain(z, "schedule"), end="")
%%
print(tg.explain(z, "loops"), end="")
%%
print(tg.explain(z, "source"), end="")
""", """
x, y, w = (tg.ones(4, 8, device="null:gpu").realize() for _ in range(3))
print(tg.explain(w * y + x, "source"), end="")
""", """
rows = tg.ones(64, 1024, device="null:gpu").realize()
print(tg.explain(rows.sum(dim=1), "loops") + tg.explain(rows.sum(dim=1), "source"), end="")
""", """
x = tg.ones(4, 8, device="null").realize()
print(tg.explain(x.softmax(), "schedule"), end="")
""", None]


def programs_of_the_page():
    """The outputs of each C++ program."""
    blocks = re.findall(r"^```(cpp(?: continue)?)\n.*?^```\n(?:```output\n(.*?)^```)?", TOUR, re.M | re.S)
    outputs = []
    for kind, output in blocks:
        outputs += [[]] if kind == "cpp" else []
        outputs[-1].append(output)
    return outputs


def test_every_program_is_here():
    assert len(programs_of_the_page()) == len(PROGRAMS)


@pytest.mark.parametrize("number", [i for i, program in enumerate(PROGRAMS) if program])
def test_the_tour(number):
    program = "import tg\nfrom tg import Tensor\n" + PROGRAMS[number].replace("\n%%\n", "\nprint('%%')\n")
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.stdout.split("%%\n") == programs_of_the_page()[number], result.stderr


@pytest.mark.parametrize("home", ["tg", "tg.tensor"])
def test_the_first_snippet(home):
    program = f"""from {home} import Tensor
x = Tensor([2.0], requires_grad=True); y = x * x + x.sin(); y.backward(); print(x.grad)"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.stdout == "[3.5838532]\n", result.stderr
