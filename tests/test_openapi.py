"""The document of the API is kept: whatever is asked, the answer is one that it tells of."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from making import a_reference
from test_machines import breach
from web_service import WebService

from monitor.core.people import Scope
from monitor.web.api.document import document

HEADERS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
KNOWN = st.sampled_from(["loan", "churn", "c0", "e0", "m0", "r0", "sha256:1", "x"])
TIMES = st.datetimes().map(lambda moment: moment.isoformat() + "Z")
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | TIMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebService]:
    made = WebService(tmp_path_factory.mktemp("reports"))
    breach(made)
    made.store.add_reference(a_reference())
    yield made
    made.store.close()


@pytest.fixture(scope="module")
def client(service: WebService) -> httpx.Client:
    return service.client(service.token(Scope.ADMIN))


def _document(tmp: Path = Path()) -> dict[str, Any]:
    made = WebService(tmp)
    made.store.close()
    return document([p for p in made.app.state.parts if p.prefix == "/api/v1"])


DOCUMENT = json.loads(json.dumps(_document()))  # as it travels
OPERATIONS = [
    (method, path)
    for path, operations in DOCUMENT["paths"].items()
    for method in operations
    if not path.endswith(("/rotate", "/revoke"))  # they would end the token of this test
]


def ask(client: httpx.Client, data: st.DataObject, method: str, path: str) -> None:
    """One request that fits the document, or nearly; the answer must fit it, too."""
    operation = DOCUMENT["paths"][path][method]
    query, headers = {}, {}
    for parameter in operation.get("parameters", []):
        name, schema = parameter["name"], parameter["schema"]
        if parameter["in"] == "path":
            path = path.replace(f"{{{name}}}", data.draw(KNOWN | segments(schema)))
        elif data.draw(st.booleans()):
            if parameter["in"] == "query":
                query[name] = str(data.draw(fitting(schema) | st.text(max_size=10)))
            else:
                headers[name] = data.draw(HEADERS)
    content = body(data, operation)
    if content is not None:
        headers["Content-Type"] = "application/json"
    answer = client.request(method, path, params=query, content=content, headers=headers)
    told = operation["responses"].get(str(answer.status_code))
    assert told is not None, f"{answer.status_code} is not in the document: {answer.text}"
    (kind,) = told["content"]
    assert answer.headers["content-type"] == kind
    jsonschema.validate(answer.json(), {**DOCUMENT, **told["content"][kind]["schema"]})


def body(data: st.DataObject, operation: dict[str, Any]) -> bytes | None:
    if "requestBody" not in operation:
        return None
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    value = data.draw(fitting(schema) | ANYTHING)
    return json.dumps(value).encode()


def segments(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    """A part of an address; a dot or a slash would make it another address."""
    return st.text(st.characters(min_codepoint=48, max_codepoint=122), min_size=1, max_size=9).map(
        lambda text: "".join(c for c in text if c.isalnum()) or "x"
    )


def fitting(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values of a schema, and for an object some that are none."""
    if "$ref" in schema:
        return fitting(DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    if "anyOf" in schema:
        return st.one_of([fitting(one) for one in schema["anyOf"]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema.get("type") == "object":
        parts = {name: fitting(part) for name, part in schema.get("properties", {}).items()}
        return st.fixed_dictionaries({}, optional={n: p | ANYTHING for n, p in parts.items()})
    if schema.get("type") == "array":
        return st.lists(fitting(schema["items"]), max_size=3)
    return _plain(schema)


def _plain(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    kinds = {
        "string": TIMES if schema.get("format") == "date-time" else KNOWN | st.text(max_size=30),
        "integer": st.integers(schema.get("minimum"), schema.get("maximum")),
        "boolean": st.booleans(),
        "null": st.none(),
    }
    return kinds.get(schema.get("type", ""), ANYTHING)


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
@settings(max_examples=12, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_answer_is_one_of_the_document(
    client: httpx.Client, method: str, path: str, data: st.DataObject
) -> None:
    ask(client, data, method, path)


@pytest.mark.slow
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
@settings(max_examples=400, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_answer_is_one_of_the_document_for_long(
    client: httpx.Client, method: str, path: str, data: st.DataObject
) -> None:
    ask(client, data, method, path)
