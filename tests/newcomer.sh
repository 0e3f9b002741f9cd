#!/bin/sh
# A newcomer's first hour: builds the wheel, installs it into an environment of its own, and does what the README and three
# tutorials say, each in an empty directory; the commands are taken from the pages. pip's cache is used where there is one.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset PYTHONPATH PYTHONHOME
export PIP_DISABLE_PIP_VERSION_CHECK=1

cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip wheel --quiet --no-deps --wheel-dir . "$root"
env/bin/python -m pip install --quiet --no-compile -c "$root/constraints.txt" "$(echo scalecurve-*.whl)[models]"
env/bin/scalecurve --version
cd "$root"
"$work/env/bin/python" -P tests/pages.py README.md docs/tutorials/results.md docs/tutorials/task.md docs/tutorials/query.md
