"""Lightning modules, losses, recipes and measures of generated samples."""
