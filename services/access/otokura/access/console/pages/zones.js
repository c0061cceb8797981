// Zones: from where recordings may be read. Whoever would lock themselves out is asked first.

import { once } from "./client.js";
import { complain, explain, say } from "./messages.js";
import { language, t, translate } from "./texts.js";

const DIALOG = document.getElementById("zone-dialog");
const FORM = document.getElementById("zone");
const QUESTION = document.getElementById("question");

let client;
let editing = null; // the zone that is changed, with its ETag; null while one is added

export function begin(theClient) {
  client = theClient;
  FORM.addEventListener("submit", save);
  FORM.querySelector(".cancel").addEventListener("click", () => DIALOG.close());
  DIALOG.addEventListener("close", () => FORM.reset());
}

/** Shows the list, as it is now. */
export async function show() {
  const template = document.getElementById("zones-screen").content.cloneNode(true);
  const main = document.getElementById("main");
  main.replaceChildren(template);
  document.getElementById("add-zone").addEventListener("click", () => edit(null));
  translate(main);
  await load();
}

async function load() {
  const problem = document.querySelector("#main > .problem");
  problem.hidden = true;
  try {
    const { body } = await client.request("GET", "/v1/zones");
    document.getElementById("zones").replaceChildren(...body.items.map(row));
    document.getElementById("no-zones").hidden = body.items.length > 0;
  } catch (error) {
    explain(problem, error);
  }
}

function row(zone) {
  const shown = document.getElementById("zone-row").content.cloneNode(true);
  shown.querySelector("th").textContent = zone.name;
  shown.querySelector(".networks").textContent = zone.networks.join("\n");
  shown.querySelector(".times").textContent = times(zone);
  for (const [name, act] of [["change", () => open(zone)], ["remove", () => remove(zone)]]) {
    const button = shown.querySelector(`.${name}`);
    button.addEventListener("click", act);
    button.setAttribute("aria-label", `${t(name)}: ${zone.name}`);
  }
  translate(shown);
  return shown;
}

function times({ valid_from: from, valid_until: until }) {
  const now = Date.now();
  const state = from && Date.parse(from) > now ? "notYet" : until && Date.parse(until) <= now ? "isOver" : "now";
  const format = new Intl.DateTimeFormat(language(), { dateStyle: "medium", timeStyle: "short" });
  const lines = [t(state)];
  if (from) lines.push(`${t("validFrom")}: ${format.format(new Date(from))}`);
  if (until) lines.push(`${t("validUntil")}: ${format.format(new Date(until))}`);
  return lines.join("\n");
}

/** The zone as it is now, to change it. */
async function open(zone) {
  try {
    const { body, etag } = await client.request("GET", `/v1/zones/${zone.id}`);
    edit({ ...body, etag });
  } catch (error) {
    explain(document.querySelector("#main > .problem"), error);
  }
}

function edit(zone) {
  editing = zone;
  FORM.querySelector(".problem").hidden = true;
  document.getElementById("zone-title").textContent = zone ? `${t("change")}: ${zone.name}` : t("addZone");
  const fields = FORM.elements;
  fields.name.readOnly = zone !== null;
  document.getElementById("name-hint").hidden = zone !== null;
  if (zone) {
    fields.name.value = zone.name;
    fields.networks.value = zone.networks.join("\n");
    fields.valid_from.value = local(zone.valid_from);
    fields.valid_until.value = local(zone.valid_until);
  }
  DIALOG.showModal();
  (zone ? fields.networks : fields.name).focus();
}

async function save(event) {
  event.preventDefault();
  const button = FORM.querySelector("[type=submit]");
  const fields = FORM.elements;
  const body = {
    networks: fields.networks.value.split(/[\s,]+/).filter(Boolean),
    valid_from: instant(fields.valid_from.value),
    valid_until: instant(fields.valid_until.value),
  };
  if (body.valid_from && body.valid_until && body.valid_from >= body.valid_until) {
    complain(FORM.querySelector(".problem"), t("endsFirst"));
    return;
  }
  button.disabled = true;
  try {
    if (editing) {
      const path = `/v1/zones/${editing.id}`;
      const headers = { "If-Match": editing.etag };
      if (!(await unlessLockedOut((confirm) => client.request("PUT", path + confirm, { body, headers })))) return;
    } else {
      await client.request("POST", "/v1/zones", { body: { name: fields.name.value, ...body }, headers: once() });
    }
    DIALOG.close();
    say(t("saved"));
    await load();
  } catch (error) {
    explain(FORM.querySelector(".problem"), error);
  } finally {
    button.disabled = false;
  }
}

async function remove(zone) {
  if (!(await ask(t("removeZone").replace("{name}", zone.name), t("remove")))) return;
  try {
    const path = `/v1/zones/${zone.id}`;
    if (!(await unlessLockedOut((confirm) => client.request("DELETE", path + confirm)))) return;
    say(t("removed"));
    await load();
  } catch (error) {
    explain(document.querySelector("#main > .problem"), error);
  }
}

/** Does it; when it would lock out who does it, asks and does it anyway. False when they would rather not. */
async function unlessLockedOut(act) {
  try {
    await act("");
  } catch (error) {
    if (error.code !== "would-lock-you-out") throw error;
    if (!(await ask(t("wouldLockYouOut"), t("doItAnyway")))) return false;
    await act("?confirm=true");
  }
  return true;
}

/** Whether the answer to a question was yes; Escape is no. */
function ask(text, yes) {
  const confirm = QUESTION.querySelector(".confirm");
  const cancel = QUESTION.querySelector(".cancel");
  document.getElementById("question-text").textContent = text;
  confirm.textContent = yes;
  return new Promise((resolve) => {
    confirm.onclick = () => QUESTION.close("yes");
    cancel.onclick = () => QUESTION.close("no");
    QUESTION.onclose = () => resolve(QUESTION.returnValue === "yes");
    QUESTION.returnValue = "no";
    QUESTION.showModal();
    cancel.focus();
  });
}

/** What a `datetime-local` field shows for a time, and the other way round. */
function local(time) {
  if (!time) return "";
  const date = new Date(time);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

function instant(value) {
  return value ? new Date(value).toISOString() : null;
}
