#!/usr/bin/env python3
"""Rules of the repository that a compiler does not check: layers, public headers, line budgets, text.

in: the source tree (--source)      out: one line a violation, then `N passed, N failed` over the rules

The layers, lowest first. A file includes only from layers below its own and from its own folder; layers of one row are siblings
and never include each other. The two exceptions of EXCEPTIONS meet in public headers only.
"""
import argparse
import re
import subprocess
import sys
from pathlib import Path

from documented import undocumented

ROWS = ["base", "ir", "autodiff schedule codegen render runtime", "engine", "tensor", "nn io", "cli python"]
LEVEL = {layer: level for level, row in enumerate(ROWS) for layer in row.split()}
EXCEPTIONS = {("nn", "io"), ("io", "nn")}  # nn saves with io, through io's public header

# The layers of public headers. One that is not here belongs where src/<layer>/<name>.cpp is.
PUBLIC = {
    "base": "dtype error target hash mutex settings",
    "ir": "op ops inst device chains interned monoids",
    "engine": "tune",
    "tensor": "extrema functions grad_mode index memory methods options random scalar unary value",
    "cli": "tg",  # tg/tg.hpp is everything, so nothing in the library includes it
}
LAYER_OF_HEADER = {name: layer for layer, names in PUBLIC.items() for name in names.split()}

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]', re.M)
VENDORS = re.compile(r"^(llvm|CL/|cuda|nvrtc|Python\.h|pybind11/|fmt/|sqlite3|png\.h|zlib\.h|CLI/|nlohmann/)")
HEADER_LINES = 500


def sources(root, *folders):
    found = (f for folder in folders for f in (root / folder).rglob("*") if f.suffix in (".hpp", ".cpp", ".def"))
    return sorted(found)


def includes(file):
    text = file.read_text()
    for match in INCLUDE.finditer(text):
        yield text.count("\n", 0, match.start()) + 1, match[1] == '"', match[2]


def layer_of(path, root):
    parts = path.relative_to(root).parts
    if parts[0] == "src":
        return parts[1]
    if parts[0] == "python":
        return "python"
    beside = [f.relative_to(root).parts[1] for f in root.glob(f"src/*/{path.stem}.cpp")]
    return LAYER_OF_HEADER.get(path.stem) or (beside[0] if len(beside) == 1 else None)


def layers(root):
    for file in sources(root, "src", "include", "python"):
        where, own = file.relative_to(root), layer_of(file, root)
        if own not in LEVEL:
            yield f"{where}: belongs to no layer; give it one in tests/repo/run.py"
            continue
        for line, quoted, name in includes(file):
            if not quoted:
                continue
            public = name.startswith("tg/")
            target = next((d for d in (root / "include" / name, root / "src" / name, root / name) if d.is_file()), None)
            if target is None:
                yield f'{where}:{line}: "{name}" is not a path from include/, src/ or the root'
                continue
            other = layer_of(target, root)
            if other not in LEVEL or other == own or LEVEL[other] < LEVEL[own] or (public and (own, other) in EXCEPTIONS):
                continue
            kind = "a sibling of" if LEVEL[other] == LEVEL[own] else "above"
            yield f'{where}:{line}: {own} includes "{name}", which is in {other}, {kind} {own}'


def public_headers(root):
    """Public headers drag nothing in, and nothing internal."""
    for file in sources(root, "include"):
        where = file.relative_to(root)
        for line, quoted, name in includes(file):
            if VENDORS.match(name):
                yield f"{where}:{line}: a public header includes {name}"
            if quoted and not name.startswith("tg/"):
                yield f'{where}:{line}: a public header includes the internal "{name}"'
        if (lines := file.read_text().count("\n")) > HEADER_LINES:
            yield f"{where}: {lines} lines, over {HEADER_LINES}"


def one_llvm(root):
    """Exactly one file knows LLVM."""
    users = sorted({str(f.relative_to(root)) for f in sources(root, "src") for _, _, name in includes(f) if name.startswith("llvm")})
    if len(users) > 1:
        yield "LLVM is included by more than one file: " + ", ".join(users)


def budgets(root):
    result = subprocess.run([root / "tools/lines", "--check"], capture_output=True, text=True)
    if result.returncode:
        yield from (line for line in result.stdout.splitlines() if "over budget" in line)
        yield result.stderr.strip() or "tools/lines --check failed"


def library_manners(root):
    """The library neither prints nor ends the process."""
    ends = re.compile(r"\b(abort|exit|_exit|quick_exit|terminate)\s*\(")
    prints = re.compile(r"std::(cout|cerr|clog)\b|(?<![\w:])(printf|puts|putchar|fputs|fprintf)\s*\(|fmt::print(ln)?\s*\(|std::(printf|puts|fprintf)\s*\(")
    for file in sources(root, "src", "python"):
        where = file.relative_to(root)
        if where.parts[1] == "cli" or where.stem == "log":
            continue
        for number, line in enumerate(file.read_text().splitlines(), 1):
            code = re.sub(r'"(\\.|[^"\\])*"', '""', line.split("//")[0])
            if ends.search(code) or prints.search(code):
                yield f"{where}:{number}: the library neither prints nor ends the process: {line.strip()}"


def heads(root):
    """Every file opens with a comment that says what goes in and what comes out."""
    for file in sources(root, "src", "include", "python", "tests", "bench"):
        lines = [l for l in file.read_text().splitlines()[:4] if l.strip() and l.strip() != "#pragma once"]
        if not lines or not lines[0].lstrip().startswith(("//", "/*")):
            yield f"{file.relative_to(root)}: does not open with a comment"


def text(root):
    """The text speaks of the project alone, and is tidy."""
    unwanted = re.compile(
        r"\b(TODO|FIXME|XXX|HACK)\b"
        r"|^(<{7}|>{7}|={7})( |$)"                           # a merge gone wrong
        r"|(?<![\w.])/(work|root)/\w"    # paths of one machine
        r"|\.\./shared\b"
        r"|\b(deb|security|snapshot)\.debian\.[o]rg|registry\.npmjs|npmjs\.[c]om|pypi\.[o]rg|pythonhosted|crates\.[i]o|proxy\.golang"
    )
    tidy = {".hpp", ".cpp", ".def", ".py", ".sh", ".md", ".cmake", ".txt", ".json", ""}
    skip = {".git", "build", "data", "__pycache__", ".cache"}
    for file in sorted(root.rglob("*")):
        where = file.relative_to(root)
        if skip & set(where.parts) or not file.is_file() or file.suffix not in tidy or where == Path("tests/repo/run.py"):
            continue
        try:
            lines = file.read_text().split("\n")
        except UnicodeDecodeError:
            yield f"{where}: is not UTF-8 text"
            continue
        if lines[-1]:
            yield f"{where}: does not end with a newline"
        for number, line in enumerate(lines, 1):
            if found := unwanted.search(line):
                yield f"{where}:{number}: '{found[0]}' does not belong in the repository"
            if line != line.rstrip() or "\t" in line:
                yield f"{where}:{number}: a tab, or a space at the line's end"
            if len(line) > 140 and file.suffix in (".hpp", ".cpp", ".py"):
                yield f"{where}:{number}: {len(line)} columns, over 140"


def data(root):
    """data/mnist holds what its README lists."""
    import gzip
    import hashlib
    rows = re.findall(r"^\| (\S+\.gz) \|.*\| ([0-9a-f]{64}) \|$", (root / "data/mnist/README.md").read_text(), re.M)
    if len(rows) != 4:
        yield "data/mnist/README.md does not list four files"
    for name, wanted in rows:
        if hashlib.sha256(gzip.decompress((root / "data/mnist" / name).read_bytes())).hexdigest() != wanted:
            yield f"data/mnist/{name} is not the file that its README describes"


def documented(root):
    """Every public name has a comment."""
    sample = "struct AOptions {  // of a\n  int b = 1;\n};\n\nint f();\n/// g\nint g();\nint h();\n\nclass C {  // c\n  int hidden;\n};\n"
    if (found := [d for _, d in undocumented(sample)]) != ["int b = 1;", "int f();"]:
        yield f"tests/repo/documented.py finds {found} in its sample"
    for file in sources(root, "include"):
        for number, declaration in undocumented(file.read_text()) if file.suffix == ".hpp" else ():
            yield f"{file.relative_to(root)}:{number}: no comment says what this is: {declaration}"


def formatter(root):
    """tools/format, given what clang-format says of a comment too long for its line: the next line is its continuation, never code."""
    from importlib.machinery import SourceFileLoader
    from importlib.util import module_from_spec, spec_from_loader
    sys.dont_write_bytecode = True
    loader = SourceFileLoader("format", str(root / "tools/format"))
    tool = module_from_spec(spec_from_loader("format", loader))
    loader.exec_module(tool)
    first = "/// " + "word " * 28 + "end of the line"
    text = f"{first}\n/// next line\nint y;\n"
    at = first.index("end") - 1
    xml = f"""<replacements><replacement offset='{at}' length='1'>&#10;/// </replacement>
      <replacement offset='{len(first)}' length='1'></replacement><replacement offset='{len(first) + 1}' length='4'> </replacement></replacements>"""
    got, wanted = tool.replaced(text.encode(), xml).decode(), f"{first[:at]}\n/// end of the line\n/// next line\nint y;\n"
    if got != wanted:
        yield f"tools/format makes of a long comment:\n{got}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--source", type=Path, default=Path(__file__).resolve().parents[2])
    root = parser.parse_known_args()[0].source
    rules = [layers, public_headers, one_llvm, budgets, library_manners, heads, text, data, documented, formatter]
    failed = 0
    for rule in rules:
        problems = list(rule(root))
        failed += bool(problems)
        for problem in problems:
            print(f"{rule.__name__}: {problem}")
    print(f"{len(rules) - failed} passed, {failed} failed")
    sys.exit(failed > 0)


main()
