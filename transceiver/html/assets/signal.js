"use strict";
// Samples of a point: constellations, LLRs, powers, and maps of indices.

// The chart of that name, made when it is first asked for; hidden with its title where there is nothing.
function signalChart(name, title, there) {
  let chart = element("signal-charts").querySelector(`[data-signal="${name}"]`);
  if (!chart) {
    const made = titled(title);
    chart = made.chart;
    chart.dataset.signal = name;
    element("signal-charts").append(made.figure);
  }
  chart.parentElement.hidden = !there;
  return chart;
}

function drawCloud(name, title, cloud, ideal) {
  const chart = signalChart(name, title, cloud);
  if (!cloud) return;
  const values = unpack(cloud.values);
  const re = values.filter((_, i) => i % 2 === 0);
  const im = values.filter((_, i) => i % 2 === 1);
  const widest = Math.max(1, ...ideal.flat().map(Math.abs));
  const largest = values.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  const reach = ideal.length ? 1.7 * widest : Math.min(1.05 * largest, 4);
  const hidden = cloud.outside + re.filter((x, i) => Math.max(Math.abs(x), Math.abs(im[i])) > reach).length;
  const range = () => ({ range: [-reach, reach], constrain: "domain" });
  draw(chart, [
    { x: re, y: im, mode: "markers", type: "scatter", hoverinfo: "skip",
      marker: { size: 3, opacity: 0.55, color: COLOURS[isDark() ? "dark" : "light"][0] } },
    { x: ideal.map((z) => z[0]), y: ideal.map((z) => z[1]), mode: "markers", type: "scatter", hoverinfo: "skip",
      marker: { symbol: "cross-thin", size: 8, line: { width: 1.6, color: colourOf("--wrong") } } },
  ], {
    showlegend: false, margin: { l: 35, r: 10, t: 10, b: 45 },
    xaxis: { ...range(), title: { text: hidden ? `${hidden} of ${re.length + cloud.outside} outside` : "" } },
    yaxis: { ...range(), scaleanchor: "x" },
  }, `${title}: ${re.length} symbols`);
}

function drawLlrs(histogram) {
  const chart = signalChart("llrs", "LLRs (positive: 0)", histogram);
  if (!histogram) return;
  const { low, high, counts } = histogram;
  const step = (high - low) / counts[0].length;
  const x = counts[0].map((_, i) => low + (i + 0.5) * step);
  const colours = COLOURS[isDark() ? "dark" : "light"];
  draw(chart, counts.map((y, bit) => ({
    x, y, type: "bar", name: counts.length > 1 ? `bit ${bit} sent` : "all", opacity: counts.length > 1 ? 0.65 : 1,
    marker: { color: colours[bit] }, hovertemplate: "LLR %{x:.3g}: %{y}<extra></extra>",
  })), {
    barmode: "overlay", bargap: 0.05,
    showlegend: counts.length > 1, xaxis: { title: { text: "ln P(0)/P(1)" } }, yaxis: { title: { text: "bits" } },
  }, "Histogram of the LLRs");
}

function drawPower(power, gain) {
  const chart = signalChart("power", "Power of each symbol", power);
  if (!power) return;
  const most = 512;
  const one = (packed, name, colour) => {
    const y = unpack(packed);
    const mean = y.reduce((sum, value) => sum + value, 0) / Math.max(1, y.length);
    return { y: y.slice(0, most), name: `${name}, mean ${number(mean, 3)}`, mode: "lines", type: "scatter",
      line: { shape: "hv", width: 1, color: colour }, hovertemplate: "symbol %{x}: %{y:.3g}<extra></extra>" };
  };
  const colours = COLOURS[isDark() ? "dark" : "light"];
  const traces = [one(power, "|x|²", colours[0])];
  if (gain) traces.push(one(gain, "|h|²", colours[1]));
  draw(chart, traces, {
    showlegend: true,
    xaxis: { title: { text: "symbol, in order of sending" } }, yaxis: { title: { text: "Es = 1" }, rangemode: "tozero" },
  }, "Power of the first symbols");
}

// Neighbouring numbers get colours far apart: an index is a name, not a level.
function indexColour(value) {
  const hue = (value * 137.508) % 360;
  return `hsl(${hue} 65% ${35 + (value % 5) * 8}%)`;
}

function paint(canvas, map, colour) {
  canvas.width = map.columns;
  canvas.height = map.rows;
  const brush = canvas.getContext("2d");
  brush.clearRect(0, 0, map.columns, map.rows);
  const sent = unpack(map.sent);
  const received = unpack(map.received);
  sent.forEach((value, i) => {
    const filled = colour(value, received[i]);
    if (!filled) return;
    brush.fillStyle = filled;
    brush.fillRect(i % map.columns, Math.floor(i / map.columns), 1, 1);
  });
}

function drawIndices(map) {
  element("index-part").hidden = !map;
  if (!map) return;
  const wrong = colourOf("--wrong");
  paint(element("map-sent"), map, (sent) => indexColour(sent));
  paint(element("map-received"), map, (_, received) => indexColour(received));
  paint(element("map-wrong"), map, (sent, received) => (sent === received ? null : wrong));
  const kept = unpack(map.sent).length;
  element("index-note").textContent = `${map.errors} of ${kept} wrong. ${map.rows} × ${map.columns} cells, `
    + (map.spatial ? "each where its patch lies in the picture" : "in order of sending, line by line")
    + (kept < map.rows * map.columns ? "; the rest was not kept (taps.per_point)." : ".");
}

function drawSignal() {
  const point = chosenPoint();
  const signal = point ? point.signal : { values: {} };
  const ideal = chosenCodec().ideal;
  drawCloud("received", "Received", signal.received, ideal);
  drawCloud("equalized", "Equalised", signal.equalized, ideal);
  drawLlrs(signal.llrs);
  drawPower(signal.power, signal.gain);
  drawIndices(signal.indices);
  const missing = [];
  const passed = chosenCodec().stages.map((stage) => stage.name);
  for (const name of ["llrs", "gain", "indices", "indices_hat"]) {
    if (passed.includes(name) && !(name in signal.values)) missing.push(name);
  }
  element("signal-note").textContent = missing.length
    ? `Not kept: ${missing.join(", ")}; a scenario keeps them with taps: {samples: [${missing.join(", ")}]}.` : "";
}
