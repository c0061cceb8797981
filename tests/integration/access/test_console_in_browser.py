"""The console, used as people use it: in a real browser, by what they see."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Request, expect

import chromium
from access_people import Somebody, somebody
from access_service import OFFICE, OFFICE_ZONE, Access, Tenant

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.s3,
    pytest.mark.kafka,
    pytest.mark.any_broker,
    pytest.mark.browser,
]


PATIENCE_MS = 20_000
EXPECTED = (
    "Failed to load resource: the server responded with a status of 4",
    "Failed to load resource: net::ERR_CONNECTION_REFUSED",
)
"""What the browser itself says of answers that a test provokes."""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all tests of this file."""
    expect.set_options(timeout=PATIENCE_MS)
    with chromium.browser(tmp_path_factory.mktemp("browser")) as running:
        yield running


@pytest.fixture
def page(browser: Browser, access: Access) -> Iterator[Page]:
    """A page of the console in the office, in Japanese. No script fails, or tries what is forbidden to it."""
    context = browser.new_context(
        base_url=access.url, locale="ja-JP", extra_http_headers={"X-Forwarded-For": OFFICE}
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    wrong = list[str]()
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    page.goto("/console")
    yield page
    context.close()
    assert [text for text in wrong if not text.startswith(EXPECTED)] == []


@pytest.fixture
def admin(tenant: Tenant) -> Somebody:
    return somebody(tenant, "admin")


def log_in(page: Page, person: Somebody, **changes: str) -> None:
    said: dict[str, Any] = person.says() | changes
    for label, name in (
        ("会社名", "company"),
        ("ログイン名", "login"),
        ("パスワード", "password"),
        ("認証コード", "code"),
    ):
        page.get_by_label(label).fill(said[name])
    page.get_by_role("button", name="ログイン", exact=True).click()


def zones(tenant: Tenant) -> dict[str, Any]:
    """The tenant's zones by name, as the API tells them."""
    with tenant.access.client(tenant.admin) as client:
        return {zone["name"]: zone for zone in client.get("/v1/zones").json()["items"]}


def row(page: Page, name: str) -> Any:
    return page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=name))


def test_an_administrator_adds_changes_and_removes_a_zone(
    page: Page, tenant: Tenant, admin: Somebody
) -> None:
    log_in(page, admin)
    expect(row(page, "office")).to_contain_text(OFFICE_ZONE)
    page.get_by_role("button", name="ゾーンを追加").click()
    dialog = page.locator("#zone-dialog")
    dialog.get_by_label("名前").fill("branch")
    dialog.get_by_label("ネットワーク").fill("10.1.0.0/16\n2001:db8:7::/48")
    dialog.get_by_label("終了").fill("2020-01-01T00:00")
    dialog.get_by_role("button", name="保存").click()
    expect(page.get_by_role("status")).to_have_text("保存しました。")
    expect(row(page, "branch")).to_contain_text("終了しました")
    assert zones(tenant)["branch"]["networks"] == ["10.1.0.0/16", "2001:db8:7::/48"]
    row(page, "branch").get_by_role("button", name="変更").click()
    expect(dialog.get_by_label("終了")).to_have_value("2020-01-01T00:00")
    dialog.get_by_label("ネットワーク").fill("10.2.0.0/16")
    dialog.get_by_label("終了").fill("")
    dialog.get_by_role("button", name="保存").click()
    expect(row(page, "branch")).to_contain_text("10.2.0.0/16")
    expect(row(page, "branch")).to_contain_text("有効")
    assert zones(tenant)["branch"]["valid_until"] is None
    row(page, "branch").get_by_role("button", name="削除").click()
    page.get_by_role("alertdialog").get_by_role("button", name="削除").click()
    expect(row(page, "branch")).to_have_count(0)
    assert set(zones(tenant)) == {"office"}


@pytest.mark.guarantee("P17")
def test_nobody_locks_themselves_out_without_saying_so(page: Page, tenant: Tenant, admin: Somebody) -> None:
    log_in(page, admin)
    question = page.get_by_role("alertdialog")
    for answer in ("やめる", "それでも変更する"):
        row(page, "office").get_by_role("button", name="削除").click()
        question.get_by_role("button", name="削除").click()
        expect(question).to_contain_text("どのゾーンにも入りません")
        assert set(zones(tenant)) == {"office"}
        question.get_by_role("button", name=answer).click()
    expect(page.get_by_text("ゾーンはまだありません")).to_be_visible()
    assert zones(tenant) == {}


def test_what_is_wrong_is_said_where_it_is(page: Page, tenant: Tenant, admin: Somebody) -> None:
    log_in(page, admin)
    page.get_by_role("button", name="ゾーンを追加").click()
    dialog = page.locator("#zone-dialog")
    dialog.get_by_label("名前").fill("office")
    for networks, said in (
        ("everywhere", "ネットワーク: CIDR 形式で"),
        ("0.0.0.0/0", "ネットワーク: CIDR 形式で"),
        ("10.0.0.0/8", "同じ名前のゾーン"),
    ):
        dialog.get_by_label("ネットワーク").fill(networks)
        dialog.get_by_role("button", name="保存").click()
        expect(dialog.get_by_role("alert")).to_contain_text(said)
    dialog.get_by_label("開始").fill("2030-01-01T00:00")
    dialog.get_by_label("終了").fill("2029-12-31T23:59")
    dialog.get_by_role("button", name="保存").click()
    expect(dialog.get_by_role("alert")).to_have_text("終了は開始より後にしてください。")
    dialog.get_by_role("button", name="やめる").click()
    assert set(zones(tenant)) == {"office"}


def test_a_change_of_somebody_else_is_not_overwritten(page: Page, tenant: Tenant, admin: Somebody) -> None:
    log_in(page, admin)
    row(page, "office").get_by_role("button", name="変更").click()
    path = f"/v1/zones/{zones(tenant)['office']['id']}"
    with tenant.access.client(tenant.admin) as client:
        match = {"If-Match": client.get(path).headers["ETag"]}
        theirs = {"networks": [OFFICE_ZONE, "192.0.2.0/24"]}
        assert client.put(path, json=theirs, headers=match).status_code == 200
    dialog = page.locator("#zone-dialog")
    dialog.get_by_label("ネットワーク").fill(OFFICE_ZONE)
    dialog.get_by_role("button", name="保存").click()
    expect(dialog.get_by_role("alert")).to_contain_text("ほかの人が先に変更しました")
    assert zones(tenant)["office"]["networks"] == theirs["networks"]


def test_who_may_not_configure_is_told_so(page: Page, tenant: Tenant) -> None:
    log_in(page, somebody(tenant, "supervisor"))
    expect(page.get_by_role("alert").first).to_contain_text("許可されていません")


def test_a_log_in_that_is_refused_says_so_in_both_languages(page: Page, admin: Somebody) -> None:
    log_in(page, admin, password="another sentence altogether")
    expect(page.get_by_role("alert").first).to_contain_text("どれかが違います")
    assert page.get_by_label("パスワード").input_value() == ""
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading")).to_have_text("Log in")
    assert page.locator("html").get_attribute("lang") == "en"


@pytest.mark.guarantee("P17")
def test_tokens_stay_in_the_page(page: Page, access: Access, admin: Somebody) -> None:
    """Nothing is kept but what says that this device was used before; it lets nobody in."""
    log_in(page, admin)
    expect(row(page, "office")).to_be_visible()
    assert page.context.cookies() == []
    kept = page.evaluate("[{...localStorage}, {...sessionStorage}, document.cookie]")
    assert (set(kept[0]), kept[1], kept[2]) == ({"otokura.device"}, {}, "")
    with access.client(kept[0]["otokura.device"]) as client:
        assert client.get("/v1/zones").status_code == 401
    page.reload()
    expect(page.get_by_label("パスワード")).to_be_visible()


@pytest.mark.guarantee("P17")
def test_a_session_that_ended_shows_nothing_more(page: Page, tenant: Tenant, admin: Somebody) -> None:
    log_in(page, admin)
    expect(row(page, "office")).to_be_visible()
    with tenant.access.client(tenant.admin) as client:
        assert client.delete(f"/v1/principals/{admin.id}").status_code == 204
    row(page, "office").get_by_role("button", name="変更").click()
    expect(page.get_by_role("status")).to_contain_text("セッションが終わりました")
    expect(page.get_by_label("パスワード")).to_be_visible()
    assert "office" not in page.content()


def test_a_session_goes_on_beyond_its_first_token(page: Page, admin: Somebody) -> None:
    """With one refresh, however many wait for it."""
    page.clock.install()
    log_in(page, admin)
    expect(row(page, "office")).to_be_visible()
    refreshed = list[Request]()
    page.on("request", lambda one: refreshed.append(one) if one.url.endswith("/refresh") else None)
    page.clock.fast_forward("01:00:00")
    row(page, "office").get_by_role("button", name="変更").click()
    expect(page.locator("#zone-dialog")).to_be_visible()
    assert len(refreshed) == 1


def test_a_server_that_is_away_is_told_and_what_was_typed_stays(page: Page, admin: Somebody) -> None:
    log_in(page, admin)
    page.get_by_role("button", name="ゾーンを追加").click()
    dialog = page.locator("#zone-dialog")
    dialog.get_by_label("名前").fill("branch")
    dialog.get_by_label("ネットワーク").fill("10.1.0.0/16")
    page.route("**/v1/**", lambda route: route.abort("connectionrefused"))
    dialog.get_by_role("button", name="保存").click()
    expect(dialog.get_by_role("alert")).to_have_text("サーバーにつながりません。")
    page.unroute_all()
    dialog.get_by_role("button", name="保存").click()
    expect(row(page, "branch")).to_contain_text("10.1.0.0/16")


def test_who_logs_out_is_out(page: Page, access: Access, admin: Somebody) -> None:
    sent = list[str]()
    page.on("request", lambda one: sent.append(one.headers.get("authorization", "")))
    log_in(page, admin)
    expect(row(page, "office")).to_be_visible()
    page.get_by_role("button", name="ログアウト").click()
    expect(page.get_by_role("status")).to_have_text("ログアウトしました。")
    [token] = {re.sub("^Bearer ", "", value) for value in sent if value}
    with access.client(token) as client:
        assert client.get("/v1/zones").status_code == 401
