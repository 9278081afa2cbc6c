#!/usr/bin/env python3
"""Builds and runs a user's project against tg, in each way that users take a library.

in:  tests/consumer/<way>/CMakeLists.txt: find_package after cmake --install (shared and static), add_subdirectory, FetchContent
out: what went wrong, then `N passed, N failed`
"""
import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--source", type=Path, required=True)
parser.add_argument("--build", type=Path, required=True)
parser.add_argument("--cxx", required=True)
parser.add_argument("--clang", default="")
args = parser.parse_known_args()[0]
work = args.build / "consumer"

# Unoptimised, since little runs. Where the library is built as well, by clang, if there is one: that takes half of GCC's time. It is built
# in one place, static and then shared: with ccache its objects are found again.
quick = args.clang if os.access(args.clang, os.X_OK) else args.cxx
FLAGS = ["-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_CXX_FLAGS_RELEASE=-O0 -DNDEBUG", "-DTG_WERROR=ON"]
if ccache := shutil.which("ccache"):
    FLAGS.append(f"-DCMAKE_CXX_COMPILER_LAUNCHER={ccache}")


def run(*command):
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if result.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}\n{result.stdout}")


def project(source, name, compiler, *options):
    """Configures, builds and runs the consumer; raises with the output of the step that failed."""
    run("cmake", "-S", source, "-B", work / name, *FLAGS, f"-DCMAKE_CXX_COMPILER={compiler}", *options)
    run("cmake", "--build", work / name)
    run(work / name / "consumer")


def find_package(build, name, compiler):
    prefix = work / f"{name}_prefix"
    shutil.rmtree(prefix, ignore_errors=True)
    run("cmake", "--install", build, "--prefix", prefix)
    project(args.source / "tests/consumer/find_package", name, compiler, f"-DCMAKE_PREFIX_PATH={prefix}")


def inside(way, *options):
    library = work / "library"
    shutil.rmtree(library, ignore_errors=True)
    project(args.source / "tests/consumer" / way, way, quick, f"-DTG_SOURCE={args.source}", f"-DTG_BINARY={library}", *options)


ways = {
    "find_package, shared": lambda: find_package(args.build, "find_package", args.cxx),
    "add_subdirectory, static": lambda: inside("add_subdirectory", "-DBUILD_SHARED_LIBS=OFF"),
    "find_package, static": lambda: find_package(work / "add_subdirectory", "static_find_package", quick),
    "FetchContent": lambda: inside("fetch_content"),
}
shutil.rmtree(work, ignore_errors=True)
work.mkdir()
failed = 0
for way, attempt in ways.items():
    try:
        attempt()
    except RuntimeError as error:
        failed += 1
        print(f"{way}: {error}")
print(f"{len(ways) - failed} passed, {failed} failed")
sys.exit(failed > 0)
