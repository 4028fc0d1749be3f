"""Settings come from the environment, and mistakes in it are errors."""

from pathlib import Path

import pytest

from services.chassis.config import Settings, UnknownSettingError


def test_defaults_need_no_environment() -> None:
    settings = Settings.from_environ({})
    assert settings.host == "auto"
    assert settings.home.is_absolute()


def test_values_are_typed() -> None:
    settings = Settings.from_environ(
        {"AVIARY_GRPC_PORT": "81", "AVIARY_REFLECTION": "false", "AVIARY_HOME": "/x", "PATH": "y"}
    )
    assert (settings.grpc_port, settings.reflection, settings.home) == (81, False, Path("/x"))


@pytest.mark.parametrize(
    "environ", [{"AVIARY_GRPC_PROT": "1"}, {"AVIARY_GRPC_PORT": "x"}, {"AVIARY_REFLECTION": "2"}]
)
def test_mistakes_are_refused(environ: dict[str, str]) -> None:
    with pytest.raises(UnknownSettingError, match=next(iter(environ))):
        Settings.from_environ(environ)


def test_child_reads_what_the_parent_had() -> None:
    settings = Settings(home=Path("/x"), grpc_port=5, reflection=False, drain_seconds=0.5)
    assert Settings.from_environ(settings.to_environ()) == settings


def test_every_setting_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "settings.md").read_text()
    for name in Settings().to_environ() | {f"AVIARY_{n.upper()}": "" for n in Settings.__slots__}:
        assert f"`{name}`" in page, name
