// The lattice of one utterance, states upwards and frames to the right, at several stages of a training.
const STEPS = data.steps, T = data.log_p[0].length, S = data.states.length;
const WIDTH = 1120, STEP_Y = 36, LEFT = 46, TOP = 6, RADIUS = 12;
const STEP_X = (WIDTH - LEFT - 200) / T, HEIGHT = TOP + S * STEP_Y + 50;
const x = t => LEFT + (t + 0.5) * STEP_X, y = s => TOP + (S - 0.5 - s) * STEP_Y;
const labels = data.states.map(c => data.labels[c]);
const legal = (from, to) => to === from || to === from + 1 || to === from + 2 && data.jump[to];
const possible = (t, s) => s <= 2 * t + 1 && reaches[t][s] && returns[t][s];
const log_sum = values => {
  const largest = Math.max(...values);
  return largest === -Infinity ? largest : largest + Math.log(values.reduce((sum, value) => sum + Math.exp(value - largest), 0));
};
const sources = s => [s, s - 1, s - 2].filter(r => r >= 0 && legal(r, s));
const targets = s => [s, s + 1, s + 2].filter(r => r < S && legal(s, r));

// Sums (or, with Math.max, maxima) over all walks from the first frame on; `ways(s)`: where a walk may come from.
function sweep(rows, first, ways, combine) {
  const table = [rows[0].map((value, s) => first.includes(s) ? value : -Infinity)];
  for (const row of rows.slice(1)) table.push(row.map((value, s) => value + combine(ways(s).map(r => table.at(-1)[r]))));
  return table;
}
const nothing = Array.from({length: T}, () => Array(S).fill(0));
const reaches = sweep(nothing, [0, 1], sources, log_sum).map(row => row.map(value => value > -Infinity));
const returns = sweep(nothing, [S - 1, S - 2], targets, log_sum).reverse().map(row => row.map(value => value > -Infinity));

const seen = data.log_p.map(rows => {
  const log_p = rows.map(row => data.states.map(c => row[c] ?? -Infinity));
  const alpha = sweep(log_p, [0, 1], sources, log_sum), beta = sweep([...log_p].reverse(), [S - 1, S - 2], targets, log_sum).reverse();
  const total = log_sum(alpha[T - 1].slice(-2));
  const gamma = log_p.map((row, t) => row.map((value, s) => possible(t, s) ? Math.exp(alpha[t][s] + beta[t][s] - value - total) : 0));
  const delta = sweep(log_p, [0, 1], sources, values => Math.max(...values));
  const best = [delta[T - 1][S - 1] > delta[T - 1][S - 2] ? S - 1 : S - 2];
  for (let t = T - 1; t > 0; t--) best.unshift(sources(best[0]).reduce((a, b) => delta[t - 1][b] > delta[t - 1][a] ? b : a));
  return {log_p, alpha, beta, gamma, total, best};
});

let stage = 0, mode = "gamma", now = T - 1, at = {t: 0, s: 0}, mine = [...seen.at(-1).best], last = null;

const bar = add(root, "div", {class: "bar"});
const set_stage = stages(bar, STEPS, k => { stage = k; draw(); tell(at.t, at.s); });
const group = add(bar, "div", {class: "bar", role: "radiogroup", "aria-label": "what is shown", style: "margin: 0"});
for (const [key, text] of Object.entries({gamma: "γ: where the paths are", alpha: "α: the sum so far"})) {
  const radio = control(group, "radio", text, {name: "mode", value: key});
  radio.checked = key === mode;
  radio.addEventListener("change", () => { mode = key; draw(); });
}
const frames = control(bar, "range", "up to frame", {min: 0, max: T - 1, value: now});
frames.style.width = "150px";
frames.addEventListener("input", () => { now = Number(frames.value); draw(); });
button(bar, "my path = best path", () => { mine = [...seen[stage].best]; draw(); });

const picture = drawing(WIDTH, HEIGHT, {role: "group", "aria-label": `lattice of “${data.text}”; the arrow keys move between nodes`});
for (const sure of [false, true]) {
  let moves = "";
  for (let t = 1; t < T; t++) for (let s = 0; s < S; s++) for (const r of sources(s))
    if ((possible(t - 1, r) && possible(t, s)) === sure) moves += `M${x(t - 1)} ${y(r)}L${x(t)} ${y(s)}`;
  if (sure) add(picture, "path", {d: moves, stroke: "#8c8c8c", fill: "none"});
}
const lines = add(picture, "g", {fill: "none"});
for (let s = 0; s < S; s++) add(picture, "text", {x: 20, y: y(s) + 6, "text-anchor": "middle"}, spell(labels[s]));
for (let t = 0; t < T; t++) add(picture, "text", {x: x(t), y: TOP + S * STEP_Y + 18, "text-anchor": "middle"}, t);
add(picture, "text", {x: LEFT, y: HEIGHT - 6}, "frame t: orange, the best path; dashed, yours (drag, or Enter on a node); pale nodes lie on no path");
const RIGHT = WIDTH - 180, FULL = S * STEP_Y - 58;
add(picture, "text", {x: RIGHT, y: TOP + 16}, "best path's");
add(picture, "text", {x: RIGHT, y: TOP + 38}, "share of P");
add(picture, "rect", {x: RIGHT + 20, y: TOP + 50, width: 44, height: FULL, fill: "#ffffff", stroke: "#595959"});
const share_bar = add(picture, "rect", {x: RIGHT + 20, width: 44, fill: "#b34c00"});
const share_text = add(picture, "text", {x: RIGHT + 72, class: "share"});

const nodes = [];
for (let t = 0; t < T; t++) {
  nodes.push([]);
  for (let s = 0; s < S; s++) {
    const may = possible(t, s);
    const node = add(picture, "circle", {cx: x(t), cy: y(s), r: may ? RADIUS : 4, stroke: may ? "#595959" : "#c8c8c8", tabindex: -1, role: "img", "data-t": t, "data-s": s});
    node.addEventListener("focus", () => tell(t, s));
    node.addEventListener("keydown", event => {
      const by = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1]}[event.key];
      if (by) nodes[Math.max(0, Math.min(T - 1, t + by[0]))][Math.max(0, Math.min(S - 1, s + by[1]))].focus();
      else if (event.key === "Enter" || event.key === " ") { mine[t] = s; draw(); }
      else return;
      event.preventDefault();
    });
    nodes[t].push(node);
  }
}
const ring = add(picture, "circle", {r: RADIUS + 3, fill: "none", stroke: "#000000", "stroke-width": 3, "pointer-events": "none"});
const of_node = add(root, "output", {role: "status", class: "node"});
const of_path = add(root, "output", {role: "status", class: "path"});

// Dragging goes column by column: every frame that is crossed gets the state under the pointer.
function place(event) {
  const to = picture.getScreenCTM().inverse();
  const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(to);
  const t = Math.round((point.x - LEFT) / STEP_X - 0.5), s = Math.round(S - 0.5 - (point.y - TOP) / STEP_Y);
  return {t: Math.max(0, Math.min(T - 1, t)), s: Math.max(0, Math.min(S - 1, s)), inside: point.x < RIGHT - 10 && point.y < TOP + S * STEP_Y};
}
function put(place) {
  const begin = last ?? place, forward = place.t >= begin.t ? 1 : -1;
  for (let t = begin.t; t !== place.t + forward; t += forward) {
    const part = place.t === begin.t ? 1 : (t - begin.t) / (place.t - begin.t);
    mine[t] = Math.round(begin.s + part * (place.s - begin.s));
  }
  last = place;
  draw();
}
picture.addEventListener("pointerdown", event => {
  const here = place(event);
  if (!here.inside) return;
  last = null;
  if (event.pointerType !== "touch") { picture.setPointerCapture(event.pointerId); event.preventDefault(); }
  nodes[here.t][here.s].focus({preventScroll: true});
  put(here);
  if (event.pointerType === "touch") last = null;
});
picture.addEventListener("pointermove", event => {
  const here = place(event);
  if (last) put(here);
  else if (here.inside && event.pointerType !== "touch") tell(here.t, here.s);
});
for (const kind of ["pointerup", "pointercancel"]) picture.addEventListener(kind, () => { last = null; });

function tell(t, s) {
  nodes[at.t][at.s].setAttribute("tabindex", -1);
  at = {t, s};
  nodes[t][s].setAttribute("tabindex", 0);
  ring.setAttribute("cx", x(t));
  ring.setAttribute("cy", y(s));
  of_node.value = words(t, s);
}

function words(t, s) {
  const {log_p, alpha, beta, gamma} = seen[stage];
  const values = [["p", Math.exp(log_p[t][s])], ["ln α", alpha[t][s]], ["ln β", beta[t][s]], ["γ", gamma[t][s]]];
  return `frame ${t}, ${(t * data.seconds).toFixed(2)} s, state ${s} “${spell(labels[s])}”: ` + values.map(([name, value]) => `${name} = ${number(value, 3)}`).join(", ");
}

function shade(value) {
  const mix = full => Math.round(255 + (full - 255) * value);
  return `rgb(${mix(0)}, ${mix(80)}, ${mix(140)})`;
}

const log_p_of = path => path.reduce((sum, s, t) => sum + seen[stage].log_p[t][s], 0);

function about_mine() {
  if (mine[0] > 1) return "your path is no alignment: it does not start in one of the two lowest states";
  if (mine[T - 1] < S - 2) return "your path is no alignment: it does not end in one of the two highest states";
  const t = mine.findIndex((s, t) => t && !legal(mine[t - 1], s));
  if (t > 0) return `your path is no alignment: from frame ${t - 1} to ${t} it goes from state ${mine[t - 1]} to ${mine[t]}`;
  return `your path: ln P = ${number(log_p_of(mine), 2)}`;
}

function draw() {
  const {alpha, gamma, total, best} = seen[stage];
  for (let t = 0; t < T; t++) {
    const column = log_sum(alpha[t]);
    for (let s = 0; s < S; s++) {
      const value = mode === "gamma" ? gamma[t][s] : t > now ? 0 : Math.exp(alpha[t][s] - column);
      nodes[t][s].setAttribute("fill", shade(value));
      nodes[t][s].setAttribute("aria-label", words(t, s));
    }
  }
  frames.disabled = mode === "gamma";
  lines.replaceChildren();
  const trace = path => path.map((s, t) => `${t ? "L" : "M"}${x(t)} ${y(s)}`).join("");
  add(lines, "path", {d: trace(best), stroke: "#d55e00", "stroke-width": 7});
  add(lines, "path", {d: trace(mine), stroke: "#000000", "stroke-width": 3, "stroke-dasharray": "9 5"});
  const share = Math.exp(log_p_of(best) - total);
  share_bar.setAttribute("y", TOP + 50 + FULL * (1 - share));
  share_bar.setAttribute("height", FULL * share);
  share_text.setAttribute("y", Math.max(TOP + 66, Math.min(TOP + 48 + FULL, TOP + 50 + FULL * (1 - share) + 6)));
  share_text.textContent = share < 0.01 ? `${(100 * share).toPrecision(2)} %` : `${Math.round(100 * share)} %`;
  of_path.value = `after ${STEPS[stage]} steps: all ${data.paths.toLocaleString("en")} paths: ln P = ${number(total, 2)}; best path: ln P = ${number(log_p_of(best), 2)}; ${about_mine()}`;
}

set_stage();
tell(0, 0);
