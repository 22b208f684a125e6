"""Metrics of saliency maps and of variants."""
