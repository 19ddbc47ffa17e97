"""The constants of programs, in the forms in which kernels read them."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from suanzi.graph import Graph, Node
from suanzi.kernels._kernel import Packed
from suanzi.operators._operator import Array

Packing = tuple[Callable[..., Array], tuple[Array, ...]]


class Packings:
    """Constants in the forms that kernels read, each made once for all programs of a session."""

    def __init__(self) -> None:
        self._made: dict[object, tuple[Array, Packing]] = {}

    def make(self, wanted: Iterable[Packing]) -> None:
        """Makes those that aren't there yet, on all cores."""
        new = {key: packing for packing in wanted if (key := _key(packing)) not in self._made}
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for key, array in zip(new, pool.map(_pack, new.values()), strict=True):
                self._made[key] = (array, new[key])  # the sources stay, so that their ids do

    def __getitem__(self, packing: Packing) -> Array:
        return self._made[_key(packing)][0]


def _key(packing: Packing) -> object:
    return (packing[0], tuple(id(source) for source in packing[1]))


def _pack(packing: Packing) -> Array:
    return np.ascontiguousarray(packing[0](*packing[1]))


class Constants:
    """The constants that a program reads: the model's own, and packings, each made once."""

    def __init__(self, graph: Graph, packings: Packings) -> None:
        self.graph, self.packings = graph, packings
        self.arrays: dict[str, Array] = {}

    def keep(self, name: str) -> str:
        self.arrays[name] = np.require(self.graph.constants[name], requirements=("C", "A"))
        return name

    def packing(self, packed: Packed, node: Node) -> Packing:
        return packed.pack, tuple(self.graph.constants[node.inputs[i]] for i in packed.sources)

    def keep_packed(self, packed: Packed, node: Node) -> str:
        array = self.packings[self.packing(packed, node)]
        name = f"\0packed {id(array)}"
        self.arrays[name] = array
        return name
