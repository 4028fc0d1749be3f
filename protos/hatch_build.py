"""The wheel's build hook: the stubs and the descriptor set are made where the wheel is."""

import importlib.util
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class StubsHook(BuildHookInterface):  # type: ignore[type-arg]
    """Runs `protos/generate.py` before anything is packed."""

    PLUGIN_NAME = "custom"

    def initialize(self, _version: str, _build_data: dict[str, Any]) -> None:
        """Make `aviary/` in the source tree."""
        path = Path(self.root) / "protos" / "generate.py"
        spec = importlib.util.spec_from_file_location("generate", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        module.generate(Path(self.root))
