"""Generator and tuning set to tuned generator; ``finetuner=...``."""
