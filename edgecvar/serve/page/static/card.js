// One stream in the grid.
import { make, pairs, setText } from "./dom.js";
import { View } from "./picture.js";
import { Strip } from "./strip.js";
import { milliseconds, percent, span } from "./words.js";

export const STATES = { running: "running", waiting: "waiting", away: "away", ended: "ended", failed: "failed" };
const STALE = 3000; // milliseconds after which motion that nothing follows is taken off

export class Card {
  constructor(stream, open) {
    this.picture = make("canvas", { class: "layer", role: "img" });
    this.arrows = make("canvas", { class: "layer", "aria-hidden": "true" });
    this.why = make("p", { class: "why" });
    this.state = make("span", { class: "state" }, make("span", { class: "dot" }), make("span"));
    this.label = make("span", { class: "label" });
    this.share = make("span", { class: "share" });
    this.meter = make("span", { class: "meter-fill" });
    this.canvas = make("canvas", { class: "strip", role: "img" });
    this.figures = make("dl", { class: "figures" });
    const title = make("button", { type: "button", class: "title", text: stream.name, onclick: open });
    this.figure = make("div", { class: "figure", onclick: open }, this.picture, this.arrows, this.why);
    this.element = make(
      "article",
      { class: "card", "aria-label": stream.name },
      make("header", {}, make("h2", {}, title), this.state),
      this.figure,
      make("div", { class: "now" }, this.label, this.share, make("span", { class: "meter" }, this.meter)),
      this.canvas,
      this.figures,
    );
    this.element.dataset.name = stream.name;
    this.view = new View(this.picture, this.arrows);
    this.strip = new Strip(this.canvas, 60);
  }

  update(stream, fresh) {
    if (stream.opened !== this.stream?.opened) this.view.still();
    this.stream = stream;
    this.element.dataset.state = stream.state;
    setText(this.state.lastChild, STATES[stream.state] || stream.state);
    this.strip.add(stream.points, fresh);
    const [label, part] = (stream.top && stream.top[0]) || ["", 0];
    setText(this.label, label || (stream.state === "running" ? "no label yet" : "no label"));
    this.label.classList.toggle("none", !label);
    setText(this.share, label ? percent(part) : "");
    this.meter.style.width = `${100 * part}%`;
    this.picture.setAttribute("aria-label", label ? `Newest picture of ${stream.name}: ${label}` : stream.name);
    setText(this.why, this.reason(stream));
    pairs(this.figures, figures(stream));
  }

  reason(stream) {
    if (stream.state === "running") return this.view.bitmap || !this.element.isConnected ? "" : "waits for an I-picture";
    if (stream.state === "ended") return "the file is at its end";
    return stream.why || (stream.state === "waiting" ? "is being opened" : "");
  }

  show(blob) {
    return this.view.show(blob).then(() => setText(this.why, this.stream ? this.reason(this.stream) : ""));
  }

  move(motion) {
    this.moved = Date.now();
    this.view.move(motion);
  }

  tick(now) {
    this.strip.draw(now);
    if (this.view.motion && Date.now() - this.moved > STALE) this.view.still();
  }
}

export function figures(stream) {
  const counts = stream.counts;
  const left = counts ? counts.skipped + counts.damaged + counts.dropped : 0;
  return [
    ["Pictures", `${stream.pictures_per_second.toFixed(1)}/s`],
    ["Decisions", `${stream.decisions_per_second.toFixed(1)}/s`],
    ["p50/p99", stream.latency_ms ? milliseconds(stream.latency_ms) : "–"],
    ["Dropped", counts ? left.toLocaleString() : "–"],
  ];
}

export function since(stream, now) {
  return span(Math.max(0, now - stream.since));
}
