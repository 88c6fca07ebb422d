"""Where commands find their gateway, and as whom they call."""

from __future__ import annotations

import pytest

from orama.config.client import gateway_key, gateway_url
from orama.errors import InvalidArgument

ENVIRONMENT = {"ORAMA_URL": "https://api.example.org", "ORAMA_API_KEY": "ak_1_a:shop"}


def test_flag_wins_over_environment_over_default():
    assert gateway_url("http://flag", ENVIRONMENT) == "http://flag"
    assert gateway_url(None, ENVIRONMENT) == "https://api.example.org"
    assert gateway_url(None, {"ORAMA_URL": ""}) == "http://127.0.0.1:6001"
    assert gateway_key("ak_2_b:shop", ENVIRONMENT) == "ak_2_b:shop"
    assert gateway_key(None, ENVIRONMENT) == "ak_1_a:shop"


@pytest.mark.parametrize("environment", [{}, {"ORAMA_API_KEY": ""}])
def test_no_key_at_all_is_told_with_what_to_do(environment):
    with pytest.raises(InvalidArgument, match="set ORAMA_API_KEY, or name one with --api-key"):
        gateway_key(None, environment)


def test_environment_of_the_process_is_the_default(monkeypatch):
    monkeypatch.setenv("ORAMA_URL", "http://of-the-process")
    monkeypatch.setenv("ORAMA_API_KEY", "ak_3_c:shop")
    assert (gateway_url(None), gateway_key(None)) == ("http://of-the-process", "ak_3_c:shop")
