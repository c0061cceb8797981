// What people see, in Japanese and English, what a problem means to them among it.

const TEXTS = {
  ja: {
    logIn: "ログイン", logOut: "ログアウト", company: "会社名", login: "ログイン名", password: "パスワード",
    code: "認証コード", codeHint: "認証アプリに表示される 6 桁の数字です。使っていない方は空欄のままにしてください。",
    zones: "閲覧できる場所（ゾーン）", name: "名前", networks: "ネットワーク", inForce: "有効期間",
    zonesAre: "録音と文字起こしは、ここにあるネットワークからだけ読むことができます。変更はすぐに、読んでいる途中の人にも適用されます。",
    noZones: "ゾーンはまだありません。どこからも録音を読むことはできません。",
    addZone: "ゾーンを追加", change: "変更", remove: "削除", cancel: "やめる", save: "保存",
    nameHint: "英小文字で始まり、英小文字・数字・ハイフンだけを使います。あとから変えられません。",
    networksHint: "1 行に 1 つ、CIDR 形式で。例: 203.0.113.0/28、2001:db8:7::/48",
    validFrom: "開始", validUntil: "終了", timesHint: "空欄なら常に有効です。時刻はこの端末の時間帯です。",
    now: "有効", notYet: "まだ有効ではありません", isOver: "終了しました",
    removeZone: "ゾーン「{name}」を削除しますか。ここから録音を読むことはできなくなります。",
    wouldLockYouOut: "この変更のあと（すぐに、または後から）、あなたの今の場所はどのゾーンにも入りません。録音を読めなくなります。それでも続けますか。",
    doItAnyway: "それでも変更する", saved: "保存しました。", removed: "削除しました。",
    sessionOver: "セッションが終わりました。もう一度ログインしてください。", loggedOut: "ログアウトしました。",
    endsFirst: "終了は開始より後にしてください。",
    wrong: {
      name: "英小文字で始まる、英小文字・数字・ハイフンの名前にしてください。",
      networks: "CIDR 形式で 1 行に 1 つ書いてください（例: 203.0.113.0/28）。すべてのアドレスを含むものは使えません。",
    },
    failed: "うまくいきませんでした。",
    problems: {
      offline: "サーバーにつながりません。",
      "login-refused": "会社名、ログイン名、パスワード、認証コードのどれかが違います。",
      "too-many-tries": "失敗が続いたため、しばらく受け付けません。15 分ほどしてからもう一度お試しください。",
      "second-factor-needed": "この会社では認証アプリが必要です。管理者にご相談ください。",
      "session-over": "セッションが終わりました。もう一度ログインしてください。",
      unauthenticated: "ログインが必要です。",
      forbidden: "あなたの役割、または今の場所からは許可されていません。",
      "not-found": "もうありません。ほかの人が削除したようです。",
      conflict: "同じ名前のゾーンがすでにあります。",
      "precondition-failed": "ほかの人が先に変更しました。やめて開き直してください。",
      unprocessable: "入力に誤りがあります。",
      "too-many-requests": "要求が多すぎます。少し待ってください。",
      unavailable: "一時的に利用できません。少し待ってからもう一度お試しください。",
    },
  },
  en: {
    logIn: "Log in", logOut: "Log out", company: "Company", login: "Login name", password: "Password",
    code: "Code", codeHint: "The six digits that your authenticator app shows. Leave it empty if you use none.",
    zones: "Zones", name: "Name", networks: "Networks", inForce: "In force",
    zonesAre: "Recordings and transcripts can be read from these networks only. Changes hold at once, also for whoever is reading.",
    noZones: "There are no zones yet: recordings can be read from nowhere.",
    addZone: "Add a zone", change: "Change", remove: "Remove", cancel: "Cancel", save: "Save",
    nameHint: "Lower-case letters, digits and hyphens, a letter first. It cannot be changed later.",
    networksHint: "One a line, as CIDR: 203.0.113.0/28, 2001:db8:7::/48",
    validFrom: "From", validUntil: "Until", timesHint: "Always in force if empty. Times are those of this computer's time zone.",
    now: "in force", notYet: "not in force yet", isOver: "over",
    removeZone: "Remove the zone “{name}”? Recordings cannot be read from there any more.",
    wouldLockYouOut: "After this, at once or later, you would be outside every zone where you are now, and could read no recordings. Do it anyway?",
    doItAnyway: "Do it anyway", saved: "Saved.", removed: "Removed.",
    sessionOver: "The session is over. Please log in again.", loggedOut: "Logged out.",
    endsFirst: "It must end after it begins.",
    wrong: {
      name: "A name has lower-case letters, digits and hyphens, a letter first.",
      networks: "One network a line, as CIDR: 203.0.113.0/28. None that holds every address.",
    },
    failed: "That did not work.",
    problems: {
      offline: "The server cannot be reached.",
      "login-refused": "Company, login name, password or code is wrong.",
      "too-many-tries": "Too many tries went wrong. Please try again in about 15 minutes.",
      "second-factor-needed": "This company demands an authenticator app. Please ask your administrator.",
      "session-over": "The session is over. Please log in again.",
      unauthenticated: "Please log in.",
      forbidden: "Not permitted in your role, or from where you are.",
      "not-found": "It is not there any more: somebody else removed it.",
      conflict: "There is a zone of that name already.",
      "precondition-failed": "Somebody else changed it before you. Cancel, and open it again.",
      unprocessable: "Something in the form is wrong.",
      "too-many-requests": "Too many requests. Please wait a little.",
      unavailable: "Temporarily not available. Please try again in a moment.",
    },
  },
};

let current = navigator.languages.map((one) => one.slice(0, 2)).find((one) => one in TEXTS) ?? "ja";

export const language = () => current;
export const t = (key) => TEXTS[current][key];

/** Writes the texts of all elements in `root` that name one, and the language of the page. */
export function translate(root) {
  for (const element of root.querySelectorAll("[data-text]")) element.textContent = t(element.dataset.text);
  document.documentElement.lang = current;
  document.getElementById("language").textContent = current === "ja" ? "English" : "日本語";
}

export function switchLanguage() {
  current = current === "ja" ? "en" : "ja";
  translate(document.body);
}
