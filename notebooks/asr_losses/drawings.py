"""What are boxes and arrows drawn with?"""

import matplotlib.pyplot as plt
from matplotlib.patches import Rectangle


def canvas(height):
    """Axes without lines, 10.8 inches wide and `height` high, whose units are inches."""
    fig, ax = plt.subplots(figsize=(10.8, height), layout="none")
    fig.subplots_adjust(0, 0, 1, 1)
    ax.set(xlim=(0, 10.8), ylim=(0, height))
    ax.axis("off")
    return fig, ax


def box(ax, x, y, width, height, text, colour, size=18):
    """A white box with its lower left corner at (x, y), and `text` in its middle."""
    ax.add_patch(Rectangle((x, y), width, height, fc="white", ec=colour, lw=3, zorder=3))
    ax.text(x + width / 2, y + height / 2, text, ha="center", va="center", size=size, zorder=4)


def token(ax, x, y, text, width, colour="0.4"):
    """A token in a square around (x, y); a space is drawn as ␣."""
    ax.add_patch(Rectangle((x - 0.45 * width, y - 0.28), 0.9 * width, 0.56, fc="white", ec=colour, lw=2, zorder=3))
    ax.text(x, y, text.replace(" ", "␣"), ha="center", va="center", size=18 if len(text) == 1 else 14, zorder=4)


def arrow(ax, start, end, color="black", lw=2, ls="-"):
    """An arrow from the point `start` to the point `end`."""
    ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": color, "lw": lw, "ls": ls, "mutation_scale": 18,
                                            "shrinkA": 0, "shrinkB": 0})
