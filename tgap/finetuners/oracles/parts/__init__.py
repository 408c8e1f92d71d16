"""What several oracles compute alike."""
