"""Many runs: grouped, compared, and read in words."""
