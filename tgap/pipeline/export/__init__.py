"""What a run made, taken out of the store for others, each part with a card."""
