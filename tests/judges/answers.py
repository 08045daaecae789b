"""Answers of a service against its OpenAPI document, by jsonschema. Reads {"document", "answers":
[{"method", "path", "status", "kind", "body"}]}; prints what is wrong with which."""
import json
import sys

from jsonschema import Draft202012Validator

asked = json.load(sys.stdin)
document = asked["document"]
wrong = []
for answer in asked["answers"]:
    told = document["paths"][answer["path"]][answer["method"]]["responses"]
    status = str(answer["status"])
    response = told.get(status) or told.get(status[0] + "XX")
    name = f"{answer['method']} {answer['path']} {status}"
    if response is None:
        wrong.append(f"{name}: this status is not told")
        continue
    kind = answer["kind"].split(";")[0]
    content = response.get("content", {})
    if kind not in content:
        wrong.append(f"{name}: {kind or 'no body'} is not told")
        continue
    if kind != "application/json":
        continue
    schema = {"$ref": "#/schema", "schema": content[kind]["schema"], "components": document["components"]}
    for error in Draft202012Validator(schema).iter_errors(json.loads(answer["body"])):
        wrong.append(f"{name}: {error.message}")
print(json.dumps(wrong))
