"""Files as people have them, each with what tgap must make of it."""
