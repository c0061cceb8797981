// The API, as the console asks it. Tokens live in this object alone, and end with the page.

const TYPE = "urn:otokura:problem:";
const DEVICE = "otokura.device";
const EARLY_MS = 20_000; // before an access token ends a new one is fetched

export class Problem extends Error {
  constructor(status, body) {
    super(body.title ?? `HTTP ${status}`);
    this.status = status;
    this.code = (body.type ?? "").startsWith(TYPE) ? body.type.slice(TYPE.length) : "";
    this.detail = body.detail ?? "";
    this.errors = body.errors ?? [];
  }
}

export class Client {
  #tokens = null;
  #until = 0;
  #refreshing = null;

  /** `over` is called when a session that was there has ended. */
  constructor(over) {
    this.over = over;
  }

  get loggedIn() {
    return this.#tokens !== null;
  }

  async logIn(said) {
    const device = localStorage.getItem(DEVICE);
    const { body } = await this.#fetch("POST", "/v1/sessions", { body: device ? { ...said, device } : said });
    if (body.device) localStorage.setItem(DEVICE, body.device);
    this.#keep(body);
  }

  async logOut() {
    try {
      await this.request("DELETE", "/v1/sessions/current");
    } finally {
      this.#tokens = null;
    }
  }

  /** An answer `{body, etag}`. Throws a Problem; of a session that is over `over` is told as well. */
  async request(method, path, options = {}) {
    try {
      await this.#fresh();
      return await this.#fetch(method, path, options, this.#tokens.access_token);
    } catch (problem) {
      if (problem.status === 401 && this.loggedIn) {
        this.#tokens = null;
        this.over();
      }
      throw problem;
    }
  }

  /** One refresh for all who wait: a refresh token that comes twice ends the session. */
  async #fresh() {
    if (this.#tokens === null) throw new Problem(401, {});
    if (Date.now() < this.#until) return;
    const body = { refresh_token: this.#tokens.refresh_token };
    this.#refreshing ??= this.#fetch("POST", "/v1/sessions/refresh", { body })
      .then((answer) => this.#keep(answer.body))
      .finally(() => { this.#refreshing = null; });
    await this.#refreshing;
  }

  #keep(tokens) {
    this.#tokens = tokens;
    this.#until = Date.now() + tokens.expires_in * 1000 - EARLY_MS;
  }

  async #fetch(method, path, { body, headers = {} }, token) {
    const sent = { ...headers };
    if (token) sent.Authorization = `Bearer ${token}`;
    if (body !== undefined) sent["Content-Type"] = "application/json";
    const options = { method, headers: sent, cache: "no-store", credentials: "omit", redirect: "error" };
    if (body !== undefined) options.body = JSON.stringify(body);
    const [response, text] = await fetch(path, options)
      .then(async (answer) => [answer, await answer.text()])
      .catch(() => { throw new Problem(0, { type: `${TYPE}offline` }); });
    const json = (response.headers.get("Content-Type") ?? "").includes("json");
    const answer = json && text ? JSON.parse(text) : {};
    if (!response.ok) throw new Problem(response.status, answer);
    return { body: answer, etag: response.headers.get("ETag") };
  }
}

/** Headers of a request that creates; it can be sent again. `crypto.randomUUID` exists over TLS only. */
export function once() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return { "Idempotency-Key": Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("") };
}
