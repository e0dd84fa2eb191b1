"""A changed secret needs no restart: the key, HubSpot's token and Acumatica's client secret are changed under running workers."""

from __future__ import annotations

import os
import re
from pathlib import Path
from unittest import mock

from tests.harness.system import Broker, System, eventually, running
from weighlock.clients.acumatica_session import FileTokenStore
from weighlock.demo.sandboxes import Sandbox
from weighlock.secrets import SecretStore
from weighlock.settings import Settings

NEW = {"acumatica.client_secret": "another-client-secret", "hubspot.token": "pat-na1-another-token"}


def into_the_store(system: System) -> None:
    """The settings' secrets; the file has none any more."""
    acumatica, hubspot = system.settings.need_acumatica(), system.settings.need_hubspot()
    path = Path(system.env["WEIGHLOCK_CONFIG"])
    path.write_text(re.sub(r"^(client_secret|password|token) = .*\n", "", path.read_text(), flags=re.MULTILINE))
    for name, secret in (
        ("acumatica.client_secret", acumatica.client_secret),
        ("acumatica.password", acumatica.password),
        ("hubspot.token", hubspot.token),
    ):
        SecretStore(system.settings.state).put(name, secret.get_secret_value())
    with mock.patch.dict(os.environ, system.env):
        assert Settings.load().need_hubspot().token == hubspot.token


def keep(system: System, name: str, value: str) -> None:
    done = system.command("secrets", "set", name, given=value)
    assert done.returncode == 0, done.stderr


def refresh(system: System) -> None:
    """Acumatica's access token is over: the source needs another one, and writes it down before it goes on."""
    tokens = "POST /identity/connect/token"
    before = system.erp.get("/calls")["routes"][tokens].get("200", 0)
    system.fault(system.erp, path="/Contact$", kind="expire-token")
    eventually("the source has a new token", lambda: system.erp.get("/calls")["routes"][tokens].get("200", 0) > before)


def change(sandbox: Sandbox, **credentials: str) -> None:
    sandbox.http.post("/credentials", json=credentials).raise_for_status()


def edit(system: System, name: str) -> None:
    """A change on the whole way; HubSpot has it afterwards."""
    key = system.erp.get("/dump")["customers"][0]["id"]
    system.erp.edit(entity="customer", key=key, fields={"CustomerName": name})
    eventually("the change is there", lambda: any(one["properties"].get("name") == name for one in system.crm.get("/dump")["companies"]))


def test_changed_secrets_need_no_restart(stack: Broker, tmp_path: Path) -> None:
    """The key is rotated, both vendors take the old secret out of force: the workers read the store anew and go on, in one session."""
    with running(stack, tmp_path, "--customers", "6", "--contacts", "6") as system:
        into_the_store(system)
        system.start()
        system.agree()
        state = system.settings.state
        key = (state / "secrets.key").read_text()

        assert system.command("secrets", "rotate").returncode == 0
        assert (state / "secrets.key").read_text() != key
        refresh(system)
        assert FileTokenStore(state / "acumatica-grant.sealed").load() is not None
        edit(system, "After the rotation")

        keep(system, "acumatica.client_secret", NEW["acumatica.client_secret"])
        change(system.erp, client_secret=NEW["acumatica.client_secret"])
        refresh(system)
        keep(system, "hubspot.token", NEW["hubspot.token"])
        change(system.crm, token=NEW["hubspot.token"])
        edit(system, "After the change")

        refused = {name: sandbox.get("/calls")["routes"] for name, sandbox in (("erp", system.erp), ("crm", system.crm))}
        assert refused["erp"]["POST /identity/connect/token"]["400"] == 1
        assert sum(counts.get("401", 0) for counts in refused["crm"].values()) >= 1
        assert [worker.status for worker in system.workers.values()] == [None] * 3
        assert system.erp.get("/calls")["sessions"]["most"] == 1
        system.agree()
