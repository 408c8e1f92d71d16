"""Images to one score per label; ``classifier=...``."""
