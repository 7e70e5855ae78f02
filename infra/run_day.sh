#!/usr/bin/env bash
# A day on one screen: every line also runs alone, here or, with infra/spark/submit.sh for spark-submit, on a cluster.
#   infra/run_day.sh 2026-11-09 [lake]
set -euo pipefail
case "${1:-}" in -h | --help) echo "usage: infra/run_day.sh DATE [LAKE]"; exit 0 ;; esac
[ $# -gt 0 ] || { echo "usage: infra/run_day.sh DATE [LAKE]" >&2; exit 2; }
date="$1"
lake="${2:-${OVERTONE_LAKE:-./build/lake}}"
case "$lake" in /* | *://*) ;; *) lake="$PWD/$lake" ;; esac
dates="--date $date"
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"

# silver: one truth per listener, track, play and session
spark-submit jobs/listeners.py $dates --lake "$lake"
spark-submit jobs/tracks.py $dates --lake "$lake"
spark-submit jobs/listens.py $dates --lake "$lake"
spark-submit jobs/sessions.py $dates --lake "$lake"
# features, segments, training examples
spark-submit jobs/user_days.py $dates --lake "$lake"
spark-submit jobs/user_features.py $dates --lake "$lake"
spark-submit jobs/context_features.py $dates --lake "$lake"
spark-submit jobs/session_moments.py $dates --lake "$lake"
spark-submit jobs/moment_features.py --date "$date" --lake "$lake"
spark-submit jobs/user_segments.py $dates --lake "$lake"
spark-submit jobs/segment_overlaps.py $dates --lake "$lake"
spark-submit jobs/fan_ladder.py --date "$date" --lake "$lake"
spark-submit jobs/artist_fans.py --date "$date" --lake "$lake"
spark-submit jobs/fan_transitions.py --date "$date" --lake "$lake"
spark-submit jobs/user_portraits.py --date "$date" --lake "$lake"
spark-submit jobs/examples.py $dates --lake "$lake"
# a challenger; a person makes it champion with `overtone model approve`
python -m ray_tune response --as-of "$date" --trials 4 --lake "$lake"
# scores, clusters, communities, audiences, exports
overtone day --date "$date" --only scores --lake "$lake"
overtone day --date "$date" --only clusters --lake "$lake"
overtone day --date "$date" --only communities --lake "$lake"
overtone audience build --date "$date" --lake "$lake"
overtone audience export --date "$date" --lake "$lake"
