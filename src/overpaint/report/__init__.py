"""Everything that is written: files, figures, the page, W&B."""
