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
from typing import Any, Callable, Dict, Iterator, List, Literal, NamedTuple, Optional, Protocol, Sequence, Tuple, Union, overload

class Found(NamedTuple):
    values: Tensor
    indices: Tensor
'''
TAIL = '''
class _Array(Protocol):
    def __array__(self, *args: Any, **kwargs: Any) -> Any: ...
_dtype = dtype
DTypeLike = Union[dtype, str, builtins.type, Any]
Operand = Union[Tensor, builtins.float, _Array]
'''
ANY = "object|handle|args|kwargs|capsule|function"
BARE = {"tuple": "Tuple[Any, ...]", "dict": "Dict[Any, Any]", "list": "List[Any]", "Iterator": "Iterator[Any]"}
# The methods of Tensor that give some object of Python's; what others say is an object is a tensor.
OBJECTS = {"numpy", "tolist", "__array__", "__dlpack__", "__format__", "__reduce__"}


def typed(text):
    """A signature in terms of the stub. Tensor has methods float, bool, ...: the types of those names are the builtin ones."""
    text = re.sub(r"\btg\.(_tg\.)?(\w+)", r"\2", text)
    text = re.sub(r"\[int\[\d+\]\]", "[int]", text)
    text = re.sub(r"(?<=[\[ ,(])(tuple|dict|list|Iterator)\b(?![:\[])", lambda m: BARE[m[1]], text)
    text = re.sub(r"(?<=[\[ ,(])(int|float|bool|str|bytes|complex)\b(?!:)", r"builtins.\1", text)
    text = re.sub(rf"(: |^ |\[)({ANY})\b", r"\1Any", text)
    return re.sub(r"(: |^ |\[)dtype\b", r"\1_dtype", text)


def signatures(doc, name):
    """(arguments, result) of each overload."""
    pattern = rf"^(?:\d+\. )?{re.escape(name)}\((.*)\) -> (.+)$"
    return [m.groups() for m in re.finditer(pattern, doc or "", re.M) if m[1] != "*args, **kwargs"]


def chosen(arguments, result):
    """(arguments, result) for each value of a flag that says which of two types the result has: return_indices of max_pool2d."""
    flag = re.search(r", (return_indices|as_tuple): bool = False", arguments)
    types = re.fullmatch(r"Union\[(tg\.)?Tensor, (\w+)\]", result)
    if not flag or not types:
        return [(arguments, result)]
    one, other = (arguments.replace(flag[0], f", {'*, ' if value else ''}{flag[1]}: Literal[{value}]{'' if value else ' = False'}")
                  for value in (False, True))
    return [(one, "Tensor"), (other, types[2].replace("tuple", "Tuple[Tensor, ...]"))]


def spelled(arguments, own, others, doc):
    """The same with each other name that an argument may have, unless an overload has one of that name."""
    out = [arguments]
    for other, ours, functions in others:
        if not functions and re.search(rf"\b{other}: ", doc):
            continue
        if (not functions or own in functions.split()) and re.search(rf"\b{ours}:", arguments) and not re.search(rf"\b{other}:", arguments):
            out += [re.sub(rf"\b{ours}:", f"{other}:", a) for a in out if re.search(rf"\b{ours}:", a)]
    return out


def function(name, f, others=(), indent="", static=False):
    """A function, by a name that may be another than its own."""
    own = getattr(f, "__name__", name)
    doc = re.sub(rf"^(\d+\. )?{re.escape(own)}\(", rf"\g<1>{name}(", f.__doc__ or "", flags=re.M)
    found = [pair for arguments, result in signatures(doc, name) for a in spelled(arguments, own, others, doc)
             for pair in chosen(a, result)]
    for arguments, result in found:
        if static:
            yield f"{indent}@staticmethod"
        if len(found) > 1:
            yield f"{indent}@overload"
        arguments = re.sub(r"(\*args|\*\*kwargs)\b", r"\1: Any", re.sub(r"\bself: [\w.]+", "self", arguments) if indent else arguments)
        ignore = "  # type: ignore[override]" if name in ("__eq__", "__ne__") and "Tensor" in result else ""
        yield f"{indent}def {name}({typed('(' + arguments)[1:]}) -> {typed(' ' + result)[1:]}: ...{ignore}"


def class_(name, c, others):
    base = c.__mro__[1].__name__
    yield f"class {name}{f'({base})' if base.startswith('_') else ''}:"
    for key, value in sorted(vars(c).items()):
        if isinstance(value, property):
            result, given = (re.search(p, f.__doc__ or "") if f else None
                             for p, f in ((r"-> (.+)", value.fget), (r", arg0: (.+)\) -> None", value.fset)))
            result, given = (typed(" " + m[1])[1:] if m else "Any" for m in (result, given))
            yield f"    @property\n    def {key}(self) -> {result}: ..."
            if value.fset:
                yield f"    @{key}.setter\n    def {key}(self, value: {given}) -> None: ..."
        elif isinstance(value, (int, str)) or key in ("__hash__", "__dict__"):
            continue
        else:
            static = isinstance(value, staticmethod)
            for line in function(key, value.__func__ if static else value, others, "    ", static):
                yield line if name != "Tensor" or key in OBJECTS else line.replace("-> Any:", "-> Tensor:")
    yield "    pass"


def main(folder):
    path = next((folder / "tg").glob("_tg.*.so"))
    spec = importlib.util.spec_from_file_location("_tg", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    lines, others = [], module._other_names
    for name, value in sorted(vars(module).items()):
        if name.startswith("__") or name == "Found":
            continue
        if isinstance(value, type) and issubclass(value, Exception):
            bases = ", ".join(b.__name__ if b.__module__ == "tg" else f"builtins.{b.__name__}" for b in value.__bases__)
            lines.append(f"class {name}({bases}): ...")
        elif isinstance(value, type):
            lines += class_(name, value, others)
        elif type(value).__name__ == "dtype":
            lines.append(f"{name}: dtype")
        elif callable(value):
            lines += function(name, value, others)
    (folder / "tg/_tg.pyi").write_text(HEAD + "\n".join(lines) + TAIL)


main(Path(sys.argv[1]))
