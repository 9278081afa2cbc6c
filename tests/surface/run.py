#!/usr/bin/env python3
"""What users of PyTorch and NumPy look for is there, under its name, in C++ and in Python.

in:  surface.txt      out: the lines whose C++ does not compile, or whose Python raises, then `N passed, N failed`
"""
import argparse
import re
import subprocess
import sys
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--source", type=Path, required=True)
parser.add_argument("--build", type=Path, required=True)
parser.add_argument("--cxx", required=True)
args = parser.parse_known_args()[0]
args.source, args.build = args.source.resolve(), args.build.resolve()
TABLE = Path(__file__).parent / "surface.txt"

CPP = """#include <tg/data.hpp>
#include <tg/extrema.hpp>
#include <tg/lr.hpp>
#include <tg/mapped.hpp>
#include <tg/memory.hpp>
#include <tg/recurrent.hpp>
#include <tg/settings.hpp>
#include <tg/tg.hpp>
#include <tg/transform.hpp>
#include <tg/transformer.hpp>
using Given = const tg::Tensor&;
void surface(Given x, Given y, Given square, Given v, Given w, Given i, Given b, Given places, Given x1, Given x2, Given x3, Given k1,
             Given k2, Given k3, Given t1, Given t2, Given t3, tg::Tensor& mine, tg::Generator& generator, const tg::nn::State& state,
             tg::nn::Adam& adam) {
  const auto f = [](const tg::Tensor& a) { return (a * a).sum(); };
  const auto backward = [](const tg::Tensors& inputs, const tg::Tensor&, const tg::Tensor&) { return inputs; };
"""
PYTHON = """
import sys
import numpy
import tg
import tg.nn.functional as F
from tg import nn
x, y, square, v, w = tg.rand(2, 4) * 0.9, tg.rand(2, 4), tg.rand(3, 3), tg.rand(3), tg.rand(3)
i, b, places = tg.Tensor([[0, 1, 0, 1]] * 2), x > 0.5, tg.Tensor([0, 2, 1])
x1, x2, x3 = (tg.rand(1, 4, *[6] * n) for n in (1, 2, 3))
k1, k2, k3 = (tg.rand(4, 2, *[3] * n) for n in (1, 2, 3))
t1, t2, t3 = (tg.rand(4, 2, *[3] * n) for n in (1, 2, 3))
mine, generator, file = tg.zeros(2, 4), tg.Generator(1), __file__
weight, other = tg.rand(3, 3, requires_grad=True), tg.rand(3, 3, requires_grad=True)
state = [weight]
adam = tg.optim.Adam(state)
f, backward = lambda a: (a * a).sum(), lambda inputs, outputs, gradients: inputs
failed = 0
for number, expression in EXPRESSIONS:
    try:
        eval(expression)
    except Exception as e:
        failed += 1
        print(f"surface.txt:{number}: {expression}: {type(e).__name__}: {e}")
sys.exit(failed)
"""


def expanded(line):
    """The line for each of the words behind its colon."""
    if not (match := re.fullmatch(r"(.*@.*): ([\w /]+)", line)):
        return [line]
    return [re.sub("@([12]?)", lambda m: word.split("/")[int(m[1]) - 1] if m[1] else word, match[1]) for word in match[2].split()]


def rows():
    """(line number, C++, Python)"""
    for number, line in enumerate(TABLE.read_text().splitlines(), 1):
        if line and not line.startswith("#"):
            for one in expanded(line):
                cpp, _, python = one.partition(" | ")
                yield number, cpp, python or cpp


table = list(rows())
folder = args.build / "surface"
folder.mkdir(exist_ok=True)
program = CPP + "".join(f'#line {number} "surface.txt"\n  (void)({cpp});\n' for number, cpp, _ in table) + "}\n"
(folder / "surface.cpp").write_text(program)
compiled = subprocess.run([args.cxx, "-std=c++20", "-fsyntax-only", "-fmax-errors=0", "-Wno-unused-value", f"-I{args.source}/include",
                           folder / "surface.cpp"], capture_output=True, text=True)
missing = sorted(set(re.findall(r"^(surface\.txt:\d+):\d+: (error: .*)", compiled.stderr, re.M)))
if compiled.returncode and not missing:
    missing = [("surface.cpp", compiled.stderr)]
(folder / "surface.py").write_text(PYTHON.replace("EXPRESSIONS", repr([(number, python) for number, _, python in table])))
interpreter = re.search(r"^_?Python_EXECUTABLE:\w+=(.+)$", (args.build / "CMakeCache.txt").read_text(), re.M)[1]
evaluated = subprocess.run([interpreter, folder / "surface.py"], capture_output=True, text=True,
                           env={"PYTHONPATH": str(args.build / "python"), "PATH": "/usr/bin:/bin"})
print("".join(f"{place} {what}\n" for place, what in missing) + evaluated.stdout + evaluated.stderr, end="")
failed = len({place for place, _ in missing}) + evaluated.returncode
print(f"{2 * len(table) - failed} passed, {failed} failed")
sys.exit(failed > 0)
