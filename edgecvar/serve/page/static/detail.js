// One stream, large: its best labels, two minutes of them, and all that is known of it.
import { ask } from "./connection.js";
import { make, pairs, setText } from "./dom.js";
import { STATES, figures, since } from "./card.js";
import { View } from "./picture.js";
import { KEPT, Strip } from "./strip.js";
import { count, percent } from "./words.js";

export class Detail {
  constructor(dialog) {
    this.dialog = dialog;
    this.name = null;
    dialog.addEventListener("close", () => {
      this.name = null;
      dialog.replaceChildren();
    });
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close();
    });
  }

  open(card, mayRemove) {
    this.card = card;
    this.name = card.stream.name;
    const layers = [make("canvas", { class: "layer", "aria-hidden": "true" }), make("canvas", { class: "layer" })];
    layers[1].setAttribute("aria-hidden", "true");
    this.state = make("span", { class: "state" }, make("span", { class: "dot" }), make("span"));
    this.why = make("p", { class: "hint" });
    this.top = make("ol", { class: "top", "aria-label": "Best labels" });
    this.canvas = make("canvas", { class: "strip", role: "img" });
    this.facts = make("dl", { class: "table" });
    this.wrong = make("p", { class: "wrong", role: "alert", hidden: true });
    const close = make("button", { type: "button", class: "close", "aria-label": "Close", text: "×" });
    close.addEventListener("click", () => this.dialog.close());
    const remove = make("button", { type: "button", text: "Remove this source", onclick: () => this.remove() });
    const head = make("header", {}, make("h2", { id: "detail-title", text: this.name }), this.state, close);
    const side = make("div", { class: "side" }, this.why, this.top, this.facts, this.wrong);
    if (card.stream.added && mayRemove) side.append(remove);
    const seen = make("div", {}, make("div", { class: "figure" }, ...layers), this.canvas);
    this.dialog.replaceChildren(head, make("div", { class: "columns" }, seen, side));
    this.view = new View(...layers);
    this.view.bitmap = card.view.bitmap;
    this.strip = new Strip(this.canvas, KEPT);
    this.strip.points = card.strip.points;
    this.dialog.showModal();
    this.update(card.stream, card.stream.since);
    this.view.draw();
  }

  update(stream, now) {
    this.dialog.dataset.state = stream.state;
    setText(this.state.lastChild, STATES[stream.state] || stream.state);
    setText(this.why, stream.why);
    const top = stream.top || [];
    while (this.top.children.length > top.length) this.top.lastChild.remove();
    top.forEach(([label, part], place) => {
      const row =
        this.top.children[place] ||
        this.top.appendChild(
          make("li", {}, make("span"), make("span", { class: "share" }), make("span", { class: "meter" }, make("span", { class: "meter-fill" }))),
        );
      setText(row.children[0], label);
      setText(row.children[1], percent(part));
      row.children[2].firstChild.style.width = `${100 * part}%`;
    });
    pairs(this.facts, facts(stream, now));
  }

  tick(now) {
    this.view.bitmap = this.card.view.bitmap;
    Object.assign(this.view, { motion: this.card.view.motion, field: this.card.view.field });
    this.view.draw();
    this.strip.draw(now);
  }

  async remove() {
    try {
      await ask("/api/sources/remove", { name: this.name });
      this.dialog.close();
    } catch (error) {
      this.wrong.textContent = error.message;
      this.wrong.hidden = false;
    }
  }
}

function facts(stream, now) {
  const { video, counts } = stream;
  const rows = [["Source", stream.uri], [`${STATES[stream.state]} for`, since(stream, now)]];
  if (video) {
    rows.push(["Video", `${video.codec}, ${video.width} × ${video.height}, ${video.fps} pictures/s`]);
    if (!video.native) rows.push(["Vectors", video.note]);
  }
  rows.push(...figures(stream), ["Opened", count(stream.opened, "time", "times")]);
  if (counts) {
    rows.push(["Sampled", `${counts.sampled.toLocaleString()} of ${counts.pictures.toLocaleString()}`]);
    const reasons = Object.entries(counts.reasons).map(([reason, number]) => `${reason}: ${number}`);
    if (reasons.length) rows.push(["Left out, damaged, broken", reasons.join("; ")]);
  }
  return rows;
}
