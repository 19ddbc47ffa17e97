"""Containers, held to PyTorch's: one script run on both."""

from collections import OrderedDict

from nn_support import fails, linear, same


def layers(T, count=3):
    return [linear(T, 2, 2, seed) for seed in range(count)]


@same
def test_sequential(T):
    S = T.nn.Sequential
    a, b, c = layers(T)
    s = S(a, b, c)
    named = S(OrderedDict([("one", a), ("two", b)]))
    told = [repr(s), repr(named), repr(S()), s(T.ones(1, 2)), len(s), s[-1] is c, s[1:][0] is b]
    told += [list(named[1:].state_dict()), list(s[::2].state_dict()), named.two is b]
    s.append(a).extend([b, c]).insert(0, c)
    s.insert(-1, a)
    told.append([x is c for x in s])
    told.append(s.pop(0) is c)
    del s[0]
    del s[1:3]
    told += [list(s.state_dict()), [x is c for x in s]]
    s[0] = a
    s[-1] = b
    joined = S(a) + S(b, c)
    joined += S(a)
    doubled = 2 * S(a, b)
    doubled *= 2
    told += [len(joined), joined[3] is a, len(doubled), doubled[5] is b, len(S(a) * 3)]
    return [
        *told, fails(lambda: s[99]), fails(lambda: S(a) + 1), fails(lambda: S(a) * 0),
        fails(lambda: S(a) * 1.5), fails(s.insert, 99, a), fails(s.append, 3), "0" in dir(s),
        fails(s.insert, 0, 3), fails(S, 3), fails(lambda: s["x"]),
    ]  # fmt: skip


@same
def test_module_list(T):
    L = T.nn.ModuleList
    a, b, c = layers(T)
    m = L([a, b])
    m.append(c).extend(iter([a]))
    m += [b]
    m.insert(1, c)
    told = [len(m), m[-1] is b, len(m[1:3]), len(m + L([a])), [x is c for x in m]]
    m[0] = c
    told += [m.pop(0) is c, list(m.state_dict())]
    del m[0]
    del m[-2:]
    told += [list(m.state_dict()), repr(m), repr(L([a, a, b, linear(T)])), repr(L())]
    return [
        *told, fails(lambda: m[9]), fails(m.append, 3), fails(m.extend, 3), fails(m, T.ones(1)),
    ]  # fmt: skip


@same
def test_module_dict(T):
    D = T.nn.ModuleDict
    a, b, c = layers(T)
    m = D({"x": a, "y": b})
    m.update([("z", c), ["x", b]])
    m["w"] = a
    told = [list(m), len(m), "x" in m, m["x"] is b, list(m.keys()), list(m.state_dict()), repr(m)]
    told += [[k for k, _ in m.items()], len(list(m.values())), m.pop("x") is b, list(m)]
    m.update(D({"q": a}))
    m.update(OrderedDict(r=a))
    del m["y"]
    told.append(list(m))
    told += [fails(lambda: m["no"]), fails(m.pop, "no"), fails(m.update, 3), fails(D, {"k": 3})]
    told += [fails(D, {"a.b": a}), fails(D, {"pop": a}), fails(D, [("x",)])]
    m.clear()
    return [*told, len(m)]


@same
def test_parameter_list(T):
    P, L = T.nn.Parameter, T.nn.ParameterList
    m = L([P(T.ones(2)), T.zeros(3, 4)])
    m.append(P(T.ones(1))).extend([T.ones(1), "text"])
    m += [3]
    m[0] = T.ones(5)
    told = [repr(m), len(m), list(m.state_dict()), type(m[1]).__name__, m[-2:][0], m[4]]
    told.append([type(x).__name__ for x in m])
    return [*told, fails(lambda: m[7]), fails(m), fails(m.extend, T.ones(2)), fails(m.extend, 3)]


@same
def test_parameter_dict(T):
    P, D = T.nn.Parameter, T.nn.ParameterDict
    m = D({"b": P(T.ones(2)), "a": T.zeros(3)})
    m.update(OrderedDict(z=T.ones(1), c="text"))
    m.update([("k", P(T.ones(4)))])
    m.update(D({"d": T.ones(1)}))
    told = [list(m), list(reversed(m)), list(m.state_dict()), "a" in m, m["a"], len(m)]
    told.append(re_named(repr(m)))
    told += [m.get("no", 3), m.get("z"), m.setdefault("s", T.ones(2)), m.pop("s"), "s" in m]
    told.append(m.popitem())
    told += [list(m.copy()), list(m | D({"o": T.ones(1)})), list(D({"o": T.ones(1)}) | m)]
    m |= D({"i": T.ones(1)})
    del m["a"]
    told += [list(m), [k for k, _ in m.items()], len(list(m.values())), list(m.keys())]
    told += [list(m.fromkeys(["p", "q"], T.ones(1)))]
    told += [fails(lambda: m["no"]), fails(m), fails(m.update, 3), fails(D, {3: T.ones(1)})]
    m.clear()
    return [*told, len(m), fails(m.popitem)]


def re_named(text):
    """PyTorch tells the type of the elements by an older name here."""
    return text.replace("torch.FloatTensor", "float32").replace("suanzi.float32", "float32")
