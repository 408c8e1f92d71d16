"""Vectors to clusters; ``selector/cluster=...``."""
