#!/usr/bin/env python3
"""Follows docs/new_op.md to the letter, on a copy of the sources.

in:  the page: blocks that follow a line `path`: are new files, or, where they are diff blocks, edits; the sh block is run
out: what went wrong, then `N passed, N failed` over edits and commands

A diff block has no line numbers: its lines but the added ones must stand together, once, in the file.
"""
import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--source", type=Path, required=True)
parser.add_argument("--build", type=Path, required=True)
parser.add_argument("--cxx", required=True)
parser.add_argument("--clang", default="")
args = parser.parse_known_args()[0]
compiler = args.clang if os.access(args.clang, os.X_OK) else args.cxx  # clang takes half of GCC's time where nothing is optimised
page, work = args.source / "docs/new_op.md", args.build.resolve() / "new_op"
COPIED = ["CMakeLists.txt", "CMakePresets.json", "cmake", "include", "src", "tests"]


def sources():
    for name in COPIED:
        path = args.source / name
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                yield str(file.relative_to(args.source)), file.read_text()


def edited(path, text, lines):
    old = "".join(line[1:] for line in lines if line[0] in " -")
    new = "".join(line[1:] for line in lines if line[0] in " +")
    if (found := text.count(old)) != 1:
        raise RuntimeError(f"{page.name}: these lines stand {found} times in {path}, not once:\n{old}")
    return text.replace(old, new)


def follow():
    """How many edits and commands went well; raises at the first that does not."""
    text, tree, done = page.read_text(), dict(sources()), 0
    for path, kind, body in re.findall(r"^`([\w./]+)`:\n```(\w+)[^\n]*\n(.*?)^```$", text, re.M | re.S):
        if kind == "diff":
            tree[path] = edited(path, tree[path], body.splitlines(keepends=True))
        elif path in tree:
            raise RuntimeError(f"{page.name}: {path} exists already")
        else:
            tree[path] = body
        done += 1
    # Files that are as they were keep their times, so that a second run builds what has changed.
    for path, body in tree.items():
        file = work / path
        if not file.exists() or file.read_text() != body:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(body)
    for name in COPIED:
        for file in (work / name).rglob("*"):
            if file.is_file() and str(file.relative_to(work)) not in tree:
                file.unlink()
    environment = {k: v for k, v in os.environ.items() if k == "TG_CACHE_DIR" or not k.startswith("TG_")} | {"CXX": compiler}
    for command in re.search(r"^```sh\n(.*?)^```$", text, re.M | re.S)[1].splitlines():
        result = subprocess.run(command, shell=True, cwd=work, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if result.returncode or "[  PASSED  ] 0 tests" in result.stdout:
            raise RuntimeError(f"{command}: status {result.returncode}\n{result.stdout[-5000:]}")
        done += 1
    return done


try:
    print(f"{follow()} passed, 0 failed")
except RuntimeError as error:
    print(error)
    print("0 passed, 1 failed")
    sys.exit(1)
