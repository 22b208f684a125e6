"""What the entry points do; the only users of the configuration."""
