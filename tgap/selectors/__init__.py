"""Pool to tuning set; ``selector=...``."""
