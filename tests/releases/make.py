"""Keep a small lake as this release writes it, for the releases after it to read: `python tests/releases/make.py`.

It holds every table but the exports (no audience of a hundred listeners may leave), the registry with a champion, and the key. Run it
before the version in pyproject.toml is raised; `test_upgrade.py` walks the archives that lie here.
"""

from __future__ import annotations

import os
import shutil
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path

from jobs.lake.address import Address
from jobs.lake.spark import SparkLake
from targeting.command import demo

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
PARTS = ("lake", "lake-mlflow", "lake.key")
PLACE = Path("/tmp/overtone-release")  # noqa: S108 - a registry's database holds the absolute path of its artifacts: always this one
CAMPAIGNS = HERE.parent.parent / "infra/campaigns-small.yaml"


def main() -> None:
    from small_world import Small  # noqa: PLC0415

    shutil.rmtree(PLACE, ignore_errors=True)
    PLACE.mkdir(parents=True)
    os.chdir(PLACE)  # which a registry's database remembers
    (PLACE / "lake.key").write_bytes(bytes(range(32)))
    (PLACE / "lake.key").chmod(0o600)
    small = Small()
    feed = small.feed(PLACE)
    demo.play(
        SparkLake(Address.parse(str(PLACE / "lake"))),
        demo.Setting("native", feed, "none", CAMPAIGNS, small.clock, trials=1),
    )
    target = HERE / f"{version('overtone')}.tar.xz"
    with tarfile.open(target, "w:xz", preset=9) as archive:
        for part in PARTS:
            archive.add(PLACE / part, part, filter=_nobody)
    shutil.rmtree(PLACE)
    sys.stderr.write(f"{target}: {target.stat().st_size:,} bytes\n")


def _nobody(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    return info


if __name__ == "__main__":
    main()
