// Which output moves when an input token or a frame is disturbed, with each precaution on or off.
const CELL = 44, LEFT = 120, TOP = 60, GAP = 180;
const U = data.labels.length, L = data.frames_none[0].length;
const WIDTH = LEFT + (U + L) * CELL + GAP + 20, HEIGHT = TOP + U * CELL + 6;
const real = data.frames_masked[0].filter(moves => moves).length;
const floors = {0: `ln ${data.tokens}: nothing leaks`, [U - 1]: `ln ${data.tokens} / ${U}: only the last label must be guessed`, [U]: "every label is in its own input"};
let at = 0;

const bar = add(root, "div", {class: "bar"});
const switches = {};
for (const [key, text] of Object.entries({shift: "shift the labels by one", causal: "causal mask", padding: "padding mask"})) {
  switches[key] = control(bar, "checkbox", text);
  switches[key].checked = true;
  switches[key].addEventListener("change", draw);
}
const picture = drawing(WIDTH, HEIGHT, {role: "group", "aria-label": "outputs by inputs and frames; the arrow keys move between outputs", style: `max-width: ${WIDTH}px`});
add(root, "div", {}, "✓ the output moves with it; dashed: it must not, and does not; orange: it must not, and does");
const output = add(root, "output", {role: "status", class: "all"});
const of_row = add(root, "output", {role: "status", class: "row"});

function cell(parent, column, row, left, moves, kind) {
  const place = {x: left + column * CELL, y: TOP + row * CELL, width: CELL - 4, height: CELL - 4};
  const fill = moves ? kind === "plain" ? "#0072b2" : "#b34c00" : "#f4f4f4"; // orange shouts only where something is wrong
  add(parent, "rect", {...place, fill, stroke: kind === "plain" || moves ? "none" : "#8c8c8c", "stroke-width": 2, "stroke-dasharray": "5 4"});
  if (moves) add(parent, "text", {x: place.x + CELL / 2 - 2, y: place.y + 27, fill: "#ffffff", "text-anchor": "middle"}, "✓");
}

function draw() {
  const inputs = switches.shift.checked ? ["BOS", ...data.labels.slice(0, -1)] : data.labels;
  const tokens = switches.causal.checked ? data.tokens_causal : data.tokens_none;
  const frames = switches.padding.checked ? data.frames_masked : data.frames_none;
  const own = u => switches.shift.checked ? u + 1 : u; // the column in which label u stands, if any
  const right = LEFT + U * CELL + GAP, focused = picture.contains(document.activeElement);
  picture.replaceChildren();
  inputs.forEach((token, v) => add(picture, "text", {x: LEFT + v * CELL + CELL / 2 - 2, y: TOP - 10, "text-anchor": "middle"}, spell(token)));
  for (let l = 0; l < L; l++) add(picture, "text", {x: right + l * CELL + CELL / 2 - 2, y: TOP - 10, "text-anchor": "middle"}, l < real ? l : "pad");
  add(picture, "text", {x: LEFT, y: 20, "font-weight": "bold"}, "input token");
  add(picture, "text", {x: right, y: 20, "font-weight": "bold"}, "frame of the memory");
  data.labels.forEach((label, u) => {
    const read = inputs.filter((_, v) => tokens[u][v]).map(spell).join(" ");
    const heard = frames[u].filter(moves => moves).length;
    const text = `output ${u}, to say “${spell(label)}”: reads ${read}; hears ${heard} of ${L} frames` + (tokens[u][own(u)] ? "; sees its own label" : "");
    const row = add(picture, "g", {tabindex: u === at ? 0 : -1, role: "img", "aria-label": text});
    add(row, "text", {x: LEFT - 14, y: TOP + u * CELL + 27, "text-anchor": "end"}, `say ${spell(label)}`);
    tokens[u].forEach((moves, v) => cell(row, v, u, LEFT, moves, v === own(u) ? "label" : "plain"));
    frames[u].forEach((moves, l) => cell(row, l, u, right, moves, l >= real ? "padding" : "plain"));
    add(row, "rect", {x: 2, y: TOP + u * CELL - 3, width: WIDTH - 4, height: CELL + 2, fill: "none", "stroke-width": 3, "pointer-events": "all", class: "outline"});
    const tell = () => { mark(u); of_row.value = text; };
    row.addEventListener("pointerenter", tell);
    row.addEventListener("focus", tell);
    row.addEventListener("keydown", event => {
      const by = {ArrowDown: 1, ArrowUp: -1}[event.key];
      if (!by) return;
      picture.querySelectorAll("g")[Math.max(0, Math.min(U - 1, u + by))].focus();
      event.preventDefault();
    });
    if (u === at) of_row.value = text;
  });
  mark(at);
  if (focused) picture.querySelectorAll("g")[at].focus();
  const leaks = data.labels.filter((_, u) => tokens[u][own(u)]).length;
  const count = rows => rows.flat().filter(moves => moves).length;
  output.value = `${count(tokens)} of ${U * U} pairs of output and token move, ${count(frames)} of ${U * L} pairs of output and frame; `
    + `outputs that see their own label: ${leaks} of ${U}; padding is ${frames[0][L - 1] ? "heard" : "not heard"}\n`
    + `on texts that cannot be guessed the loss can fall to ${((U - leaks) / U * Math.log(data.tokens)).toFixed(2)} nats, ${floors[leaks] ?? ""}`;
}

function mark(u) {
  at = u;
  picture.querySelectorAll("g").forEach((row, i) => {
    row.setAttribute("tabindex", i === u ? 0 : -1);
    row.querySelector(".outline").setAttribute("stroke", i === u ? "#595959" : "none");
  });
}

draw();
