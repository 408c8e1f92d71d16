"""How a synthetic set is drawn from a tuned model; ``drawing=...``."""
