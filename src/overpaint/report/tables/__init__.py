"""Tables of numbers: CSV, terminal, W&B."""
