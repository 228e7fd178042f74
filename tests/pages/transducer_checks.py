"""Plays with the transducer's figure as a reader does, and holds what it shows against the package."""

import itertools
import math
import re

import torch
import torch.nn.functional as F

from asr_losses.transducer import arc_loss, best_frames, occupancies

KEYS = {"E": ("e", "ArrowUp"), "M": ("m", "ArrowRight")}
DIGITS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
FEW = 20  # walks: so many are all walked; where there are more, the best


def log_p(move, emit):
    return -arc_loss(move[None], emit[None], [len(move)], [emit.shape[1]], reduction="sum").item()


def arcs_of(lattice):
    """move and emit, as the page has them."""
    for name in ("move", "emit"):
        rows = [[-math.inf if value is None else value for value in row] for row in lattice[name]]
        yield torch.tensor(rows, dtype=torch.float64)


def best_of(move, emit):
    """The best walk, as E and M."""
    frames = best_frames(move, emit).tolist()
    return "".join("E" * frames.count(t) + "M" for t in range(len(move)))


def walks_of(T, U):
    """All walks, as E and M; the last step leaves the last frame."""
    for chosen in itertools.combinations(range(T + U - 1), U):
        yield "".join("E" if i in chosen else "M" for i in range(T + U - 1)) + "M"


def probability(text, before):
    """The number that stands there after `before`, a pattern."""
    digits, power = re.search(rf"{before} ([\d.]+)(?:·10⁻([⁰¹²³⁴⁵⁶⁷⁸⁹]+))?", text, flags=re.M).groups()
    return float(digits) / 10 ** int((power or "0").translate(DIGITS))


def close(shown, exact):
    """As far as three digits can say."""
    return abs(shown - exact) <= 0.006 * exact


def percent_is(text, share):
    if 0 < share < 1e-4:
        return text.startswith("< 0.01 %")
    return abs(float(text.split(" %")[0]) - 100 * share) <= (0.51 if share > 0.099 else 6 * share)


class Lattice:
    """One lattice on the screen, and in the package."""

    def __init__(self, figure, given):
        self.figure, self.text, self.walks = figure, given["text"], given["walks"]
        self.move, self.emit = arcs_of(given)
        self.T, self.U = self.emit.shape
        self.total = log_p(self.move, self.emit)
        self.best = best_of(self.move, self.emit)
        self.press = figure.page.keyboard.press

    def node(self, t, u):
        return self.figure.locator(f'g[data-t="{t}"][data-u="{u}"]')

    def button(self, name):
        return self.figure.get_by_role("button", name=name)

    def said(self):
        return self.figure.locator("output.walk").inner_text()

    def drawn(self, path):
        """The steps of a walk in the picture."""
        lines = self.figure.locator(path).get_attribute("d")
        return "".join("E" if line == "V" else "M" for line in re.findall("[VH]", lines))

    def along(self, steps):
        """ln P of a walk, and the node where it ends."""
        t = u = total = 0
        for step in steps:
            total += (self.emit if step == "E" else self.move)[t, u].item()
            t, u = (t, u + 1) if step == "E" else (t + 1, u)
        return total, t, u

    def stands_after(self, steps):
        """The page shows what these steps lead to; the probability that it gives them."""
        (value, t, u), said = self.along(steps), self.said()
        shown = probability(said, r"^your walk(?: so far)?: P =")
        assert close(shown, math.exp(value)) and self.drawn("path.mine") == steps
        assert "".join(self.figure.locator(".text b.said").all_text_contents()) == self.text[:u].replace(" ", "␣")
        assert self.button("emit").is_disabled() == (t == self.T or u == self.U)
        assert self.button("move on").is_disabled() == (t == self.T or t == self.T - 1 and u < self.U)
        if t < self.T:
            assert f", {len(steps)} of {self.T + self.U} arcs" in said
            assert self.figure.locator("output.node").inner_text() == self.node(t, u).get_attribute("aria-label")
        else:
            assert percent_is(said.split(", ", 1)[1], math.exp(value - self.total))
            assert close(probability(said, re.escape(f"P(“{self.text}”) =")), math.exp(self.total))
            assert f"the sum over all {self.walks:,} walks" in said
            assert ("it is the best" in said) == (steps == self.best)
        return shown

    def nodes_agree(self):
        """alpha, beta, gamma and the arcs of every node: the last of a smaller lattice, and the first of another."""
        by_blank, by_label = occupancies(self.move, self.emit)
        gamma = by_blank + F.pad(by_label, (0, 1))
        texts = "nodes => nodes.map(node => node.getAttribute('aria-label'))"
        labels = self.figure.locator("g[data-t]").evaluate_all(texts)
        for said, (t, u) in zip(labels, itertools.product(range(self.T), range(self.U + 1)), strict=True):
            alpha = log_p(self.move[: t + 1, : u + 1], self.emit[: t + 1, :u]) - self.move[t, u].item()
            exact = {"ln α": alpha, "ln β": log_p(self.move[t:, u:], self.emit[t:, u:]), "γ": gamma[t, u].item()}
            assert said.startswith(f"node ({t}, {u}): ")
            for name, value in exact.items():
                shown = float(re.search(rf"{name} = (−?[\d.]+|−∞)", said)[1].replace("−", "-").replace("∞", "inf"))
                assert shown == value or abs(shown - value) < 6e-4, (said, exact)
            assert (u < self.U) == ("emit" in said) and (t < self.T - 1 or u == self.U) == ("move on" in said)
            if u < self.U:
                assert close(probability(said, "emit “.”"), self.emit[t, u].exp().item())

    def walk_with_keys(self, steps):
        """R, then a key for each step, of its two in turn; the probability that the page gives the walk."""
        self.figure.locator(".wide").focus()
        self.press("r")
        self.stands_after("")
        for i, step in enumerate(steps):
            if self.button("move on").is_disabled():
                self.press("m")  # which does nothing
            self.press(KEYS[step][i % 2])
            shown = self.stands_after(steps[: i + 1])
        self.press("e")
        self.press("m")
        assert self.drawn("path.mine") == steps
        return shown

    def shading_and_best_walk(self):
        """O and B, by key and by mouse."""
        fills = "circles => circles.map(circle => circle.getAttribute('fill'))"
        circles = self.figure.locator("g[data-t] > circle")
        assert set(circles.evaluate_all(fills)) == {"rgb(255, 255, 255)"}
        self.figure.locator(".wide").focus()
        self.press("o")
        by_blank, by_label = occupancies(self.move, self.emit)
        gamma = (by_blank + F.pad(by_label, (0, 1))).flatten().tolist()
        red = [int(fill[4:].split(",")[0]) for fill in circles.evaluate_all(fills)]
        assert all(abs(shade - 255 * (1 - value)) < 1 for shade, value in zip(red, gamma))
        self.figure.get_by_label("occupancy (O)").uncheck()
        self.press("b")
        assert self.figure.get_by_label("best walk (B)").is_checked()
        assert self.drawn('path[stroke="#d55e00"]') == self.best
        best = self.along(self.best)[0]
        assert close(probability(self.said(), "^best walk: P ="), math.exp(best))
        assert percent_is(self.said().split("best walk: P = ")[1].split(", ")[1], math.exp(best - self.total))
        self.press("b")

    def other_ways(self):
        """By mouse on buttons and nodes, and back by each of the keys."""
        steps = self.best[:-1]
        for i, step in enumerate(steps):
            _, t, u = self.along(steps[: i + 1])
            target = self.button("emit" if step == "E" else "move on") if i % 2 else self.node(t, u)
            target.click()
            self.figure.locator("output.node").hover()
            self.stands_after(steps[: i + 1])
        self.node(0, 0).hover()
        assert self.figure.locator("output.node").inner_text() == self.node(0, 0).get_attribute("aria-label")
        self.figure.locator("output.node").hover()
        self.figure.locator(".wide").focus()
        for back in ("Backspace", "ArrowLeft", "ArrowDown"):
            if steps:
                self.press(back)
                steps = steps[:-1]
                self.stands_after(steps)
        self.press("m" if self.button("emit").is_disabled() else "e")
        self.button("restart").click()
        self.stands_after("")
        assert self.button("take back").is_disabled()


def play_transducer(figure, data):
    for given in data["lattices"]:
        figure.get_by_role("button", name=given["title"], exact=True).click()
        lattice = Lattice(figure, given)
        assert lattice.walks == math.comb(lattice.T + lattice.U - 1, lattice.U)
        lattice.nodes_agree()
        lattice.shading_and_best_walk()
        lattice.other_ways()
        walks = list(walks_of(lattice.T, lattice.U)) if lattice.walks <= FEW else [lattice.best]
        total = sum(map(lattice.walk_with_keys, walks))
        assert figure.locator("text.found").text_content() == f"{len(walks)} of {lattice.walks:,}"
        share = sum(math.exp(lattice.along(steps)[0] - lattice.total) for steps in walks)
        assert percent_is(figure.locator("text.share").text_content(), share)
        if lattice.walks <= FEW:
            assert abs(share - 1) < 1e-9 and close(total, math.exp(lattice.total))
    figure.page.keyboard.press("Escape")
    assert figure.page.evaluate("document.activeElement === document.body")
    figure.locator(".wide").focus()
