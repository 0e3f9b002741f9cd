#!/bin/sh
# A newcomer's first hour without make: does what the README says of pip, as it stands there, in an environment of its own
# (the checkout becomes a wheel; the embedded study runs to its report), then what the README and three tutorials say, each
# in an empty directory; all commands are taken from the pages. pip's cache is used where there is one.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset PYTHONPATH PYTHONHOME
export PIP_DISABLE_PIP_VERSION_CHECK=1

export PIP_QUIET=1 PIP_NO_COMPILE=1 PIP_CONSTRAINT="$root/constraints.txt"

cd "$work"
"${PYTHON:-python3}" -m venv env
PATH="$work/env/bin:$PATH"
awk '/^pip install/ { inside = 1 } /^```/ { inside = 0 } inside { sub(/ +#.*/, ""); print }' "$root/README.md" > typed
grep -q '^scalecurve study$' typed
while read -r line; do
    case $line in
        pip*) cd "$root" ;;  # the README says: in the checkout
        *) cd "$work" ;;
    esac
    echo "\$ $line"
    sh -c "$line"
done < typed
test -s "$work/runs/lab/report.html"
cd "$work"
env/bin/scalecurve --version
cd "$root"
"$work/env/bin/python" -P tests/pages.py README.md docs/tutorials/results.md docs/tutorials/task.md docs/tutorials/query.md
