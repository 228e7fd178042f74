"""Plays with the interactive figures as a reader does, and holds what they show against Python.

`PLAY[name](figure, data)`: the figure as a Playwright locator, and the values that stand in its script.
"""

import itertools
import json
import math
import re


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


def play_collapse(figure, data):
    box, said = figure.get_by_label("frame labels"), figure.get_by_role("status")
    assert box.input_value() == data["path"]
    for path in (data["path"], "hhello", "hel-lo", "-zz-o-oo", "---", "", "a"):
        box.fill(path)
        kept, wrong = merge(path).replace("-", ""), merge(path.replace("-", ""))
        assert said.text_content() == f"merge, then drop: “{kept}”; drop, then merge: “{wrong}”"
    for example in data["examples"]:
        figure.get_by_role("button", name=example, exact=True).click()
        assert box.input_value() == example
    box.fill("l-l")
    figure.get_by_role("button", name="frame 2: blank").click()
    after_blank = data["labels"][1]
    assert box.input_value() == f"l{after_blank}l"
    figure.page.keyboard.press("Enter")  # the frame that was pressed keeps the focus
    assert box.input_value() == f"l{data['labels'][2]}l"
    box.fill("NO one!")  # what is no label is left out
    assert box.input_value() == "noone"


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


def play_lattice(figure, data):
    page, log_p, jump = figure.page, data["log_p"], data["jump"]
    T, S = len(log_p), len(jump)
    alpha, beta, total = sums(log_p, jump)
    node, of_path = figure.locator("output.node"), figure.locator("output.path")
    at = lambda t, s: figure.locator(f'circle[data-t="{t}"][data-s="{s}"]')  # noqa: E731

    def shown(name):
        value = re.search(rf"(?:^|[ ,]){re.escape(name)} = (−?[\d.]+|−∞)", node.inner_text())[1]
        return -math.inf if value == "−∞" else float(value.replace("−", "-"))

    def agree(t, s):
        assert f"frame {t}," in node.inner_text() and f"state {s} " in node.inner_text()
        gamma = math.exp(alpha[t][s] + beta[t][s] - log_p[t][s] - total)
        for name, value in (("p", math.exp(log_p[t][s])), ("ln α", alpha[t][s]), ("ln β", beta[t][s]), ("γ", gamma)):
            assert shown(name) == value or abs(shown(name) - value) < 5e-3, (name, t, s)

    def log_probability(what):
        return float(re.search(rf"{what}: ln P = (−?[\d.]+)", of_path.inner_text())[1].replace("−", "-"))

    for t, s in ((0, 1), (T // 2, S // 2), (T - 1, S - 1), (0, S - 1)):
        at(t, s).hover()
        agree(t, s)
    at(T // 2, 2).focus()
    for key, step in (("ArrowRight", (1, 0)), ("ArrowUp", (0, 1)), ("ArrowLeft", (-1, 0)), ("ArrowDown", (0, -1))):
        t, s = map(int, re.search(r"frame (\d+).*state (\d+)", node.inner_text()).groups())
        page.keyboard.press(key)
        agree(t + step[0], s + step[1])

    slider = figure.get_by_label("up to frame")
    slider.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    white = lambda t, s: at(t, s).get_attribute("fill") in ("#ffffff", "rgb(255, 255, 255)")  # noqa: E731
    likely = max(range(S), key=lambda s: alpha[1][s])
    assert not white(1, likely) and all(white(t, s) for t in range(2, T) for s in range(S))
    page.keyboard.press("End")
    figure.get_by_label("γ: occupancy").check()
    best = data["best"]
    assert not white(T // 2, best[T // 2])
    assert white(0, S - 1) and alpha[0][S - 1] == -math.inf

    figure.get_by_label("draw a path").check()
    assert abs(log_probability("all paths") - total) < 0.02
    assert abs(log_probability("best path") - sum(row[s] for row, s in zip(log_p, best))) < 0.02
    t = next(t for t in range(1, T - 1) if best[t - 1] == best[t] == best[t + 1])
    for other in (max(best[t] - 1, 0), min(best[t] + 1, S - 1)):
        figure.get_by_role("button", name="best path").click()
        mine = [other if i == t else s for i, s in enumerate(best)]
        box = at(t, other).bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.down()
        page.mouse.up()
        legal = all(r == s or r == s - 1 or (r == s - 2 and jump[s]) for r, s in zip(mine, mine[1:]))
        if legal:
            assert abs(log_probability("your path") - sum(row[s] for row, s in zip(log_p, mine))) < 0.02
        else:
            assert "your path is no alignment" in of_path.inner_text()
    figure.get_by_role("button", name="best path").click()
    assert log_probability("your path") == log_probability("best path") < log_probability("all paths")
    at(T - 1, 0).focus()
    page.keyboard.press("Enter")
    assert "does not end in one of the two highest states" in of_path.inner_text()
    figure.get_by_role("button", name="best path").click()
    drag(page, at, [(0, 0), (1, 0), (2, 0)])
    assert mine_is(of_path, log_p, [0, 0, 0, *best[3:]], jump)


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
    slider, said = figure.get_by_label("training"), figure.get_by_role("status")
    slider.focus()
    figure.page.keyboard.press("Home")
    for k, steps in enumerate(data["steps"]):
        blank = sum(frame[0] >= max(frame) for frame in data["p"][k]) / len(data["p"][k])
        text = said.text_content()
        assert text.startswith(f"after {steps} steps: loss {data['loss'][k]:.2f} nats")
        assert text.endswith(f"says “{data['says'][k]}”")
        assert abs(int(re.search(r"in (\d+) % of the frames", text)[1]) - 100 * blank) <= 0.5
        assert figure.locator("polyline").count() == 2 * len(data["labels"])
        figure.page.keyboard.press("ArrowRight")


def play_masks(figure, data):
    U, T = len(data["labels"]), len(data["frames_none"][0])
    said, of_row = figure.locator("output.all"), figure.locator("output.row")
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
            f"and frame; outputs that see their own label: {leaks} of {U}; padding is {'not ' if padding else ''}heard"
        )
        assert leaks == (0 if shift and causal else U - 1 if shift else U)
    figure.get_by_label("causal mask").focus()
    figure.page.keyboard.press("Space")
    assert switches["causal mask"].is_checked()
    figure.locator("g[tabindex='0']").focus()
    assert of_row.inner_text().startswith("output 0,")
    figure.page.keyboard.press("ArrowDown")
    assert of_row.inner_text().startswith("output 1,")


PLAY = {"collapse": play_collapse, "lattice": play_lattice, "training": play_training, "masks": play_masks}
