"""What several evaluators compute alike."""
