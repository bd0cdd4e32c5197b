"""Fixtures over tests/bed.py: one bed a test, keys made once for a run."""

import itertools
import os
import pathlib
import signal
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import bed as bed_module  # noqa: E402
import startup_files  # noqa: E402

startup_files.hide()
# Behind & and nohup they are ignored, and adit obeys that. What is caught here is the default there.
signal.signal(signal.SIGINT, signal.default_int_handler)
for number in (signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, lambda *_: None)
_NUMBER = itertools.count(os.getpid() % 1000 * 10)


@pytest.fixture(scope="session")
def keys(tmp_path_factory):
    shared = os.environ.get("ADIT_TEST_KEYS")  # tools/test makes them once for all its runs
    return bed_module.Keys(shared or tmp_path_factory.mktemp("keys"))


@pytest.fixture
def bed(tmp_path, keys):
    os.chmod(tmp_path, 0o755)
    b = bed_module.Bed(tmp_path, keys)
    yield b
    b.close()


@pytest.fixture
def two_hosts():
    if not bed_module.may_make_hosts():
        pytest.skip("network namespaces need root, and a container that permits them")
    hosts = bed_module.TwoHosts(next(_NUMBER))
    try:
        hosts.up()
        yield hosts
    finally:
        hosts.down()
