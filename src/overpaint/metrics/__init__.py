"""Judges what was made."""
