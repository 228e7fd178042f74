// The walks of a transducer on nodes (t, u): frames to the right, labels written so far upwards. From each node a walk
// emits the next label or moves on to the next frame; the last blank leaves the lattice.
const WIDTH = 1120, HEIGHT = 350, TOP = 10, BOTTOM = HEIGHT - 92, RIGHT = WIDTH - 214;
const EMIT = "E", MOVE = "M";
const add_logs = (a, b) => a === b ? a + Math.LN2 : Math.max(a, b) + Math.log1p(Math.exp(-Math.abs(a - b)));

// Over all walks from (0, 0) to each node: their sum, or, with Math.max, the largest.
function forward({T, U, move, emit}, combine) {
  const table = move.map(row => row.map(() => 0));
  for (let t = 0; t < T; t++) for (let u = 0; u <= U; u++) if (t + u) {
    const moved = t ? table[t - 1][u] + move[t - 1][u] : -Infinity;
    const emitted = u ? table[t][u - 1] + emit[t][u - 1] : -Infinity;
    table[t][u] = combine(moved, emitted);
  }
  return table;
}

function backward({T, U, move, emit}) {
  const table = move.map(row => row.map(() => 0));
  for (let t = T - 1; t >= 0; t--) for (let u = U; u >= 0; u--) {
    const end = u === U ? 0 : -Infinity, after = t < T - 1 ? table[t + 1][u] : end;
    const emitted = u < U ? emit[t][u] + table[t][u + 1] : -Infinity;
    table[t][u] = add_logs(move[t][u] + after, emitted);
  }
  return table;
}

function best_walk(lattice) {
  const delta = forward(lattice, Math.max), walk = [MOVE];
  let t = lattice.T - 1, u = lattice.U;
  while (t + u) {
    const moved = t ? delta[t - 1][u] + lattice.move[t - 1][u] : -Infinity;
    const by_label = u && delta[t][u - 1] + lattice.emit[t][u - 1] >= moved;
    walk.unshift(by_label ? EMIT : MOVE);
    if (by_label) u--;
    else t--;
  }
  return walk;
}

const logs = rows => rows.map(row => row.map(value => value ?? -Infinity));
const lattices = data.lattices.map(({title, text, walks, move, emit}) => {
  const lattice = {title, text, walks, move: logs(move), emit: logs(emit), T: move.length, U: text.length, found: new Map()};
  const alpha = forward(lattice, add_logs), beta = backward(lattice), total = beta[0][0];
  const gamma = alpha.map((row, t) => row.map((value, u) => Math.exp(value + beta[t][u] - total)));
  return {...lattice, alpha, beta, gamma, total, best: best_walk(lattice)};
});
let now = lattices[0], walk = [];

// The arcs that leave a node; at t = T, the end of all, there are none.
function ways({t, u}) {
  const found = [];
  if (t < now.T && u < now.U) found.push({key: EMIT, t, u, log_p: now.emit[t][u]});
  if (t < now.T - 1 || t < now.T && u === now.U) found.push({key: MOVE, t, u, log_p: now.move[t][u]});
  return found;
}

// The arcs of a walk, and where it ends.
function along(steps) {
  const arcs = [], here = {t: 0, u: 0};
  for (const key of steps) {
    arcs.push(ways(here).find(way => way.key === key));
    here[key === EMIT ? "u" : "t"]++;
  }
  return {arcs, ...here, log_p: arcs.reduce((sum, arc) => sum + arc.log_p, 0)};
}

function probability(log_p) {
  const value = Math.exp(log_p);
  if (value === 0 || value >= 0.1) return value.toFixed(3);
  if (value >= 0.001) return value.toPrecision(3);
  const [digits, exponent] = value.toExponential(2).split("e-");
  return `${digits}·10⁻${[...exponent].map(digit => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]).join("")}`;
}
const percent = share => share > 0 && share < 1e-4 ? "< 0.01 %"
  : `${share > 0 && share < 0.0995 ? (100 * share).toPrecision(2) : Math.round(100 * share)} %`;
const written = u => [...now.text.slice(0, u)].map(spell).join("");

add(root, "style", {}, `
.asr-figure .text { display: inline-flex; gap: 3px; }
.asr-figure .text b { width: 30px; height: 34px; line-height: 32px; text-align: center; border: 1px dashed #595959; border-radius: 4px; box-sizing: border-box; font-family: "DejaVu Sans Mono", "Deck Mono", monospace; }
.asr-figure .text b.said { background: #0072b2; border-style: solid; color: #ffffff; }
.asr-figure button[aria-pressed=true] { background: #d6e8f5; border-width: 2px; }
.asr-figure button:disabled { color: #8c8c8c; border-color: #c8c8c8; cursor: default; }
.asr-figure .choice { min-width: 9em; }
.asr-figure .walk { margin-top: 8px; }
.asr-figure svg text { paint-order: stroke; }
`);
const top_bar = add(root, "div", {class: "bar"}), bar = add(root, "div", {class: "bar"});
const titles = lattices.map(lattice => button(top_bar, lattice.title, () => { now = lattice; walk = []; build(); }));
const of_text = add(add(top_bar, "label", {}, "written so far:"), "span", {class: "text", role: "img"});
const press = {[MOVE]: () => go(MOVE), [EMIT]: () => go(EMIT), back: () => set(walk.slice(0, -1)), R: () => set([])};
const buttons = {[EMIT]: button(bar, "", press[EMIT]), [MOVE]: button(bar, "→ move on (M)", press[MOVE])};
for (const node of Object.values(buttons)) node.classList.add("choice");
const undo = [button(bar, "take back (⌫)", press.back), button(bar, "restart (R)", press.R)];
const shown = {B: control(bar, "checkbox", "best walk (B)"), O: control(bar, "checkbox", "occupancy (O)")};
for (const box of Object.values(shown)) box.addEventListener("change", draw);
const picture = drawing(WIDTH, HEIGHT, {role: "group"}), wide = picture.parentElement;
const of_walk = add(root, "output", {role: "status", class: "walk"});
const of_node = add(root, "output", {role: "status", class: "node"});

const KEYS = {E: EMIT, ArrowUp: EMIT, M: MOVE, ArrowRight: MOVE, Backspace: "back", ArrowLeft: "back", ArrowDown: "back", R: "R"};
root.addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const name = event.key.length === 1 ? event.key.toUpperCase() : event.key;
  if (shown[name]) shown[name].click();
  else if (KEYS[name]) press[KEYS[name]]();
  else return;
  event.preventDefault();
});
function go(key) {
  if (ways(along(walk)).some(way => way.key === key)) set([...walk, key]);
}
function set(steps) {
  walk = steps;
  const {t, log_p} = along(walk);
  if (t === now.T) now.found.set(walk.join(""), log_p);
  draw();
}

// What stays while one lattice is shown: arcs, nodes, the names of rows and frames.
let x, y, nodes, radius, lines, marks, ring;
const to = ({key, t, u}) => key === EMIT ? `V${y(u + 1)}` : `H${x(t + 1)}`;
function build() {
  const {T, U} = now, left = 40 + 12 * U, step = Math.min(180, (RIGHT - left - 70) / T);
  radius = Math.min(26, 0.31 * step);
  x = t => left + radius + t * step;
  y = u => BOTTOM - radius - u * (BOTTOM - TOP - 2 * radius) / U;
  picture.replaceChildren();
  picture.setAttribute("aria-label", `lattice of “${now.text}”: E emits, M moves on, Backspace takes back, R restarts, B shows the best walk, O the occupancy`);
  let arcs = "";
  for (let t = 0; t < T; t++) for (let u = 0; u <= U; u++) for (const way of ways({t, u})) arcs += `M${x(t)} ${y(u)}${to(way)}`;
  add(picture, "path", {d: arcs, stroke: "#8c8c8c", fill: "none"});
  for (let u = 0; u <= U; u++) add(picture, "text", {x: left - 12, y: y(u) + 6, "text-anchor": "end"}, u ? written(u) : "“”");
  for (let t = 0; t < T; t += step < 36 ? 5 : 1) add(picture, "text", {x: x(t), y: BOTTOM + 44, "text-anchor": "middle"}, t);
  add(picture, "text", {x: x(T) + radius + 14, y: y(U) + 6}, "end");
  add(picture, "text", {x: left, y: HEIGHT - 14}, "frame t; upwards: u labels, the text so far; black: you; orange: the best; dark: large γ");
  lines = add(picture, "g", {fill: "none"});
  nodes = now.move.map((row, t) => row.map((_, u) => node(t, u)));
  add(picture, "rect", {x: x(T) - 8, y: y(U) - 8, width: 16, height: 16, fill: "#1a1a1a"});
  marks = add(picture, "g", {"pointer-events": "none"});
  ring = add(picture, "circle", {r: radius + 3, fill: "none", stroke: "#000000", "stroke-width": 4, "pointer-events": "none"});
  titles.forEach((title, i) => title.setAttribute("aria-pressed", lattices[i] === now));
  draw();
}

// A press on the node above the player's, or right of it, is a step; any other only says its values.
function node(t, u) {
  const group = add(picture, "g", {role: "img", "data-t": t, "data-u": u});
  add(group, "circle", {cx: x(t), cy: y(u), r: radius});
  if (radius > 20) add(group, "text", {x: x(t), y: y(u) + 6, "text-anchor": "middle"}, `${t}, ${u}`);
  group.addEventListener("pointerenter", () => { of_node.value = words(t, u); });
  group.addEventListener("pointerleave", tell);
  group.addEventListener("click", () => {
    const here = along(walk);
    if (t === here.t && u === here.u + 1) go(EMIT);
    else if (t === here.t + 1 && u === here.u) go(MOVE);
    else of_node.value = words(t, u);
  });
  return group;
}

function words(t, u) {
  const said = ways({t, u}).map(({key, log_p}) => `${key === EMIT ? `emit “${spell(now.text[u])}”` : "move on"} ${probability(log_p)}`);
  const sums = [["ln α", now.alpha[t][u]], ["ln β", now.beta[t][u]]].map(([name, value]) => `${name} = ${number(value, 3)}`);
  return `node (${t}, ${u}): ${said.join(", ")}; ${sums.join(", ")}, γ = ${now.gamma[t][u].toFixed(3)}`;
}
function tell() {
  const {t, u} = along(walk);
  of_node.value = t < now.T ? words(t, u) : "the end";
}

function about_walk({t, log_p}) {
  const best = along(now.best).log_p, share = log_p => percent(Math.exp(log_p - now.total));
  const all = `P(“${now.text}”) = ${probability(now.total)}, the sum over all ${now.walks.toLocaleString("en")} walks`;
  const of_best = shown.B.checked ? `\nbest walk: P = ${probability(best)}, ${share(best)} of P(“${now.text}”)` : "";
  if (t < now.T) return `your walk so far: P = ${probability(log_p)}, ${walk.length} of ${now.T + now.U} arcs${of_best}`;
  return `your walk: P = ${probability(log_p)}, ${share(log_p)} of ${all}${log_p >= best ? "; it is the best" : ""}${of_best}`;
}

function shade(value) {
  const mix = full => Math.round(255 + (full - 255) * value);
  return `rgb(${mix(0)}, ${mix(80)}, ${mix(140)})`;
}

// Beside an arc its probability, where there is room or the reader has to choose, and the letter that it emits.
function mark({key, t, u, log_p}, numbered, style) {
  const beside = (x, y, anchor, text) => add(marks, "text", {x, y, "text-anchor": anchor, stroke: "#ffffff", "stroke-width": 5, ...style}, text);
  const middle = (y(u) + y(u + 1)) / 2 + 6;
  if (key === EMIT) beside(x(t) - 10, middle, "end", spell(now.text[u])).setAttribute("font-weight", "bold");
  if (!numbered) return;
  if (key === EMIT) beside(x(t) + 10, middle, "start", probability(log_p));
  else if (radius > 20) beside((x(t) + x(t + 1)) / 2, y(u) + 24, "middle", probability(log_p));
  else beside(x(t) + radius + 7, y(u) + 26, "start", probability(log_p));
}

// Next to the lattice: how much of the sum the walks are that have been walked to their end.
function found() {
  const left = RIGHT + 20, high = BOTTOM - 66;
  let sum = 0;
  add(marks, "text", {x: left, y: 20}, "walks found:");
  add(marks, "text", {x: left, y: 43, class: "found"}, `${now.found.size} of ${now.walks.toLocaleString("en")}`);
  add(marks, "rect", {x: left, y: 54, width: 44, height: high, fill: "#ffffff", stroke: "#595959"});
  for (const [key, log_p] of now.found) {
    const share = Math.exp(log_p - now.total), fill = key === walk.join("") ? "#1a1a1a" : "#0072b2";
    sum += share;
    add(marks, "rect", {x: left, y: 54 + high * (1 - sum), width: 44, height: share * high, fill, stroke: "#ffffff"});
  }
  add(marks, "text", {x: left + 52, y: 54 + Math.max(16, Math.min(high, high * (1 - sum) + 6)), class: "share"}, `${percent(sum)} of P`);
}

function draw() {
  const here = along(walk), {T, U} = now, open = ways(here), walked = new Set([...here.arcs, here].map(({t, u}) => `${t} ${u}`));
  of_text.replaceChildren();
  [...now.text].forEach((label, u) => add(of_text, "b", u < here.u ? {class: "said"} : {}, u < here.u ? spell(label) : ""));
  of_text.setAttribute("aria-label", `written so far: “${now.text.slice(0, here.u)}”`);
  nodes.forEach((row, t) => row.forEach((node, u) => {
    const value = shown.O.checked ? now.gamma[t][u] : 0, mine = walked.has(`${t} ${u}`);
    node.setAttribute("aria-label", words(t, u));
    node.firstChild.setAttribute("fill", shade(value));
    node.firstChild.setAttribute("stroke", mine ? "#1a1a1a" : "#595959");
    node.firstChild.setAttribute("stroke-width", mine ? 3 : 1);
    node.querySelector("text")?.setAttribute("fill", value > 0.75 ? "#ffffff" : "#1a1a1a");
  }));
  lines.replaceChildren();
  marks.replaceChildren();
  const trace = (arcs, style) => add(lines, "path", {d: arcs.map(arc => `M${x(arc.t)} ${y(arc.u)}${to(arc)}`).join(""), ...style});
  for (const way of open) trace([way], {stroke: "#0072b2", "stroke-width": 2 + 8 * Math.exp(way.log_p)});
  if (shown.B.checked) trace(along(now.best).arcs, {stroke: "#d55e00", "stroke-width": 11});
  trace(here.arcs, {stroke: "#1a1a1a", "stroke-width": 4, class: "mine"});
  for (const arc of here.arcs) mark(arc, radius > 20, {});
  for (const way of open) mark(way, true, {fill: "#005a8c", "font-weight": "bold"});
  for (const [key, node] of Object.entries(buttons)) {
    const left_here = document.activeElement === node; // a button that is disabled would take no more keys
    node.disabled = !open.some(way => way.key === key);
    if (left_here && node.disabled) wide.focus({preventScroll: true});
  }
  buttons[EMIT].textContent = here.u < U ? `↑ emit “${spell(now.text[here.u])}” (E)` : "↑ emit (E)";
  for (const node of undo) node.disabled = !walk.length;
  found();
  ring.setAttribute("cx", x(here.t));
  ring.setAttribute("cy", y(here.u));
  of_walk.value = about_walk(here);
  tell();
  const seen = here.t < T ? x(here.t) : WIDTH; // on a narrow screen; at the end, the walks that are found
  wide.scrollTo({left: seen * picture.getBoundingClientRect().width / WIDTH - wide.clientWidth / 2});
}

build();
