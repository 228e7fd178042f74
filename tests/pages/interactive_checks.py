"""Plays with the interactive figures as a reader does, and holds what they show against Python.

`PLAY[name](figure, data)`: the figure as a Playwright locator, and the values that stand in its script.
"""

import itertools
import json
import math
import re

from transducer_checks import play_transducer


def figures_of(notebook):
    """`{name: (HTML, values in its script)}` of the interactive figures among the stored outputs."""
    found = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            html = output.get("data", {}).get("text/html", "")
            if name := re.search(r'class="asr-figure" data-figure="(\w+)"', html):
                found[name[1]] = html, json.loads(re.search(r"parentElement, (\{.*\})\);</script>", html)[1])
    return found


def merge(labels):
    return "".join(label for label, _ in itertools.groupby(labels))


def counted(T, text):
    """How many paths of T labels collapse to the text."""
    return math.comb(max(T + len(text) - sum(map(str.__eq__, text, text[1:])), 0), 2 * len(text))


def play_collapse(figure, data):
    box, said = figure.get_by_label("frame labels"), figure.get_by_role("status")
    assert box.input_value() == data["path"]
    for path in (data["path"], "hhello", "hel-lo", "-zz-o-oo", "---", "", "a", "lo-lo-lo"):
        box.fill(path)
        kept, wrong = merge(path).replace("-", ""), merge(path.replace("-", ""))
        reached = ", that is it" if kept == data["goal"] else ""
        orders, counts = said.text_content().split("\n")
        assert orders == f"merge, then drop: “{kept}”{reached}; drop, then merge: “{wrong}”"
        assert counts.startswith(f"{counted(len(path), kept):,} of all {27 ** len(path):,} paths of {len(path)} frames ")
    for example in data["examples"]:
        figure.get_by_role("button", name=example, exact=True).click()
        assert box.input_value() == example
    box.fill("l-l")
    figure.get_by_role("button", name="frame 2: blank").click()
    first, second = dict.fromkeys(data["goal"]).keys() - {"l"}, data["goal"][0]
    assert box.input_value() == f"l{second}l"
    figure.page.keyboard.press("Enter")  # the frame that was pressed keeps the focus
    assert box.input_value()[1] in first
    box.fill("NO one!")  # what is no label is left out
    assert box.input_value() == "noone"
    box.press("Home")
    box.press("ArrowRight")
    figure.page.keyboard.type("Xy")  # and the caret stays where somebody types
    assert box.input_value() == "nxyoone"


def log_sum(values):
    largest = max(values)
    return -math.inf if largest == -math.inf else largest + math.log(sum(math.exp(value - largest) for value in values))


def sweep(rows, first, sources):
    """Log-sums over all walks that begin in one of the states `first`; `sources(s)`: where a walk can come from."""
    table = [[value if s in first else -math.inf for s, value in enumerate(rows[0])]]
    for row in rows[1:]:
        table.append([value + log_sum([table[-1][r] for r in sources(s)]) for s, value in enumerate(row)])
    return table


def sums(log_p, jump):
    """alpha, beta and ln P of a lattice, in plain Python; beta counts its own frame, as alpha does."""
    S = len(jump)
    moves = {(r, s) for s in range(S) for r in (s, s - 1, s - 2) if r >= 0 and (r > s - 2 or jump[s])}
    alpha = sweep(log_p, (0, 1), lambda s: [r for r in range(S) if (r, s) in moves])
    beta = sweep(log_p[::-1], (S - 1, S - 2), lambda s: [r for r in range(S) if (s, r) in moves])[::-1]
    return alpha, beta, log_sum(alpha[-1][-2:])


def best_of(log_p, jump):
    """ln P of the best path of a lattice, by trying every move."""
    S, now = len(jump), {0: log_p[0][0], 1: log_p[0][1]}
    for row in log_p[1:]:
        ways = {s: [now[r] for r in (s, s - 1, s - 2) if r in now and (r > s - 2 or jump[s])] for s in range(S)}
        now = {s: max(values) + row[s] for s, values in ways.items() if values}
    return max(now[s] for s in (S - 1, S - 2) if s in now)


def play_lattice(figure, data):
    page, jump = figure.page, data["jump"]
    lattices = [[[row[c] for c in data["states"]] for row in rows] for rows in data["log_p"]]
    T, S, last = len(lattices[0]), len(jump), len(lattices) - 1
    node, of_path, share = figure.locator("output.node"), figure.locator("output.path"), figure.locator("text.share")
    at = lambda t, s: figure.locator(f'circle[data-t="{t}"][data-s="{s}"]')  # noqa: E731
    assert data["paths"] == counted(T, data["text"])

    def shown(name):
        value = re.search(rf"(?:^|[ ,]){re.escape(name)} = (−?[\d.]+|−∞)", node.inner_text())[1]
        return -math.inf if value == "−∞" else float(value.replace("−", "-"))

    def agree(k, t, s):
        alpha, beta, total = tables[k]
        assert f"frame {t}," in node.inner_text() and f"state {s} " in node.inner_text()
        gamma = math.exp(alpha[t][s] + beta[t][s] - lattices[k][t][s] - total)
        for name, value in (("p", math.exp(lattices[k][t][s])), ("ln α", alpha[t][s]), ("ln β", beta[t][s]), ("γ", gamma)):
            assert shown(name) == value or abs(shown(name) - value) < 5e-3, (name, k, t, s)

    def log_probability(what):
        return float(re.search(rf"{what}: ln P = (−?[\d.]+)", of_path.inner_text())[1].replace("−", "-"))

    tables = [sums(rows, jump) for rows in lattices]
    training, said = figure.get_by_label("training"), []
    for k, steps in enumerate(data["steps"]):
        training.focus()
        page.keyboard.press("Home")
        for _ in range(k):
            page.keyboard.press("ArrowRight")
        assert of_path.inner_text().startswith(f"after {steps} steps: all {data['paths']:,} paths")
        total, best = tables[k][2], best_of(lattices[k], jump)
        assert abs(log_probability("paths") - total) < 0.02 and abs(log_probability("best path") - best) < 0.02
        said.append(float(share.text_content().split()[0]))
        exact = 100 * math.exp(best - total)
        assert abs(said[-1] - exact) <= (0.51 if exact >= 1 else 0.06 * exact + 5e-4)
        at(T // 2, S // 2).hover()
        agree(k, T // 2, S // 2)
    assert said[-1] > 20 * said[0]
    for t, s in ((0, 1), (T - 1, S - 1), (0, S - 1)):
        at(t, s).hover(force=True)
        agree(last, t, s)
    at(T // 2, 2).focus()
    for key, step in (("ArrowRight", (1, 0)), ("ArrowUp", (0, 1)), ("ArrowLeft", (-1, 0)), ("ArrowDown", (0, -1))):
        t, s = map(int, re.search(r"frame (\d+).*state (\d+)", node.inner_text()).groups())
        page.keyboard.press(key)
        agree(last, t + step[0], s + step[1])

    figure.get_by_label("α: the sum so far").check()
    frames = figure.get_by_label("up to frame")
    frames.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    white = lambda t, s: at(t, s).get_attribute("fill") in ("#ffffff", "rgb(255, 255, 255)")  # noqa: E731
    likely = max(range(S), key=lambda s: tables[last][0][1][s])
    assert not white(1, likely) and all(white(t, s) for t in range(2, T) for s in range(S))
    figure.get_by_label("γ: where the paths are").check()
    assert white(0, S - 1) and tables[last][0][0][S - 1] == -math.inf

    figure.get_by_role("button", name="my path = best path").click()
    assert log_probability("your path") == log_probability("best path") < log_probability("paths")
    at(T - 1, 0).focus()
    page.keyboard.press("Enter")
    assert "does not end in one of the two highest states" in of_path.inner_text()
    figure.get_by_role("button", name="my path = best path").click()
    drag(page, at, [(0, 0), (2, 0)])  # the column between is crossed, too
    path = figure.locator("path[stroke-dasharray]").get_attribute("d")
    heights = [float(y) for y in re.findall(r"[\d.]+ ([\d.]+)", path)]
    low = float(at(0, 0).get_attribute("cy"))
    assert heights[:3] == [low] * 3 and len(heights) == T
    states = [min(range(S), key=lambda s: abs(float(at(0, s).get_attribute("cy")) - y)) for y in heights]
    assert mine_is(of_path, lattices[last], states, jump)


def drag(page, at, nodes):
    """Draws along the nodes with the mouse held down."""
    for i, (t, s) in enumerate(nodes):
        box = at(t, s).bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=4)
        if i == 0:
            page.mouse.down()
    page.mouse.up()


def mine_is(of_path, log_p, mine, jump):
    text = of_path.inner_text()
    if not all(r == s or r == s - 1 or (r == s - 2 and jump[s]) for r, s in zip(mine, mine[1:])):
        return "your path is no alignment" in text
    value = float(re.search(r"your path: ln P = (−?[\d.]+)", text)[1].replace("−", "-"))
    return abs(value - sum(row[s] for row, s in zip(log_p, mine))) < 0.02


def play_training(figure, data):
    slider, said, marker = figure.get_by_label("training"), figure.get_by_role("status"), figure.locator("line.marker")
    slider.focus()
    figure.page.keyboard.press("Home")
    places = []
    for k, steps in enumerate(data["steps"]):
        blank = sum(frame[0] >= max(frame) for frame in data["p"][k]) / len(data["p"][k])
        text = said.text_content()
        assert text.startswith(f"after {steps} steps: loss of this utterance {data['loss'][k]:.2f} nats")
        assert text.endswith(f"says “{data['says'][k]}”")
        assert abs(int(re.search(r"in (\d+) % of the frames", text)[1]) - 100 * blank) <= 0.5
        assert figure.locator("polyline.label").count() == 2 * len(data["labels"])
        assert figure.locator("rect.word").count() == 2 * len(data["words"])
        places.append(float(marker.get_attribute("x1")))
        figure.page.keyboard.press("ArrowRight")
    whole = math.log1p(data["steps"][-1])
    for place, steps in zip(places, data["steps"]):  # where the step lies on the curve's axis
        assert abs((place - places[0]) / (places[-1] - places[0]) - math.log1p(steps) / whole) < 1e-3
    figure.get_by_role("button", name="play").click()  # from the last stage it starts again
    assert said.text_content().startswith(f"after {data['steps'][0]} steps")
    figure.get_by_role("button", name="pause").click()


def play_masks(figure, data):
    U, T = len(data["labels"]), len(data["frames_none"][0])
    said, of_row = figure.locator("output.all"), figure.locator("output.row")
    reasons = {0: f"ln {data['tokens']}: nothing leaks", U: "every label is in its own input"}
    reasons[U - 1] = f"ln {data['tokens']} / {U}: only the last label must be guessed"
    switches = {name: figure.get_by_label(name) for name in ("shift the labels by one", "causal mask", "padding mask")}
    for states in itertools.product((True, False), repeat=3):
        for switch, state in zip(switches.values(), states):
            switch.set_checked(state)
        shift, causal, padding = states
        tokens = data["tokens_causal" if causal else "tokens_none"]
        frames = data["frames_masked" if padding else "frames_none"]
        own = [u + 1 if shift else u for u in range(U)]
        leaks = sum(tokens[u][v] for u, v in enumerate(own) if v < U)
        assert said.text_content() == (
            f"{sum(map(sum, tokens))} of {U * U} pairs of output and token move, {sum(map(sum, frames))} of {U * T} pairs of output "
            f"and frame; outputs that see their own label: {leaks} of {U}; padding is {'not ' if padding else ''}heard\n"
            f"on texts that cannot be guessed the loss can fall to {(U - leaks) / U * math.log(data['tokens']):.2f} nats, "
            f"{reasons[leaks]}"
        )
        assert leaks == (0 if shift and causal else U - 1 if shift else U)
    figure.get_by_label("causal mask").focus()
    figure.page.keyboard.press("Space")
    assert switches["causal mask"].is_checked()
    figure.locator("g[tabindex='0']").focus()
    assert of_row.inner_text().startswith("output 0,")
    figure.page.keyboard.press("ArrowDown")
    assert of_row.inner_text().startswith("output 1,")


PLAY = {
    "collapse": play_collapse, "lattice": play_lattice, "training": play_training, "masks": play_masks,
    "transducer": play_transducer,
}


def touch(figure, data, name):
    """On a phone: a tap changes something, and no part is wider than the screen."""
    said = figure.get_by_role("status").last
    target = {
        "collapse": figure.get_by_role("button", name="frame 6:"),
        "lattice": figure.locator('circle[data-t="3"][data-s="1"]'),
        "training": figure.get_by_role("button", name="play"),
        "masks": figure.get_by_label("causal mask"),
        "transducer": figure.locator('g[data-t="1"][data-u="0"]'),
    }[name]
    if name in ("masks", "transducer"):
        said = figure.locator("output").first
    before = said.text_content()
    target.tap()
    figure.page.wait_for_timeout(1200)
    assert said.text_content() != before
    if name == "transducer":
        figure.get_by_role("button", name="emit").tap()
        assert figure.locator(".text b.said").all_text_contents() == [data["lattices"][0]["text"][0]]
