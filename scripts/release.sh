#!/bin/sh
# What a release consists of, built and checked:
#
#   scripts/release.sh [FOLDER]      FOLDER (default dist) must be absent or empty
#
#   FOLDER/scalecurve-*.tar.gz, *.whl   the source distribution, and the wheel built from it
#   FOLDER/sbom-core.cdx.json           CycloneDX: what `pip install scalecurve` brings, as installed
#   FOLDER/sbom-tested.cdx.json         CycloneDX: every version of constraints.txt, all extras
#   FOLDER/audit.txt                    what pip-audit knows of those versions
#   FOLDER/SHA256SUMS
#
# Exit code 0: all is well. 1: a check failed. 3: all is well, but pip-audit could not look up some version (advisories come
# from pypi.org), so that the dependencies are not audited; audit.txt says so.
set -eu

cd "$(dirname "$0")/.."
out=${1:-dist}
python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say() { printf '== %s\n' "$*"; }
fail() { printf 'release: %s\n' "$*" >&2; exit 1; }

[ ! -e "$out" ] || [ -z "$(ls -A "$out")" ] || fail "$out is not empty; remove it or name another folder"
[ -z "$(git status --porcelain)" ] || fail "the working tree has changes; commit them, a release is built from a commit"
mkdir -p "$out"
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH PIP_DISABLE_PIP_VERSION_CHECK=1

say "tools, in an environment of their own"
"$python" -m venv "$work/tools"
"$work/tools/bin/python" -m pip install --quiet --no-compile build twine pip-audit cyclonedx-bom

say "source distribution and wheel"
"$work/tools/bin/python" -m build --outdir "$out" . >"$work/build.log" 2>&1 || { cat "$work/build.log"; fail "build"; }
"$work/tools/bin/python" -m twine check --strict "$out"/*.tar.gz "$out"/*.whl

say "the wheel, installed where nothing else is"
"$python" -m venv "$work/core"
"$work/core/bin/python" -m pip install --quiet --no-compile --constraint constraints.txt "$out"/*.whl
"$work/core/bin/scalecurve" --version

say "bills of materials"
sbom="$work/tools/bin/cyclonedx-py"
"$sbom" environment --output-reproducible --pyproject pyproject.toml --output-file "$out/sbom-core.cdx.json" "$work/core/bin/python"
"$sbom" requirements --output-reproducible --pyproject pyproject.toml --output-file "$out/sbom-tested.cdx.json" constraints.txt

say "known vulnerabilities"
audited=0
grep -v '^#' constraints.txt >"$work/pinned.txt"
"$work/tools/bin/pip-audit" --requirement "$work/pinned.txt" --no-deps --disable-pip --progress-spinner off \
  >"$out/audit.txt" 2>&1 || audited=$?
unknown=$(grep -c 'could not be audited' "$out/audit.txt" || true)
if [ "$audited" -ne 0 ] && ! grep -q '^Name .*ID' "$out/audit.txt"; then
  why=$(tail -n 1 "$out/audit.txt")
  audited=3
elif [ "$audited" -eq 0 ] && [ "$unknown" -gt 0 ]; then  # pip-audit itself would call this a success
  why="$unknown versions could not be looked up"
  audited=3
fi
[ "$audited" -ne 3 ] || sed -i "1i NOT AUDITED: $(printf %s "$why" | tr '/&\\' '   ')" "$out/audit.txt"
cat "$out/audit.txt"

(cd "$out" && sha256sum -- *.tar.gz *.whl *.json audit.txt >SHA256SUMS && cat SHA256SUMS)
case $audited in
  0) say "ready in $out" ;;
  3) say "ready in $out, but the dependencies are NOT AUDITED" ;;
  *) fail "pip-audit found vulnerable versions, see $out/audit.txt" ;;
esac
exit "$audited"
