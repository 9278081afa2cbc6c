#!/usr/bin/env python3
"""Follows docs/new_device.md to the letter: a device in a program of its own, from public headers alone, installed tg beside it.

in:  the page: blocks that follow a line `name`: are files, the sh block is run, the text block is what its last command prints
out: what went wrong, then `N passed, N failed`. With --update the text block is rewritten instead
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--source", type=Path, required=True)
parser.add_argument("--build", type=Path, required=True)
parser.add_argument("--cxx", required=True)
parser.add_argument("--update", action="store_true")
args = parser.parse_known_args()[0]
page, work = args.source / "docs/new_device.md", args.build.resolve() / "out_of_tree_device"
text = page.read_text()


def block(kind):
    found = re.findall(rf"^```{kind}\n(.*?)^```$", text, re.M | re.S)
    if len(found) != 1:
        raise RuntimeError(f"{page}: {len(found)} blocks '{kind}' instead of one")
    return found[0]


def follow():
    """What the page's commands print; the configuring and building only where they fail."""
    subprocess.run(["cmake", "--install", args.build, "--prefix", work / "prefix"], check=True, stdout=subprocess.DEVNULL)
    for name, body in re.findall(r"^`([\w.]+)`:\n```\w+(?: skip)?\n(.*?)^```$", text, re.M | re.S):
        (work / name).write_text(body)
    environment = {k: v for k, v in os.environ.items() if k == "TG_CACHE_DIR" or not k.startswith("TG_")}
    environment |= {"PREFIX": str(work / "prefix"), "CXX": args.cxx, "CXXFLAGS": "-Wall -Wextra -Wshadow -Werror"}
    for command in block("sh").splitlines():
        result = subprocess.run(command, shell=True, cwd=work, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if result.returncode:
            raise RuntimeError(f"{command}: status {result.returncode}\n{result.stdout}")
    return result.stdout


shutil.rmtree(work, ignore_errors=True)
work.mkdir()
try:
    expected, printed = block("text"), follow()
    if args.update:
        page.write_text(text.replace(f"```text\n{expected}```", f"```text\n{printed}```"))
    elif printed != expected:
        raise RuntimeError(f"the program printed\n{printed}instead of\n{expected}")
except (RuntimeError, subprocess.CalledProcessError) as error:
    print(error)
    print("0 passed, 1 failed")
    sys.exit(1)
print("1 passed, 0 failed")
