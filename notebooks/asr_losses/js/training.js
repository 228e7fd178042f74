// What a model says about one utterance at several steps of its training, under the loss curve.
const WIDTH = 1120, LEFT = 62, RIGHT = WIDTH - 16, CURVE = 90, PANEL = 88;
const TOPS = {curve: 32, p: 32 + CURVE + 78, gamma: 32 + CURVE + PANEL + 126}, HEIGHT = TOPS.gamma + PANEL + 30;
const T = data.p[0].length, SECONDS = data.duration;
const x = seconds => LEFT + seconds / SECONDS * (RIGHT - LEFT);
const along = step => LEFT + Math.log1p(step) / Math.log1p(data.steps.at(-1)) * (RIGHT - LEFT);
const least = Math.log(Math.min(...data.curve.map(([, loss]) => loss))), most = Math.log(Math.max(...data.curve.map(([, loss]) => loss)));
const level = loss => TOPS.curve + CURVE * (most - Math.log(loss)) / (most - least);

const bar = add(root, "div", {class: "bar"});
const set_stage = stages(bar, data.steps, draw);
add(bar, "audio", {controls: "", src: data.sound, "aria-label": `the recording: ${data.text}`}).style.height = "40px";
const output = add(root, "output", {role: "status"});
const picture = drawing(WIDTH, HEIGHT, {role: "img"});

function curve(k) {
  for (const loss of [0.1, 1, 10]) if (Math.log(loss) > least && Math.log(loss) < most) {
    add(picture, "line", {x1: LEFT, x2: RIGHT, y1: level(loss), y2: level(loss), stroke: "#dddddd"});
    add(picture, "text", {x: LEFT - 10, y: level(loss) + 6, "text-anchor": "end"}, loss);
  }
  add(picture, "text", {x: LEFT, y: TOPS.curve - 8, "font-weight": "bold"}, "training loss, nats per character (logarithmic; steps, too, from 1 on)");
  const points = data.curve.map(([step, loss]) => `${along(step)},${level(loss)}`).join(" ");
  add(picture, "polyline", {points, fill: "none", stroke: "#0072b2", "stroke-width": 2, class: "curve"});
  for (const step of data.steps) add(picture, "line", {x1: along(step), x2: along(step), y1: TOPS.curve + CURVE, y2: TOPS.curve + CURVE + 7, stroke: "#595959"});
  for (const step of [0, 1, 10, 100, 1000]) if (step < data.steps.at(-1)) add(picture, "text", {x: along(step), y: TOPS.curve + CURVE + 26, "text-anchor": "middle"}, step);
  add(picture, "text", {x: RIGHT, y: TOPS.curve + CURVE + 26, "text-anchor": "end"}, `${data.steps.at(-1)} steps`);
  add(picture, "line", {x1: along(data.steps[k]), x2: along(data.steps[k]), y1: TOPS.curve, y2: TOPS.curve + CURVE, stroke: "#b34c00", "stroke-width": 4, class: "marker"});
}

function panel(top, title, values) {
  const y = value => top + PANEL * (1 - value / 1000);
  for (const value of [0, 500, 1000]) {
    add(picture, "line", {x1: LEFT, x2: RIGHT, y1: y(value), y2: y(value), stroke: "#dddddd"});
    add(picture, "text", {x: LEFT - 10, y: y(value) + 6, "text-anchor": "end"}, value / 1000);
  }
  add(picture, "text", {x: LEFT, y: top - 28, "font-weight": "bold"}, title);
  data.words.forEach(([word, start, end]) => {
    add(picture, "rect", {x: x(start), y: top, width: x(end) - x(start), height: PANEL, fill: "#0072b2", opacity: 0.09, class: "word"});
    add(picture, "text", {x: (x(start) + x(end)) / 2, y: top - 4, "text-anchor": "middle"}, word);
  });
  [...data.labels].forEach((label, c) => {
    const curve = values.map(frame => frame[c]), stroke = c ? "#0072b2" : "#595959";
    const points = curve.map((value, t) => `${x(t * data.seconds)},${y(value)}`).join(" ");
    add(picture, "polyline", {points, fill: "none", stroke, "stroke-width": 2.5, "stroke-dasharray": c ? "none" : "7 4", class: "label"});
    curve.forEach((value, t) => {
      if (c && value > 250 && value >= (curve[t - 1] ?? 0) && value > (curve[t + 1] ?? 0))
        add(picture, "text", {x: x(t * data.seconds), y: y(value) - 5, "text-anchor": "middle", fill: "#005a8c", "font-weight": "bold"}, spell(label));
    });
  });
}

function draw(k) {
  const blank = data.p[k].filter(frame => frame[0] >= Math.max(...frame)).length / T;
  output.value = `after ${data.steps[k]} steps: loss of this utterance ${data.loss[k].toFixed(2)} nats, blank is the best label in ${Math.round(100 * blank)} % of the frames, says “${data.says[k]}”`;
  picture.setAttribute("aria-label", output.value);
  picture.replaceChildren();
  curve(k);
  panel(TOPS.p, "p: what the model says (dashed: blank; shaded: where each word is spoken)", data.p[k]);
  panel(TOPS.gamma, `γ: what it says when told “${data.text}”`, data.gamma[k]);
  for (let tenth = 0; tenth < 10 * SECONDS; tenth += 2) add(picture, "text", {x: x(tenth / 10), y: HEIGHT - 6, "text-anchor": "middle"}, (tenth / 10).toFixed(1));
  add(picture, "text", {x: WIDTH, y: HEIGHT - 6, "text-anchor": "end"}, "s");
}

set_stage();
