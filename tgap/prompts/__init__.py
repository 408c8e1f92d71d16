"""The texts of a label; ``prompts=...``."""
