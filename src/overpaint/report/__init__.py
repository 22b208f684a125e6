"""The report: files, figures, the page, W&B."""
