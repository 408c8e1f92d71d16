"""Which drawn images show what they were asked for; ``drawing/judge=...``."""
