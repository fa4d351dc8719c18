"use strict";
// The first picture as sent and as received: two beside each other under a slider, and all of them.

const SENT = " sent";  // no codec is called like this

function pictureOf(name) {
  if (name === SENT) return { id: chosenRun().sent, metrics: {} };
  const point = pointsOf(choice.r, name).find((p) => p.point === choice.point);
  return point ? { id: point.picture, metrics: point.picture_metrics } : { id: null, metrics: {} };
}

function metricText(metrics) {
  return Object.entries(metrics).map(([name, value]) => `${chosenRun().metrics[name] || name} ${number(value, 4)}`).join(", ");
}

function fillSides() {
  for (const [side, first] of [["left", SENT], ["right", choice.codec]]) {
    const box = element(side);
    const before = box.dataset.run === String(choice.r) && side === "left" ? box.value : first;
    box.replaceChildren(...[SENT, ...chosenRun().codecs.map((codec) => codec.name)]
      .map((name) => make("option", { value: name, textContent: name.trim() })));
    box.dataset.run = choice.r;
    box.value = before;
  }
}

function side(name) {
  const chosen = element(name).value;
  const { id, metrics } = pictureOf(chosen);
  const image = element(`${name}-image`);
  image.hidden = !id;
  if (id) image.src = pictures[id].uri; else image.removeAttribute("src");
  image.alt = id ? `${chosen.trim()}: ${chosenRun().sent_name}` : "";
  const note = id ? [metricText(metrics), pictures[id].note].filter(Boolean).join("; ") : "not there";
  return `${name}: ${chosen.trim()}${note ? ` (${note})` : ""}`;
}

// What fits, but small pictures are not shown smaller than that.
const leastWidth = (sent) => Math.max(sent.width, Math.min(320, element("viewport").clientWidth));

// To the next larger (1) or smaller (-1) size; which of them what fits is depends on the picture.
function stepZoom(turn) {
  const sent = chosenRun().sent && pictures[chosenRun().sent];
  if (!sent) return;
  const widthOf = (zoom) => (zoom ? zoom * sent.width : Math.min(element("viewport").clientWidth, leastWidth(sent)));
  const box = element("zoom");
  const now = widthOf(Number(box.value));
  const beyond = [...box.options].map((option) => [turn * (widthOf(Number(option.value)) - now), option.value])
    .filter(([further]) => further > 0).sort((a, b) => a[0] - b[0]);
  if (beyond.length) box.value = beyond[0][1];
  resize();
}

function resize() {
  const sent = chosenRun().sent && pictures[chosenRun().sent];
  if (!sent) return;
  const zoom = Number(element("zoom").value);
  element("stage").style.width = zoom ? `${zoom * sent.width}px` : `min(100%, ${leastWidth(sent)}px)`;
  element("stage").style.aspectRatio = `${sent.width} / ${sent.height}`;
  element("stage").classList.toggle("pixels", zoom > 1 || (!zoom && sent.width < 320));
}

function divide() {
  const share = Number(element("split").value);
  for (const name of ["right-image", "marks-canvas"]) element(name).style.clipPath = `inset(0 0 0 ${share}%)`;
  element("divider").style.left = `${share}%`;
}

function drawMarks() {
  const map = chosenPoint() && chosenPoint().signal.indices;
  const possible = Boolean(map && map.spatial && element("right").value === choice.codec);
  element("marks-label").hidden = !possible;
  const canvas = element("marks-canvas");
  canvas.hidden = !(possible && element("marks").checked);
  if (!canvas.hidden) paint(canvas, map, (sent, received) => (sent === received ? null : "rgba(255, 40, 0, .6)"));
}

function drawSides() {
  const notes = [side("left"), side("right")];
  const run = chosenRun();
  element("picture-note").textContent = `${run.sent_name}, ${atPoint(run, chosenPoint() || { value: null })}. `
    + `${notes.join(". ")}. A lost picture is shown by the policy ${run.failure}.`;
  drawMarks();
  resize();
  divide();
}

function drawGallery() {
  const run = chosenRun();
  const points = [...new Map(run.points.map((p) => [p.point, p])).values()].sort((a, b) => a.value - b.value);
  const head = make("tr", {}, make("th", { textContent: "" }),
    ...points.map((p) => make("th", { textContent: number(p.value, 6), scope: "col" })));
  const rows = run.codecs.map((codec) => make("tr", {}, make("th", { textContent: codec.name, scope: "row" }),
    ...points.map((column) => {
      const p = run.points.find((other) => other.codec === codec.name && other.point === column.point);
      const cell = make("td");
      if (!p || !p.picture) return cell;
      const metric = Object.entries(p.picture_metrics)[0];
      const button = make("button", { type: "button", title: metricText(p.picture_metrics) },
        make("img", { loading: "lazy", decoding: "async", src: pictures[p.picture].uri,
          alt: `${codec.name}, ${atPoint(run, p)}` }),
        make("small", { textContent: metric ? number(metric[1], 4) : "" }));
      button.setAttribute("aria-pressed", codec.name === choice.codec && p.point === choice.point);
      button.addEventListener("click", () => choose({ codec: codec.name, point: p.point }));
      button.dataset.at = `${codec.name} ${p.point}`;
      cell.append(button);
      return cell;
    })));
  element("gallery").replaceChildren(make("table", {},
    make("caption", { className: "note", textContent: run.axis }), make("thead", {}, head), make("tbody", {}, ...rows)));
  element("gallery").dataset.run = choice.r;
}

function drawPictures() {
  element("pictures-part").hidden = !chosenRun().sent;
  if (!chosenRun().sent) return;
  fillSides();
  drawSides();
  if (element("gallery").dataset.run !== String(choice.r)) drawGallery();
  for (const button of element("gallery").querySelectorAll("button")) {
    button.setAttribute("aria-pressed", button.dataset.at === `${choice.codec} ${choice.point}`);
  }
}

function initPictures() {
  for (const name of ["left", "right"]) element(name).addEventListener("change", drawSides);
  element("zoom").addEventListener("change", resize);
  element("split").addEventListener("input", divide);
  element("marks").addEventListener("change", drawMarks);
  window.addEventListener("resize", resize);
  const divider = element("divider");
  const viewport = element("viewport");
  let moving = null;
  viewport.addEventListener("pointerdown", (event) => {
    if (event.target === divider) moving = { split: true };
    else if (event.pointerType === "mouse") {
      moving = { x: event.clientX + viewport.scrollLeft, y: event.clientY + viewport.scrollTop };
    } else return;
    viewport.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  viewport.addEventListener("pointermove", (event) => {
    if (!moving) return;
    if (moving.split) {
      const box = element("stage").getBoundingClientRect();
      element("split").value = (100 * (event.clientX - box.left)) / box.width;
      divide();
    } else viewport.scrollTo(moving.x - event.clientX, moving.y - event.clientY);
  });
  for (const end of ["pointerup", "pointercancel"]) viewport.addEventListener(end, () => { moving = null; });
  viewport.addEventListener("keydown", (event) => {
    const turn = { "+": 1, "=": 1, "-": -1 }[event.key];
    if (turn) stepZoom(turn);
  });
}
