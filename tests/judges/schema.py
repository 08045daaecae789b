"""Validates TOML files by JSON Schema, by the Python package jsonschema.

Reads {"schemas": {name: schema}, "cases": [[name, file], ...]} and writes a list of errors for each
case, empty where the file is valid.
"""

import datetime
import json
import sys
import tomllib

from jsonschema import Draft7Validator


def plain(value):
    """TOML has dates, JSON has none: they count as the texts they are written as."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    return value


asked = json.load(sys.stdin)
validators = {}
for name, schema in asked["schemas"].items():
    Draft7Validator.check_schema(schema)
    validators[name] = Draft7Validator(schema)
told = []
for name, file in asked["cases"]:
    with open(file, "rb") as opened:
        tree = plain(tomllib.load(opened))
    told.append([f"{error.json_path}: {error.message}" for error in validators[name].iter_errors(tree)])
json.dump(told, sys.stdout)
