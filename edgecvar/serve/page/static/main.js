// The page: what the service says, put where it belongs.
import { addingForm } from "./adding.js";
import { Card } from "./card.js";
import { Connection } from "./connection.js";
import { Detail } from "./detail.js";
import { make, pairs, setText } from "./dom.js";
import { Events } from "./events.js";
import { count, span } from "./words.js";

const at = (id) => document.getElementById(id);
const cards = new Map();
const numbers = new Map();
const seen = new Set();
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const detail = new Detail(at("detail"));
const events = new Events(at("events-list"), at("events-none"), at("events-count"), at("clip"));
let ahead = 0; // seconds that the service's clock is ahead of this one's
let mayAdd = false;

const visible = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting) seen.add(target.dataset.name);
    else seen.delete(target.dataset.name);
  }
  watch();
}, { rootMargin: "120px" });

const connection = new Connection({
  state: show,
  picture: (stream, blob) => numbers.get(stream)?.show(blob).catch(() => {}),
  motion: (stream, motion) => at("overlay").checked && numbers.get(stream)?.move(motion),
  lost() {
    document.body.classList.add("lost");
    health("away", "Connection lost: trying again");
  },
});

function watch() {
  const names = document.hidden ? [] : [...seen].filter((name) => cards.has(name));
  if (JSON.stringify(names) !== JSON.stringify(connection.watched)) connection.watch(names);
}

function show(state, fresh) {
  document.body.classList.remove("lost");
  ahead = state.now - Date.now() / 1000;
  mayAdd = state.may_add;
  at("add-open").hidden = !mayAdd || state.streams.length === 0;
  showStreams(state.streams, fresh);
  events.update(state.events, fresh);
  for (const each of document.querySelectorAll(".jump, .switch")) each.hidden = state.streams.length === 0;
  setText(at("jump-count"), String(at("events-list").children.length));
  at("first").hidden = state.streams.length > 0;
  at("streams").hidden = state.streams.length === 0;
  at("events").hidden = state.streams.length === 0 && at("events-list").children.length === 0;
  showHealth(state);
  pairs(at("facts"), factsOf(state));
  document.title = state.wrong.length ? `(${state.wrong.length}) edgecvar` : `edgecvar, ${state.service}`;
}

function showStreams(streams, fresh) {
  const names = new Set(streams.map(({ name }) => name));
  for (const [name, card] of cards) {
    if (names.has(name)) continue;
    visible.unobserve(card.element);
    card.element.remove();
    cards.delete(name);
    seen.delete(name);
    if (detail.name === name) at("detail").close();
  }
  numbers.clear();
  for (const stream of streams) {
    let card = cards.get(stream.name);
    if (!card) {
      card = new Card(stream, () => detail.open(cards.get(stream.name), mayAdd));
      cards.set(stream.name, card);
      at("streams").append(card.element);
      visible.observe(card.element);
    }
    numbers.set(stream.id, card);
    card.update(stream, fresh);
    if (detail.name === stream.name) detail.update(stream, now());
  }
  at("streams").dataset.few = streams.length < 3 ? "yes" : "no";
  watch();
}

function showHealth({ wrong, streams, untrained }) {
  const running = streams.filter(({ state }) => state === "running").length;
  const words = `${running} of ${count(streams.length, "stream", "streams")} running`;
  if (wrong.length) health("failed", `${count(wrong.length, "thing is", "things are")} wrong`);
  else if (!streams.length) health("waiting", "No source yet");
  else health(running === streams.length ? "running" : "away", words);
  const told = untrained ? ["The bundle is untrained: its labels mean nothing", ...wrong] : wrong;
  const alerts = at("alerts");
  if (alerts.dataset.key !== told.join("\n")) {
    alerts.dataset.key = told.join("\n");
    alerts.hidden = !told.length;
    alerts.replaceChildren(...told.map((text) => make("p", { text })));
  }
}

function health(state, word) {
  at("health").dataset.state = state;
  setText(at("health-word"), word);
}

function factsOf(state) {
  const facts = [["Machine", state.service], ["Bundle", state.bundle]];
  if (state.celsius) facts.push(["Temperature", `${Math.round(state.celsius)} °C`]);
  if (state.watts) facts.push(["Power", `${state.watts.toFixed(1)} W`]);
  facts.push(["Up", span(state.now - state.begun)]);
  return facts;
}

function now() {
  return Date.now() / 1000 + ahead;
}

function tick() {
  if (document.hidden) return;
  for (const [name, card] of cards) if (seen.has(name)) card.tick(now());
  if (detail.name) detail.tick(now());
}

at("first-form").append(addingForm(() => {}));
at("add-form").append(addingForm(() => at("add").close()));
at("add-open").addEventListener("click", () => at("add").showModal());
at("add").querySelector(".close").addEventListener("click", () => at("add").close());
at("overlay").checked = !calm.matches;
at("overlay").addEventListener("change", () => cards.forEach((card) => card.view.still()));
document.addEventListener("visibilitychange", watch);
addEventListener("resize", () => cards.forEach((card) => card.view.draw()));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", tick);
setInterval(tick, calm.matches ? 1000 : 200);
