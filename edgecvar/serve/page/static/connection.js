// The one WebSocket: states as JSON, pictures and motion as bytes. It comes back by itself.

const JPEG = 1;
const MOTION = 2;

export class Connection {
  constructor({ state, picture, motion, lost }) {
    Object.assign(this, { state, picture, motion, lost });
    this.watched = [];
    this.wait = 500;
    this.open();
  }

  open() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    this.socket = new WebSocket(`${scheme}://${location.host}/live`);
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => {
      this.wait = 500;
      this.fresh = true;
      this.watch(this.watched);
    };
    this.socket.onmessage = ({ data }) => {
      if (typeof data !== "string") return this.bytes(data);
      this.state(JSON.parse(data), this.fresh);
      this.fresh = false;
    };
    this.socket.onclose = async () => {
      this.lost();
      setTimeout(() => this.open(), this.wait);
      this.wait = Math.min(this.wait * 2, 8000);
      try {
        // A session that has ended asks for the token again.
        if ((await fetch("/api/state")).status === 401) location.replace("/login");
      } catch {
        // The service is away: it is tried again.
      }
    };
  }

  watch(names) {
    this.watched = names;
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ watch: names }));
  }

  bytes(buffer) {
    const view = new DataView(buffer);
    const [kind, stream] = [view.getUint8(0), view.getUint16(2, true)];
    if (kind === JPEG) this.picture(stream, new Blob([new Uint8Array(buffer, 8)], { type: "image/jpeg" }));
    else if (kind === MOTION) this.motion(stream, motionOf(view, buffer));
  }
}

function motionOf(view, buffer) {
  const short = (place) => view.getUint16(8 + 2 * place, true);
  const [rows, columns, cell, rotation] = [0, 1, 2, 3].map(short);
  return {
    rows,
    columns,
    cell,
    rotation,
    left: view.getInt16(16, true),
    top: view.getInt16(18, true),
    width: short(6),
    height: short(7),
    field: new Int8Array(buffer, 24),
  };
}

export async function ask(path, body) {
  // What the service answers; throws its own words.
  let answer;
  try {
    answer = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
  } catch {
    throw new Error("the service does not answer");
  }
  const document = await answer.json();
  if (!answer.ok) throw new Error(document.error || answer.statusText);
  return document;
}
