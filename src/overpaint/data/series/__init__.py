"""Data sets of time series: bundled ones, and files of series."""
