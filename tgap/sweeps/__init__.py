"""Several runs of one command line, and what is written down of them."""
