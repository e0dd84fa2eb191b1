"""streams/engine.py: librdkafka's settings in Faust's words."""

import ssl
from pathlib import Path

import pytest
from faust.auth import SASLCredentials, SSLCredentials

from streams.engine import credentials, engine
from weighlock.errors import ConfigError
from weighlock.settings import Settings


def test_plain_connection_has_no_credentials() -> None:
    """Without options nothing is sent."""
    assert credentials({}) is None
    assert credentials({"security.protocol": "PLAINTEXT"}) is None


def test_sasl_over_tls() -> None:
    """User, password and mechanism go over, with a TLS context that checks the broker's certificate."""
    found = credentials(
        {"security.protocol": "sasl_ssl", "sasl.mechanisms": "SCRAM-SHA-512", "sasl.username": "u", "sasl.password": "p"},
    )
    assert isinstance(found, SASLCredentials)
    assert (found.username, found.password, str(found.mechanism.value)) == ("u", "p", "SCRAM-SHA-512")
    assert found.ssl_context.verify_mode is ssl.CERT_REQUIRED


def test_sasl_without_tls_and_tls_alone() -> None:
    """SASL without TLS has no context; TLS alone has nothing else."""
    plain = credentials({"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", "sasl.username": "u", "sasl.password": "p"})
    assert isinstance(plain, SASLCredentials)
    assert plain.ssl_context is None
    assert isinstance(credentials({"security.protocol": "SSL"}), SSLCredentials)


def test_what_cannot_be_carried_over_is_refused() -> None:
    """A setting that Faust has no word for is named, all of them at once: none is silently ignored."""
    with pytest.raises(ConfigError) as refused:
        credentials({"sasl.oauthbearer.config": "x", "enable.ssl.certificate.verification": "false", "sasl.username": "u"})
    assert [problem.split(":")[0] for problem in refused.value.problems] == [
        "kafka_options.enable.ssl.certificate.verification",
        "kafka_options.sasl.oauthbearer.config",
    ]


def test_two_workers_on_one_machine_have_folders_and_names_of_their_own(tmp_path: Path) -> None:
    """The worker's name is in its state folder and in what the group knows it by; the group is the same."""
    settings = Settings(kafka="a:1,b:2", registry="http://r:1", state=tmp_path, prefix="p.")
    one, two = engine(settings, "streams", "0"), engine(settings, "streams", "1")
    assert (one.conf.id, two.conf.id) == ("p.streams", "p.streams")
    assert one.conf.datadir != two.conf.datadir
    assert str(one.conf.canonical_url) != str(two.conf.canonical_url)
    assert [str(url) for url in one.conf.broker] == ["kafka://a:1", "kafka://b:2"]
