"""Graphs of operators: the first of the two representations."""

from suanzi.graph.graph import Graph, Node

__all__ = ["Graph", "Node"]
