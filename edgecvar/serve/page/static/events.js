// Events, newest first, each with its clip once that is written.
import { make, setText } from "./dom.js";
import { count, moment, percent, span } from "./words.js";

const MOST = 200;

export class Events {
  constructor(list, none, number, dialog) {
    Object.assign(this, { list, none, number, dialog, rows: new Map() });
    dialog.addEventListener("close", () => dialog.replaceChildren());
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close();
    });
  }

  update(events, fresh) {
    if (fresh) {
      this.rows.clear();
      this.list.replaceChildren();
    }
    for (const event of events) {
      const row = this.row(event);
      const before = this.rows.get(event.number);
      if (before) before.replaceWith(row);
      else this.list.prepend(row);
      this.rows.set(event.number, row);
    }
    while (this.list.children.length > MOST) {
      this.rows.delete(Number(this.list.lastChild.dataset.number));
      this.list.lastChild.remove();
    }
    this.none.hidden = this.list.children.length > 0;
    setText(this.number, this.list.children.length ? count(this.list.children.length, "event", "events") : "");
  }

  row(event) {
    const goesOn = event.seconds === null;
    const row = make(
      "li",
      { class: goesOn ? "event now" : "event", "data-number": event.number },
      make("time", { datetime: new Date(event.at * 1000).toISOString(), text: moment(event.at) }),
      make("span", { class: "what" }, make("strong", { text: event.label }), make("span", { text: event.stream })),
      make("span", { class: "how" }, make("span", { text: goesOn ? "goes on" : span(event.seconds) }),
        make("span", { text: `peak ${percent(event.peak)}` })),
    );
    if (event.clip) {
      const words = `Play the clip of ${event.label}, ${event.stream}, ${moment(event.at)}`;
      const play = make("button", { type: "button", class: "play", "aria-label": words, title: "Play the clip" });
      play.addEventListener("click", () => this.play(event));
      row.append(play);
    }
    return row;
  }

  play(event) {
    const close = make("button", { type: "button", class: "close", "aria-label": "Close", text: "×" });
    close.addEventListener("click", () => this.dialog.close());
    const title = `${event.label}, ${event.stream}, ${moment(event.at)}`;
    const video = make("video", { src: event.clip, controls: true, autoplay: true, playsinline: true, loop: true });
    video.muted = true;
    const refused = make("p", { class: "hint", hidden: true, text: "This browser does not play the clip's codec; " });
    refused.append(make("a", { href: event.clip, download: "", text: "save it" }));
    video.addEventListener("error", () => (refused.hidden = false));
    this.dialog.replaceChildren(make("header", {}, make("h2", { id: "clip-title", text: title }), close), video, refused);
    this.dialog.showModal();
  }
}
