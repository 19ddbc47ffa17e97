"""What all tests share: kernels compile once, and the user's own cache stays as it is."""

import os

import hypothesis
import pytest

hypothesis.settings.register_profile("ci", derandomize=True)  # the same examples each time
if os.environ.get("CI"):
    hypothesis.settings.load_profile("ci")


@pytest.fixture(autouse=True, scope="session")
def cache_folder(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SUANZI_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield
