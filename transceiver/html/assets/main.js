"use strict";
// Puts the parts together: the choice of a point, the theme, and the first drawing.

function fillPicker() {
  element("run").value = choice.r;
  element("codec").replaceChildren(...chosenRun().codecs.map(({ name }) => make("option", { value: name, textContent: name })));
  element("codec").value = choice.codec;
  const points = pointsOf(choice.r, choice.codec);
  const place = points.findIndex((p) => p.point === choice.point);
  const slider = element("point");
  slider.max = Math.max(0, points.length - 1);
  slider.value = Math.max(0, place);
  slider.disabled = points.length < 2;
  const text = place < 0 ? "nothing was run yet" : atPoint(chosenRun(), points[place]);
  element("point-value").textContent = text;
  slider.setAttribute("aria-valuetext", text);
}

function initPicker() {
  runs.forEach((run, r) => element("run").append(make("option", { value: r, textContent: run.label })));
  element("run-label").hidden = runs.length < 2;
  element("run").addEventListener("change", () => choose({ r: Number(element("run").value) }));
  element("codec").addEventListener("change", () => choose({ codec: element("codec").value }));
  element("point").addEventListener("input", () => {
    choose({ point: pointsOf(choice.r, choice.codec)[Number(element("point").value)].point });
  });
}

function drawAll() {
  drawCurves();
  drawSignal();
  drawChain();
}

function initTheme() {
  element("theme").addEventListener("click", () => {
    const next = isDark() ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    try { localStorage.setItem("transceiver-theme", next); } catch { /* kept for this visit only */ }
    drawAll();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
}

initTheme();
initCurves();
initPicker();
initPictures();
for (const act of [fillPicker, drawSignal, drawPictures, drawChain]) onChoice(act);
drawCurves();
const firstPoints = pointsOf(0, runs[0].codecs[0].name);
choose({ point: firstPoints.length ? firstPoints[Math.floor(firstPoints.length / 2)].point : 0 });
let width = innerWidth;
addEventListener("resize", () => {
  if (innerWidth !== width) drawChain();
  width = innerWidth;
});
document.documentElement.dataset.ready = "yes";
