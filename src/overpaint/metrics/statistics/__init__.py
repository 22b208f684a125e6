"""Bootstrap intervals and rankings over images."""
