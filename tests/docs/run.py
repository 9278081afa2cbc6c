#!/usr/bin/env python3
"""Every ```cpp and ```python block of README.md and docs/*.md is run.

in:  blocks, by what stands after the three backticks:
       cpp            compiled and run; must end well
       cpp continue   goes on where the block before it ended, in the same scope
       cpp no-run     compiled only
       cpp skip       left alone
       python         run by the interpreter that the Python module was built for
       python continue
       output         what the block before it must have printed, to the letter
out: what went wrong, with the document's line, then `N passed, N failed`. With --update the output blocks are rewritten instead

A C++ block with `int main` is a program of its own. Every other is the body of a function; all of them share one translation unit,
their #include lines at its top, and each runs in a process of its own.
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
parser.add_argument("--update", action="store_true")
args = parser.parse_known_args()[0]
args.source, args.build = args.source.resolve(), args.build.resolve()
work = args.build / "docs"

KINDS = {"python": "run", "python continue": "continue", "cpp": "run", "cpp continue": "continue",
         "cpp no-run": "compile", "cpp skip": "skip", "output": "output"}
SEPARATOR = "\x1e"  # printed between the blocks of a snippet


class Part:
    """A block of code; `output` is (first line, text) of the output block that follows it."""
    def __init__(self, document, line, code):
        self.document, self.line, self.code, self.output = document, line, code, None


class Snippet:
    def __init__(self, part, language, runs):
        self.parts, self.language, self.runs = [part], language, runs

    def where(self):
        return f"{self.parts[0].document}:{self.parts[0].line - 1}"

    def code(self, keep=lambda line: True):
        """The text, with #line directives, so that the compiler speaks of the document."""
        out = []
        for part in self.parts:
            if out:
                out.append(f'std::cout << "\\x{ord(SEPARATOR):x}";')
            out.append(f'#line {part.line} "{part.document}"')
            out += [line if keep(line) else "" for line in part.code.splitlines()]
        return "\n".join(out) + "\n"

    def python(self):
        """The text as one Python program, its lines numbered as in the document."""
        out = []
        for part in self.parts:
            if out:
                out.append(f"print('{SEPARATOR}', end='')")
            out += [""] * (part.line - 1 - len("\n".join(out).split("\n"))) + part.code.splitlines()
        return "\n".join(out) + "\n"

    def is_program(self):
        return any(re.search(r"\bint main\s*\(", part.code) for part in self.parts)


def snippets(document):
    """The document's snippets, and complaints about its fences."""
    name, found, complaints, kind, body, start = str(document.relative_to(args.source)), [], [], None, [], 0
    for number, line in enumerate(document.read_text().splitlines(), 1):
        if kind is None and (fence := re.match(r"```(.*)$", line)):
            kind, body, start = fence[1].strip(), [], number
        elif kind is not None and line.strip() == "```":
            role, code = KINDS.get(kind), "\n".join(body)
            if role is None and kind.startswith(("cpp", "python")):
                complaints.append(f"{name}:{start}: unknown kind of block '{kind}'; there are: {', '.join(KINDS)}")
            elif role in ("continue", "output") and not found:
                complaints.append(f"{name}:{start}: a block '{kind}' needs a block of code before it")
            elif role == "output":
                found[-1].parts[-1].output = (start, "".join(line + "\n" for line in body))
            elif role == "continue":
                found[-1].parts.append(Part(name, start + 1, code))
            elif role in ("run", "compile"):
                found.append(Snippet(Part(name, start + 1, code), kind.split()[0], role == "run"))
            kind = None
        elif kind is not None:
            body.append(line)
    if kind is not None:
        complaints.append(f"{name}:{start}: a block that is not closed")
    return found, complaints


def is_include(line):
    return re.match(r"\s*#\s*include\b", line)


def bodies(group):
    """One translation unit: a function a snippet, chosen by number on the command line."""
    include_lines = {line.strip() for s in group for p in s.parts for line in p.code.splitlines() if is_include(line)}
    out = ["#include <tg/tg.hpp>", "#include <cstdlib>", "#include <iostream>", *sorted(include_lines)]
    for number, snippet in enumerate(group):
        out.append(f"static void snippet_{number}() {{\n{snippet.code(lambda line: not is_include(line))}}}")
    out.append("int main(int, char** argv) {\n  static void (*const all[])() = {")
    out += [f"    snippet_{number}," for number in range(len(group))]
    out.append("  };\n  all[std::atoi(argv[1])]();\n}")
    return "\n".join(out) + "\n"


def compile_(name, code):
    """An empty text, or what the compiler said."""
    (work / f"{name}.cpp").write_text(code)
    command = [args.cxx, "-std=c++20", "-O1", "-Wall", "-Wno-unused", f"-I{args.source}/include", f"{work}/{name}.cpp",
               "-o", f"{work}/{name}", f"-L{args.build}", "-ltg", f"-Wl,-rpath,{args.build}"]
    result = subprocess.run(command, capture_output=True, text=True)
    return result.stderr or "the compiler failed" if result.returncode else ""


def run(snippet, *command):
    """An empty text, or what is wrong with how the snippet ran."""
    environment = {k: v for k, v in os.environ.items() if k == "TG_CACHE_DIR" or not k.startswith("TG_")}
    environment["PYTHONPATH"] = str(args.build / "python")
    try:
        result = subprocess.run(command, capture_output=True, text=True, cwd=work, env=environment, timeout=300)
    except subprocess.TimeoutExpired:
        return "ran for more than 300 s"
    if result.returncode:
        return f"ended with status {result.returncode}\n{result.stdout}{result.stderr}"
    printed = result.stdout.split(SEPARATOR)
    wrong = [(part, text) for part, text in zip(snippet.parts, printed, strict=True) if part.output and part.output[1] != text]
    if args.update:
        corrections.extend((part.document, *part.output, text) for part, text in wrong)
        return ""
    return "\n".join(f"{part.document}:{part.line - 1}: printed\n{text}instead of\n{part.output[1]}" for part, text in wrong)


def correct():
    """Later lines first, so that the earlier ones stay where they are."""
    for document, first, old, new in sorted(corrections, reverse=True):
        path = args.source / document
        lines = path.read_text().splitlines(keepends=True)
        lines[first:first + old.count("\n")] = [new]
        path.write_text("".join(lines))
        print(f"{document}:{first}: updated")


work.mkdir(exist_ok=True)
failures, found, corrections = [], [], []
for document in sorted([*args.source.glob("*.md"), *args.source.glob("docs/*.md")]):
    more, complaints = snippets(document)
    found += more
    failures += complaints
cpp = [s for s in found if s.language == "cpp"]
plain = [s for s in cpp if not s.is_program()]
commands = {}
if plain and (errors := compile_("snippets", bodies(plain))):
    failures.append(errors)
else:
    commands.update((s, (work / "snippets", str(number))) for number, s in enumerate(plain))
for number, snippet in enumerate(s for s in cpp if s.is_program()):
    if errors := compile_(f"program_{number}", snippet.code()):
        failures.append(errors)
    else:
        commands[snippet] = (work / f"program_{number}",)
interpreter = re.search(r"^_?Python_EXECUTABLE:\w+=(.+)$", (args.build / "CMakeCache.txt").read_text(), re.M)
for number, snippet in enumerate(s for s in found if s.language == "python"):
    if not interpreter or not (args.build / "python/tg").is_dir():
        failures.append(f"{snippet.where()}: the Python module was not built")
        continue
    (work / f"snippet_{number}.py").write_text(snippet.python())
    commands[snippet] = (interpreter[1], f"snippet_{number}.py")
for snippet, command in commands.items():
    if snippet.runs and (what := run(snippet, *command)):
        failures.append(f"{snippet.where()}: {what}")
correct()
for failure in failures:
    print(failure)
print(f"{len(found) - min(len(failures), len(found))} passed, {len(failures)} failed")
sys.exit(bool(failures))
