"use strict";
// What all parts share: the data, the choice of run, codec, point and tap, and small helpers.

const element = (id) => document.getElementById(id);
const runs = JSON.parse(element("runs-data").textContent);
const pictures = JSON.parse(element("pictures-data").textContent);

const MARKERS = ["circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "x", "star"];
const COLOURS = {  // Okabe and Ito (2008), with a light and a dark neutral
  light: ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#333333"],
  dark: ["#56B4E9", "#FF8A3D", "#2FC79A", "#E39CC6", "#F0B429", "#3D8FD1", "#E8EBEE"],
};

// A curve for each codec of each run; a run's name is said only where there are several.
const series = runs.flatMap((run, r) => run.codecs.map((codec) => ({
  run, r, codec, shown: true,
  label: runs.length > 1 ? `${run.label}: ${codec.name}` : codec.name,
  points: run.points.filter((point) => point.codec === codec.name),
})));
series.forEach((one, place) => { one.place = place; });

const choice = { r: 0, codec: "", point: 0, tap: "" };
const listeners = [];
const onChoice = (act) => { listeners.push(act); };

function choose(change) {
  Object.assign(choice, change);
  const codecs = runs[choice.r].codecs.map((codec) => codec.name);
  if (!codecs.includes(choice.codec)) choice.codec = codecs[0];
  const points = pointsOf(choice.r, choice.codec);
  if (points.length && !points.some((p) => p.point === choice.point)) choice.point = points[0].point;
  listeners.forEach((act) => act());
}

const pointsOf = (r, codec) => runs[r].points.filter((p) => p.codec === codec);
const chosenRun = () => runs[choice.r];
const chosenCodec = () => chosenRun().codecs.find((codec) => codec.name === choice.codec);
const chosenPoint = () => pointsOf(choice.r, choice.codec).find((p) => p.point === choice.point);

function make(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key in made && key !== "role") made[key] = value; else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

function unpack(packed) {
  const bytes = Uint8Array.from(atob(packed.data), (character) => character.charCodeAt(0));
  const size = packed.dtype === "int32" ? 4 : 2;
  const view = new DataView(bytes.buffer);
  const read = { int16: "getInt16", uint16: "getUint16", int32: "getInt32" }[packed.dtype];
  return Array.from({ length: bytes.length / size }, (_, i) => view[read](i * size, true) * packed.scale);
}

const colourOf = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const isDark = () => getComputedStyle(document.documentElement).colorScheme === "dark";
const seriesColour = (one) => COLOURS[isDark() ? "dark" : "light"][one.place % 7];
const seriesMarker = (one) => MARKERS[one.place % MARKERS.length];

// Plotly reads a little HTML in its texts; names are no HTML.
const plainText = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

function number(value, digits = 4) {
  if (value === null || value === undefined) return "–";
  return String(Number(value.toPrecision(digits)));
}

function rateText(estimate) {
  if (!estimate || estimate.value === null) return "–";
  return estimate.value === 0 ? `<${estimate.high.toExponential(1)}` : estimate.value.toExponential(2);
}

// "Es/N0 6 dB" from the axis "Es/N0 [dB]".
function atPoint(run, point) {
  const [name, unit] = run.axis.replace("]", "").split(" [");
  return [name, number(point.value, 6), unit].filter(Boolean).join(" ");
}

function layout(extra) {
  const grid = { gridcolor: colourOf("--line"), zerolinecolor: colourOf("--line"), automargin: true };
  const { xaxis = {}, yaxis = {}, ...others } = extra;
  return {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: colourOf("--ink"), family: "system-ui, sans-serif", size: 12 },
    margin: { l: 55, r: 15, t: 12, b: 45 },
    legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" },
    hoverlabel: { namelength: -1 },
    ...others,
    xaxis: { ...grid, ...xaxis },
    yaxis: { ...grid, ...yaxis },
  };
}

// A chart under its title; both are hidden together.
function titled(title) {
  const chart = make("div", { className: "chart" });
  const figure = make("figure", {}, make("figcaption", { textContent: title }), chart);
  return { figure, chart };
}

// A chart follows its box, which also changes when others come to stand beside it.
const sizes = new ResizeObserver((changed) => {
  for (const { target } of changed) if (target.clientWidth && target.layout) Plotly.Plots.resize(target);
});

function watchSize(chart) {
  if (chart.dataset.watched) return;
  chart.dataset.watched = "yes";
  sizes.observe(chart);
}

function draw(chart, traces, own, description) {
  chart.setAttribute("role", "group");
  chart.setAttribute("aria-label", description);
  watchSize(chart);
  return Plotly.react(chart, traces, layout(own), {
    displaylogo: false, modeBarButtonsToRemove: ["lasso2d", "select2d"],
  });
}
