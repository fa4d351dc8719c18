"use strict";
// Curves over the sweep: metrics and error rates with their intervals, theory, rate and capacity.

const AXES = {
  value: null,  // the swept quantity, in the words of the run
  esn0_db: "Es/N0 [dB]",
  ebn0_db: "Eb/N0 [dB], nominal",
  ebn0_payload_db: "Eb/N0 of the source bits [dB]",
  cbr: "CBR: channel uses / (3 H W)",
};
const RATES = {  // label, dash, shown at first
  coded_ber: ["BER before decoding", "dash", true],
  info_ber: ["BER after decoding", "solid", true],
  source_ber: ["BER of the source bits", "longdash", false],
  ser: ["SER", "dashdot", false],
  bler: ["BLER", "dot", true],
  fer: ["FER", "longdashdot", false],
  index_error_rate: ["wrong indices", "dash", false],
  failure_rate: ["failed pictures", "dashdot", false],
  outage_rate: ["outages", "dot", false],
};

const axisText = (name) => (name === "value" ? runs[0].axis : AXES[name]);
const shownSeries = () => series.filter((one) => one.shown && one.points.length);
const narrow = () => innerWidth < 640;
const axisName = () => element("axis").value;

function initCurves() {
  const alike = runs.every((run) => run.quantity === runs[0].quantity);
  for (const name of Object.keys(AXES)) {
    const there = series.some((one) => one.points.some((p) => p[name] !== null));
    const repeats = name === runs[0].quantity && alike;
    if (there && !repeats && (name !== "value" || alike)) {
      element("axis").append(make("option", { value: name, textContent: axisText(name) }));
    }
  }
  element("axis").addEventListener("change", drawCurves);
  for (const one of series) {
    const box = make("input", { type: "checkbox", checked: true });
    box.addEventListener("change", () => { one.shown = box.checked; drawCurves(); });
    one.swatch = make("span", { className: "swatch" });
    element("series").append(make("label", {}, box, one.swatch, one.label));
  }
  for (const [name, [text, , first]] of Object.entries(RATES)) {
    const seen = series.some((one) => one.points.some((p) => p.rates[name].value !== null));
    if (!seen) continue;
    const box = make("input", { type: "checkbox", checked: first, value: name });
    box.addEventListener("change", drawCurves);
    element("rates").append(make("label", {}, box, ` ${text}`));
  }
  const names = new Map(runs.flatMap((run) => Object.entries(run.metrics)));
  for (const [name, label] of names) {
    const { figure, chart } = titled(label);
    chart.dataset.metric = name;
    chart.dataset.label = label;
    element("metric-charts").append(figure);
  }
}

function losses(point) {
  const { frames } = point.counters;
  const parts = [];
  if (point.failures) parts.push(`${point.failures} of ${frames - point.outages} failed`);
  if (point.outages) parts.push(`${point.outages} of ${frames} outages`);
  return parts.map((part) => `<br>${part}`).join("");
}

// A line with error bars; where nothing was seen a mark at the upper bound in place of a point.
function curve(one, estimateOf, label, dash) {
  const points = one.points.filter((p) => p[axisName()] !== null);
  points.sort((a, b) => a[axisName()] - b[axisName()]);
  const estimates = points.map(estimateOf);
  const unseen = (e) => e.value === 0 && e.low === 0;
  const drawn = estimates.map((e) => (e && e.value !== null && !unseen(e) ? e : null));
  const line = {
    x: points.map((p) => p[axisName()]),
    y: drawn.map((e) => (e ? e.value : null)),
    error_y: {
      type: "data", symmetric: false, thickness: 1.2, width: 3,
      array: drawn.map((e) => (e && e.high !== null ? e.high - e.value : 0)),
      arrayminus: drawn.map((e) => (e && e.low !== null ? e.value - e.low : 0)),
    },
    customdata: points.map((p) => [p.point, losses(p)]),
    meta: one.place,
    name: plainText(label), legendgroup: label, mode: "lines+markers", type: "scatter",
    line: { color: seriesColour(one), dash, width: 1.8 },
    marker: { symbol: seriesMarker(one), size: 7 },
    hovertemplate: "%{y:.4g}%{customdata[1]}<extra>%{fullData.name}</extra>",
  };
  const bounds = points.filter((_, i) => estimates[i] && unseen(estimates[i]));
  if (!bounds.length) return [line];
  return [line, {
    x: bounds.map((p) => p[axisName()]), y: bounds.map((p) => estimateOf(p).high),
    customdata: bounds.map((p) => [p.point]), meta: one.place,
    name: plainText(`${label}, none seen`), legendgroup: label, showlegend: !drawn.some(Boolean),
    mode: "markers", type: "scatter",
    marker: { symbol: "triangle-down-open", size: 9, color: seriesColour(one) },
    hovertemplate: "below %{y:.2g}<extra>%{fullData.name}</extra>",
  }];
}

function drawMetrics() {
  for (const chart of element("metric-charts").querySelectorAll(".chart")) {
    const name = chart.dataset.metric;
    const traces = shownSeries().filter((one) => one.points[0].metrics[name])
      .flatMap((one) => curve(one, (p) => p.metrics[name], one.label, "solid")
        .map((trace) => ({ ...trace, showlegend: !narrow() })));
    draw(chart, traces, {
      xaxis: { title: { text: axisText(axisName()) } },
      yaxis: { title: { text: chart.dataset.label } },
    }, `${chart.dataset.label} with 95 % intervals; the numbers are in the table of results`)
      .then(() => clicks(chart));
  }
}

// A legend of what colours and what dashes mean, in place of a line for each pair of them.
function legend(styles) {
  const nowhere = { x: [null], y: [null], type: "scatter", showlegend: true, hoverinfo: "skip" };
  const lines = styles.map(([name, dash, colour, width]) => ({
    ...nowhere, name: plainText(name), mode: "lines",
    line: { dash, width: width || 1.8, color: colour || colourOf("--ink") },
  }));
  const codecs = shownSeries().map((one) => ({
    ...nowhere, name: plainText(one.label), mode: "markers",
    marker: { symbol: seriesMarker(one), size: 9, color: seriesColour(one) },
  }));
  return narrow() ? lines : [...codecs, ...lines];  // the colours are said above the charts, too
}

// Not in the legend; a group would make Plotly stand the legend upright.
const unnamed = ({ legendgroup, ...trace }) => ({ ...trace, showlegend: false });

// A curve of theory for each kind of link; those of several codecs are often the same.
function theoryTraces(pick, name, width) {
  const known = new Set();
  const traces = [];
  for (const { codec } of shownSeries()) {
    const theory = codec.theory;
    if (!theory || !(axisName() in theory) || !pick(theory).length) continue;
    const x = theory[axisName()];
    const key = JSON.stringify([x, pick(theory)]);
    if (x[0] === null || known.has(key)) continue;
    known.add(key);
    const what = codec.modulation && pick(theory) === theory.ber ? ` (${codec.modulation})` : "";
    traces.push({
      x, y: pick(theory), mode: "lines", type: "scatter", name: plainText(name + what),
      showlegend: false,
      line: { color: colourOf("--theory"), width, dash: width < 3 ? "dash" : "solid" },
      hovertemplate: "%{y:.3g}<extra>%{fullData.name}</extra>",
    });
  }
  return traces;
}

function drawErrorRates() {
  const names = [...element("rates").querySelectorAll(":checked")].map((box) => box.value);
  const lines = shownSeries().flatMap((one) => names
    .filter((name) => one.points.some((p) => p.rates[name].value !== null))
    .flatMap((name) => curve(one, (p) => p.rates[name], `${one.label}, ${RATES[name][0]}`, RATES[name][1])));
  const theory = names.some((name) => name.endsWith("ber")) ? theoryTraces((t) => t.ber, "uncoded, theory", 5) : [];
  const heights = lines.flatMap((trace) => trace.y).filter((y) => y > 0);
  const floor = Math.floor(Math.log10(0.7 * Math.min(...heights, 0.1)));
  const styles = names.map((name) => [RATES[name][0], RATES[name][1]]);
  if (theory.length) styles.push(["uncoded, theory", "solid", colourOf("--theory"), 5]);
  draw(element("error-chart"), [...theory, ...lines.map(unnamed), ...legend(styles)], {
    xaxis: { title: { text: axisText(axisName()) } },
    yaxis: { type: "log", range: [floor, 0.05], title: { text: "error rate" }, exponentformat: "power" },
    margin: { l: 65, r: 15, t: 12, b: 45 },
  }, "Error rates; the numbers are in the table of results").then(() => clicks(element("error-chart")));
  element("error-note").textContent = "95 % intervals. An open triangle is an upper bound: nothing was seen there. "
    + (theory.length ? "Theory: hard decisions for the nearest point, without a code." : "");
}

function drawRates() {
  const sending = shownSeries().filter((one) => one.points.some((p) => p.counters.source_bits && p.counters.symbols));
  element("rate-title").hidden = element("rate-chart").hidden = element("rate-note").hidden = !sending.length;
  if (!sending.length) return;
  const lines = sending.flatMap((one) => {
    const offered = (p) => (p.counters.symbols ? p.counters.source_bits / p.counters.symbols : null);
    const wrong = (p) => (p.rates.fer.value === null ? 1 : p.rates.fer.value);
    const exact = (value) => ({ value, low: null, high: null });
    const hollow = curve(one, (p) => exact(offered(p)), `${one.label}, sent`, "dot");
    const solid = curve(one, (p) => exact(offered(p) * (1 - wrong(p))), `${one.label}, arrived whole`, "solid");
    return [...hollow, ...solid].map((trace) => ({ ...trace, error_y: { visible: false } }));
  });
  const capacity = theoryTraces((t) => t.capacity, "capacity of the channel", 5);
  const bicm = theoryTraces((t) => t.bicm, "BICM capacity of the constellation", 2);
  const styles = [["sent", "dot"], ["arrived whole", "solid"]];
  if (capacity.length) styles.push(["capacity of the channel", "solid", colourOf("--theory"), 5]);
  if (bicm.length) styles.push(["BICM capacity of the constellation", "dash", colourOf("--theory"), 2]);
  draw(element("rate-chart"), [...capacity, ...bicm, ...lines.map(unnamed), ...legend(styles)], {
    xaxis: { title: { text: axisText(axisName()) } },
    yaxis: { title: { text: "source bits per channel use" }, rangemode: "tozero" },
  }, "Source bits per channel use, and capacity");
  element("rate-note").textContent = "Sent: source bits over channel uses, everything counted. Arrived whole: times "
    + "(1 − FER), a frame with any wrong bit counting nothing. No code can carry more than the capacity without errors "
    + "(under fading its mean over the gains).";
}

// A click on a point chooses it for what is shown below.
function clicks(chart) {
  if (chart.dataset.clicks) return;
  chart.dataset.clicks = "yes";
  chart.on("plotly_click", ({ points: [found] }) => {
    const one = series[found.data.meta];
    if (one && found.customdata) choose({ r: one.r, codec: one.codec.name, point: found.customdata[0] });
  });
}

function drawCurves() {
  for (const one of series) one.swatch.style.background = seriesColour(one);
  drawMetrics();
  drawErrorRates();
  drawRates();
}
