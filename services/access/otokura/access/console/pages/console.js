// The console begins here: who logs in, and what they then see.

import { Client } from "./client.js";
import { explain, say } from "./messages.js";
import { switchLanguage, t, translate } from "./texts.js";
import * as zones from "./zones.js";

const MAIN = document.getElementById("main");
const WHO = document.getElementById("who");
const LOG_OUT = document.getElementById("log-out");

const client = new Client(() => {
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
  logIn();
  say(t("sessionOver"));
});

function logIn() {
  WHO.textContent = "";
  LOG_OUT.hidden = true;
  MAIN.replaceChildren(document.getElementById("login-screen").content.cloneNode(true));
  translate(MAIN);
  const form = document.getElementById("login");
  form.addEventListener("submit", (event) => submit(event, form));
  form.elements.company.focus();
}

async function submit(event, form) {
  event.preventDefault();
  const button = form.querySelector("[type=submit]");
  const said = Object.fromEntries([...new FormData(form)].filter(([, value]) => value !== ""));
  button.disabled = true;
  say("");
  try {
    await client.logIn(said);
    WHO.textContent = `${said.company} · ${said.login}`;
    LOG_OUT.hidden = false;
    await zones.show();
  } catch (error) {
    form.elements.password.value = "";
    form.elements.code.value = "";
    explain(form.querySelector(".problem"), error);
  } finally {
    button.disabled = false;
  }
}

LOG_OUT.addEventListener("click", async () => {
  try {
    await client.logOut();
    logIn();
    say(t("loggedOut"));
  } catch (error) {
    logIn();
    explain(document.querySelector("#login .problem"), error);
  }
});
document.getElementById("language").addEventListener("click", () => {
  switchLanguage();
  say("");
  if (client.loggedIn) zones.show();
});

zones.begin(client);
translate(document.body);
logIn();
