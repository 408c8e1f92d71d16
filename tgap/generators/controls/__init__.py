"""Generators with known truth: which real image comes next, and what is done to it."""
