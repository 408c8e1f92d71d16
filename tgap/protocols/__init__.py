"""How splits and sizes are drawn; ``protocol=...``."""
