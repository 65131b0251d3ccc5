"""The OpenAPI 3.1 document: what `calls.call` has registered, and what `answers` says of it."""

import re
from collections.abc import Iterator
from typing import Any

from signaling import answers
from signaling.answers import OCTETS

REFUSALS = {
    400: "Not HTTP as this server reads it",
    401: "No token, or a wrong one",
    403: "Not yours",
    404: "Not there",
    409: "The state forbids it",
    410: "It was here and is gone",
    413: "Too large",
    416: "Outside the file",
    422: "Malformed; `errors` names the fields",
    429: "Too often; Retry-After says when to come again",
    503: "Away for a moment; Retry-After says when to come again",
    507: "No room left where recordings are kept",
}
DONE = {201: "Made", 202: "Taken on: the rest follows", 206: "A part of it", 302: "It is to be had there", 304: "You have it"}
# Whatever the call: its sender asks too much, or what it needs is away.
EVERY = (400, 429, 503)
PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"}, "title": {"type": "string"}, "status": {"type": "integer"}, "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "problem"],
                "properties": {"field": {"type": "string"}, "problem": {"type": "string"}},
            },
        },
    },
}  # fmt: skip
# A call that is not described yet.
UNSAID = answers.Says({200: "application/json"}, (403, 404, 409, 410))


def document(described: list[dict[str, Any]], prefix: str) -> dict[str, Any]:
    """described: method, path, summary, who, shape of each call. prefix: of all paths."""
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {"Problem": PROBLEM}
    calls = {(item["method"], template(item["path"])): item for item in described}
    for method, path in calls:
        paths.setdefault(prefix + path, {})[method.lower()] = _operation(method, path, calls, schemas)
    refused = {
        str(status): {"description": about, "content": {"application/problem+json": {"schema": _named("Problem")}}}
        for status, about in REFUSALS.items()
    }
    bearer = {"bearer": {"type": "http", "scheme": "bearer"}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Letterbox", "version": "1", "description": "See PROTOCOL.md."},
        "paths": paths,
        "components": {"schemas": schemas, "responses": refused, "securitySchemes": bearer},
    }


def _operation(method: str, path: str, calls: dict[tuple[str, str], Any], schemas: dict[str, Any]) -> dict[str, Any]:
    item, says = calls[method, path], answers.SAYS.get((method, path), UNSAID)
    links = dict(_links(path, says, calls))
    answered = {
        str(status): {"description": DONE.get(status, "Done"), "content": _content(shape, schemas), "links": links}
        for status, shape in says.answers.items()
    }
    return {
        "summary": item["summary"],
        "x-who": item["who"],
        "operationId": name_of(method, path),
        "parameters": [*_in_path(item["path"]), *map(_in_query, says.query)],
        "responses": answered | _refusals(item, says),
    } | _security(item["who"], says) | _body(method, item["shape"], schemas)  # fmt: skip


def _security(who: str, says: answers.Says) -> dict[str, Any]:
    if who != "anyone":
        return {"security": [{"bearer": []}]}
    # With a token or without.
    return {"security": [{}, {"bearer": []}]} if 401 in says.refuses else {}


def _body(method: str, shape: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    if shape is not None:
        return {"requestBody": {"required": True, "content": _content(shape, schemas)}}
    # The bytes, as they are.
    return {"requestBody": {"content": {OCTETS: {}}}} if method == "POST" else {}


def template(rule: str) -> str:
    """Flask's `/rooms/<room>` as OpenAPI writes it."""
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule)


def name_of(method: str, path: str) -> str:
    return re.sub(r"\W+", "_", f"{method.lower()}{path}").strip("_")


def _in_path(rule: str) -> Iterator[dict[str, Any]]:
    for converter, name in re.findall(r"<(?:(\w+):)?(\w+)>", rule):
        schema = {"type": "integer", "minimum": 0} if converter == "int" else {"type": "string", "minLength": 1}
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _in_query(query: answers.Query) -> dict[str, Any]:
    return {"name": query.name, "in": "query", "required": query.required, "schema": query.schema, "description": query.about}


def _content(shape: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    """Of a media type, or of JSON in a shape, which is among the schemas then."""
    if isinstance(shape, str):
        return {shape: {}}
    schema = shape.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= schema.pop("$defs", {}) | {shape.__name__: schema}
    return {"application/json": {"schema": _named(shape.__name__)}}


def _named(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _refusals(item: dict[str, Any], says: answers.Says) -> dict[str, Any]:
    """By status: what the call says, what any call may say, and what follows from who may call and with which body."""
    statuses = {*EVERY, *says.refuses}
    if item["who"] != "anyone":
        statuses.add(401)
    if item["shape"] is not None:
        statuses |= {413, 422}
    if "<" in item["path"]:
        statuses.add(404)
    return {str(status): {"$ref": f"#/components/responses/{status}"} for status in sorted(statuses)}


def _links(path: str, says: answers.Says, calls: dict[tuple[str, str], Any]) -> Iterator[tuple[str, Any]]:
    """Every call that can be made with what this one answers, and with what was in its own address."""
    known = {name: f"$request.path.{name}" for name in re.findall(r"{(\w+)}", path)}
    known |= {name: f"$response.body#{pointer}" for name, pointer in says.gives.items()}
    gives_token = any(not isinstance(shape, str) and "token" in shape.model_fields for shape in says.answers.values())
    for (method, other), item in calls.items():
        wanted = re.findall(r"{(\w+)}", other)
        name = name_of(method, other)
        if set(wanted) & says.gives.keys() and set(wanted) <= known.keys():
            yield name, {"operationId": name, "parameters": {one: known[one] for one in wanted}}
        elif gives_token and not wanted and item["who"] == "participant":
            yield name, {"operationId": name, "description": "With the `token` of the answer as the bearer."}
