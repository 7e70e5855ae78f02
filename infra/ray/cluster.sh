#!/usr/bin/env bash
# A real Ray cluster of two nodes on this machine, each of one processor, for python -m ray_tune and overtone day:
#   eval "$(infra/ray/cluster.sh start)"     # prints exports: RAY_ADDRESS and the token's file
#   infra/ray/cluster.sh status              # exit code 0 if both nodes run, else 1
#   infra/ray/cluster.sh stop
# A second argument names another folder (default: build/ray-cluster), and with it another cluster. The folder keeps the
# nodes' process ids, the port and what the nodes said; Ray's own logs lie where logs points to. RAY_PORT states the port.
# Ray's nodes of a cluster cannot be held to loopback: they listen on every address. So the token stays on: nobody can use
# the cluster who cannot read the file token in the folder. No dashboard, no usage statistics.
set -euo pipefail
usage="usage: infra/ray/cluster.sh start|stop|status [FOLDER]"
[ $# -gt 0 ] || { echo "$usage" >&2; exit 2; }
action="$1"
here="$(cd "$(dirname "$0")/../.." && pwd)"
folder="${2:-$here/build/ray-cluster}"
case "$folder" in /*) ;; *) folder="$PWD/$folder" ;; esac
python="$here/.venv/bin/python"
patience=180 # seconds
memory=200000000 # bytes of a node's object store

fail() { echo "cluster: $1" >&2; exit "${2:-1}"; }
note() { echo "cluster: $*" >&2; }
pid() { cut -d' ' -f1 "$folder/$1.pid" 2>/dev/null || true; }
# A process id may be another program's by now: the moment it began is kept beside it.
born() { if [ -r "/proc/$1/stat" ]; then sed 's/.*) //' "/proc/$1/stat" | cut -d' ' -f20; else ps -o lstart= -p "$1"; fi 2>/dev/null; }
alive() { [ -n "$(pid "$1")" ] && kill -0 "$(pid "$1")" 2>/dev/null && [ "$(pid "$1") $(born "$(pid "$1")")" = "$(cat "$folder/$1.pid")" ]; }
free() { "$python" -c 'import socket; s = socket.socket(); s.bind(("", 0)); print(s.getsockname()[1])'; }
taken() { "$python" -c 'import socket, sys; s = socket.socket(); s.settimeout(2); sys.exit(s.connect_ex(("127.0.0.1", int(sys.argv[1]))))' "$1" 2>/dev/null; }
ready() { grep -q "Ray runtime started" "$folder/$1.log" 2>/dev/null; }
exports() {
  printf 'export RAY_ADDRESS=127.0.0.1:%s RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=%q\n' "$(cat "$folder/port")" "$folder/token"
}

node() { # name, arguments: start it unless it runs, and wait for it
  local name="$1"; shift
  ! alive "$name" || return 0
  rm -f "$folder/$name.log"
  nohup "$here/.venv/bin/ray" start --block --disable-usage-stats --num-cpus=1 --object-store-memory="$memory" \
    --dashboard-agent-listen-port="$(free)" "$@" >"$folder/$name.log" 2>&1 </dev/null &
  echo "$! $(born $!)" >"$folder/$name.pid"
  local until=$((SECONDS + patience))
  until ready "$name"; do
    alive "$name" || { tail -n 3 "$folder/$name.log" >&2; stop; fail "the $name ended while it started; all it said is in $folder/$name.log"; }
    [ "$SECONDS" -lt "$until" ] || { stop; fail "the $name did not start within $patience s; see $folder/$name.log"; }
    sleep 0.3
  done
}

start() {
  [ -x "$python" ] || fail "there is no environment yet; run infra/setup.sh" 2
  mkdir -p "$folder"
  if alive head && alive worker; then note "runs already"; exports; return; fi
  export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH="$folder/token" RAY_USAGE_STATS_ENABLED=0
  if ! alive head; then
    if alive worker; then end worker; fi
    sweep
    local port="${RAY_PORT:-$(free)}" scratch
    ! taken "$port" || fail "port $port is taken; state another with RAY_PORT, or none for a free one" 2
    echo "$port" >"$folder/port"
    (umask 077 && "$python" -c 'import secrets; print(secrets.token_hex(32), end="")' >"$folder/token")
    # A socket's whole path has to fit into 107 characters: Ray's own files lie in a short folder.
    scratch="$(mktemp -d /tmp/otcluster-XXXXXX)"
    ln -sfn "$scratch" "$folder/logs"
    node head --head --port="$port" --ray-client-server-port="$(free)" --include-dashboard=false --temp-dir="$scratch"
  fi
  node worker --address="127.0.0.1:$(cat "$folder/port")"
  note "2 nodes, logs in $folder/logs/session_latest/logs; who may read $folder/token may use them"
  exports
}

tree() { # a process and all below it
  for one in $(ps -o pid= --ppid "$1" 2>/dev/null || pgrep -P "$1"); do tree "$one"; done
  echo "$1"
}

end() { # name: ask it to end, then make everything it started
  local below; below="$(tree "$(pid "$1")")"
  kill "$(pid "$1")" 2>/dev/null || true
  for _ in $(seq 50); do alive "$1" || break; sleep 0.2; done
  # shellcheck disable=SC2086
  kill -9 $below 2>/dev/null || true
  rm -f "$folder/$1.pid"
}

sweep() { # what outlived a node that was killed names the scratch folder, which is nobody else's
  local scratch; scratch="$(readlink "$folder/logs" 2>/dev/null || true)"
  case "$scratch" in /tmp/otcluster-*) pkill -9 -f -- "$scratch/" || true; rm -rf "$scratch" "$folder/logs" ;; esac
}

stop() {
  local ended=0
  for name in worker head; do
    if alive "$name"; then end "$name"; ended=$((ended + 1)); fi
    rm -f "$folder/$name.pid"
  done
  sweep
  note "$ended nodes ended in $folder"
}

status() {
  alive head && alive worker || fail "not whole: $(for name in head worker; do ! alive "$name" || printf '%s ' "$name"; done)runs in $folder"
  echo "127.0.0.1:$(cat "$folder/port") with 2 nodes"
}

case "$action" in start | stop | status) "$action" ;; *) fail "$usage" 2 ;; esac
