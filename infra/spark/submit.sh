#!/usr/bin/env bash
# Runs a job here, or on a cluster by the same line with SPARK_MASTER set:
#   SPARK_MASTER=spark://host:7077 infra/spark/submit.sh [OPTIONS OF spark-submit] jobs/listens.py --date 2026-11-01 --lake URI
# On a cluster it ships our own code as a zip, names Delta's jars and tells the workers an address of this machine:
# SPARK_LOCAL_IP, else the one that this machine meets the master with. The Python packages of requirements.lock are the
# workers' own: the same environment at the same path, or where PYSPARK_PYTHON says. Ends with the job's exit code.
set -euo pipefail
here="$(cd "$(dirname "$0")/../.." && pwd)"
venv="$here/.venv"
master="${SPARK_MASTER:-local[*]}"
fail() { echo "submit: $1" >&2; exit 2; }
[ -x "$venv/bin/spark-submit" ] || fail "there is no environment yet; run infra/setup.sh"
[ $# -gt 0 ] || fail "usage: infra/spark/submit.sh [OPTIONS OF spark-submit] jobs/<job>.py ARGUMENTS"
export PATH="$venv/bin:$PATH" PYSPARK_PYTHON="${PYSPARK_PYTHON:-$venv/bin/python}"

address() { # of this machine, as the workers see it
  [ -z "${SPARK_LOCAL_IP:-}" ] || { echo "$SPARK_LOCAL_IP"; return; }
  case "$master" in spark://*) ;; *) fail "SPARK_MASTER=$master names no host; say with SPARK_LOCAL_IP which address of this machine the workers reach" ;; esac
  python - "$master" 2>/dev/null <<'PY' || fail "SPARK_MASTER=$master cannot be reached from this machine; is it spark://HOST:PORT?"
import socket, sys
from urllib.parse import urlsplit
first = urlsplit(sys.argv[1].split(",")[0])
with socket.create_connection((first.hostname, first.port), timeout=10) as met:
    print(met.getsockname()[0])
PY
}

package() { # our own packages as a zip, named by what is in it: a running job keeps the one it began with
  python - "$here" <<'PY'
import hashlib, os, sys, zipfile
from pathlib import Path
root = Path(sys.argv[1])
files = sorted(path for name in ("validation", "jobs", "ray_tune", "targeting") for path in (root / name).rglob("*")
               if path.is_file() and "__pycache__" not in path.parts)
content = {path.relative_to(root).as_posix(): path.read_bytes() for path in files}
mark = hashlib.sha256(b"".join(name.encode() + hashlib.sha256(raw).digest() for name, raw in content.items())).hexdigest()[:12]
target = root / "build" / "spark" / f"overtone-{mark}.zip"
if not target.exists():
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(f".{os.getpid()}")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as made:
        for name, raw in content.items():
            made.writestr(zipfile.ZipInfo(name), raw)
    part.replace(target)
print(target)
PY
}

case "$master" in
  local*) exec spark-submit --master "$master" "$@" ;;
esac
host="$(address)"
jars="$(printf '%s,' "$venv"/jars/*.jar)"
export SPARK_LOCAL_IP="$host"
exec spark-submit --master "$master" --conf spark.driver.host="$host" --conf spark.driver.bindAddress="$host" \
  --py-files "$(package)" --jars "${jars%,}" "$@"
