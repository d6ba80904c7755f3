// Figures and times as people read them.

export const percent = (part) => `${Math.round(part * 100)} %`;

export function span(seconds) {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
const day = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });

export function moment(seconds) {
  const date = new Date(seconds * 1000);
  const today = date.toDateString() === new Date().toDateString();
  return today ? clock.format(date) : `${day.format(date)} ${clock.format(date)}`;
}

export const milliseconds = ([half, most]) => `${figure(half)}/${figure(most)} ms`;

const figure = (value) => (value < 10 ? value.toFixed(1) : String(Math.round(value)));

export const count = (number, one, many) => `${number.toLocaleString()} ${number === 1 ? one : many}`;
