// Frame labels above; below them what merging and dropping leave, in both orders. A box stands under its frames.
const bar = add(root, "div", {class: "bar"});
const input = control(bar, "text", "frame labels", {value: data.path, maxlength: 16, spellcheck: "false", autocomplete: "off", autocapitalize: "off"});
for (const example of data.examples) button(bar, example, () => { input.value = example; draw(); });
const table = add(root, "div");
const output = add(root, "output", {role: "status"});
add(root, "style", {}, `
.asr-figure .row { display: flex; align-items: center; gap: 3px 14px; margin: 5px 0; }
.asr-figure .row > :first-child { flex: none; width: 14.5em; }
.asr-figure .boxes { flex: 1; display: grid; gap: 3px; max-width: 832px; }
.asr-figure .boxes > * { min-width: 0; padding: 0; height: 38px; line-height: 36px; min-height: 0; text-align: center; border: 1px solid #595959; border-radius: 4px; font-family: "DejaVu Sans Mono", "Deck Mono", monospace; box-sizing: border-box; }
.asr-figure .blank { color: #595959; background: #ffffff; border-style: dashed; }
.asr-figure .letter { background: #d6e8f5; }
.asr-figure .result { background: #0072b2; color: #ffffff; }
.asr-figure .order { margin-top: 10px; font-weight: bold; }
@media (max-width: 700px) { .asr-figure .row { display: block; } }
`);

const merge = boxes => boxes.reduce((merged, box) => {
  const last = merged.at(-1);
  return last && last.label === box.label ? [...merged.slice(0, -1), {...last, to: box.to}] : [...merged, box];
}, []);
const drop = boxes => boxes.filter(box => box.label !== data.blank);
const read = boxes => boxes.map(box => box.label).join("");
let length = 0;

function row(name, boxes, kind_of) {
  const line = add(table, "div", {class: "row"});
  add(line, "div", {}, name);
  const place = add(line, "div", {class: "boxes", style: `grid-template-columns: repeat(${Math.max(length, 8)}, minmax(0, 1fr))`});
  for (const {label, from, to} of boxes)
    add(place, "div", {class: label === data.blank ? "blank" : kind_of, style: `grid-column: ${from + 1} / ${to + 2}`}, label);
  return place;
}

// How many paths of T labels give a text of U characters with r neighbours alike (section 2).
function count(T, text) {
  const r = [...text].filter((label, u) => u && text[u - 1] === label).length, n = T + text.length - r;
  if (2 * text.length > n) return 0;
  let ways = 1;
  for (let k = 1; k <= 2 * text.length; k++) ways = ways * (n - k + 1) / k;
  return Math.round(ways);
}

function draw() {
  const caret = input.selectionStart, kept_of = text => [...text.toLowerCase()].filter(label => /[a-z]/.test(label) || label === data.blank);
  const before = kept_of(input.value.slice(0, caret)).length, labels = kept_of(input.value);
  if (input.value !== labels.join("")) {
    input.value = labels.join("");
    input.setSelectionRange(before, before); // what is no label is left out; the caret stays where it was
  }
  length = labels.length;
  const frames = labels.map((label, i) => ({label, from: i, to: i}));
  table.replaceChildren();
  const place = row("frames (click to change)", [], "letter");
  const choices = [...new Set([data.blank, ...data.goal, ...labels])];
  for (const {label, from} of frames) {
    const press = () => {
      const next = choices[(choices.indexOf(label) + 1) % choices.length];
      input.value = labels.map((old, i) => i === from ? next : old).join("");
      draw();
      table.querySelectorAll("button")[from].focus();
    };
    const node = button(place, label, press);
    node.className = label === data.blank ? "blank" : "letter";
    node.setAttribute("aria-label", `frame ${from + 1}: ${label === data.blank ? "blank" : label}`);
  }
  const merged = merge(frames), kept = drop(merged), dropped = drop(frames), wrong = merge(dropped);
  add(table, "div", {class: "order"}, "CTC's order");
  row("1. merge equal neighbours", merged, "letter");
  row("2. drop the blanks", kept, "result");
  add(table, "div", {class: "order"}, "the other way round");
  row("1. drop the blanks", dropped, "letter");
  row("2. merge equal neighbours", wrong, "result");
  const text = read(kept), all = 27 ** length;
  output.value = `merge, then drop: “${text}”${text === data.goal ? ", that is it" : ""}; drop, then merge: “${read(wrong)}”\n`
    + `${count(length, text).toLocaleString("en")} of all ${all < 1e15 ? all.toLocaleString("en") : all.toPrecision(3)} paths of ${length} frames over blank and 26 letters say “${text}”`;
}

input.addEventListener("input", draw);
draw();
