"""Where the peers meet: two hosts and a wire, or loopback where that is not permitted."""

import pytest

import bed
from peers import Place


@pytest.fixture
def place(request):
    if bed.may_make_hosts():
        return Place(request.getfixturevalue("two_hosts"))
    return Place()
