"""Whatever a request holds, the answer is one of the user's errors, never a mistake of ours."""

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

WORDS = st.sampled_from(
    [
        "Input3",
        "ReLU32_Output_0",
        "Plus214_Output_0",
        "r1",
        "random",
        "image",
        "text",
        "1",
        "",
        "d1",
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)
FIELDS = (
    "dims", "shapes", "feeds", "value", "box", "run", "nodes", "inputs", "outputs", "spec", "input",
    "labels",
)  # fmt: skip
REQUESTS = st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=5)
KINDS = st.sampled_from(["random", "constant", "text", "sample", "image", "wav", "array"])
SETTINGS = (
    "seed", "low", "high", "value", "text", "name", "file", "mean", "std", "scale", "rate", "start",
    "key", "layout",
)  # fmt: skip
FEEDS = st.fixed_dictionaries({"kind": KINDS}, optional=dict.fromkeys(SETTINGS, VALUES))
ANY = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@ANY
@given(path=st.sampled_from(["sizes", "plan", "preview", "receptive", "extract"]), request=REQUESTS)
def test_requests(page, digits, path, request):
    answer = page.client.post(f"/api/documents/{digits}/{path}", content=json.dumps(request))
    assert answer.status_code in (200, 400, 404, 413), answer.content[:500]


@ANY
@given(feed=FEEDS)
def test_feeds(page, digits, feed):
    request = {"spec": {"feeds": {"Input3": feed}}, "input": "Input3"}
    answer = page.client.post(f"/api/documents/{digits}/preview", content=json.dumps(request))
    assert answer.status_code in (200, 400, 404, 413), answer.content[:500]


@ANY
@given(
    what=st.sampled_from(["info", "statistics", "data", "text", "file"]),
    params=st.dictionaries(
        st.sampled_from(["value", "run", "graph", "index", "axis", "bins", "as"]),
        WORDS | st.text(max_size=6),
    ),
)
def test_tensors(page, digits, what, params):
    answer = page.client.get(f"/api/documents/{digits}/tensor/{what}", params=params)
    assert answer.status_code in (200, 400, 404, 413), answer.content[:500]
