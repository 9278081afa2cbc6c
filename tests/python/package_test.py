"""The package as a whole: its type stubs, and its installation into a virtual environment."""
import importlib
import os
import re
import subprocess
import sys

BUILD = os.environ["TG_TEST_BUILD"]

GOOD = """
import tg
from tg import Tensor, nn, optim
x = Tensor([[1.0, 2.0]], requires_grad=True)
y: Tensor = (x * 2 + 1).sum(axis=1, keepdims=True)
z: Tensor = tg.softmax(x, dim=-1).float()[0, None, 1:]
n: int = x.ndim
shape: tuple[int, ...] = x.shape
net = nn.Sequential(nn.Linear(2, 3), tg.relu)
nn.init.xavier_uniform_(tg.zeros(2, 3), generator=tg.Generator(1))
for batch in tg.data.DataLoader(tg.data.TensorDataset(x, y), 1, shuffle=True, generator=None):
    print(batch)
part: tg.Tensor = tg.scatter_add(x, 0, tg.zeros(1, 2, dtype="int32"), x) + tg.randn(2, generator=tg.Generator())
optimizer = optim.Adam(net.parameters(), lr=0.1)
optimizer.step(y)
gradient = x.grad
if gradient is not None:
    print(gradient.tolist(), y.dtype.name, tg.float32)
with tg.no_grad():
    w = tg.zeros(2, 3, dtype="int32")
"""
BAD = {'x.sum(dim="a")': "arg-type|call-overload", "x.nonsense()": "attr-defined", "tg.softmax(3.0)": "call-overload",
       "tg.zeros(2, colour=1)": "call-arg|call-overload", "a: str = x.ndim": "assignment"}


def mypy(tmp_path, code):
    (tmp_path / "program.py").write_text(code)
    command = [sys.executable, "-m", "mypy", "--cache-dir", f"{BUILD}/mypy_cache", "--no-error-summary", tmp_path / "program.py"]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "MYPYPATH": f"{BUILD}/python"}).stdout


def test_a_type_checker_knows_the_package(tmp_path):
    assert mypy(tmp_path, GOOD) == ""
    lines = ["import tg", "x = tg.Tensor([1.0])", *BAD]
    errors = mypy(tmp_path, "\n".join(lines) + "\n").splitlines()
    for number, codes in enumerate(BAD.values(), 3):
        assert any(f"program.py:{number}: error" in e and any(f"[{c}]" in e for c in codes.split("|")) for e in errors), errors


def test_every_function_is_in_the_stub():
    import tg
    stub = open(f"{BUILD}/python/tg/_tg.pyi").read()
    for owner, indent in ((tg._tg, ""), (tg.Tensor, "    ")):
        names = [n for n in dir(owner) if not n.startswith("_") and callable(getattr(owner, n)) and not isinstance(getattr(owner, n), type)]
        assert [n for n in names if f"{indent}def {n}(" not in stub] == []


MODULES = ["tg", "tg.data", "tg.nn", "tg.nn.functional", "tg.nn.init", "tg.nn.utils", "tg.optim", "tg.lr_scheduler"]


def said(thing):
    """What a docstring says beside signatures."""
    return re.sub(r"^\s*(\d+\. )?\w*\(.*\) -> .*$|Overloaded function\.", "", thing.__doc__ or "", flags=re.M).strip()


def test_every_public_name_is_documented():
    silent = set()
    for module in map(importlib.import_module, MODULES):
        assert module.__doc__
        for name, value in vars(module).items():
            if name.startswith("_") or not callable(value) or not getattr(value, "__module__", "tg").startswith("tg"):
                continue
            members = vars(value).items() if isinstance(value, type) else ()
            parts = [(f"{name}.{k}", v) for k, v in members
                     if not k.startswith("_") and (callable(v) or isinstance(v, (property, staticmethod)))]
            silent |= {f"{value.__module__}.{k}" for k, v in [(name, value), *parts] if not said(v)}
    assert silent == set()


def test_installation_into_a_virtual_environment(tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path], check=True)
    subprocess.run(["cmake", "--install", BUILD, "--component", "python", "--prefix", tmp_path], check=True, capture_output=True)
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "LD_LIBRARY_PATH")}
    program = "import tg; print(tg.__file__, tg.arange(3) + 1)"
    result = subprocess.run([tmp_path / "bin/python", "-c", program], capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert result.stdout.startswith(str(tmp_path)) and result.stdout.endswith("[1 2 3]\n"), result.stderr
