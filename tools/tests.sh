#!/usr/bin/env bash
# Runs all tests: first, two at a time, those that bear company; then those that need the machine
# for themselves (crash rounds, hostile network). Fails when either does.
#   tools/tests.sh PYTHON [pytest's arguments]
# With COVERAGE=1 it tells which lines no test has run, and takes a quarter longer.
set -uo pipefail
python=$1
shift
failed=0
first=() last=()
if [ -n "${COVERAGE:-}" ]; then
  first=(--cov --cov-report=) last=(--cov --cov-append --cov-report=term:skip-covered)
fi

part() { # 5 is pytest's word for "none of what you asked for is in this part"
  "$python" -m pytest "$@"
  local status=$?
  if [ $status -ne 0 ] && [ $status -ne 5 ]; then failed=$status; fi
}

part -n 2 --dist loadfile -m "not alone" --durations=15 --durations-min=5 -q "${first[@]}" "$@"
part -m alone "${last[@]}" "$@"
exit $failed
