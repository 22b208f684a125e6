"""Questions about the variants beyond whether they are accepted."""
