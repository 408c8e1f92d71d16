"""What drawings that go by a reward have in common."""
