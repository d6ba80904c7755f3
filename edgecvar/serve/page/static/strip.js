// Labels over time: each run of one label is a block, as high as it was sure.
import { colour, context } from "./dom.js";
import { percent } from "./words.js";

export const KEPT = 120; // seconds of points
const GAP = 2.5; // seconds without a decision, after which nothing is drawn

export class Strip {
  constructor(canvas, seconds) {
    Object.assign(this, { canvas, seconds, points: [] });
  }

  add(points, fresh) {
    if (fresh) this.points = [];
    this.points.push(...points);
    if (this.points.length > 1000) this.points.splice(0, this.points.length - 1000);
  }

  draw(now) {
    while (this.points.length && this.points[0][0] < now - KEPT) this.points.shift();
    const shown = context(this.canvas);
    if (!shown) return;
    const { drawing, width, height } = shown;
    const floor = height - 14;
    const across = (at) => width * (1 - (now - at) / this.seconds);
    const runs = runsOf(this.points, now, now - this.seconds);
    const [plain, other, newest, text, muted] = ["--run", "--run-other", "--accent", "--text", "--muted"].map(colour);
    drawing.font = `11px ${getComputedStyle(this.canvas).fontFamily}`;
    this.axis(drawing, width, height, floor, muted);
    for (const run of runs) {
      const current = run === runs[runs.length - 1] && run.end === now;
      drawing.fillStyle = current ? newest : run.number % 2 ? other : plain;
      drawing.globalAlpha = current ? 0.85 : 1;
      drawing.beginPath();
      drawing.moveTo(across(run.begin), floor);
      for (const [at, part, until] of run.parts) {
        drawing.lineTo(across(at), floor - part * (floor - 16));
        drawing.lineTo(across(until), floor - part * (floor - 16));
      }
      drawing.lineTo(across(run.end), floor);
      drawing.fill();
      drawing.globalAlpha = 1;
    }
    this.names(drawing, runs, across, width, text);
    this.canvas.setAttribute("aria-label", spoken(runs, this.seconds));
  }

  axis(drawing, width, height, floor, muted) {
    drawing.fillStyle = colour("--line");
    drawing.fillRect(0, floor, width, 1);
    drawing.fillStyle = muted;
    drawing.textBaseline = "bottom";
    const steps = width > 420 ? 4 : 2;
    for (let step = 0; step <= steps; step += 1) {
      const x = (width * step) / steps;
      const seconds = Math.round(this.seconds * (1 - step / steps));
      drawing.textAlign = step === 0 ? "left" : step === steps ? "right" : "center";
      drawing.fillText(seconds ? `${seconds} s ago` : "now", x, height);
    }
  }

  names(drawing, runs, across, width, text) {
    drawing.fillStyle = text;
    drawing.textAlign = "left";
    drawing.textBaseline = "top";
    let free = 0;
    // The newest runs are named first where there is no room for all.
    const named = [];
    for (const run of [...runs].reverse()) {
      const room = drawing.measureText(run.label).width;
      const x = Math.min(Math.max(across(run.begin), 0), width - room);
      const end = named.length ? named[named.length - 1].x - 8 : width;
      if (x + room <= end && (run.end - run.begin > 0.6 || run === runs[runs.length - 1])) named.push({ x, run });
    }
    for (const { x, run } of named) drawing.fillText(run.label, Math.max(x, free), 0);
  }
}

function runsOf(points, now, since) {
  const runs = [];
  points.forEach(([at, label, part], place) => {
    const next = place + 1 < points.length ? points[place + 1][0] : now;
    const until = next - at > GAP ? Math.min(at + GAP / 2, now) : next;
    const last = runs[runs.length - 1];
    if (last && last.label === label && at - last.end < 0.01) {
      last.parts.push([at, part, until]);
      last.end = until;
    } else {
      runs.push({ label, begin: at, end: until, parts: [[at, part, until]], number: (last?.number ?? 0) + 1 });
    }
  });
  return runs.filter((run) => run.end > since);
}

function spoken(runs, seconds) {
  if (!runs.length) return `No label in the last ${seconds} s`;
  const told = runs.slice(-4).map((run) => `${run.label} ${percent(run.parts[run.parts.length - 1][1])}`);
  return `Labels of the last ${seconds} s, newest last: ${told.join(", ")}`;
}
