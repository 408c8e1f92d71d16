"""Scores to metrics; ``evaluator=...``."""
