// What all interactive figures share. `root` is the element that holds the static picture and the script,
// `data` what Python computed. Nothing is loaded from anywhere.
const STYLE = `
.asr-figure { font: 18px/1.4 "DejaVu Sans", "Deck Sans", sans-serif; color: #1a1a1a; background: #ffffff; max-width: 1120px; padding: 4px 0; }
.asr-figure .bar { display: flex; flex-wrap: wrap; align-items: center; gap: 8px 18px; margin: 0 0 8px; }
.asr-figure label { display: inline-flex; align-items: center; gap: 6px; max-width: 100%; }
.asr-figure button, .asr-figure input { font: inherit; color: inherit; margin: 0; }
.asr-figure button { min-height: 34px; padding: 2px 12px; border: 1px solid #595959; border-radius: 4px; background: #f4f4f4; cursor: pointer; }
.asr-figure input[type=text] { width: 15em; max-width: 100%; padding: 3px 8px; border: 1px solid #595959; border-radius: 4px; background: #ffffff; font-family: "DejaVu Sans Mono", "Deck Mono", monospace; box-sizing: border-box; }
.asr-figure input[type=range] { width: 320px; max-width: 55vw; min-width: 0; }
.asr-figure .wide { overflow-x: auto; }
.asr-figure svg { display: block; width: 100%; min-width: 1000px; height: auto; font: inherit; }
.asr-figure svg [tabindex] { outline: none; }
.asr-figure :is(button, input, .wide):focus-visible { outline: 3px solid #b34c00; outline-offset: 1px; }
.asr-figure output { display: block; min-height: 1.4em; white-space: pre-wrap; }
`;
const SVG = "http://www.w3.org/2000/svg";

function add(parent, name, attributes = {}, text = "") {
  const drawn = name === "svg" || parent instanceof SVGElement;
  const node = drawn ? document.createElementNS(SVG, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.textContent = text;
  parent.append(node);
  return node;
}

// A drawing as wide as the figure; on a narrow screen it keeps its size and is moved sideways.
function drawing(width, height, attributes) {
  return add(add(root, "div", {class: "wide", tabindex: 0}), "svg", {viewBox: `0 0 ${width} ${height}`, ...attributes});
}

// A labelled control; `type` is that of an input element.
function control(parent, type, text, attributes = {}) {
  const label = add(parent, "label");
  if (type === "radio" || type === "checkbox") {
    const input = add(label, "input", {type, ...attributes});
    add(label, "span", {}, text);
    return input;
  }
  add(label, "span", {}, text);
  return add(label, "input", {type, ...attributes});
}

function button(parent, text, press) {
  const node = add(parent, "button", {type: "button"}, text);
  node.addEventListener("click", press);
  return node;
}

// A slider over the stages of a training, and a button that plays them; `changed(k)` is called with the stage.
function stages(parent, steps, changed) {
  const slider = control(parent, "range", "training", {min: 0, max: steps.length - 1, value: 0});
  const play = button(parent, "▶ play", () => {
    if (play.timer) return stop();
    if (Number(slider.value) === steps.length - 1) slider.value = 0;
    tell();
    play.textContent = "❚❚ pause";
    play.timer = setInterval(() => {
      slider.value = Number(slider.value) + 1;
      tell();
      if (Number(slider.value) === steps.length - 1) stop();
    }, 1000);
  });
  const stop = () => { clearInterval(play.timer); play.timer = 0; play.textContent = "▶ play"; };
  const tell = () => {
    slider.setAttribute("aria-valuetext", `after ${steps[slider.value]} steps`);
    changed(Number(slider.value));
  };
  slider.addEventListener("input", () => { stop(); tell(); });
  return tell;
}

const number = (value, digits) => value === -Infinity ? "−∞" : value.toFixed(digits).replace("-", "−");
const spell = label => label === " " ? "␣" : label;

root.querySelector("img").remove();
root.dataset.lmSuppressShortcuts = "true"; // JupyterLab takes no keys from here,
for (const kind of ["keydown", "keyup", "keypress", "pointerdown", "pointermove", "pointerup", "mousedown", "touchstart", "touchmove"])
  root.addEventListener(kind, event => {
    if (event.key === "PageUp" || event.key === "PageDown") return; // a presenter's remote control
    if (event.key === "Escape") document.activeElement.blur(); // the keyboard goes back to the slide
    event.stopPropagation(); // nor do slides
  });
add(root, "style", {}, STYLE);
