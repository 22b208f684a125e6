"""Types, protocols, errors, names, files, resizing and random streams; no logic of a method."""
