// Posteriors and occupancy of one utterance at several steps of the training.
const WIDTH = 1120, PANEL = 105, LEFT = 60, TOP = 62, GAP = 80, HEIGHT = TOP + 2 * PANEL + GAP + 36;
const T = data.p[0].length, COLOURS = ["#595959", "#0072b2", "#b34c00", "#00664b", "#a3418a", "#8a5a00", "#2b6f9e", "#000000"];
const x = t => LEFT + t * (WIDTH - LEFT - 20) / (T - 1);

const bar = add(root, "div", {class: "bar"});
const slider = control(bar, "range", "training", {min: 0, max: data.steps.length - 1, value: 0});
const output = add(root, "output", {role: "status"});
const picture = add(root, "svg", {viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img"});
slider.addEventListener("input", draw);

function panel(top, title, values) {
  const y = value => top + PANEL * (1 - value / 1000);
  for (const value of [0, 500, 1000]) {
    add(picture, "line", {x1: LEFT, x2: WIDTH - 20, y1: y(value), y2: y(value), stroke: "#dddddd"});
    add(picture, "text", {x: LEFT - 10, y: y(value) + 6, "text-anchor": "end"}, value / 1000);
  }
  add(picture, "text", {x: LEFT, y: top - 36, "font-weight": "bold"}, title);
  [...data.labels].forEach((label, c) => {
    const curve = values.map(frame => frame[c]), stroke = COLOURS[c % COLOURS.length];
    const points = curve.map((value, t) => `${x(t)},${y(value)}`).join(" ");
    add(picture, "polyline", {points, fill: "none", stroke, "stroke-width": 2.5, "stroke-dasharray": c ? "none" : "7 4"});
    curve.forEach((value, t) => {
      if (c && value > 250 && value >= (curve[t - 1] ?? 0) && value > (curve[t + 1] ?? 0))
        add(picture, "text", {x: x(t), y: y(value) - 5, "text-anchor": "middle", fill: stroke, "font-weight": "bold"}, spell(label));
    });
  });
}

function draw() {
  const k = Number(slider.value);
  const blank = data.p[k].filter(frame => frame[0] >= Math.max(...frame)).length / T;
  output.value = `after ${data.steps[k]} steps: loss ${data.loss[k].toFixed(2)} nats, blank is the best label in ${Math.round(100 * blank)} % of the frames, says “${data.says[k]}”`;
  slider.setAttribute("aria-valuetext", output.value);
  picture.setAttribute("aria-label", output.value);
  picture.replaceChildren();
  panel(TOP, "p: what the model says (grey, dashed: blank)", data.p[k]);
  panel(TOP + PANEL + GAP, `γ: what it says when told “${data.text}”`, data.gamma[k]);
  for (let t = 0; t < T; t += 5)
    add(picture, "text", {x: x(t), y: HEIGHT - 8, "text-anchor": "middle"}, (t * data.seconds).toFixed(1));
  add(picture, "text", {x: WIDTH, y: HEIGHT - 8, "text-anchor": "end"}, "s");
}

draw();
