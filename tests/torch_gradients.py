"""Operators' gradients beside those that PyTorch finds."""

import numpy as np


def gradients(operator, dY, *inputs):
    """The gradients of the inputs, all of them made; dY is a tuple where there are more outputs."""
    made = operator.grad(dY, operator(*inputs), *inputs)
    made = [part() if callable(part) else part for part in made]
    return [*made, *[None] * (len(inputs) - len(made))][: len(inputs)]


def check_against_torch(operator, inputs, reference, rtol=1e-9, atol=1e-9):
    """Holds an operator's outputs and gradients, of each output by itself and of all, to a function
    of PyTorch's tensors. Inputs that aren't of floating point have no gradient.
    """
    import torch

    leaves = [
        None if x is None else torch.tensor(x, requires_grad=x.dtype.kind == "f") for x in inputs
    ]
    expected = reference(*leaves)
    expected = expected if isinstance(expected, tuple) else (expected,)
    outputs = operator.numpy_all(inputs)
    for y, e in zip(outputs, expected, strict=False):
        np.testing.assert_allclose(y, e.detach().numpy(), rtol, atol)
    rng = np.random.default_rng(0)
    all_of = [rng.standard_normal(e.shape) if e.requires_grad else None for e in expected]
    all_of += [None] * (len(outputs) - len(expected))
    alone = [[d if i == j else None for i, d in enumerate(all_of)] for j in range(len(expected))]
    for dY in [all_of, *(alone if len(expected) > 1 else [])]:
        pairs = [(e, torch.tensor(d)) for e, d in zip(expected, dY, strict=False) if d is not None]
        if not pairs:
            continue
        wanted = [x for x in leaves if x is not None and x.requires_grad]
        ends, given = zip(*pairs, strict=True)
        theirs = iter(
            torch.autograd.grad(ends, wanted, given, retain_graph=True, allow_unused=True)
        )
        ours = gradients(operator, tuple(dY) if len(outputs) > 1 else dY[0], *inputs)
        for x, leaf, found in zip(inputs, leaves, ours, strict=True):
            if leaf is None or not leaf.requires_grad:
                assert found is None
                continue
            wanted_gradient = next(theirs)
            if wanted_gradient is None:
                assert found is None or not found.any()
                continue
            assert (found.dtype, found.shape) == (x.dtype, x.shape)
            np.testing.assert_allclose(found, wanted_gradient.numpy(), rtol, atol)
