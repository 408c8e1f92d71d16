"""Files, tables and pixels, as datasets read them."""
