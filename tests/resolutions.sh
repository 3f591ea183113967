#!/bin/sh
# Resolves the dependencies in one way (lowest-direct, highest), and tries the main paths with them.
#     sh tests/resolutions.sh lowest-direct
set -eu
cd "$(dirname "$0")/.."
way="$1"
place=".cache/$way"
python="${PYTHON:-python3}"

"$python" -m venv "$place"
"$place/bin/python" -m pip install --quiet uv
"$place/bin/uv" pip compile --quiet --resolution "$way" --python "$place/bin/python" \
    --cache-dir .cache/uv --no-header --no-annotate --extra postgres \
    --output-file "$place/resolved.txt" pyproject.toml
echo "$way: $(wc -l <"$place/resolved.txt") packages, of which we name:"
"$place/bin/python" - "$place/resolved.txt" <<'PYTHON'
import re, sys, tomllib
named = tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"]
names = {re.split(r"[ <>=;\[]", line)[0].lower() for line in named}
print(*(line.strip() for line in open(sys.argv[1]) if line.split("==")[0] in names))
PYTHON
"$place/bin/uv" pip install --quiet --python "$place/bin/python" --cache-dir .cache/uv \
    --requirement "$place/resolved.txt"
"$place/bin/uv" pip install --quiet --python "$place/bin/python" --cache-dir .cache/uv \
    'pytest>=8.3' 'hypothesis>=6.100' 'packaging>=24' 'jsonschema>=4.20' --constraint "$place/resolved.txt"
"$place/bin/uv" pip install --quiet --python "$place/bin/python" --cache-dir .cache/uv --no-deps .

# Deprecations of libraries that are not the locked ones are no failures here; wrong results are.
"$place/bin/python" -m pytest -q -W default \
    tests/test_api.py tests/test_cli.py tests/test_sources.py tests/test_stores.py \
    tests/test_ledger.py tests/test_reports.py tests/test_scheduler.py tests/test_validation.py \
    tests/test_web.py
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"$place/bin/monitor" demo "$folder"
