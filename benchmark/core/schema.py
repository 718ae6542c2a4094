"""YAML files checked against a JSON schema; what is wrong becomes one line that names file and key."""

import difflib
import math
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from jsonschema import Draft202012Validator, FormatChecker, TypeChecker
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend
from yaml.composer import Composer

from benchmark.core.errors import InputError
from benchmark.core.files import read_text
from benchmark.core.names import ADVICE, is_safe, shortened
from benchmark.core.resources import shipped

SCHEMAS = shipped("workflow/schemas")
MOST_ENTRIES = 100_000  # of one file, with all aliases written out

Entry = TypeVar("Entry")


class _Loader(Composer, yaml.CSafeLoader):
    """Refuses a key that a mapping has twice, and aliases that make a file huge or endless.

    YAML libraries keep the last of two keys in silence, and read aliases without counting. The C parser is
    ten times faster than Python's, but it would also compose the nodes, and a file nested deeply enough would
    end the process. So it gives events alone, and Python composes: its RecursionError can be caught.
    """

    def __init__(self, text: str) -> None:
        yaml.CSafeLoader.__init__(self, text)
        Composer.__init__(self)

    def get_single_node(self) -> yaml.Node | None:
        node = super().get_single_node()
        if node is not None and self._entries(node, {}) > MOST_ENTRIES:
            problem = (
                f"its aliases (*name) stand for more than {MOST_ENTRIES} entries; write out what is meant"
            )
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        return node

    def _entries(self, node: yaml.Node, counts: dict[int, float]) -> float:
        """Count the entries of a node, those behind an alias each time; infinite where it contains itself."""
        if id(node) not in counts:
            counts[id(node)] = math.inf  # until it is known: who comes back here goes round in a circle
            parts = node.value if isinstance(node, yaml.CollectionNode) else []
            below = [part for entry in parts for part in (entry if isinstance(entry, tuple) else (entry,))]
            counts[id(node)] = 1 + sum(self._entries(part, counts) for part in below)
        return counts[id(node)]

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        first: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            line = key.start_mark.line + 1
            if key.value in first:
                problem = f"the key '{key.value}' stands in line {first[key.value]}, too; keep one of them"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            first[key.value] = line
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> Any:
    """Read a YAML file.

    Raises:
        InputError: it is missing, cannot be read, is not YAML, or has a key twice; the message names the
            line.
    """
    return parse_yaml(read_text(path), str(path))


def parse_yaml(text: str, where: str) -> Any:
    """Read a YAML text. Raises InputError, which begins with `where`, as `read_yaml` does."""
    try:
        return yaml.load(text, _Loader)
    except RecursionError as error:
        raise InputError(
            f"{where}: its lists and mappings are nested too deeply; write fewer levels"
        ) from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date or a number that cannot be
        raise InputError(f"{where}: {_sentence_on_yaml(_in_python(text) or error)}") from error


def _in_python(text: str) -> yaml.YAMLError | None:
    """Return what Python's parser finds wrong with a text: it names the place better than the C parser."""
    try:
        for _ in yaml.parse(text, yaml.SafeLoader):
            pass
    except yaml.YAMLError as error:
        return error
    return None


def _sentence_on_yaml(error: Exception) -> str:
    if not isinstance(error, yaml.MarkedYAMLError):
        return f"not valid YAML ({' '.join(str(error).split())})"
    mark = error.problem_mark or error.context_mark
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    problem = " ".join(" ".join(filter(None, [error.problem, error.context])).split())
    return f"{place}not valid YAML ({problem})"


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
    if place := _key_that_is_no_text(document):
        raise InputError(f"{where}: {place}: a key must be a text; put quotes around it")
    errors = sorted(_Validator(schema, format_checker=_FORMATS).iter_errors(document), key=_path_of)
    if errors:
        raise InputError(f"{where}: {_sentence(errors[0])}")
    properties = schema.get("properties", {})
    defaults = {key: rule["default"] for key, rule in properties.items() if "default" in rule}
    return {**defaults, **document}


def look_up(known: Mapping[str, Entry], name: str, what: str) -> Entry:
    """Return the entry called `name`. Raises InputError, with the closest name, when there is none.

    Args:
        known: Name to entry.
        name: As the user gave it.
        what: What the entries are, such as 'table'.
    """
    if name not in known:
        raise InputError(f"unknown {what} '{name}'. {did_you_mean(name, list(known))}")
    return known[name]


def did_you_mean(word: str, known: list[str]) -> str:
    """Return a hint to append to an error: the closest known word, else all of them."""
    close = difflib.get_close_matches(word, known, n=1)
    return f"Did you mean '{close[0]}'?" if close else f"Known: {', '.join(known)}."


def _key_that_is_no_text(document: Any) -> str:
    """Return the path of the first key that is a number, a date or the like; empty where all are texts."""
    if isinstance(document, dict):
        for key, value in document.items():
            if not isinstance(key, str):
                return repr(key)
            if below := _key_that_is_no_text(value):
                return f"{key}.{below}"
    if isinstance(document, list):
        return next(filter(None, map(_key_that_is_no_text, document)), "")
    return ""


def _is_whole(checker: TypeChecker, value: Any) -> bool:
    """Tell whether a value is a whole number: not 1e308, which JSON schema counts among them."""
    del checker
    return isinstance(value, int) and not isinstance(value, bool)


_Validator = extend(
    Draft202012Validator, type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_whole)
)
_FORMATS = FormatChecker(())
_FORMATS.checks("name")(lambda given: not isinstance(given, str) or is_safe(given))


def _path_of(error: ValidationError) -> list[str]:
    return [str(step) for step in error.path]


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
    sentence = say(error.instance, rule) if say else ""
    return (f"{place}: " if place else "") + (sentence or error.message)


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


def _wrong_keys(given: Any, alternatives: Any) -> str:
    """Say which of alternative keys are missing or too many; nothing where the alternatives are no keys."""
    if not isinstance(given, Mapping) or any(
        set(alternative) != {"required"} for alternative in alternatives
    ):
        return ""
    needed = [" and ".join(f"'{key}'" for key in alternative["required"]) for alternative in alternatives]
    present = [
        keys
        for keys, alternative in zip(needed, alternatives, strict=True)
        if all(key in given for key in alternative["required"])
    ]
    if present:
        return f"{' and '.join(present)} cannot go together; keep one"
    return f"one of the keys {', '.join(needed)} is needed"


# A keyword of JSON schema to the sentence on what breaks it. Others, and those whose sentence is empty, get
# that of the library.
PROBLEMS: Mapping[str, Callable[[Any, Any], str]] = {
    "additionalProperties": _unknown_key,
    "required": lambda given, keys: f"the key '{next(key for key in keys if key not in given)}' is missing",
    "enum": lambda given, known: (
        f"unknown value '{given}'. {did_you_mean(str(given), list(map(str, known)))}"
    ),
    "type": _wrong_kind,
    "anyOf": _wrong_keys,
    "oneOf": _wrong_keys,
    "minItems": _too_few,
    "minProperties": _too_few,
    "uniqueItems": _twice,
    "minimum": lambda given, least: f"{given} is too small: at least {least} is needed",
    "exclusiveMinimum": lambda given, bound: f"{given} is too small: more than {bound} is needed",
    "maximum": lambda given, most: f"{given} is too large: at most {most} is allowed",
    "pattern": lambda given, pattern: f"{shortened(given)} is not allowed; it must match {pattern}",
    "format": lambda given, rule: f"{shortened(given)} is not allowed as a {rule}; {ADVICE}",
}
