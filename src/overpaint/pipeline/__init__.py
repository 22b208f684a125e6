"""The runner, its cache, the writer and the Lightning module that hosts an explanation."""
