"""Trials, quotas and counts of a drawing that rejects."""
