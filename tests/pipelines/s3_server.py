"""An object store on loopback that speaks S3, and buckets of it for tests."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

_NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """The address of the server, which knows no one and lets in everyone."""
    server = pytest.importorskip(
        "moto.server", reason="an object store to test against is not installed: pip install 'callfolio[dev]'"
    ).ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    pytest.importorskip("s3fs", reason="s3fs is not installed: pip install 'callfolio[inbox]'")
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def s3_files(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Somebody else at that address, by s3fs. Whatever speaks S3 in the test finds it by the environment,
    as it finds the store of a site."""
    import s3fs

    for name, value in {
        "AWS_ENDPOINT_URL": s3_endpoint,
        "AWS_ACCESS_KEY_ID": "night",
        "AWS_SECRET_ACCESS_KEY": "s3cr:t",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    return s3fs.S3FileSystem(skip_instance_cache=True, use_listings_cache=False)


@pytest.fixture
def s3_bucket(s3_files: Any) -> str:
    """The name of an empty bucket."""
    name = f"bucket-{next(_NUMBERS)}"
    s3_files.call_s3(
        "create_bucket", Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    return name
