"""Cluster sizes to quotas; ``selector/allocate=...``."""
