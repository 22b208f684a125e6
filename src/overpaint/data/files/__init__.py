"""Picture files: which files are pictures, what they hold, and which of their values are black and white."""
