// A stream's newest I-picture, and over it the motion of the newest one as arrows.
import { colour, context } from "./dom.js";

const STILL = 0.3; // pixels a frame below which there is no arrow
const GAIN = 2; // arrow pixels for each pixel a frame
const [SHORTEST, LONGEST] = [0.45, 1.5]; // of an arrow, in cells
const NEAREST = 15; // pixels of the screen between two arrows, about
const MEMORY = 0.5; // of the field before: vectors jump about from picture to picture

export class View {
  constructor(picture, arrows) {
    Object.assign(this, { picture, arrows, bitmap: null, motion: null, field: null });
  }

  async show(blob) {
    const bitmap = await createImageBitmap(blob);
    this.bitmap?.close();
    this.bitmap = bitmap;
    this.drawPicture();
  }

  move(motion) {
    const before = this.field && this.field.length === motion.field.length ? this.field : null;
    this.field = Float32Array.from(motion.field, (value, place) =>
      before ? MEMORY * before[place] + ((1 - MEMORY) * value) / 4 : value / 4,
    );
    this.motion = motion;
    this.drawArrows();
  }

  still() {
    this.motion = this.field = null;
    this.drawArrows();
  }

  draw() {
    this.drawPicture();
    this.drawArrows();
  }

  drawPicture() {
    const shown = context(this.picture);
    if (!shown || !this.bitmap) return;
    const box = fitted(this.bitmap.width, this.bitmap.height, shown);
    shown.drawing.imageSmoothingQuality = "high";
    shown.drawing.drawImage(this.bitmap, box.left, box.top, box.width, box.height);
  }

  drawArrows() {
    const shown = context(this.arrows);
    if (!shown || !this.motion) return;
    const { rows, columns, cell, rotation, left, top, width, height } = this.motion;
    const turned = rotation % 180 !== 0;
    const box = fitted(turned ? height : width, turned ? width : height, shown);
    const { drawing } = shown;
    drawing.translate(box.left + box.width / 2, box.top + box.height / 2);
    drawing.rotate((-rotation * Math.PI) / 180);
    drawing.scale(box.scale, box.scale);
    drawing.translate(-width / 2 - left, -height / 2 - top);
    // On a small picture several cells share an arrow.
    const step = Math.max(1, Math.round(NEAREST / (cell * box.scale)));
    const path = new Path2D();
    for (let row = 0; row + step <= rows; row += step) {
      for (let column = 0; column + step <= columns; column += step) {
        const [dx, dy] = this.mean(row, column, step);
        arrow(path, (column + step / 2) * cell, (row + step / 2) * cell, dx, dy, cell * step);
      }
    }
    drawing.lineCap = drawing.lineJoin = "round";
    for (const [style, pixels] of [["rgba(0, 0, 0, 0.6)", 3.2], [colour("--arrow"), 1.5]]) {
      drawing.strokeStyle = style;
      drawing.lineWidth = pixels / box.scale;
      drawing.stroke(path);
    }
  }

  mean(row, column, step) {
    const sum = [0, 0];
    for (let y = row; y < row + step; y += 1) {
      for (let x = column; x < column + step; x += 1) {
        const place = 2 * (y * this.motion.columns + x);
        sum[0] += this.field[place];
        sum[1] += this.field[place + 1];
      }
    }
    return sum.map((value) => value / (step * step));
  }
}

function arrow(path, x, y, dx, dy, cell) {
  const speed = Math.hypot(dx, dy);
  if (speed < STILL) return;
  const length = Math.min(Math.max(GAIN * speed, SHORTEST * cell), LONGEST * cell);
  const [ux, uy] = [dx / speed, dy / speed];
  const [ex, ey] = [x + (ux * length) / 2, y + (uy * length) / 2];
  const head = Math.min(0.34 * length, 0.3 * cell);
  path.moveTo(x - (ux * length) / 2, y - (uy * length) / 2);
  path.lineTo(ex, ey);
  path.moveTo(ex - head * (ux - 0.7 * uy), ey - head * (uy + 0.7 * ux));
  path.lineTo(ex, ey);
  path.lineTo(ex - head * (ux + 0.7 * uy), ey - head * (uy - 0.7 * ux));
}

function fitted(width, height, shown) {
  const scale = Math.min(shown.width / width, shown.height / height);
  const [across, down] = [width * scale, height * scale];
  return { scale, width: across, height: down, left: (shown.width - across) / 2, top: (shown.height - down) / 2 };
}
