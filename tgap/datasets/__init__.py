"""Real images of a domain; ``dataset=...``."""
