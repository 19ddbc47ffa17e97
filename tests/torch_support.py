"""PyTorch's own databases of modules and functions, run on Suanzi beside PyTorch."""

import dataclasses

import numpy as np

import suanzi

DTYPES = ("float16", "bfloat16", "float32", "float64", "int8", "uint8", "int16", "int32", "int64")


def ours(value, known=None):
    """PyTorch's tensors, types and functions as Suanzi's, in nested lists and dictionaries too;
    what is one tensor there is one here. `known`: those made already, by id."""
    import torch

    known = {} if known is None else known

    def again(inner):
        return ours(inner, known)

    if isinstance(value, torch.Tensor):
        if id(value) not in known:
            made = suanzi.tensor(value.detach().numpy().copy())
            known[id(value)] = made.requires_grad_() if value.requires_grad else made
        return known[id(value)]
    if isinstance(value, torch.dtype):
        return getattr(suanzi, str(value).removeprefix("torch."))
    if isinstance(value, torch.device):
        return suanzi.device("cpu")
    if isinstance(value, torch.nn.utils.rnn.PackedSequence):
        return suanzi.nn.utils.rnn.PackedSequence(*map(again, value))
    if isinstance(value, dict):
        return {k: again(v) for k, v in value.items()}
    if isinstance(value, torch.Size):
        return suanzi.Size(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(again, value))
    if isinstance(value, list | tuple):
        return type(value)(map(again, value))
    if dataclasses.is_dataclass(value):
        made = {f.name: again(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return getattr(suanzi.nn, type(value).__name__)(**made)
    if isinstance(value, torch.nn.TransformerEncoderLayer):
        attention, norm = value.self_attn, value.norm1
        return suanzi.nn.TransformerEncoderLayer(
            attention.embed_dim,
            attention.num_heads,
            value.linear1.out_features,
            value.dropout.p,
            again(value.activation),
            norm.eps,
            attention.batch_first,
            value.norm_first,
            value.linear1.bias is not None,
        )
    if isinstance(value, torch.nn.PairwiseDistance):
        return suanzi.nn.PairwiseDistance(value.norm, value.eps, value.keepdim)
    if callable(value) and getattr(value, "__module__", "").startswith("torch"):
        found = getattr(suanzi.nn.functional, value.__name__, None)
        return found or getattr(suanzi, value.__name__)
    return value


def tensors(value):
    """The tensors of either library in nested tuples, lists and dictionaries, in order."""
    if hasattr(value, "requires_grad"):
        return [value]
    if isinstance(value, dict):
        return [t for v in value.values() for t in tensors(v)]
    if isinstance(value, list | tuple):
        return [t for v in value for t in tensors(v)]
    return []


def replaced(value, new):
    """The value with its tensors replaced by those that `new` gives for their ids."""
    if hasattr(value, "requires_grad"):
        return new.get(id(value), value)
    if isinstance(value, dict):
        return {k: replaced(v, new) for k, v in value.items()}
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return type(value)(replaced(v, new) for v in value)
    return value


def keep_gradients(value):
    """Makes PyTorch's tensors keep their gradients, those that were computed from others too."""
    for t in tensors(value):
        if t.requires_grad:
            t.retain_grad()


def array(t):
    return t.detach().numpy()


def close(found, expected, tolerance, what):
    """That two tensors have the same type, shape, and elements up to the tolerance."""
    a, b = array(found), array(expected)
    assert a.shape == b.shape, f"{what}: shape {a.shape}, expected {b.shape}"
    assert a.dtype == b.dtype, f"{what}: {a.dtype}, expected {b.dtype}"
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg=what)


def backward(outputs, weights):
    """Gradients of the weighted sum of the floating-point outputs."""
    total = None
    for y, w in zip(outputs, weights, strict=True):
        part = (y * w).sum()
        total = part if total is None else total + part
    total.backward()


def compare(mine, theirs, parameters, forward_tolerance=1e-4, gradient_tolerance=2e-3):
    """Outputs, then gradients of the pairs of tensors `parameters`, each with its name."""
    import torch

    made, expected = tensors(mine), tensors(theirs)
    assert len(made) == len(expected)
    for i, (a, b) in enumerate(zip(made, expected, strict=True)):
        close(a, b, forward_tolerance, f"output {i}")
    pairs = [
        (a, b)
        for a, b in zip(made, expected, strict=True)
        if b.requires_grad and b.is_floating_point()
    ]
    if not pairs:
        return
    assert all(a.requires_grad for a, _ in pairs), "an output has no gradient"
    generator = torch.Generator().manual_seed(0)
    weights = [torch.rand(b.shape, generator=generator, dtype=b.dtype) + 0.5 for _, b in pairs]
    backward([b for _, b in pairs], weights)
    backward([a for a, _ in pairs], [suanzi.tensor(w.numpy()) for w in weights])
    for name, a, b in parameters:
        if b.grad is None:
            assert a.grad is None or not array(a.grad).any(), f"{name} has a gradient"
        else:
            assert a.grad is not None, f"{name} has no gradient"
            close(a.grad, b.grad, gradient_tolerance, f"the gradient of {name}")
