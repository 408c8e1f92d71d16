"""What makes one drawn image better than another; ``drawing/reward=...``."""
