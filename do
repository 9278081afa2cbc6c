#!/usr/bin/env bash
# The short front to everything in this repository. Needs bash and apt alone; what else is needed it installs (tools/setup).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

help() {
  cat <<'TEXT'
./do mnist [options]    train a convolutional network on MNIST (options of `tg train mnist`: ./do mnist --help)
./do python             build the Python module into build/release/python; prints how to try it
./do test [names]       build and run every test, or those whose name contains one of the names
./do check              sanitizers, formatting, lints, layers and line budgets
./do bench [names]      measure, print a table, write build/bench.jsonl
./do ulp [function]     the error of exp, log, sin, ... over all 2^32 float32 inputs, each in about a minute, into docs/ops.md
./do build [preset]     build with a preset: release (the default), dev, asan, tsan
./do lines              lines of code by layer
./do format             format the code in place
./do setup              install the Debian packages that building needs
TEXT
}

# configure PRESET, quietly unless it fails
configure() {
  local log=build/$1.configure.log
  mkdir -p build
  cmake --preset "$1" >"$log" 2>&1 || { cat "$log" >&2; return 1; }
}
build() {  # PRESET [TARGET]
  configure "$1"
  cmake --build "build/$1" ${2:+--target "$2"}
}

command=${1:-help}
shift || true
case $command in
  help|-h|--help) help ;;
  setup) tools/setup "$@" ;;
  build) tools/setup build && build "${1:-release}" ;;
  mnist) tools/setup build && build release tg_command && build/release/bin/tg train mnist "$@" ;;
  python) tools/setup build python && build release tg_python &&
    printf 'The module is in build/release/python. Try it: PYTHONPATH=build/release/python /usr/bin/python3 -c "import tg; print(tg.arange(3))"\n' ;;
  test) tools/setup build python test && build release && tools/run_tests build/release "$@" ;;
  check) tools/setup build python test check && tools/check "$@" ;;
  bench) tools/setup build bench && build release && tools/bench "$@" ;;
  ulp) tools/setup build test && configure release && cmake --build build/release --target test_tensor &&
    TG_ULP=1 build/release/bin/test_tensor --gtest_filter="Ulp.*/${1:-*}:UlpOfTwo.*" --gtest_brief=1 &&
    tools/ops ;;
  lines) tools/lines ;;
  format) tools/setup build check && tools/format ;;
  *) printf './do: unknown command %s\n\n' "'$command'" >&2; help >&2; exit 2 ;;
esac
