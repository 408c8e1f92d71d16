"""A cluster and its quota to images; ``selector/pick=...``."""
