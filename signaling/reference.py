"""The HTTP API for people: the OpenAPI document and the contract's own words (PROTOCOL.md), as the page `/api` shows them."""

import json
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from signaling import calls

PROTOCOL = Path(__file__).resolve().parent.parent / "PROTOCOL.md"
GROUPS = ("rooms", "signaling", "recordings", "sharing", "recorder", "more")
# The shell variable that holds the token of a curl example.
TOKENS = {"participant": "TOKEN", "host": "HOST_KEY", "recorder": "LETTERBOX_RECORDER_KEY"}
# Where a schema alone would make an example that is allowed and says nothing.
EXAMPLES: dict[str, Any] = {
    "title": "Board meeting", "name": "Ana", "language": "en", "kind": "chat", "to": "*",
    "media_type": "video/webm", "sha256": "0" * 64, "token": "pt_…", "secret": "sh_…", "source": "camera",
}  # fmt: skip
# Named otherwise in the contract: its address is answered, not made.
ELSEWHERE = {"/artifacts/{artifact}/{name}": "<url>"}


@dataclass(frozen=True)
class Field:
    """One member of a request's body. name: as in `messages[].to`; limits: (what, least, most), words in the catalogue."""

    name: str
    type: str
    required: bool
    default: str
    choices: tuple[str, ...]
    limits: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Call:
    """One call. query: what its address may say behind the `?`; statuses: all it may answer with, refusals among them;
    says: the contract's words about it, in parts: (kind, text) with kind `text`, `code` or `block`."""

    id: str
    method: str
    path: str
    summary: str
    who: str
    fields: tuple[Field, ...]
    query: tuple[Field, ...]
    statuses: tuple[str, ...]
    says: tuple[tuple[str, str], ...]
    curl: str


@dataclass
class Group:
    name: str
    calls: list[Call] = field(default_factory=list)


@cache
def groups() -> list[Group]:
    """Every call of the OpenAPI document, by what it is about."""
    document, contract = calls.openapi(), PROTOCOL.read_text()
    found = {name: Group(name) for name in GROUPS}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            short = path.removeprefix(calls.PREFIX)
            one = _call(method.upper(), short, operation, document["components"]["schemas"], contract)
            found[group_of(short, one.who)].calls.append(one)
    return [group for group in found.values() if group.calls]


def group_of(path: str, who: str) -> str:
    """What a call is about."""
    if who == "recorder":
        return "recorder"
    for part, group in (
        ("/shares", "sharing"), ("/record", "recordings"), ("/consent", "recordings"), ("/artifacts", "recordings"),
        ("/mailbox", "signaling"), ("/messages", "signaling"),
        ("/chunks", "signaling"), ("/ice-servers", "signaling"), ("/checks", "signaling"),
        ("/rooms", "rooms"), ("/leave", "rooms"),
    ):  # fmt: skip
        if part in path:
            return group
    return "more"


def _call(method: str, path: str, operation: dict[str, Any], schemas: dict[str, Any], contract: str) -> Call:
    who = operation["x-who"]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    return Call(
        id=operation["operationId"], method=method, path=path, summary=operation["summary"], who=who,
        fields=tuple(fields_of(body, schemas)) if body else (), query=tuple(fields_of(_behind(operation), schemas)),
        statuses=tuple(operation["responses"]), says=tuple(words(method, path, contract)),
        curl=curl(method, path + query(method, path, contract), who, example(body, schemas) if body else None),
    )  # fmt: skip


def _behind(operation: dict[str, Any]) -> dict[str, Any]:
    """The parameters behind the `?`, as an object would have them for members."""
    found = [one for one in operation["parameters"] if one["in"] == "query"]
    required = [one["name"] for one in found if one["required"]]
    return {"properties": {one["name"]: one["schema"] for one in found}, "required": required}


# -- a body's members ----------------------------------------------------------------------------------------------------------


def _resolved(schema: dict[str, Any], schemas: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """The schema behind references, and whether null is allowed as well."""
    nullable = False
    if "anyOf" in schema:
        others = [one for one in schema["anyOf"] if one.get("type") != "null"]
        nullable = len(others) < len(schema["anyOf"])
        schema = {key: value for key, value in schema.items() if key != "anyOf"} | others[0]
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    return schema, nullable


def fields_of(schema: dict[str, Any], schemas: dict[str, Any], before: str = "") -> list[Field]:
    """The members of an object, those of objects within it after their own."""
    schema, _ = _resolved(schema, schemas)
    found = []
    for name, member in schema.get("properties", {}).items():
        inner, nullable = _resolved(member, schemas)
        items, _ = _resolved(inner.get("items", {}), schemas)
        kind = f"{items.get('type', '')}[]" if inner.get("type") == "array" else inner.get("type", "object")
        default = json.dumps(member["default"]) if "default" in member else ""
        choices = inner.get("enum") or ([inner["const"]] if "const" in inner else [])
        found.append(
            Field(
                name=before + name,
                type=kind + (" | null" if nullable else ""),
                required=name in schema.get("required", ()),
                default=default,
                choices=tuple(map(str, choices)),
                limits=tuple(_limits(inner)),
            )
        )
        found += fields_of(items, schemas, f"{before}{name}[].") if items.get("properties") else []
    return found


BOUNDS = (("characters", "minLength", "maxLength"), ("items", "minItems", "maxItems"), ("range", "minimum", "maximum"))


def _limits(schema: dict[str, Any]) -> list[tuple[str, str, str]]:
    found = []
    for what, least, most in BOUNDS:
        if most in schema:
            found.append((what, str(schema.get(least, 0)), "2⁵³" if schema[most] == 2**53 else str(schema[most])))
    if "pattern" in schema and "maxLength" not in schema:
        found.append(("pattern", schema["pattern"], ""))
    return found


# -- an example ----------------------------------------------------------------------------------------------------------------


def example(schema: dict[str, Any], schemas: dict[str, Any], name: str = "") -> Any:
    """A small value that the schema allows: of an object what is required, of one where nothing is, its first member."""
    schema, _ = _resolved(schema, schemas)
    kind = schema.get("type", "object")
    choices = schema.get("enum") or ([schema["const"]] if "const" in schema else None)
    if choices:
        return choices[0]
    if kind == "object":
        members = schema.get("properties", {})
        wanted = [one for one in members if one in schema.get("required", ())] or list(members)[:1]
        return {one: example(members[one], schemas, one) for one in wanted}
    if kind == "array":
        return [example(schema.get("items", {}), schemas, name)] if schema.get("minItems") else []
    if kind in ("integer", "number"):
        return schema.get("default") or schema.get("minimum", 0)
    return True if kind == "boolean" else EXAMPLES.get(name, "…")


def curl(method: str, path: str, who: str, body: Any) -> str:
    """The call as a shell says it; what stands for a token or a name is a variable."""
    address = re.sub(r"{(\w+)}", lambda match: f"${match[1].upper()}", calls.PREFIX + path)
    lines = [f'curl {"-X POST " if method == "POST" else ""}"$LETTERBOX{address}"']
    if who in TOKENS:
        lines.append(f'-H "Authorization: Bearer ${TOKENS[who]}"')
    if body is not None:
        lines.append("-H 'Content-Type: application/json'")
        lines.append(f"-d '{json.dumps(body, ensure_ascii=False)}'")
    elif method == "POST":
        lines.append("--data-binary @file")
    return " \\\n  ".join(lines)


# -- the contract's words ------------------------------------------------------------------------------------------------------


def _named(method: str, path: str, contract: str) -> re.Match[str] | None:
    return re.search(rf"`{method} {re.escape(ELSEWHERE.get(path, path))}(\?[^`]*)?`", contract)


def query(method: str, path: str, contract: str) -> str:
    """What may follow the path, `?` included, "" where nothing may."""
    named = _named(method, path, contract)
    return (named[1] or "") if named else ""


def words(method: str, path: str, contract: str) -> list[tuple[str, str]]:
    """What PROTOCOL.md says of a call: from where it names it to the next call, or to the end of the paragraph."""
    named = _named(method, path, contract)
    if named is None:
        return []
    rest = contract[named.end() :]
    # A block of code belongs to the paragraph that it ends, or that it stands in.
    end = re.search(r"\n\n(?!```)|\n#", rest)
    text = rest[: end.start()] if end else rest
    following = re.search(r"`(?:GET|POST) /", text)
    text = text[: following.start()] if following else text
    # What only leads over to the next call says nothing of this one.
    text = re.sub(r"[^.;\n]*:\s*$", "", text)
    found: list[tuple[str, str]] = []
    for n, part in enumerate(re.split(r"\n*```\w*\n", text + "\n")):
        if n % 2:
            found.append(("block", part.rstrip("\n")))
        else:
            pieces = re.split(r"`([^`]*)`", " ".join(part.split()))
            found += [("code" if m % 2 else "text", re.sub(r"\*(\w+)\*", r"\1", one)) for m, one in enumerate(pieces) if one]
    return found
