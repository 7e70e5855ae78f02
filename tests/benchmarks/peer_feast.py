"""The point-in-time join by Feast's offline store, DuckDB or Dask: `peer_feast.py PLACE STORE`."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import pandas as pd
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.types import Float64

place, store = Path(sys.argv[1]), sys.argv[2]
VALUES = [f"v{n}" for n in range(10)]
TTL = timedelta(days=7)

listener = Entity(name="listener", join_keys=["listener_id"], value_type=ValueType.INT64)
source = FileSource(path=str(place / "facts.parquet"), timestamp_field="happened", created_timestamp_column="known")
view = FeatureView(
    name="facts", entities=[listener], ttl=TTL, schema=[Field(name=name, dtype=Float64) for name in VALUES], source=source, online=False
)
registry = place / f"registry-{store}.db"
registry.unlink(missing_ok=True)
online = {"type": "sqlite", "path": str(place / "online.db")}
config = {"project": "peer", "provider": "local", "registry": str(registry), "offline_store": {"type": store}, "online_store": online}
feast = FeatureStore(config=RepoConfig(**config, entity_key_serialization_version=3))
feast.apply([listener, view])
rows = pd.read_parquet(place / "rows.parquet")
found = feast.get_historical_features(entity_df=rows, features=[f"facts:{name}" for name in VALUES])
found.to_df().to_parquet(place / f"{store}.parquet")
