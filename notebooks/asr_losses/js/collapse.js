// Frame labels above; below them what merging and dropping leave, in both orders. A box stands under its frames.
const bar = add(root, "div", {class: "bar"});
const input = control(bar, "text", "frame labels", {value: data.path, maxlength: 16, spellcheck: "false", autocomplete: "off"});
for (const example of data.examples) button(bar, example, () => { input.value = example; draw(); });
const grid = add(root, "div", {class: "collapse"});
const output = add(root, "output", {role: "status"});
add(root, "style", {}, `
.asr-figure .collapse { display: grid; gap: 5px 3px; margin: 6px 0 10px; align-items: center; }
.asr-figure .collapse > * { min-width: 0; padding-right: 12px; }
.asr-figure .collapse .box, .asr-figure .collapse button { padding: 0; height: 38px; line-height: 36px; text-align: center; border: 1px solid #595959; border-radius: 4px; font-family: "DejaVu Sans Mono", "Deck Mono", monospace; }
.asr-figure .collapse .blank { color: #595959; background: #ffffff; border-style: dashed; }
.asr-figure .collapse .letter { background: #d6e8f5; }
.asr-figure .collapse .result { background: #0072b2; color: #ffffff; }
.asr-figure .collapse .order { margin-top: 10px; font-weight: bold; }
`);

const merge = boxes => boxes.reduce((merged, box) => {
  const last = merged.at(-1);
  return last && last.label === box.label ? [...merged.slice(0, -1), {...last, to: box.to}] : [...merged, box];
}, []);
const drop = boxes => boxes.filter(box => box.label !== data.blank);
const read = boxes => boxes.map(box => box.label).join("");

function row(line, name, boxes, result) {
  add(grid, "div", {style: `grid-row: ${line}; grid-column: 1`}, name);
  for (const {label, from, to} of boxes) {
    const kind = label === data.blank ? "blank" : result ? "result" : "letter";
    add(grid, "div", {class: `box ${kind}`, style: `grid-row: ${line}; grid-column: ${from + 2} / ${to + 3}`}, label);
  }
}

function draw() {
  const labels = [...input.value.toLowerCase()].filter(label => /[a-z]/.test(label) || label === data.blank);
  input.value = labels.join("");
  const frames = labels.map((label, i) => ({label, from: i, to: i}));
  grid.style.gridTemplateColumns = `max-content repeat(${Math.max(labels.length, 1)}, minmax(20px, 52px))`;
  grid.replaceChildren();
  add(grid, "div", {style: "grid-row: 1; grid-column: 1"}, "frames (click to change)");
  for (const {label, from} of frames) {
    const press = () => {
      const next = data.labels[(data.labels.indexOf(label) + 1) % data.labels.length];
      input.value = labels.map((old, i) => i === from ? next : old).join("");
      draw();
      grid.querySelectorAll("button")[from].focus();
    };
    const node = button(grid, label, press);
    node.className = label === data.blank ? "blank" : "letter";
    node.style.cssText = `grid-row: 1; grid-column: ${from + 2}`;
    node.setAttribute("aria-label", `frame ${from + 1}: ${label === data.blank ? "blank" : label}`);
  }
  const merged = merge(frames), kept = drop(merged), dropped = drop(frames), wrong = merge(dropped);
  add(grid, "div", {class: "order", style: "grid-row: 2; grid-column: 1 / -1"}, "CTC's order");
  row(3, "1. merge equal neighbours", merged);
  row(4, "2. drop the blanks", kept, true);
  add(grid, "div", {class: "order", style: "grid-row: 5; grid-column: 1 / -1"}, "the other way round");
  row(6, "1. drop the blanks", dropped);
  row(7, "2. merge equal neighbours", wrong, true);
  output.value = `merge, then drop: “${read(kept)}”; drop, then merge: “${read(wrong)}”`;
}

input.addEventListener("input", draw);
draw();
