"""Picture files: their kinds, their decoding, and the range of their values."""
