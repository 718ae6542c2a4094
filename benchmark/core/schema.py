"""YAML files checked against a JSON schema; what is wrong becomes one line that names file and key."""

import difflib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from benchmark.core.resources import shipped
from benchmark.core.types import InputError

SCHEMAS = shipped("workflow/schemas")


class _Loader(yaml.SafeLoader):
    """Refuses a key that a mapping has twice, where YAML libraries keep the last one in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        first: dict[str, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if key.value in first and isinstance(key, yaml.ScalarNode):
                problem = f"the key '{key.value}' stands in line {first[key.value]}, too; keep one of them"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            if isinstance(key, yaml.ScalarNode):
                first[key.value] = line
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> Any:
    """Read a YAML file.

    Raises:
        InputError: it is missing, cannot be read, is not YAML, or has a key twice; the message names the
            line.
    """
    try:
        return yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        problem = " ".join(filter(None, [error.problem, error.context]))
        raise InputError(f"{path}: {place}not valid YAML ({problem})") from error
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from error


def checked(document: Any, schema_name: str, where: str) -> dict[str, Any]:
    """Check the content of a YAML file and add the defaults of its top-level keys.

    Args:
        document: the content.
        schema_name: the name of the schema, such as 'config'.
        where: how to name the file in messages.

    Raises:
        InputError: something is wrong; the message names `where` and the key.
    """
    schema = _schema(schema_name)
    errors = sorted(Draft202012Validator(schema).iter_errors(document), key=lambda error: list(error.path))
    if errors:
        raise InputError(f"{where}: {_sentence(errors[0])}")
    properties = schema.get("properties", {})
    defaults = {key: rule["default"] for key, rule in properties.items() if "default" in rule}
    return {**defaults, **document}


def did_you_mean(word: str, known: list[str]) -> str:
    """Return a hint to append to an error: the closest known word, else all of them."""
    close = difflib.get_close_matches(word, known, n=1)
    return f"Did you mean '{close[0]}'?" if close else f"Known: {', '.join(known)}."


@cache
def _schema(name: str) -> Mapping[str, Any]:
    schema: Mapping[str, Any] = read_yaml(SCHEMAS / f"{name}.schema.yaml")
    return schema


KINDS = {
    "object": "a mapping of keys to values",
    "array": "a list",
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "nothing",
}


def _sentence(error: ValidationError) -> str:
    """Say in plain words what is wrong, after the place in the document."""
    place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.path).lstrip(".")
    rule: Any = error.validator_value
    if error.validator == "additionalProperties" and isinstance(error.schema, Mapping):
        rule = list(error.schema.get("properties", {}))
    say = PROBLEMS.get(str(error.validator))
    return (f"{place}: " if place else "") + (say(error.instance, rule) if say else error.message)


def _unknown_key(given: Any, known: Any) -> str:
    unknown = next(key for key in given if key not in known)
    return f"unknown key '{unknown}'. {did_you_mean(str(unknown), known)}"


def _wrong_kind(given: Any, allowed: Any) -> str:
    kinds = [KINDS[kind] for kind in ([allowed] if isinstance(allowed, str) else allowed)]
    return f"{' or '.join(kinds)} is needed, not {'nothing' if given is None else repr(given)}"


def _too_few(given: Any, least: Any) -> str:
    return f"at least {least} {'entry is' if least == 1 else 'entries are'} needed, not {len(given)}"


def _twice(given: Any, rule: Any) -> str:
    del rule
    return f"'{next(entry for index, entry in enumerate(given) if entry in given[:index])}' is there twice"


# A keyword of JSON schema to the sentence on what breaks it; others get the library's own sentence.
PROBLEMS: Mapping[str, Callable[[Any, Any], str]] = {
    "additionalProperties": _unknown_key,
    "required": lambda given, keys: f"the key '{next(key for key in keys if key not in given)}' is missing",
    "enum": lambda given, known: (
        f"unknown value '{given}'. {did_you_mean(str(given), list(map(str, known)))}"
    ),
    "type": _wrong_kind,
    "minItems": _too_few,
    "minProperties": _too_few,
    "uniqueItems": _twice,
    "minimum": lambda given, least: f"{given} is too small: at least {least} is needed",
    "exclusiveMinimum": lambda given, bound: f"{given} is too small: more than {bound} is needed",
    "maximum": lambda given, most: f"{given} is too large: at most {most} is allowed",
    "pattern": lambda given, pattern: f"'{given}' is not allowed as a name; it must match {pattern}",
}
