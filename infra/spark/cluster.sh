#!/usr/bin/env bash
# A real Spark standalone cluster on this machine: a master and two workers, each a process of its own.
#   export SPARK_MASTER=$(infra/spark/cluster.sh start)     # prints spark://127.0.0.1:PORT
#   infra/spark/cluster.sh status                           # exit code 0 if all of it runs, else 1
#   infra/spark/cluster.sh stop
# A second argument names another folder (default: build/spark-cluster), and with it another cluster. The folder keeps the
# processes' ids, ports, logs/ and work/ (the executors' own logs). SPARK_MASTER_PORT states a port (default: a free one);
# SPARK_WORKER_CORES (1) and SPARK_WORKER_MEMORY (1g) size each worker. It listens on loopback alone: who reaches a master
# without a secret can run any code on it.
set -euo pipefail
usage="usage: infra/spark/cluster.sh start|stop|status [FOLDER]"
[ $# -gt 0 ] || { echo "$usage" >&2; exit 2; }
action="$1"
here="$(cd "$(dirname "$0")/../.." && pwd)"
folder="${2:-$here/build/spark-cluster}"
case "$folder" in /*) ;; *) folder="$PWD/$folder" ;; esac
python="$here/.venv/bin/python"
daemons="master worker-1 worker-2"
patience=120 # seconds

fail() { echo "cluster: $1" >&2; exit "${2:-1}"; }
note() { echo "cluster: $*" >&2; }
pid() { cut -d' ' -f1 "$folder/$1.pid" 2>/dev/null || true; }
# A process id may be another program's by now: the moment it began is kept beside it.
born() { if [ -r "/proc/$1/stat" ]; then sed 's/.*) //' "/proc/$1/stat" | cut -d' ' -f20; else ps -o lstart= -p "$1"; fi 2>/dev/null; }
alive() { [ -n "$(pid "$1")" ] && kill -0 "$(pid "$1")" 2>/dev/null && [ "$(pid "$1") $(born "$(pid "$1")")" = "$(cat "$folder/$1.pid")" ]; }
free() { "$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
taken() { "$python" -c 'import socket, sys; s = socket.socket(); s.settimeout(2); sys.exit(s.connect_ex(("127.0.0.1", int(sys.argv[1]))))' "$1" 2>/dev/null; }
running() {
  "$python" - "http://127.0.0.1:$(cat "$folder/webui.port")/json/" 2>/dev/null <<'PY' || echo 0
import json, sys, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
print(json.load(opener.open(sys.argv[1], timeout=5))["aliveworkers"])
PY
}

daemon() { # name, class, arguments: start it unless it runs
  local name="$1"; shift
  alive "$name" && return
  nohup "$SPARK_HOME/bin/spark-class" "$@" >"$folder/logs/$name.log" 2>&1 </dev/null &
  echo "$! $(born $!)" >"$folder/$name.pid"
}

start() {
  [ -x "$python" ] || fail "there is no environment yet; run infra/setup.sh" 2
  SPARK_HOME="$("$python" -c 'import importlib.util as u; print(u.find_spec("pyspark").submodule_search_locations[0])')"
  # Spark would go on to the next port where one is taken, and take jobs by HTTP on another one.
  export SPARK_DAEMON_JAVA_OPTS="-Dspark.port.maxRetries=0 -Dspark.master.rest.enabled=false"
  export SPARK_HOME SPARK_LOCAL_IP=127.0.0.1 SPARK_DAEMON_MEMORY="${SPARK_DAEMON_MEMORY:-256m}"
  export SPARK_WORKER_CORES="${SPARK_WORKER_CORES:-1}" SPARK_WORKER_MEMORY="${SPARK_WORKER_MEMORY:-1g}"
  unset SPARK_MASTER_HOST SPARK_MASTER_WEBUI_PORT SPARK_WORKER_PORT SPARK_WORKER_WEBUI_PORT SPARK_WORKER_DIR
  mkdir -p "$folder/logs" "$folder/work"
  if alive master && [ "$(running)" = 2 ]; then note "runs already, logs in $folder/logs"; echo "spark://127.0.0.1:$(cat "$folder/port")"; return; fi
  if ! alive master; then
    for name in worker-1 worker-2; do ! alive "$name" || end "$name"; done
    local port="${SPARK_MASTER_PORT:-$(free)}"
    ! taken "$port" || fail "port $port of 127.0.0.1 is taken; state another with SPARK_MASTER_PORT, or none for a free one" 2
    echo "$port" >"$folder/port"
    free >"$folder/webui.port"
  fi
  local url; url="spark://127.0.0.1:$(cat "$folder/port")"
  daemon master org.apache.spark.deploy.master.Master --host 127.0.0.1 --port "$(cat "$folder/port")" --webui-port "$(cat "$folder/webui.port")"
  for name in worker-1 worker-2; do
    daemon "$name" org.apache.spark.deploy.worker.Worker --host 127.0.0.1 --webui-port 0 --work-dir "$folder/work/$name" "$url"
  done
  local until=$((SECONDS + patience))
  until [ "$(running)" = 2 ]; do
    for name in $daemons; do
      alive "$name" || { tail -n 5 "$folder/logs/$name.log" >&2; stop; fail "the $name ended while it started; all it said is in $folder/logs/$name.log"; }
    done
    [ "$SECONDS" -lt "$until" ] || { stop; fail "no two workers within $patience s; see $folder/logs"; }
    sleep 0.3
  done
  note "a master and 2 workers of $SPARK_WORKER_CORES core(s) and $SPARK_WORKER_MEMORY, logs in $folder/logs"
  echo "$url"
}

end() { # name: ask it to end, which ends its executors too; make it after 10 s
  local one; one="$(pid "$1")"
  kill "$one" 2>/dev/null || true
  for _ in $(seq 50); do alive "$1" || break; sleep 0.2; done
  ! alive "$1" || kill -9 "$one"
  rm -f "$folder/$1.pid"
}

stop() {
  local ended=0
  for name in worker-2 worker-1 master; do
    if alive "$name"; then end "$name"; ended=$((ended + 1)); fi
    rm -f "$folder/$name.pid"
  done
  note "$ended processes ended in $folder"
}

status() {
  local up=""
  for name in $daemons; do if alive "$name"; then up="$up $name"; fi; done
  [ "$up" = " master worker-1 worker-2" ] && [ "$(running)" = 2 ] || fail "not whole:${up:- nothing} runs in $folder"
  echo "spark://127.0.0.1:$(cat "$folder/port") with 2 workers, logs in $folder/logs"
}

case "$action" in start | stop | status) "$action" ;; *) fail "$usage" 2 ;; esac
