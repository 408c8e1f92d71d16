"""What tgap's speed is, against peers and against itself: ``python -m experiments.bench``."""
