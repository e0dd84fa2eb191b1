"""Settings: all that is wrong is refused together, before anything starts; schedules know when to poll."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from weighlock.errors import ConfigError
from weighlock.schedule import Schedule
from weighlock.settings import Settings

GOOD = """
kafka = "localhost:9092"
registry = "http://localhost:8081/apis/ccompat/v7"
[acumatica]
url = "https://erp.example/Site/"
tenant = "Demo"
client_id = "x@Demo"
client_secret = "s3cret-one"
username = "weighlock"
password = "s3cret-two"
"""


@pytest.fixture
def toml(tmp_path, monkeypatch):
    def write(text):
        path = tmp_path / "weighlock.toml"
        path.write_text(text)
        monkeypatch.setenv("WEIGHLOCK_CONFIG", str(path))
        monkeypatch.delenv("WEIGHLOCK_KAFKA", raising=False)
        monkeypatch.delenv("WEIGHLOCK_REGISTRY", raising=False)

    return write


def test_file_and_environment(toml, monkeypatch):
    """The environment goes over the file, section by section."""
    toml(GOOD)
    monkeypatch.setenv("WEIGHLOCK_ACUMATICA__VERSION", "25.200.001")
    monkeypatch.setenv("WEIGHLOCK_PARTITIONS", "8")
    settings = Settings.load()
    assert settings.need_acumatica().version == "25.200.001"
    assert settings.need_acumatica().url == "https://erp.example/Site"
    assert settings.partitions == 8


def test_three_mistakes_are_refused_together(toml):
    """Three mistakes give three lines, each naming the setting and what to do."""
    toml(GOOD.replace("localhost:9092", "localhost").replace('username = "weighlock"\n', "").replace("tenant =", "tenannt ="))
    with pytest.raises(ConfigError) as refused:
        Settings.load()
    problems = "\n".join(refused.value.problems)
    assert len(refused.value.problems) == 4  # the misspelt tenant is both missing and unknown
    assert "kafka: must be host:port" in problems
    assert "acumatica.username: missing: set it in weighlock.toml or as WEIGHLOCK_ACUMATICA__USERNAME" in problems
    assert "acumatica.tenannt: unknown setting" in problems


def test_no_secret_in_what_is_said(toml):
    """A refusal and a repr never show a secret."""
    toml(GOOD.replace('url = "https', 'url = "htps'))
    with pytest.raises(ConfigError) as refused:
        Settings.load()
    assert "s3cret" not in str(refused.value)
    toml(GOOD)
    assert "s3cret" not in repr(Settings.load())


def test_broken_toml(toml):
    """A file that is no TOML is named as such."""
    toml("kafka = ")
    with pytest.raises(ConfigError, match=r"weighlock\.toml"):
        Settings.load()


def test_a_worker_names_its_missing_section(toml):
    """A worker without its section says which one it needs."""
    toml(GOOD)
    with pytest.raises(ConfigError, match=r"\[hubspot\]"):
        Settings.load().need_hubspot()


@pytest.mark.parametrize(
    "wrong", [{}, {"every": 3, "cron": "* * * * *"}, {"cron": "soon"}, {"every": 1, "zone": "Mars/Olympus"}, {"every": 0}]
)
def test_schedules_refuse_nonsense(wrong):
    """Exactly one of interval and cron line; a real zone."""
    with pytest.raises(ValidationError):
        Schedule(**wrong)


def test_rest_that_never_ends():
    """Hours of rest that cover the whole day are refused, or the poller would look for a time for ever."""
    with pytest.raises(ValidationError, match="no time of the day"):
        Schedule(every=5, rest=[{"from": "00:00", "to": "12:00"}, {"from": "11:00", "to": "00:00"}, {"from": "12:00", "to": "23:59"}])


def test_cron_with_rest():
    """A cron line's next time is its own first one after the rest, not the rest's end."""
    schedule = Schedule(cron="30 * * * *", rest=[{"from": "22:00", "to": "06:00"}], zone="Europe/Berlin")
    assert schedule.next(datetime(2026, 1, 1, 20, 45, tzinfo=UTC)) == datetime(2026, 1, 2, 5, 30, tzinfo=UTC)


@given(
    st.datetimes(datetime.fromisoformat("2026-01-01"), datetime.fromisoformat("2027-01-01"), timezones=st.just(UTC)),
    st.floats(0.5, 7200),
    st.tuples(st.times(), st.times()).filter(lambda pair: pair[0] != pair[1]),
)
def test_never_in_the_hours_of_rest(after, every, rest):
    """An interval schedule is later than the last poll and never within the hours of rest."""
    try:
        schedule = Schedule(every=every, rest=[{"from": rest[0], "to": rest[1].replace(second=0, microsecond=0)}])
    except ValidationError:
        return
    due = schedule.next(after)
    assert due > after
    assert due - after <= timedelta(days=1, seconds=every)
    assert not schedule.rest[0].hold(due.astimezone(UTC).time())


def test_reread_due():
    """The reread line is due once when its time lies between two polls."""
    schedule = Schedule(every=30, reread="0 3 * * *")
    three = datetime(2026, 5, 5, 3, tzinfo=UTC)
    assert schedule.reread_due(three - timedelta(seconds=10), three + timedelta(seconds=10))
    assert not schedule.reread_due(three, three + timedelta(seconds=30))
