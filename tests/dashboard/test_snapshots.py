"""Snapshots of the board at three sizes. `pytest --snapshot-update` updates them."""

from contextlib import closing
from functools import partial

import pytest

from tests.support.virtual_time import VirtualLoop
from tui.dashboard.app import Babeltop

SIZES = [(80, 24), (120, 40), (200, 60)]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_board_matches_its_snapshot(app: Babeltop, snap_compare, size, monkeypatch: pytest.MonkeyPatch):
    with closing(VirtualLoop()) as loop:
        monkeypatch.setattr(app, "run", partial(app.run, loop=loop))
        assert snap_compare(app, terminal_size=size, press=["s", "g", "enter", *["j"] * 9])
