#!/usr/bin/env python3
"""The command tg as a user runs it, on a small part of MNIST: what it prints, which files it leaves, which codes it ends with.

in:  <build>/bin/tg, data/mnist
out: what went wrong, then `N passed, N failed`
"""
import argparse
import gzip
import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--source", type=Path, required=True)
parser.add_argument("--build", type=Path, required=True)
args = parser.parse_known_args()[0]
TG = (args.build / "bin/tg").resolve()


def cut(name, header, size, count, to):
    """The first `count` items of an idx file."""
    raw = gzip.open(args.source / "data/mnist" / f"{name}.gz").read()
    body = raw[:4] + struct.pack(">I", count) + raw[8 : header + size * count]
    (to / name).write_bytes(body)
    return body[header:]


def run(*arguments, **more):
    return subprocess.run([TG, *map(str, arguments)], capture_output=True, text=True, cwd=folder, timeout=240, **more)


def ends(result, code, pattern=None, error=None):
    """Empty if the command ended as it should."""
    last = (result.stdout.rstrip().splitlines() or [""])[-1]
    if result.returncode != code:
        return f"code {result.returncode}, not {code}: {last} {result.stderr}"
    if pattern and not re.fullmatch(pattern, last):
        return f"the last line is {last!r}, not {pattern}"
    if error and error not in result.stderr + (result.stdout if code == 2 else ""):
        return f"no {error!r} in {result.stderr!r}"
    return "\x1b" in result.stdout and "escape codes in piped output" or ""


RUN = ("train", "mnist", "--batch", 8, "--steps", 300)
ACCURACY = r"test accuracy: \d{1,3}\.\d\d%"


def trains():
    result = run(*RUN, "--checkpoint", "a.safetensors")
    if wrong := ends(result, 0, ACCURACY):
        return wrong
    accuracy = float(result.stdout.split()[-1][:-1])
    if accuracy < 70:
        return f"after 300 steps of 8 digits the accuracy is {accuracy}%"
    if "epoch 1: test accuracy" not in result.stdout or "worst of" not in result.stdout:
        return "no accuracy of the first epoch, or no mistakes, in\n" + result.stdout
    return "" if "<svg" in (folder / "a-loss.svg").read_text()[:200] else "a-loss.svg is no SVG"


def interrupted_and_resumed():
    process = subprocess.Popen([TG, *map(str, RUN), "--checkpoint", "b.safetensors"], cwd=folder, stdout=subprocess.PIPE, text=True)
    while "steps" not in process.stdout.readline():
        pass
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    rest = process.communicate(timeout=240)[0]
    found = re.search(r"interrupted after step (\d+) of 300", rest)
    if process.returncode != 130 or not found:
        return f"code {process.returncode}: {rest}"
    if wrong := ends(run("train", "mnist", "--checkpoint", "b.safetensors", "--resume"), 0, ACCURACY):
        return wrong
    same = (folder / "a.safetensors").read_bytes() == (folder / "b.safetensors").read_bytes()
    return "" if same else f"interrupted at {found[1]} and resumed, the run ended with another checkpoint than the one that was not"


def predicts():
    for what, caption in ((7, "test #7, label"), ("digit.pgm", "digit.pgm"), ("digit.png", "digit.png")):
        result = run("predict", what, "--checkpoint", "a.safetensors")
        if wrong := ends(result, 0, r"prediction: \d \(\d+\.\d%\)"):
            return wrong
        if caption not in result.stdout:
            return f"no {caption!r} in\n{result.stdout}"
    return ""


def damaged():
    whole = (folder / "a.safetensors").read_bytes()
    (folder / "short.safetensors").write_bytes(whole[: len(whole) // 2])
    (folder / "text.safetensors").write_text("not a checkpoint")
    for name in ("short.safetensors", "text.safetensors"):
        for command in (("predict", 7), ("train", "mnist", "--resume")):
            if wrong := ends(run(*command, "--checkpoint", name), 1, error=f"tg: {name}: "):
                return wrong
    return ""


def compiles_once():
    """A second process finds all its kernels on disk."""
    for again in (False, True):
        result = run("train", "mnist", "--batch", 8, "--steps", 2, "--checkpoint", "c.safetensors", env={**os.environ, "TG_DEBUG": "1"})
        kernels = [line for line in result.stderr.splitlines() if "GFLOP/s" in line]
        if wrong := ends(result, 0, ACCURACY):
            return wrong
        if not kernels:
            return "TG_DEBUG=1 shows no kernels"
        if again and (compiled := [line for line in kernels if not line.endswith("(disk)")]):
            return "compiled again:\n" + "\n".join(compiled)
    return ""


def tunes():
    """A file from a search, used, edited, replayed, and refused where it is wrong."""
    result = run("tune", "small", "--seconds", 1, "--beam", 2)
    if wrong := ends(result, 0, r"small\.tuned: use it with TG_TUNED=small\.tuned.*"):
        return wrong
    name = result.stdout.split(":")[0]
    if wrong := ends(run("devices", env={**os.environ, "TG_TUNED": "small.tuned"}), 0):
        return wrong
    (folder / "mine.tuned").write_text(f"# mine\n{name}: tile(i1, 16, vector)\n")
    result = run("tune", "small", "--replay", "mine.tuned")
    if wrong := ends(result, 0, r"all: .* us, by default .* us"):
        return wrong
    if "given    tile(i1, 16, vector)" not in result.stdout:
        return "the verbs that were given are not in\n" + result.stdout
    (folder / "mine.tuned").write_text(f"\n{name}: tile(i1, 16, vector); tile(i7, 4, unroll)\n")
    return ends(run("tune", "small", "--replay", "mine.tuned"), 1, error=f"tg: mine.tuned:2: {name}: tile(i7, 4, unroll): no such axis")


def searches_under_beam():
    """Each kernel once: a second process finds the verbs on disk."""
    small = ("train", "mnist", "--batch", 8, "--steps", 1, "--checkpoint", "d.safetensors")
    for seconds in ("1", "2"):
        result = run(*small, env={**os.environ, "TG_BEAM": "1", "TG_BEAM_SECONDS": seconds, "TG_DEBUG": "3"})
        if wrong := ends(result, 0, ACCURACY):
            return wrong
        if "programs tried" not in result.stderr:
            return "nothing was searched for"
    return ""


def lost_output():
    with open("/dev/full", "w") as full:
        result = subprocess.run([TG, "devices"], stdout=full, stderr=subprocess.PIPE, text=True)
    return "" if result.returncode == 1 and "written" in result.stderr else f"code {result.returncode}: {result.stderr}"


def png(pixels):
    """28 by 28 of gray as a PNG file."""
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    rows = b"".join(b"\0" + pixels[28 * i : 28 * i + 28] for i in range(28))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 28, 28, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


CASES = {
    "version": lambda: ends(run("--version"), 0, r"tg \d+\.\d+\.\d+"),
    "help": lambda: ends(run("--help"), 0) or ends(run("train", "mnist", "--help"), 0),
    "help shows examples": lambda: "" if "Examples" in run("train", "mnist", "--help").stdout else "it does not",
    "devices": lambda: "" if re.search(r"^cpu +\S", run("devices").stdout, re.M) else "cpu is not listed",
    "no command": lambda: ends(run(), 2, error="tg: a command is missing; known: train, predict"),
    "unknown command": lambda: ends(run("fly"), 2, error='tg: no command is called "fly"; known: train, predict'),
    "unknown network": lambda: ends(run("train", "cifar"), 2, error='train: no command is called "cifar"; known: mnist'),
    "no argument": lambda: ends(run("bench"), 2, error="example is required"),
    "unknown option": lambda: ends(run("train", "mnist", "--speed", 9), 2, error="--speed"),
    "unknown optimizer": lambda: ends(run("train", "mnist", "--optimizer", "magic"), 2, error="magic"),
    "negative batch": lambda: ends(run("train", "mnist", "--batch", -3), 2, error="--batch: -3 is not a whole number >= 2"),
    "fraction of an epoch": lambda: ends(run("train", "mnist", "--epochs", 1.5), 2, error="--epochs: 1.5 is not a whole number >= 1"),
    "rate that is no number": lambda: ends(run("train", "mnist", "--lr", "fast"), 2, error="--lr: fast is not a number > 0"),
    "epochs and steps": lambda: ends(run("train", "mnist", "--epochs", 1, "--steps", 1), 2, error="--steps"),
    "unknown device": lambda: ends(run("train", "mnist", "--device", "abacus"), 1, error="abacus"),
    "batch beyond the data": lambda: ends(run("train", "mnist", "--batch", 641), 1, error="tg: --batch 641: it takes 2 to 640"),
    "no such data": lambda: ends(run("train", "mnist", "--data", "nowhere"), 1, error="nowhere"),
    "checkpoint that cannot be written": lambda: ends(run("train", "mnist", "--checkpoint", "nowhere/x"), 1, error="tg: nowhere/x"),
    "nothing to resume": lambda: ends(run("train", "mnist", "--checkpoint", "none", "--resume"), 1, error="tg: none"),
    "nothing to predict with": lambda: ends(run("predict", 7), 1, error="train a network first"),
    "trains": trains,
    "interrupted and resumed": interrupted_and_resumed,
    "resumed otherwise": lambda: ends(run("train", "mnist", "--checkpoint", "a.safetensors", "--resume", "--batch", 16), 1,
                                      error="--batch 16: "),
    "predicts": predicts,
    "predicts beyond the data": lambda: ends(run("predict", 200, "--checkpoint", "a.safetensors"), 1,
                                             error="test digit 200: there are 200"),
    "predicts from no file": lambda: ends(run("predict", "no.png", "--checkpoint", "a.safetensors"), 1, error="no.png"),
    "damaged checkpoints": damaged,
    "second process compiles nothing": compiles_once,
    "tunes": tunes,
    "times an example": lambda: ends(run("bench", "small"), 0, r"small: [\d.]+ ms, the median of its runs"),
    "climbs a ladder": lambda: ends(run("bench", "small", "--ladder"), 0, r" +[\d.]+ +[\d.]+ +[\d.]+  \w+\(.*\)"),
    "tunes into no folder": lambda: ends(run("tune", "small", "--out", "nowhere/x"), 1, error="tg: nowhere/x: cannot be written"),
    "output that is lost": lost_output,
    "tunes no unknown example": lambda: ends(run("tune", "everything"), 2, error="everything"),
    "replays no file": lambda: ends(run("tune", "small", "--replay", "nowhere"), 1, error="tg: nowhere: cannot be read"),
    "searches under TG_BEAM": searches_under_beam,
}

failed = 0
with tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    data = folder / "mnist"
    data.mkdir()
    for part, count in (("train", 640), ("t10k", 200)):
        images = cut(f"{part}-images-idx3-ubyte", 16, 784, count, data)
        cut(f"{part}-labels-idx1-ubyte", 8, 1, count, data)
    (folder / "digit.pgm").write_bytes(b"P5 28 28 255\n" + images[:784])
    (folder / "digit.png").write_bytes(png(images[:784]))
    os.environ["TG_DATA"] = name
    for case, check in CASES.items():
        if wrong := check():
            failed += 1
            print(f"{case}: {wrong}")
print(f"{len(CASES) - failed} passed, {failed} failed")
sys.exit(failed > 0)
