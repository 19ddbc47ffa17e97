"""The operator atlas: what every operator is, to read and to see."""

from suanzi.atlas.figures import figure

__all__ = ["figure"]
