"""Probes: experiments on the variants beyond the acceptance rate."""
