"""The inspecting process: what it is given, and that it ends in time (promise 25)."""

from pathlib import Path

import psutil
import pytest
from PIL import Image

from services.tweet.errors import MediaBrokenError
from services.tweet.media.domain_formats import PNG
from services.tweet.media.inspecting import Inspector

from . import samples


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An upload that takes seconds to inspect."""
    (tmp_path / "body").write_bytes(samples.saved(Image.new("RGBA", (5_000, 5_000)), "PNG"))
    return tmp_path


async def test_it_is_killed_when_it_takes_too_long(folder: Path) -> None:
    with pytest.raises(MediaBrokenError, match="more time or memory"):
        await Inspector(1, wall_seconds=0.05).inspect(PNG, folder)
    ours = psutil.Process().children(recursive=True)
    assert not [child for child in ours if str(folder) in child.cmdline()]


async def test_a_crash_is_a_broken_medium(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.tweet.media.inspecting.MODULE", "no.such.module")
    with pytest.raises(MediaBrokenError):
        await Inspector(1).inspect(PNG, folder)


async def test_it_knows_no_settings(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No DSN, no key, no credential: only where Python finds its modules."""
    monkeypatch.setenv("AVIARY_TWEET_DSN", "postgresql://user:secret@host")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    told = "tests.tweet.telling_environment"
    monkeypatch.setattr("services.tweet.media.inspecting.MODULE", told)
    with pytest.raises(MediaBrokenError) as caught:
        await Inspector(1).inspect(PNG, folder)
    given = set(caught.value.metadata["problem"].split())
    assert {"PATH", "PYTHONPATH"} <= given <= {"PATH", "PYTHONPATH", "LC_CTYPE"}
