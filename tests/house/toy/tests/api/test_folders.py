"""Everything that a noun gets for its declaration works for folders."""

from __future__ import annotations

from pathlib import Path

from app import database, housekeeping, nouns
from app.database import copying
from app.folders import service
from app.jobs import runner
from tests.conftest import Team
from tests.support.access import seen
from tests.support.graphql import Client
from tests.web.conftest import Browser, app, browse, owner

__all__ = ["app", "browse", "owner"]

PATH = "/w/acme/settings/folders"


async def test_a_form_and_a_mutation_make_folders_that_the_page_the_workspace_and_node_show(owner: Browser, team: Team) -> None:
    await owner.open(PATH)
    assert f'href="{PATH}"' in owner.page
    await owner.send(PATH, name="red")
    graphql = Client(team.editor)
    folder_id = (await graphql.change("folders/create", name="blue"))["folder"]["id"]
    listed = (await graphql.run("folders/list"))["folders"]
    assert [folder["name"] for folder in listed] == ["red", "blue"] and listed[1]["id"] == folder_id
    assert await graphql.ask("query($i: ID!) { node(id: $i) { ... on Folder { name } } }", i=folder_id) == {
        "node": {"name": "blue"}
    }
    assert "<li>red</li><li>blue</li>" in (await owner.open(PATH)).text
    refused = await Client(team.viewer).ask('mutation { createFolder(input: {name: "x"}) { ... on NotAllowed { code } } }')
    assert refused["createFolder"]["code"] == "NOT_ALLOWED"


async def test_the_audit_log_says_it_in_the_events_sentence(owner: Browser, team: Team) -> None:
    await service.create(team.owner, team.slug, "red")
    assert "Created the folder “red”" in (await owner.open("/w/acme/settings/audit-log")).text


async def test_the_job_runs_and_the_purge_drops(team: Team) -> None:
    for name in ("stale", "worn", "red"):
        await service.create(team.owner, team.slug, name)
    (job,) = [job for job in nouns.JOBS if job.name == "folders.freshen"]
    assert await runner.attempt(job)
    await housekeeping.tidy()
    names = [folder.name for folder in await service.of_workspace(await seen(team.viewer, team.slug))]
    assert names == ["fresh", "red"]


async def test_a_backup_holds_them(team: Team, tmp_path: Path) -> None:
    await service.create(team.owner, team.slug, "red")
    assert (await copying.save(tmp_path / "backup", without=nouns.UNSAVED))["folder"] == 1


async def test_the_next_test_finds_none(db: None) -> None:
    assert await database.fetch("SELECT id FROM folder") == []
