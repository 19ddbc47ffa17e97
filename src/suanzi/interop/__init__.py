"""Doors to other libraries' interfaces; each module imports its library alone."""
