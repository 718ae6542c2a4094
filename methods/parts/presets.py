"""Presets: settings that go together under a name, from which `<method>@<name>` in a config starts."""

from collections.abc import Mapping
from typing import Any

from methods.parts.ending import IF_UNIFORM

Preset = Mapping[str, Any]  # settings by their keys

# Ours: a small image network and a short run. docs/performance.md has what they cost and give.
QUICK: Preset = {"channels": 32, "iterations": 600}
# The same for methods that estimate kernels: the short run finds the kernel, a last step makes the image.
QUICK_BLIND: Preset = {**QUICK, "finish": IF_UNIFORM}
