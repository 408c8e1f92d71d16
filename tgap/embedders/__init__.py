"""Images to vectors; ``selector/embedder=...``."""
