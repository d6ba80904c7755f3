// The form that tries a source and adds it.
import { ask } from "./connection.js";
import { make } from "./dom.js";

let forms = 0;

export function addingForm(done) {
  const id = `adding-${(forms += 1)}`;
  const uri = make("input", { id: `${id}-uri`, type: "text", required: true, autocomplete: "off", spellcheck: "false",
    autocapitalize: "none", placeholder: "rtsp://user:password@camera/stream", "aria-describedby": `${id}-said` });
  const name = make("input", { id: `${id}-name`, type: "text", maxlength: "64", autocomplete: "off", placeholder: "door" });
  const again = make("input", { type: "checkbox" });
  const repeat = make("label", { class: "check", hidden: true }, again, " begin anew at the file's end");
  const said = make("div", { id: `${id}-said`, class: "tried", role: "status" });
  const trying = make("button", { type: "button", text: "Try it" });
  const add = make("button", { class: "primary", text: "Add" });
  const form = make(
    "form",
    { class: "adding" },
    make("label", { for: uri.id, text: "Address" }), uri,
    make("label", { for: name.id, text: "Name" }), name,
    repeat, said,
    make("div", { class: "actions" }, trying, add),
  );
  let named = false;
  name.addEventListener("input", () => (named = name.value !== ""));
  uri.addEventListener("input", () => {
    if (!named) name.value = nameOf(uri.value);
    repeat.hidden = uri.value.trim() === "" || uri.value.includes("://");
  });

  async function busy(word, work) {
    for (const button of [trying, add]) button.disabled = true;
    said.replaceChildren(make("p", { class: "busy", text: word }));
    try {
      await work();
    } catch (error) {
      said.replaceChildren(make("p", { class: "wrong", text: error.message }));
    }
    for (const button of [trying, add]) button.disabled = false;
  }

  trying.addEventListener("click", () => {
    if (!form.reportValidity()) return;
    busy("Opening it: up to 10 s", async () => {
      await showTried(said, await ask("/api/try", { uri: uri.value }));
      add.focus();
    });
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    busy("Adding it", async () => {
      const body = { uri: uri.value, name: name.value || nameOf(uri.value) || "camera", again: again.checked ? "yes" : "no" };
      const { note } = await ask("/api/sources", body);
      form.reset();
      named = false;
      repeat.hidden = true;
      said.replaceChildren(...(note ? [make("p", { class: "hint", text: note })] : []));
      if (!note) done();
    });
  });
  return form;
}

function nameOf(uri) {
  // Of a URL its host, of a file its name without the ending.
  const url = /^[a-z0-9+]+:\/\/(?:[^@/]*@)?([^:/?#]+)/i.exec(uri.trim());
  const name = url ? url[1] : uri.trim().split("/").pop().replace(/\.[^.]*$/, "");
  return name.slice(0, 64);
}

async function showTried(said, tried) {
  const gop = tried.gop ? `an I-picture every ${tried.gop} pictures` : "no second I-picture yet";
  const facts = `${tried.codec}, ${tried.width} × ${tried.height}, ${tried.rate} pictures/s, ${gop}. ${tried.note}`;
  const parts = [make("p", { class: "good" }, make("strong", { text: "It answers. " }), facts)];
  if (tried.changes.length) {
    parts.push(make("p", { text: "In its settings, change:" }));
    parts.push(make("ul", {}, ...tried.changes.map((line) => make("li", { text: line }))));
  }
  if (tried.jpeg) {
    const bytes = Uint8Array.from(atob(tried.jpeg), (sign) => sign.charCodeAt(0));
    const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/jpeg" }));
    const canvas = make("canvas", { width: bitmap.width, height: bitmap.height, role: "img", "aria-label": "Its first picture" });
    canvas.getContext("2d").drawImage(bitmap, 0, 0);
    parts.unshift(canvas);
  }
  said.replaceChildren(...parts);
}
