"""The tables by which the platform is operated: what was refused, what was audited, what was taken in."""

from __future__ import annotations

from validation.contract import Column, Purpose, Table

QUARANTINE = Table(
    "ops.quarantine",
    "one row that was refused, with the reason and where it came from",
    ("target", "run", "reason", "file", "position"),
    (
        Column("target", "string", "table the row was meant for", required=True),
        Column("run", "string", "fingerprint of the run that refused it", required=True),
        Column("feed", "string", "source adapter, where it came from a feed"),
        Column("reason", "string", "rule or parse error", required=True),
        Column("file", "string", "file of origin (no folders)"),
        Column("position", "bigint", "position in that file"),
        Column("payload", "string", "what the row said, shortened, without what identifies"),
        Column("refused_at", "timestamp", "when it was refused", required=True),
    ),
    Purpose.OPERATIONS,
    retention_days=30,
    aged_by="refused_at",
    partition=("target", "run"),
    may_be_empty=True,
)

VERDICTS = Table(
    "ops.verdicts",
    "one check of one audited batch",
    ("target", "run", "rule"),
    (
        Column("target", "string", "audited table", required=True),
        Column("run", "string", "fingerprint of the audited batch", required=True),
        Column("dates", "string", "range audited, first..last, or 'all'", required=True),
        Column("files", "array<string>", "names of the files (no folders) that the batch was read from, where it came from files"),
        Column("rule", "string", "name of the rule or expectation", required=True),
        Column("suite", "string", "version of the suite: a hash of what the table declared then"),
        Column("success", "boolean", "whether the batch kept it", required=True),
        Column("observed", "string", "what was seen"),
        Column("expected", "string", "what was asked for"),
        Column("failed_rows", "bigint", "rows that broke it", required=True),
        Column("rows", "bigint", "rows in the batch", required=True),
        Column("rejected", "bigint", "rows split off to quarantine before the audit", required=True),
        Column("audited_at", "timestamp", "when", required=True),
    ),
    Purpose.OPERATIONS,
    retention_days=400,
    aged_by="audited_at",
    partition=("target",),
)

FILES = Table(
    "ops.files",
    "one file that was taken in, by content",
    ("source", "target", "sha256"),
    (
        Column("source", "string", "source adapter", required=True),
        Column("target", "string", "table its rows went to", required=True),
        Column("sha256", "string", "hash of the file's bytes", required=True),
        Column("file", "string", "its name (no folders)", required=True),
        Column("run", "string", "fingerprint of the run that took it in", required=True),
        Column("rows_in", "bigint", "records found in the file for this table", required=True),
        Column("kept", "bigint", "rows published", required=True),
        Column("quarantined", "bigint", "rows refused", required=True),
        Column("deduplicated", "bigint", "rows known already", required=True),
        Column("ingested_at", "timestamp", "when", required=True),
    ),
    Purpose.OPERATIONS,
    retention_days=1100,
    aged_by="ingested_at",
    partition=(),
)

OPERATIONS = (QUARANTINE, VERDICTS, FILES)
