"""The Python interface: explains a model in a notebook, a script or a test; ``overpaint`` offers its names."""
