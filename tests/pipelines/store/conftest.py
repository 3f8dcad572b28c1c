from collections.abc import Iterator
from pathlib import Path

import pytest
from keeping import fast_folder


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder in memory where there is one."""
    with fast_folder() as folder:
        yield folder
