"""Which tuning images are worth a gradient step; ``finetuner/oracle=...``."""
