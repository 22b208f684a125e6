"""Settings: reading, checking, and the objects that they describe; the only package that knows OmegaConf."""
