#!/usr/bin/env python3
"""What must compile and what must not, by g++ and by clang.

in:  tests/compile/*.cpp        must compile
     tests/compile/*.fail.cpp   must not: every line marked `// error` must be named by the compiler
     include/tg/*.hpp           each must compile alone, first in its file; tg.hpp brings no stream but <iosfwd>
out: what went wrong, then `N passed, N failed`

    x.sum({0, 1});   // error     <- in a .fail.cpp: not `axis 0, keepdim`
"""
import argparse
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--source", type=Path, required=True)
parser.add_argument("--cxx", required=True)
parser.add_argument("--clang", required=True)
args = parser.parse_known_args()[0]

FLAGS = ["-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Wshadow", "-Werror", f"-I{args.source}/include"]


def compile_(compiler, file):
    command = [compiler, *FLAGS]
    if file.suffix == ".hpp":  # clang and g++ warn of `#pragma once` in a main file
        command += ["-include", str(file), "-x", "c++", "/dev/null"]
    else:
        command += ["-ferror-limit=0" if "clang" in compiler else "-fmax-errors=0", str(file)]
    result = subprocess.run(command, capture_output=True, text=True)
    return result.returncode, result.stderr


def streams(compiler, file):
    """Those of the standard library's stream headers that a header of ours brings along."""
    command = [compiler, "-std=c++20", f"-I{args.source}/include", "-M", "-x", "c++", str(file)]
    included = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return [Path(i).name for i in included if Path(i).name in ("iostream", "ostream", "istream", "sstream", "fstream", "iomanip")]


def problem(job):
    """Empty if the compiler did with the file as it should."""
    compiler, file = job
    if file.name == "tg.hpp" and (found := streams(compiler, file)):
        return f"includes <{'>, <'.join(found)}>: <iosfwd> is enough"
    code, errors = compile_(compiler, file)
    if not file.name.endswith(".fail.cpp"):
        return errors or "failed without a word" if code else ""
    marked = [n for n, line in enumerate(file.read_text().splitlines(), 1) if re.search(r"// error\b", line)]
    if not marked:
        return "marks no line with `// error`"
    missed = [n for n in marked if f"{file}:{n}:" not in errors]
    return f"accepted line {', '.join(map(str, missed))}, which must not compile" if missed or not code else ""


files = sorted((args.source / "tests/compile").glob("*.cpp")) + sorted((args.source / "include/tg").glob("*.hpp"))
jobs = [(compiler, file) for compiler in (args.cxx, args.clang) for file in files]
with ThreadPoolExecutor(os.cpu_count()) as pool:
    problems = list(pool.map(problem, jobs))
for (compiler, file), what in zip(jobs, problems):
    if what:
        print(f"{file.relative_to(args.source)}, {Path(compiler).name}: {what}")
failed = sum(map(bool, problems))
print(f"{len(jobs) - failed} passed, {failed} failed")
sys.exit(failed > 0)
