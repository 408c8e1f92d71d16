"""Worlds whose truth is known, through the commands that people type."""
