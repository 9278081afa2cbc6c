#!/usr/bin/env python3
"""Writes the type stub of the compiled module, tg/_tg.pyi, from the signatures that pybind11 put into its docstrings.

in:  the package's folder, with tg/_tg.*.so      out: tg/_tg.pyi beside it
     sum(self: tg.Tensor, dim: int | Sequence[int] | None = None) -> tg.Tensor       def sum(self, dim: ... = None) -> Tensor: ...
"""
import importlib.util
import re
import sys
from pathlib import Path

HEAD = '''"""Written by python/stubs.py."""
import builtins
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple, Union, overload

'''
TAIL = '''
_dtype = dtype
DTypeLike = Union[dtype, str, builtins.type, None]
Operand = Union[Tensor, builtins.float, Any]
'''
ANY = {"object", "handle", "args", "kwargs", "capsule", "function"}


def typed(text):
    """A signature in terms of the stub. Tensor has methods float, bool, ...: the types of those names are the builtin ones."""
    text = re.sub(r"\btg\.(_tg\.)?(\w+)", r"\2", text)
    text = re.sub(r"(?<=[\[ ,(])(int|float|bool|str|bytes|tuple|complex|list|dict)\b(?!:)", r"builtins.\1", text)
    text = re.sub(r"(: |^ |\[)(%s)\b" % "|".join(ANY), r"\1Any", text)
    return re.sub(r"(: |^ |\[)dtype\b", r"\1_dtype", text)


def signatures(doc, name):
    """(arguments, result) of each overload."""
    pattern = rf"^(?:\d+\. )?{re.escape(name)}\((.*)\) -> (.+)$"
    return [m.groups() for m in re.finditer(pattern, doc or "", re.M) if m[1] != "*args, **kwargs"]


def spelled(arguments):
    """The same with NumPy's names for dim and keepdim too."""
    out = [arguments]
    for ours, numpys in (("dim", "axis"), ("keepdim", "keepdims")):
        out += [re.sub(rf"\b{ours}:", f"{numpys}:", a) for a in out if re.search(rf"\b{ours}:", a)]
    return out


def function(name, f, indent="", static=False):
    """A function, by a name that may be another than its own."""
    own = getattr(f, "__name__", name)
    doc = re.sub(rf"^(\d+\. )?{re.escape(own)}\(", rf"\g<1>{name}(", f.__doc__ or "", flags=re.M)
    found = [(a, result) for arguments, result in signatures(doc, name) for a in spelled(arguments)]
    for arguments, result in found:
        if static:
            yield f"{indent}@staticmethod"
        if len(found) > 1:
            yield f"{indent}@overload"
        arguments = re.sub(r"(\*args|\*\*kwargs)\b", r"\1: Any", re.sub(r"\bself: [\w.]+", "self", arguments))
        ignore = "  # type: ignore[override]" if name in ("__eq__", "__ne__") else ""
        yield f"{indent}def {name}({typed('(' + arguments)[1:]}) -> {typed(' ' + result)[1:]}: ...{ignore}"


def class_(name, c):
    base = c.__mro__[1].__name__
    yield f"class {name}{f'({base})' if base.startswith('_') else ''}:"
    for key, value in sorted(vars(c).items()):
        if isinstance(value, property):
            result = re.search(r"-> (.+)", value.fget.__doc__ or "")
            result = typed(" " + result[1])[1:] if result else "Any"
            yield f"    @property\n    def {key}(self) -> {result}: ..."
            if value.fset:
                yield f"    @{key}.setter\n    def {key}(self, value: Any) -> None: ..."
        elif isinstance(value, (int, str)) or key in ("__hash__", "__dict__"):
            continue
        else:
            static = isinstance(value, staticmethod)
            yield from function(key, value.__func__ if static else value, "    ", static)
    yield "    pass"


def main(folder):
    path = next((folder / "tg").glob("_tg.*.so"))
    spec = importlib.util.spec_from_file_location("_tg", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    lines = []
    for name, value in sorted(vars(module).items()):
        if name.startswith("__"):
            continue
        if isinstance(value, type) and issubclass(value, Exception):
            bases = ", ".join(b.__name__ if b.__module__ == "tg" else f"builtins.{b.__name__}" for b in value.__bases__)
            lines.append(f"class {name}({bases}): ...")
        elif isinstance(value, type):
            lines += class_(name, value)
        elif type(value).__name__ == "dtype":
            lines.append(f"{name}: dtype")
        elif callable(value):
            lines += function(name, value)
    (folder / "tg/_tg.pyi").write_text(HEAD + "\n".join(lines) + TAIL)


main(Path(sys.argv[1]))
