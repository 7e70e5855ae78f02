"""Declarations of every table, records only; `jobs.catalogue` lists them left to right."""
