// What the page tells its reader: that something went well, and what went wrong.

import { Problem } from "./client.js";
import { t } from "./texts.js";

/** Tells something that went well, also to who hears the page instead of seeing it. */
export function say(text) {
  document.getElementById("said").textContent = text;
}

/** Shows a text in the place for what is wrong. */
export function complain(place, text) {
  place.textContent = text;
  place.hidden = false;
}

/** Shows a problem in the reader's language, and what is wrong in which field. Anything else is a fault of ours. */
export function explain(place, problem) {
  if (!(problem instanceof Problem)) throw problem;
  if (!place) return; // the screen is gone: the session ended, and that was said
  const fields = new Set(problem.errors.map(({ pointer }) => pointer.split("/")[1]));
  const wrong = [...fields].filter((field) => field in t("wrong"));
  const lines = wrong.map((field) => `${t(field)}: ${t("wrong")[field]}`);
  complain(place, [t("problems")[problem.code] ?? t("failed"), ...lines].join("\n"));
}
