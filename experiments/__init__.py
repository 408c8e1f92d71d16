"""A folder per claim: README, command, expected result."""
