// The lattice of one utterance: states of the extended target upwards, frames to the right.
const T = data.gamma.length, S = data.labels.length, WIDTH = 1120, STEP_Y = 34, LEFT = 40, TOP = 18, RADIUS = 11;
const STEP_X = Math.min(50, (WIDTH - LEFT - 10) / T), HEIGHT = S * STEP_Y + 48;
const x = t => LEFT + (t + 0.5) * STEP_X, y = s => TOP + (S - 1 - s) * STEP_Y + 8;
let mode = "alpha", now = T - 1, at = {t: 0, s: 0}, mine = [...data.best], drawing = false;

const bar = add(root, "div", {class: "bar"});
const group = add(bar, "div", {class: "bar", role: "radiogroup", "aria-label": "what is shown", style: "margin: 0"});
const modes = {alpha: "α: fill the lattice", gamma: "γ: occupancy", path: "draw a path"};
for (const [key, text] of Object.entries(modes)) {
  const radio = control(group, "radio", text, {name: "mode", value: key});
  radio.checked = key === mode;
  radio.addEventListener("change", () => { mode = key; draw(); });
}
const slider = control(bar, "range", "up to frame", {min: 0, max: T - 1, value: now});
slider.addEventListener("input", () => { now = Number(slider.value); draw(); });
button(bar, "best path", () => { mine = [...data.best]; draw(); });

const picture = add(root, "svg", {viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "group", "aria-label": `lattice of “${data.text}”; the arrow keys move between nodes`});
const legal = (from, to) => to - from === 0 || to - from === 1 || to - from === 2 && data.jump[to];
let moves = "";
for (let t = 1; t < T; t++) for (let s = 0; s < S; s++) for (let r = Math.max(0, s - 2); r <= s; r++)
  if (legal(r, s)) moves += `M${x(t - 1)} ${y(r)}L${x(t)} ${y(s)}`;
add(picture, "path", {d: moves, stroke: "#dddddd", fill: "none"});
const column = add(picture, "rect", {y: 0, width: STEP_X, height: S * STEP_Y + 8, fill: "#fff1c9"});
const lines = add(picture, "g", {fill: "none"});
for (let s = 0; s < S; s++) add(picture, "text", {x: 16, y: y(s) + 6, "text-anchor": "middle"}, spell(data.labels[s]));
for (let t = 0; t < T - 2; t += 5) add(picture, "text", {x: x(t), y: HEIGHT - 12, "text-anchor": "middle"}, t);
add(picture, "text", {x: WIDTH, y: HEIGHT - 12, "text-anchor": "end"}, "frame t");

const nodes = [];
for (let t = 0; t < T; t++) {
  nodes.push([]);
  for (let s = 0; s < S; s++) {
    const node = add(picture, "circle", {cx: x(t), cy: y(s), r: RADIUS, stroke: "#595959", tabindex: -1, role: "img", "data-t": t, "data-s": s, "aria-label": words(t, s)});
    const put = () => { if (mode === "path") { mine[t] = s; draw(); } };
    node.addEventListener("pointerenter", event => { tell(t, s); if (drawing && event.buttons & 1) put(); });
    node.addEventListener("focus", () => tell(t, s));
    node.addEventListener("pointerdown", event => { drawing = true; node.releasePointerCapture(event.pointerId); node.focus(); put(); event.preventDefault(); });
    node.addEventListener("keydown", event => {
      const by = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1]}[event.key];
      if (by) nodes[Math.max(0, Math.min(T - 1, t + by[0]))][Math.max(0, Math.min(S - 1, s + by[1]))].focus();
      else if (event.key === "Enter" || event.key === " ") put();
      else return;
      event.preventDefault();
    });
    nodes[t].push(node);
  }
}
addEventListener("pointerup", () => { drawing = false; }, true);
const ring = add(picture, "circle", {r: RADIUS + 3, fill: "none", stroke: "#b34c00", "stroke-width": 3, "pointer-events": "none"});
const of_node = add(root, "output", {role: "status", class: "node"});
const of_path = add(root, "output", {role: "status", class: "path"});

function words(t, s) {
  const values = [["p", Math.exp(data.log_p[t][s])], ["ln α", data.alpha[t][s]], ["ln β", data.beta[t][s]], ["γ", data.gamma[t][s]]];
  return `frame ${t}, ${(t * data.seconds).toFixed(2)} s, state ${s} “${spell(data.labels[s])}”: ` + values.map(([name, value]) => `${name} = ${number(value, 3)}`).join(", ");
}

function tell(t, s) {
  nodes[at.t][at.s].setAttribute("tabindex", -1);
  at = {t, s};
  nodes[t][s].setAttribute("tabindex", 0);
  ring.setAttribute("cx", x(t));
  ring.setAttribute("cy", y(s));
  of_node.value = words(t, s);
}

function shade(value) {
  const mix = (full) => Math.round(255 + (full - 255) * Math.sqrt(value));
  return `rgb(${mix(0)}, ${mix(114)}, ${mix(178)})`;
}

function about_mine() {
  if (mine[0] > 1) return "your path is no alignment: it does not start in one of the two lowest states";
  if (mine[T - 1] < S - 2) return "your path is no alignment: it does not end in one of the two highest states";
  const t = mine.findIndex((s, t) => t && !legal(mine[t - 1], s));
  if (t > 0) return `your path is no alignment: from frame ${t - 1} to ${t} it goes from state ${mine[t - 1]} to ${mine[t]}`;
  return "your path: " + probability(log_p(mine));
}

const log_p = path => path.reduce((sum, s, t) => sum + data.log_p[t][s], 0);
const probability = log => `ln P = ${number(log, 2)}, P = ${Math.exp(log).toPrecision(3)}`;

function draw() {
  column.setAttribute("x", x(now) - STEP_X / 2);
  for (let t = 0; t < T; t++) {
    const total = Math.log(data.alpha[t].reduce((sum, value) => sum + (value === null ? 0 : Math.exp(value)), 0));
    for (let s = 0; s < S; s++) {
      const share = data.alpha[t][s] === null ? 0 : Math.exp(data.alpha[t][s] - total);
      nodes[t][s].setAttribute("fill", t > now ? "#ffffff" : shade(mode === "alpha" ? share : data.gamma[t][s]));
    }
  }
  lines.replaceChildren();
  const trace = path => path.map((s, t) => `${t ? "L" : "M"}${x(t)} ${y(s)}`).join("");
  if (mode !== "alpha") add(lines, "path", {d: trace(data.best), stroke: "#b34c00", "stroke-width": 5});
  if (mode === "path") add(lines, "path", {d: trace(mine), stroke: "#000000", "stroke-width": 3, "stroke-dasharray": "9 5"});
  of_path.value = `${about_mine()}; best path: ${probability(log_p(data.best))}; all paths: ${probability(data.total)}`;
}

tell(0, 0);
draw();
