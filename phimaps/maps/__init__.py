"""The maps, one family per file."""
