"""The thesis, run again: six experiments, seven claims, and what explains the gap."""
