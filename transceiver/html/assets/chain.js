"use strict";
// The chain as a diagram: the sender's taps in signal order, the channel, and the receiver's back again.

const SVG = "http://www.w3.org/2000/svg";
const PAIRS = [  // what the sender makes, and what the receiver has in its place
  ["image", "image_hat"], ["indices", "indices_hat"], ["codebooks", null], ["payload", "payload_hat"],
  ["values", "values_hat"], ["source_bits", "source_bits_hat"], ["info_bits", "info_bits_hat"],
  ["coded_bits", "coded_bits_hard"], ["bits_per_symbol", "llrs"], ["symbols", "equalized"], ["gain", "received"],
];
const BOX = { width: 124, height: 58 };

function svg(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const short = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

function result(point, tap) {
  const rate = { coded_bits_hard: ["BER", "coded_ber"], info_bits_hat: ["BLER", "bler"], source_bits_hat: ["FER", "fer"],
    indices_hat: ["wrong", "index_error_rate"] }[tap];
  if (!point) return "";
  if (rate) return `${rate[0]} ${rateText(point.rates[rate[1]])}`;
  if (tap === "equalized" && point.scalars.evm !== null) return `EVM ${number(100 * point.scalars.evm, 3)} %`;
  const metric = Object.entries(point.metrics)[0];
  return tap === "image_hat" && metric ? `${short(chosenRun().metrics[metric[0]], 10)} ${number(metric[1].value, 4)}` : "";
}

// Where each tap stands: along the upper line, down, and back along the lower one; on a narrow page turned.
function places(stages, narrow) {
  const names = new Set(stages.map((stage) => stage.name));
  const pairs = PAIRS.filter(([tx, rx]) => names.has(tx) || names.has(rx));
  const step = narrow ? BOX.height + 18 : BOX.width + 16;
  const across = narrow ? BOX.width + 26 : BOX.height + 34;
  const found = new Map();
  pairs.forEach((pair, column) => pair.forEach((name, row) => {
    if (!names.has(name)) return;
    found.set(name, narrow ? { x: row * across, y: column * step } : { x: column * step, y: row * across });
  }));
  const long = pairs.length * step - (narrow ? 18 : 16);
  const wide = across + (narrow ? BOX.width : BOX.height);
  const order = [...pairs.map(([tx]) => tx), ...pairs.map(([, rx]) => rx).reverse()].filter((name) => names.has(name));
  return { found, order, width: narrow ? wide : long, height: narrow ? long : wide };
}

// From the edge of one box to that of the next, with a head.
function arrow(from, to) {
  const [w, h] = [BOX.width, BOX.height];
  const [dx, dy] = [Math.sign(to.x - from.x), Math.sign(to.y - from.y)];
  const along = dx && dy ? { dx, dy: 0 } : { dx, dy };  // boxes that stand in no line: out sideways
  const start = { x: from.x + w / 2 + (along.dx * w) / 2, y: from.y + h / 2 + (along.dy * h) / 2 };
  const into = dx && dy ? { dx: 0, dy } : along;
  const end = { x: to.x + w / 2 - (into.dx * w) / 2, y: to.y + h / 2 - (into.dy * h) / 2 };
  const bend = dx && dy ? ` L${end.x},${start.y}` : "";
  const [px, py] = [-into.dy, into.dx];
  const tip = (s) => `${end.x - 6 * into.dx + s * 4 * px},${end.y - 6 * into.dy + s * 4 * py}`;
  return [
    svg("path", { d: `M${start.x},${start.y}${bend} L${end.x},${end.y}` }),
    svg("path", { class: "head", d: `M${end.x},${end.y} L${tip(1)} L${tip(-1)} Z` }),
  ];
}

function box(stage, place) {
  const text = (y, words, small) => svg("text", { x: BOX.width / 2, y, ...(small ? { class: "small" } : {}) }, words);
  const found = svg("g", {
    transform: `translate(${place.x},${place.y})`, role: "button", tabindex: "0",
    "aria-pressed": String(stage.name === choice.tap), "data-tap": stage.name,
    "aria-label": `${stage.name}, ${stage.made_by}`,
  }, svg("rect", { width: BOX.width, height: BOX.height, rx: 7 }), text(18, stage.name),
  text(34, short(stage.made_by, 21), true), text(49, result(chosenPoint(), stage.name) || short(stage.shape, 20), true),
  svg("title", {}, stage.made_by));
  found.addEventListener("click", () => choose({ tap: stage.name }));
  found.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    choose({ tap: stage.name });
    element("diagram").querySelector(`[data-tap="${stage.name}"]`).focus();
  });
  return found;
}

function drawChain() {
  const { stages } = chosenCodec();
  if (!stages.some((stage) => stage.name === choice.tap)) choice.tap = stages.length ? stages.at(-1).name : "";
  const narrow = element("diagram").clientWidth < 640;
  const { found, order, width, height } = places(stages, narrow);
  const drawn = svg("svg", { viewBox: `-3 -3 ${width + 6} ${height + 6}`, role: "group", "aria-label": "Chain of the codec" });
  order.slice(1).forEach((name, i) => drawn.append(...arrow(found.get(order[i]), found.get(name))));
  for (const stage of stages) if (found.has(stage.name)) drawn.append(box(stage, found.get(stage.name)));
  if (narrow) drawn.style.maxWidth = `${width + 6}px`;
  element("diagram").replaceChildren(stages.length ? drawn : "Nothing was sent: no bitstream fitted into the budget.");
  drawTap();
}

function drawTap() {
  const stage = chosenCodec().stages.find((one) => one.name === choice.tap);
  const point = chosenPoint();
  element("tap").hidden = !stage;
  if (!stage) return;
  const values = point && point.signal.values[stage.name];
  const rows = [
    ["made by", stage.made_by],
    ["shape", `${stage.shape} in the first frame`],
    ["type", stage.dtype],
    ["counted", (point && point.counted[stage.name]) || "–"],
    ["time", `${number(100 * stage.share, 3)} % of all stages, all points`],
  ];
  const list = make("dl", {}, ...rows.flatMap(([term, text]) => [make("dt", { textContent: term }), make("dd", { textContent: text })]));
  const samples = values === undefined
    ? make("p", { className: "note", textContent: `Samples were not kept; taps: {samples: [${stage.name}]} keeps them.` })
    : make("pre", { textContent: `${values}, …`, tabIndex: 0 });
  const where = point ? `${choice.codec}, ${atPoint(chosenRun(), point)}` : choice.codec;
  element("tap").replaceChildren(make("h3", { textContent: `${stage.name} – ${where}` }), list, samples);
}
