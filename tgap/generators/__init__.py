"""Text-to-image models; ``generator=...``."""
