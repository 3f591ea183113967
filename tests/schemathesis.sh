#!/bin/sh
# Asks the API of a running service for everything that its document allows, and more.
# Fails on an answer of 500 and above, and on one that the document does not tell of.
#     sh tests/schemathesis.sh
set -eu
cd "$(dirname "$0")/.."
place=.cache/schemathesis-env
monitor="$PWD/.venv/bin/monitor"
python="$PWD/.venv/bin/python"
folder="$(mktemp -d)"
service=""
trap '[ -z "$service" ] || kill "$service"; rm -rf "$folder"' EXIT

if [ ! -x "$place/bin/st" ]; then
    "${PYTHON:-python3}" -m venv "$place"
    "$place/bin/python" -m pip install --quiet 'schemathesis>=4,<5'
fi
st="$PWD/$place/bin/st"

# The demo has what there is to ask for: checks, episodes, messages, a new model that was asked for.
"$monitor" demo "$folder" >"$folder/demo.log" 2>&1 || { cat "$folder/demo.log"; exit 1; }
cd "$folder"
"$monitor" token make schemathesis --scope admin --why 'asks for everything' --json token.json >/dev/null
MONITOR_TOKEN="$("$python" -c 'import json; print(json.load(open("token.json"))["shown"])')"
export MONITOR_TOKEN
"$monitor" serve --no-scheduler --port 0 >"$folder/service.log" 2>&1 &
service=$!

# Half of what is asked for exists: its names are taken from the lists of the API itself.
"$python" - <<'PYTHON'
import os, re, time
from pathlib import Path

import httpx

log = Path("service.log")
for _ in range(600):
    if found := re.search(r"http://127\.0\.0\.1:\d+", log.read_text()):
        break
    time.sleep(0.1)
else:
    raise SystemExit(log.read_text())
base = found[0]
known = httpx.Client(base_url=base + "/api/v1", timeout=60)
known.headers["Authorization"] = "Bearer " + os.environ["MONITOR_TOKEN"]


def first(path):
    return known.get(path).raise_for_status().json()["items"][0]


names = {
    "name": "loans",
    "version": first("/monitors/loans/references")["version"],
    "check_id": first("/checks")["id"],
    "episode_id": first("/episodes")["id"],
    "message_id": first("/messages")["id"],
    "request_id": first("/retrain-requests")["id"],
}
head = f'headers = {{ Authorization = "Bearer ${{MONITOR_TOKEN}}" }}\nbase-url = "{base}"\n'
Path("unknown.toml").write_text(head)
pairs = "".join(f'"path.{name}" = "{value}"\n' for name, value in names.items())
Path("known.toml").write_text(f"{head}[parameters]\n{pairs}")
Path("base").write_text(base)
PYTHON

for names in unknown known; do
    echo "schemathesis: names that are $names"
    # The token that asks is neither renewed nor revoked: nothing could be asked after.
    "$st" --config-file "$names.toml" run "$(cat base)/api/v1/openapi.json" --seed 7 --max-examples 50 \
        --exclude-path-regex '/(rotate|revoke)$' --phases examples,coverage,fuzzing \
        --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,unsupported_method \
        --warnings off
done
if grep -E 'Traceback| 50[0-9] ' service.log; then exit 1; fi
