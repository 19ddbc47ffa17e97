import pytest

from zoo_support import serving


@pytest.fixture
def server(tmp_path):
    with serving(tmp_path) as found:
        yield found
