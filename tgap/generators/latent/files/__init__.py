"""Weights and configurations on disk, read without torch."""
