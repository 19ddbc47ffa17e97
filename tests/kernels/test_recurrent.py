from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from kernel_support import RUNNABLE, make_site, run_site
from suanzi.compiler import Compiler
from suanzi.graph import Graph, Node
from suanzi.graph.infer import infer
from suanzi.kernels.recurrent import choose
from suanzi.operators._operator import TensorType
from suanzi.operators.recurrent import GRU, LSTM, RNN

CELLS = {
    "RNN": RNN(hidden_size=1),
    "LSTM": LSTM(hidden_size=1),
    "GRU": GRU(hidden_size=1),
    "GRU linear": GRU(hidden_size=1, linear_before_reset=1),
}


def data(operator, T, N, I, H, bias=True, initial=False):  # noqa: E741
    """The operator with H units, and its inputs: X, W, R, B, no lengths, the initial states."""
    rng = np.random.default_rng(T + N + I + H)
    operator = replace(operator, hidden_size=H)
    D, G = operator.directions, operator.gates * H
    state = (N, D, H) if operator.layout else (D, N, H)
    shapes = [(N, T, I) if operator.layout else (T, N, I), (D, G, I), (D, G, H), (D, 2 * G)]
    arrays = [rng.standard_normal(shape, dtype=np.float32) / 2 for shape in shapes]
    states = [
        rng.standard_normal(state, dtype=np.float32)
        for _ in range(2 if isinstance(operator, LSTM) else 1)
    ]
    return operator, [*arrays[:3], arrays[3] if bias else None, None, *(states if initial else ())]


def check(operator, inputs, skipped=(), target=RUNNABLE[0], threads=1, arrive=False):
    constants = [] if arrive else [i for i in (1, 2, 3) if inputs[i] is not None]
    site = make_site(operator, inputs, constants=constants, target=target, threads=threads)
    outputs = tuple(o for i, o in enumerate(site.outputs) if i not in skipped)
    site = replace(site, outputs=outputs, skipped=tuple(skipped))
    got = run_site(choose, site, inputs)
    assert got is not None
    wide = [None if x is None else x.astype(np.float64) for x in inputs]
    expected = [y for i, y in enumerate(operator.numpy_all(wide)) if i not in skipped]
    for mine, right in zip(got, expected, strict=True):
        np.testing.assert_allclose(mine, right, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("target", RUNNABLE, ids=lambda t: t.name)
@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_and_target(cell, target):
    both = replace(CELLS[cell], direction="bidirectional")
    for arrive in (False, True):
        given = data(both, 5, 3, 7, target.lanes + 3, initial=True)
        check(*given, target=target, arrive=arrive)


@settings(max_examples=20, deadline=None)
@given(
    cell=st.sampled_from(sorted(CELLS)),
    direction=st.sampled_from(("forward", "reverse", "bidirectional")),
    layout=st.sampled_from((0, 1)),
    sizes=st.tuples(st.integers(1, 9), st.integers(1, 14), st.integers(1, 20), st.integers(1, 40)),
    bias=st.booleans(),
    initial=st.booleans(),
    threads=st.sampled_from((1, 2)),
    arrive=st.booleans(),
)
def test_any_layer(cell, direction, layout, sizes, bias, initial, threads, arrive):
    operator = replace(CELLS[cell], direction=direction, layout=layout)
    check(*data(operator, *sizes, bias, initial), threads=threads, arrive=arrive)


@pytest.mark.parametrize("skipped", [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2)])
def test_outputs_that_nobody_wants(skipped):
    check(*data(LSTM(hidden_size=1), 4, 2, 3, 17), skipped=skipped)


def test_only_the_cell_state_is_given():
    operator, inputs = data(LSTM(hidden_size=1), 3, 2, 4, 5, initial=True)
    inputs[5] = None
    check(operator, inputs)


def test_other_activations():
    gru = GRU(hidden_size=1, activations=("HardSigmoid", "LeakyRelu"), activation_alpha=(0.3, 0.1))
    check(*data(gru, 4, 2, 3, 5))
    check(*data(RNN(hidden_size=1, activations=("Relu",)), 4, 2, 3, 5))


def test_long_sequences_keep_their_precision():
    check(*data(LSTM(hidden_size=1), 300, 1, 8, 32))


P = np.ones((1, 9), np.float32)
lens = np.array([2, 4], np.int32)


@pytest.mark.parametrize(
    ("operator", "more"),
    [
        (LSTM(clip=1.0), {}),
        (LSTM(input_forget=1), {}),
        (LSTM(), {4: lens}),
        (LSTM(), {5: None, 6: None, 7: P}),
        (RNN(activations=("Affine",)), {}),
        (RNN(direction="bidirectional", activations=("Relu", "Tanh")), {}),
    ],
)
def test_what_is_left_to_numpy(operator, more):
    operator, inputs = data(operator, 4, 2, 3, 3)
    inputs += [None] * (max(more, default=0) + 1 - len(inputs))
    for place, value in more.items():
        inputs[place] = value
    site = make_site(operator, inputs, constants=(1, 2, 3))
    assert choose(site) is None


@pytest.mark.parametrize("constants", [(1, 3), (2,), (1,)])
def test_some_weights_arrive(constants):
    operator, inputs = data(LSTM(), 4, 2, 3, 3)
    site = make_site(operator, inputs, constants=constants)
    got, expected = run_site(choose, site, inputs), operator.numpy(*inputs)
    for mine, right in zip(got, expected, strict=True):
        np.testing.assert_allclose(mine, right, rtol=1e-5, atol=1e-5)


def test_a_model_that_wants_the_last_cell_state_alone():
    operator, inputs = data(LSTM(), 4, 2, 3, 5)
    names = ("X", "W", "R", "B")
    node = Node(operator, names, ("", "", "Y_c"))
    X, *weights = inputs[:4]
    constants = dict(zip(names[1:], weights, strict=True))
    types = {name: TensorType.of(x) for name, x in zip(names, inputs, strict=False)}
    graph = infer(Graph(("X",), ("Y_c",), (node,), constants, types))
    program = Compiler(RUNNABLE[0], threads=1).compile(graph)
    assert program.native_steps == len(program.steps)
    right = operator.numpy_all(inputs)[2]
    np.testing.assert_allclose(program.run({"X": X})["Y_c"], right, rtol=1e-5, atol=1e-6)
