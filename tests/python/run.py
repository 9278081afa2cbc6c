#!/usr/bin/env python3
"""The Python module's tests: pytest over every tests/python/*_test.py, as many processes at once as there are cores. Files share a few
processes, since PyTorch is slow to import.

in: the build directory (--build), whose python/tg is tested by the interpreter that it was built for
out: what went wrong, then `N passed, N failed`
"""
import argparse
import concurrent.futures
import os
import re
import subprocess
import sys
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--source", type=Path, required=True)
parser.add_argument("--build", type=Path, required=True)
parser.add_argument("--only", default="", help="files whose name contains this")
args = parser.parse_known_args()[0]
args.source, args.build = args.source.resolve(), args.build.resolve()

cache = (args.build / "CMakeCache.txt").read_text()
interpreter = re.search(r"^_?Python_EXECUTABLE:\w+=(.+)$", cache, re.M)
if not interpreter or not list((args.build / "python/tg").glob("_tg.*.so")):
    print("the Python module was not built: run `./do setup build python test`, then cmake again\n0 passed, 1 failed")
    sys.exit(1)


def grouped(files, count):
    """The files in so many groups of about the same length."""
    groups = [[] for _ in range(count)]
    for file in sorted(files, key=lambda f: -f.stat().st_size):
        min(groups, key=lambda group: sum(f.stat().st_size for f in group)).append(file)
    return [group for group in groups if group]


def test(files):
    """How many passed and failed, and what pytest said."""
    environment = {k: v for k, v in os.environ.items() if k == "TG_CACHE_DIR" or not k.startswith("TG_")}
    environment.update(PYTHONPATH=str(args.build / "python"), PYTHONDONTWRITEBYTECODE="1", TG_TEST_BUILD=str(args.build),
                       TG_TEST_SOURCE=str(args.source), TG_THREADS="1", OMP_NUM_THREADS="1")
    command = [interpreter[1], "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short", "--color=no", *map(str, files)]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=args.build, timeout=600)
    counts = {word: int(n) for n, word in re.findall(r"(\d+) (passed|failed|error)", (result.stdout.splitlines() or [""])[-1])}
    failed = counts.get("failed", 0) + counts.get("error", 0)
    if result.returncode and not failed:
        failed = 1  # it crashed
    return counts.get("passed", 0), failed, result.stdout + result.stderr


files = [f for f in sorted(Path(__file__).parent.glob("*_test.py")) if args.only in f.name]
passed = failed = 0
with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    for good, bad, text in pool.map(test, grouped(files, 2 * os.cpu_count())):
        passed, failed = passed + good, failed + bad
        if bad:
            print(text)
print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0 or passed == 0)
