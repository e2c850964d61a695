#!/usr/bin/env bash
# A night of a shop: what its service was told joins the log, the model that is served goes on from it, and the outcome takes its
# place while it serves, unless it is worse.
#
# After the quickstart, with a service that takes checkpoints from runs/:
#   node bin/recsys.js serve-online --model runs/quickstart/tuned --state runs/state --port 8080 --set checkpoints.directory=runs
#   examples/nightly.sh           from cron, say
#
# A night's folder has the dataset and the model tuned on it, as the quickstart's has: the next night goes on from whichever is
# served by then.
set -euo pipefail

url=${RECSYS_URL:-http://127.0.0.1:8080}
state=${STATE:-runs/state}
raw=${RAW:-runs/quickstart/raw}
yaml=${YAML:-configs/quickstart}
tonight=${TONIGHT:-runs/nights/$(date +%Y-%m-%dT%H%M)}

recsys() { node "${RECSYS:-bin/recsys.js}" "$@"; }
field() { node -p "JSON.parse(require('fs').readFileSync(0, 'utf8')).$1"; }
key=(${RECSYS_API_KEY:+--header "authorization: Bearer $RECSYS_API_KEY"})
checkpoint() { curl --silent --show-error --fail-with-body ${key[@]+"${key[@]}"} "$@" "$url/v1/admin/checkpoint"; }

served=$(checkpoint | field path)
before=$(dirname "$served")/dataset

recsys journal export "$state" --out "$tonight/events.jsonl" --quiet
columns='{ user: user, item: item, time: time, behaviour: behaviour }'
# The newest event of each user is not trained on: by these the two are compared.
recsys prepare -c "$yaml/prepare.yaml" --raw "$raw" --extend "$before" --out "$tonight/dataset" --quiet \
  --set "additional=[{ path: '$(realpath "$tonight")/events.jsonl', columns: $columns, timeFormat: epoch-ms }]"
recsys finetune -c "$yaml/finetune.yaml" --data "$tonight/dataset" --from "$served" --out "$tonight/tuned" --quiet

checkpoint --header 'content-type: application/json' --data "{\"path\": \"$(realpath "$tonight")/tuned\"}" > "$tonight/taken.json"
echo "$tonight: swapped $(field swapped < "$tonight/taken.json"), served now: $(field path < "$tonight/taken.json")"
