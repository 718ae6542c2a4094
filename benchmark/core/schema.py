"""YAML files checked against a JSON schema; what is wrong becomes one line that names file and key."""

import difflib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from benchmark.core.resources import shipped
from benchmark.core.types import InputError

SCHEMAS = shipped("workflow/schemas")


def read_yaml(path: Path) -> Any:
    """The content of a YAML file. Raises InputError when it is missing or no YAML."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from error
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from error


def checked(document: Any, schema_name: str, where: str) -> dict[str, Any]:
    """`document` with the schema's top-level defaults. Raises InputError naming `where` and the key."""
    schema = _schema(schema_name)
    errors = sorted(Draft202012Validator(schema).iter_errors(document), key=lambda error: list(error.path))
    if errors:
        raise InputError(f"{where}: {_sentence(errors[0])}")
    properties = schema.get("properties", {})
    defaults = {key: rule["default"] for key, rule in properties.items() if "default" in rule}
    return {**defaults, **document}


def did_you_mean(word: str, known: list[str]) -> str:
    """A hint to append to an error: the closest known word, else all of them."""
    close = difflib.get_close_matches(word, known, n=1)
    return f"Did you mean '{close[0]}'?" if close else f"Known: {', '.join(known)}."


@cache
def _schema(name: str) -> Mapping[str, Any]:
    schema: Mapping[str, Any] = read_yaml(SCHEMAS / f"{name}.schema.yaml")
    return schema


def _sentence(error: ValidationError) -> str:
    place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.path).lstrip(".")
    prefix = f"{place}: " if place else ""
    rule = error.validator
    value: Any = error.validator_value
    instance: Any = error.instance
    if rule == "additionalProperties" and isinstance(error.schema, Mapping) and value is False:
        known = list(error.schema.get("properties", {}))
        unknown = next(key for key in instance if key not in known)
        return f"{prefix}unknown key '{unknown}'. {did_you_mean(str(unknown), known)}"
    if rule == "required":
        missing = next(key for key in value if key not in instance)
        return f"{prefix}the key '{missing}' is missing"
    if rule == "enum":
        hint = did_you_mean(str(instance), [str(known) for known in value])
        return f"{prefix}unknown value '{instance}'. {hint}"
    return f"{prefix}{error.message}"
