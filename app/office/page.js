// Who signed in here is known to this page alone: its tokens are in memory, and gone with it.

const WEEK_DAYS = 6;
const at = (id) => document.getElementById(id);
const title = () => at("report").selectedOptions[0].text;

let tokens = null;
let areas = []; // {id, way}, along the tree
let shown = null; // what the report on the page was asked by
let turn = 0; // answers to what was asked before are let go

class Refused extends Error {
  constructor(problem) {
    super(problem.code);
    this.problem = problem;
  }
}

// Requests

async function ask(path, options = {}) {
  const answer = await send(path, options);
  if (answer.status !== 401 || !tokens) return checked(answer);
  const problem = await problemOf(answer);
  if (problem.code !== "token_expired") throw new Refused(problem);
  await signInBy({ grant_type: "refresh_token", refresh_token: tokens.refresh_token });
  return checked(await send(path, options));
}

async function send(path, { headers = {}, ...options } = {}) {
  const signed = tokens ? { Authorization: `Bearer ${tokens.access_token}` } : {};
  const sent = { ...options, headers: { ...headers, ...signed }, credentials: "omit", redirect: "error" };
  try {
    return await fetch(path, sent);
  } catch {
    throw new Refused({ code: "offline", titles: { zh: "连不上服务器，请检查网络", en: "The server can't be reached" } });
  }
}

async function checked(answer) {
  if (!answer.ok) throw new Refused(await problemOf(answer));
  return answer;
}

async function problemOf(answer) {
  try {
    const said = await answer.json();
    if (said.titles) return said;
  } catch {
    // Something in between answered in words of its own.
  }
  return { code: String(answer.status), titles: { zh: "服务器暂时不能答复", en: "The server can't answer now" } };
}

async function signInBy(form) {
  const before = tokens;
  const answer = await checked(await send("/v1/auth/token", { method: "POST", body: new URLSearchParams(form) }));
  const fresh = await answer.json();
  // Unless they signed out meanwhile.
  if (tokens === before) tokens = fresh;
}

// Telling

function tell(text) {
  at("told").textContent = text;
}

function news(text) {
  at("news").textContent = text;
}

function explain(error) {
  news("");
  if (!(error instanceof Refused)) {
    tell("本页出错，请重新打开 · Something broke on this page: open it again");
    throw error;
  }
  const { code, titles, errors = [], details = {} } = error.problem;
  const labels = errors.map((one) => labelOf(one.pointer)).filter(Boolean);
  const where = labels.length ? `（${labels.join("、")}）` : "";
  const wait = details.retry_after;
  const later = wait ? ` ${wait} 秒后可再试 · Try again in ${wait} s.` : "";
  const request = details.request_id ? ` [${details.request_id}]` : "";
  tell(`${titles.zh}${where} · ${titles.en}${later}${request}`);
  at("told").dataset.code = code;
}

function labelOf(pointer = "") {
  const name = pointer.split("/")[1] ?? "";
  const field = at(name === "area_id" ? "area" : name);
  return field?.labels?.[0]?.textContent.trim();
}

// One thing at a time: what is asked for while something is under way replaces it.
async function doing(what, text) {
  const mine = ++turn;
  const current = () => mine === turn;
  tell("");
  news(text);
  try {
    await what(current);
  } catch (error) {
    if (current()) {
      if (tokens && error instanceof Refused && error.problem.status === 401) leave();
      explain(error);
    }
  }
}

// Signing in and out

async function enter(current) {
  const login = at("login").value;
  try {
    await signInBy({ grant_type: "password", username: login, password: at("password").value });
  } finally {
    at("password").value = "";
  }
  let campaigns, tags;
  try {
    areas = alongTheTree(await listed("/v1/areas", current));
    campaigns = await listed("/v1/campaigns", current);
    tags = await listed("/v1/codes", current, { list: "tag" });
  } catch (error) {
    tokens = null;
    throw error;
  }
  if (!current()) return;
  at("campaign_id").replaceChildren(any(), ...newestFirst(campaigns).map((one) => new Option(one.name, one.id)));
  at("tag").replaceChildren(any(), ...inUse(tags).map((one) => new Option(one.name, one.code)));
  chooseReport();
  at("name").textContent = login;
  at("who").hidden = at("choose").hidden = false;
  at("sign-in").hidden = true;
  listFound();
  news("");
  at("choosing").focus();
}

function leave() {
  turn += 1;
  tokens = shown = null;
  areas = [];
  at("choose").reset();
  at("area").replaceChildren();
  at("campaign_id").replaceChildren();
  at("tag").replaceChildren();
  at("name").textContent = at("found").textContent = "";
  at("sign-in").reset();
  clear();
  at("who").hidden = at("choose").hidden = true;
  at("sign-in").hidden = false;
  tell("");
  news("");
  chooseDays();
  chooseReport();
  at("login").focus();
}

// Reports

function chooseReport() {
  for (const field of document.querySelectorAll("[data-of]")) {
    field.hidden = !field.dataset.of.split(" ").includes(at("report").value);
    for (const input of field.querySelectorAll("input, select")) input.disabled = field.hidden;
  }
  // A roster may be of several areas; a sweep is of one campaign, where follow-ups may be of all.
  at("area").multiple = at("report").value === "roster";
  const campaign = at("campaign_id");
  campaign.required = at("report").value === "sweep";
  campaign.selectedIndex = campaign.required && campaign.options.length > 1 ? 1 : 0;
}

function chooseDays() {
  const days = (back) => {
    const day = new Date();
    day.setDate(day.getDate() - back);
    return [day.getFullYear(), day.getMonth() + 1, day.getDate()].map((n) => String(n).padStart(2, "0")).join("-");
  };
  at("day").value = at("until").value = days(0);
  at("since").value = days(WEEK_DAYS);
}

function asked() {
  const chosen = [...at("area").selectedOptions];
  const said = { area_id: chosen.length > 1 ? chosen.map((one) => one.value) : at("area").value };
  for (const input of document.querySelectorAll("[data-of] :is(input, select):enabled")) {
    if (input.value) said[input.id] = input.value;
  }
  const more = chosen.length > 1 ? ` 等 ${chosen.length} 处` : "";
  const name = `${title().split(" · ")[0]} ${chosen[0].text}${more}`;
  return { report: at("report").value, title: title(), name, said };
}

function fetched({ report, said }, form) {
  const body = { ...said, form };
  if (report !== "roster") return ask(`/v1/reports/${report}?${new URLSearchParams(body)}`);
  const headers = { "Content-Type": "application/json" };
  return ask(`/v1/reports/${report}`, { method: "POST", headers, body: JSON.stringify(body) });
}

async function show(current) {
  const wanted = asked();
  clear();
  const text = await (await fetched(wanted, "page")).text();
  if (!current()) return;
  at("page").srcdoc = text;
  at("showing").textContent = wanted.name;
  shown = wanted;
  at("shown").hidden = at("print").disabled = at("download").disabled = false;
  news("已显示 · Shown");
  at("showing").focus();
}

// As high as what it shows: nobody should have to scroll within what scrolls.
function fit() {
  at("page").style.height = 0;
  at("page").style.height = `${at("page").contentDocument.documentElement.scrollHeight + 8}px`;
}

function clear() {
  shown = null;
  at("page").removeAttribute("srcdoc");
  at("shown").hidden = at("print").disabled = at("download").disabled = true;
}

async function download(current) {
  const { name } = shown;
  const workbook = await (await fetched(shown, "xlsx")).blob();
  if (!current()) return;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(workbook);
  link.download = `${name.replace(/[\\/:*?"<>|›\s]+/g, " ")}.xlsx`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  news("已下载 · Downloaded");
}

// What is done by hand

at("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  // One at a time: nobody is shown by one name what another may see.
  at("enter").disabled = true;
  doing(enter, "正在登录 · Signing in").finally(() => (at("enter").disabled = false));
});
at("choose").addEventListener("submit", (event) => {
  event.preventDefault();
  doing(show, "正在载入 · Loading");
});
at("page").addEventListener("load", fit);
addEventListener("resize", fit);
at("find").addEventListener("input", listFound);
at("report").addEventListener("change", chooseReport);
at("download").addEventListener("click", () => doing(download, "正在下载 · Downloading"));
at("print").addEventListener("click", () => at("page").contentWindow.print());
at("leave").addEventListener("click", leave);
chooseDays();
chooseReport();
