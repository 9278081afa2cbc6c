"""The package as a whole: its type stubs, and its installation into a virtual environment."""
import ast
import importlib
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

BUILD = os.environ["TG_TEST_BUILD"]

GOOD = """
import tg
import numpy
import tg.nn.functional as F
from tg import Tensor, nn, optim
from tg.data import DataLoader, TensorDataset, Dataset


class Net(nn.Module):
    def __init__(self, width: int) -> None:
        self.conv = nn.Conv2d(1, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.pool = nn.MaxPool2d(2)
        self.out = nn.Linear(width, 3)
        self.blocks = [nn.Linear(3, 3) for _ in range(2)]
        self.drop = nn.Dropout(0.1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.pool(F.relu(self.norm(self.conv(x)))).flatten(1)
        h = self.out(h)
        for b in self.blocks:
            h = b(h)
        out: Tensor = self.drop(h)
        return out


net = Net(16)
w: Tensor = net.out.weight
shape = net.out.weight.shape
nn.init.xavier_uniform_(net.out.weight)
nn.init.zeros_(net.norm.weight)
print(net.norm.running_mean.tolist(), net.out.weight * 2, (net.out.weight @ net.out.weight.T).sum().item() + 1)
nn.init.zeros_(net.out.bias)
values, indices = tg.rand(3, 4).sort(dim=1)
top = tg.rand(3, 4).topk(2)
print(top.values + 1, top.indices)
v2, i2 = tg.cummax(tg.rand(3), 0)
pooled: Tensor = tg.max_pool2d(tg.rand(1, 1, 4, 4), 2)
found = F.max_pool2d(tg.rand(1, 1, 4, 4), 2, return_indices=True)
print(found.values, found[1])
p, i = F.max_pool2d(tg.rand(1, 1, 4, 4), 2, return_indices=True)
nz: Tensor = tg.nonzero(tg.rand(3))
rows = tg.nonzero(tg.rand(3), as_tuple=True)[0] + 1
opt = optim.AdamW(net.parameters(), lr=1e-3)
opt.add_param_group({"params": [tg.rand(2, requires_grad=True)], "lr": 0.1})
opt.param_groups[0]["lr"] = 0.3
sched = optim.lr_scheduler.CosineAnnealingLR(opt, T_max=10)
for x, y in DataLoader(TensorDataset(tg.rand(8, 1, 4, 4), tg.randint(0, 3, (8,))), batch_size=4, shuffle=True):
    loss = F.cross_entropy(net(x), y)
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    opt.step(loss)
    sched.step()
    number: float = loss.item()
a = numpy.asarray(tg.rand(3))
b = tg.rand(3).numpy()
t = tg.asarray(a) + a
with tg.no_grad(), tg.Drawing(tg.Generator(3)):
    z = tg.rand(2)
g = tg.grad(lambda x: (x * x).sum())(z)
value, slope = tg.value_and_grad(lambda x: (x * x).sum())(z)
h = tg.vmap(tg.hessian(lambda x: (x * x).sum()))(tg.rand(3, 2))
hh: Tensor = tg.hvp(lambda x: (x * x).sum(), z, z)
z[0] = 3
z[0] += 1
z[z > 0] *= 2
zz: Tensor = -z + 1 - 2 * z / 3 // 2 % 2 ** z
m: Tensor = (z > 0) & ~(z == 0) | (z != 0)
i0: int = z.shape[0] + len(z) + z.ndim + z.numel()
z.requires_grad = True
z.grad = None
d: tg.dtype = z.dtype
q = z.to("float16").to(tg.int8).to("cpu")
tg.save(net, "x")
tg.save({"a": z}, "x")
try:
    tg.ones(2) + tg.ones(3)
except tg.ShapeError as e:
    print(e)
for row in z:
    print(row + 1)
parts = z.split(2)
parts[0].sum()
aa, bb = z.chunk(2)
lst: list[Tensor] = z.split(2)
f = tg.finfo(tg.float32).eps + 1
u = (z * 2 + 1).sum(axis=1, keepdims=True).softmax(dim=-1).float()[0, None, 1:]
with tg.settings(device="cpu", debug=0):
    part = tg.scatter_add(u, 0, tg.zeros(1, 2, dtype="int32"), u) + tg.randn(2, generator=tg.Generator())
w2: Tensor = nn.Parameter(tg.ones(2, 2))
layers = nn.ModuleList([nn.Linear(2, 2)])
layers.append(nn.Linear(2, 3))
seq = nn.Sequential(nn.Linear(2, 2), tg.relu)[:1].append(nn.ReLU())
moved = w2.permute(dims=(1, 0)).reshape(shape=(4,)).clamp(min=tg.zeros(4)).add(1, alpha=2).select(0, 1)
sized = tg.zeros(size=(2, 3), dtype=tg.long) + tg.randn(size=(2, 3), generator=tg.Generator(1)).to(w2)
opt.load_state_dict(opt.state_dict())
lost = net.load_state_dict(net.state_dict(), strict=False).missing_keys
first, second = tg.data.random_split(TensorDataset(tg.rand(4)), [3, 1])
sizes: tuple[int, ...] = net.conv.kernel_size
width_of: int = net.out.in_features
with tg.set_grad_enabled(False), tg.enable_grad():
    largest: Tensor = tg.max(z, z) + net.out.weight.data.sum()
slope_of, = tg.autograd.grad(z.sum(), z)
_, predicted = tg.max(z, 1)
most: Tensor = z.max(axis=1) + z.max() + z.min(dim=0, keepdim=True).values + tg.median(z, axis=0, keepdims=True) + predicted
ordered: tg.Found = z.sort(dim=0, stable=True)
turned: Tensor = z.round(decimals=2).take_along_dim(ordered.indices, 0).view(tg.int16).view(1, -1).cumsum(0, dtype=tg.float64)
spread: Tensor = z.std(0, False) + z.var(False) + z.clamp_min(z).norm("fro") + F.softmax(z, 0, dtype=tg.float32)
stack = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2), 2)
relu = nn.ReLU(inplace=True)
if isinstance(seq[0], nn.Conv2d):
    print(relu.extra_repr())
gradient_or_none = u.grad
if gradient_or_none is not None:
    print(gradient_or_none.tolist(), u.dtype.name, tg.float32)
"""
BAD = {'x.sum(dim="a")': "arg-type|call-overload", "x.nonsense()": "attr-defined", "tg.softmax(3.0)": "call-overload",
       "tg.zeros(2, colour=1)": "call-arg|call-overload", "a: str = x.ndim": "assignment", 'x + "1"': "operator",
       "b: int = tg.nn.Linear(2, 3).weight": "assignment", "tg.max_pool2d(x, 2, return_indices=True).sum()": "attr-defined",
       "c: tg.Tensor = x.sort()": "assignment", "e: tg.Tensor = x.max(1)": "assignment",
       "tg.optim.SGD(x, lr='a').steps = 'b'": "assignment"}


# What the stub has for annotations alone, or need not have; and what mypy says of Python's own classes.
UNTOLD = (r"tg\.(\w+\.)*(DTypeLike|Operand|Tensor\.__array_priority__|_\w+\.__(init|getattr)__|__module__|\w+\._rule|"
          r"(Callable|Sequence|Mapping|Iterable)(\.\w+)?) ")


def mypy(*arguments):
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", f"{BUILD}/mypy_cache", "--no-error-summary", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "MYPYPATH": f"{BUILD}/python"}).stdout


def test_a_type_checker_knows_the_package(tmp_path):
    """A program that is right passes, strictly, as do the package's own modules; a wrong line is found."""
    good, bad = tmp_path / "good.py", tmp_path / "bad.py"
    good.write_text(GOOD)
    assert mypy(f"{BUILD}/python/tg", good) == ""
    bad.write_text("\n".join(["import tg", "x = tg.Tensor([1.0])", *BAD]) + "\n")
    errors = mypy(bad).splitlines()
    for number, codes in enumerate(BAD.values(), 3):
        assert any(f"bad.py:{number}: error" in e and any(f"[{c}]" in e for c in codes.split("|")) for e in errors), (number, errors)


def test_the_stub_is_the_module():
    """mypy's own comparison of stubs with what is there at run time."""
    command = [sys.executable, "-m", "mypy.stubtest", "tg", "--concise"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=f"{BUILD}/python")
    said = [line for line in result.stdout.splitlines() if not re.match(UNTOLD, line) and not line.endswith("metaclass differs")]
    assert said == [] and result.stdout, result.stderr


def test_every_function_is_in_the_stub():
    import tg
    stub = open(f"{BUILD}/python/tg/_tg.pyi").read()
    for owner, indent in ((tg._tg, ""), (tg.Tensor, "    ")):
        names = [n for n in dir(owner) if not n.startswith("_") and callable(getattr(owner, n)) and not isinstance(getattr(owner, n), type)]
        assert [n for n in names if f"{indent}def {n}(" not in stub] == []


MODULES = ["tg", "tg.data", "tg.nn", "tg.nn.functional", "tg.nn.init", "tg.nn.utils", "tg.optim", "tg.optim.lr_scheduler",
           "tg.autograd", "tg.cuda", "tg.func", "tg.grad_mode", "tg.linalg", "tg.utils", "tg.utils.checkpoint", "tg.utils.data",
           "tg.nn.layers", "tg.nn.module"]


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


def test_python_does_no_arithmetic():
    """Layers, losses and optimizers are the C++ ones: the package's Python multiplies nothing, and adds no two variables but texts."""
    for file in Path(BUILD, "python/tg").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.BinOp) and not isinstance(node.op, ast.BitOr):
                text, variables = ast.unparse(node), isinstance(node.left, ast.Name) and isinstance(node.right, ast.Name)
                assert isinstance(node.op, (ast.Add, ast.Sub)) and (not variables or text == "prefix + name"), text


def test_installation_into_a_virtual_environment(tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path], check=True)
    subprocess.run(["cmake", "--install", BUILD, "--component", "python", "--prefix", tmp_path], check=True, capture_output=True)
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "LD_LIBRARY_PATH")}
    program = "import tg; print(tg.__file__, tg.arange(3) + 1)"
    result = subprocess.run([tmp_path / "bin/python", "-c", program], capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert result.stdout.startswith(str(tmp_path)) and result.stdout.endswith("[1 2 3]\n"), result.stderr


# Settings of scikit-build-core 0.10, of those that a project like this one may use. No index is at hand where tests run, so a wheel is not
# built: that what pyproject.toml names is there is what is tested.
SETTINGS = {"cmake.args", "build.targets", "cmake.build-type", "cmake.minimum-version", "install.components", "install.strip",
            "wheel.packages", "wheel.install-dir", "sdist.include", "sdist.exclude", "build-dir", "minimum-version"}


def test_the_project_file_names_what_is_there():
    source = Path(os.environ["TG_TEST_SOURCE"])
    project = tomllib.loads((source / "pyproject.toml").read_text())
    assert project["build-system"]["build-backend"] == "scikit_build_core.build"
    assert any(r.startswith("scikit-build-core") for r in project["build-system"]["requires"])
    tool = project["tool"]["scikit-build"]
    flat = {f"{table}.{key}": value for table, settings in tool.items() for key, value in settings.items()}
    assert set(flat) <= SETTINGS
    cmake = "".join(f.read_text() for f in [source / "CMakeLists.txt", *source.glob("cmake/*.cmake")])
    for argument in flat["cmake.args"]:
        name = re.fullmatch(r"-D(\w+)=\S+", argument)[1]
        assert re.search(rf"\b{name}\b", cmake), name
    assert all(re.search(rf"pybind11_add_module\({target}\b", cmake) for target in flat["build.targets"])
    assert all(f"COMPONENT {component}" in cmake for component in flat["install.components"])
    about = project["project"]
    assert (source / about["readme"]).exists() and (source / about["license"]["file"]).exists()
    assert f"VERSION {about['version']}" in cmake and sys.version_info >= tuple(map(int, about["requires-python"][2:].split(".")))
