"""The server's configuration is a pure function of the plan, and the documented example is what it writes."""

from dataclasses import replace
from pathlib import Path

from contracts.ids import AccountId, AgentId
from services.runtime.nats_config import AgentUser, ServerPlan, server_config
from services.runtime.nats_rights import ADMIN, OPERATOR_USER, PROCESSES, agent_rights, process_rights

EXAMPLE = Path(__file__).resolve().parents[3] / "ops" / "nats" / "server.conf.example"
PAPER, DEMO = AccountId("paper"), AgentId("demo")
PLAN = ServerPlan(
    port=4222,
    store_dir=Path("/var/lib/lockgate/jetstream"),
    accounts=(PAPER,),
    users={name: f"U_{name.upper()}_PUBLIC_KEY" for name in (ADMIN, OPERATOR_USER, *PROCESSES)},
    agents=(AgentUser(PAPER, DEMO, "U_DEMO_PUBLIC_KEY"),),
)


def test_the_documented_example_is_what_is_written():
    assert EXAMPLE.read_text().partition("\n")[2] == server_config(PLAN)


def test_the_server_is_durable_and_on_loopback_only():
    text = server_config(replace(PLAN, monitor_port=8222))
    assert "sync_interval: always" in text
    assert 'listen: "127.0.0.1:4222"' in text
    assert 'http: "127.0.0.1:8222"' in text
    assert "0.0.0.0" not in text


def test_every_agent_has_an_account_of_its_own_even_when_names_could_run_together():
    agents = [AgentUser(AccountId("a_b"), AgentId("c"), "U1"), AgentUser(AccountId("a"), AgentId("b_c"), "U2")]
    text = server_config(replace(PLAN, accounts=(AccountId("a"), AccountId("a_b")), agents=agents))
    assert text.count('"AGENT.a_b.c" {') == text.count('"AGENT.a.b_c" {') == 1


def test_no_right_to_write_a_journal_is_shared_by_two_processes_but_that_to_state_controls():
    rights = [(p, r) for p in PROCESSES for r in process_rights(p, [PAPER]).publish if r.startswith("acct.")]
    written = [right for _, right in rights if right != "acct.paper.control"]
    assert len(written) == len(set(written))
    # Controls are unfenced, anybody's who may state them: people's through the gateway, the kill file's by the OMS.
    assert [process for process, right in rights if right == "acct.paper.control"] == ["gateway", "oms"]


def test_an_agents_rights_name_the_agent_everywhere():
    rights = agent_rights(PAPER, DEMO)
    public = {"quote.>", "regime.>"}
    assert all("demo" in subject for subject in {*rights.publish, *rights.subscribe} - public)
