"""How well a model can make a tuning image already; ``finetuner/oracle/score=...``."""
