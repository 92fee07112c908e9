"""Scripts read the API with a token of their own."""

from __future__ import annotations

import sys

import pytest
from flask.testing import FlaskClient

from printsys.credentials import api_tokens
from printsys.errors import InvalidInput
from printsys.ops.file_access import others_may_read
from printsys.services import Services

PLACES = ("/api/v1/jobs", "/api/v1/attention")


def bearing(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("path", PLACES)
def test_a_script_with_a_token_reads_and_without_one_does_not(
    client: FlaskClient, services: Services, path: str
) -> None:
    token = api_tokens.make(services.settings, "report")
    assert client.get(path).status_code == 401
    assert client.get(path, headers=bearing(token)).status_code == 200
    for bad_token in ("", "x", token[:-1], token.upper()):
        assert client.get(path, headers=bearing(bad_token)).status_code == 401
    api_tokens.revoke(services.settings, "report")
    assert client.get(path, headers=bearing(token)).status_code == 401


def test_a_token_opens_no_page_and_changes_nothing(client: FlaskClient, services: Services) -> None:
    token = api_tokens.make(services.settings, "report")
    assert client.get("/dashboard", headers=bearing(token)).status_code == 302


def test_only_the_hash_is_kept_where_only_this_user_reads(services: Services) -> None:
    token = api_tokens.make(services.settings, "report")
    token_file = services.settings.instance / "api-tokens.json"
    assert token not in token_file.read_text("utf-8")
    if sys.platform != "win32":  # whose access lists come from the folder; `doctor` looks at them
        assert not others_may_read(token_file)
    assert api_tokens.names(services.settings) == ["report"]


def test_a_name_is_given_once(services: Services) -> None:
    api_tokens.make(services.settings, "report")
    with pytest.raises(InvalidInput, match="already"):
        api_tokens.make(services.settings, "report")
    with pytest.raises(InvalidInput, match="no token called other"):
        api_tokens.revoke(services.settings, "other")
