#!/usr/bin/env python3
"""Paint photographs of a street that does not exist: the same facade from several viewpoints, and other facades.

For the picture in the README and for tests that need "the same place, seen twice" without anybody's photograph. Standard
library only; the same arguments give the same bytes. Usage: scripts/make_scene.py FOLDER [--places N] [--views N]
Writes FOLDER/place-P-view-V.png."""
import argparse
import pathlib
import random
import struct
import zlib

WIDTH, HEIGHT = 640, 480


def write_png(path, width, height, rgb):
    """rgb: bytes, height x width x 3."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + rgb[y * width * 3:(y + 1) * width * 3] for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 6)) + chunk(b"IEND", b""))


class Canvas:
    """A facade painted in rectangles, darkened and lightened by smooth noise so that it has texture."""

    def __init__(self, rng):
        self.pixels = [[(0, 0, 0)] * WIDTH for _ in range(HEIGHT)]
        self.rng = rng

    def rectangle(self, x0, y0, x1, y1, colour):
        x0, y0, x1, y1 = (int(v) for v in (max(0, x0), max(0, y0), min(WIDTH, x1), min(HEIGHT, y1)))
        if x1 > x0:
            for y in range(y0, y1):
                self.pixels[y][x0:x1] = [colour] * (x1 - x0)

    def texture(self, cell, strength):
        columns, rows = WIDTH // cell + 2, HEIGHT // cell + 2
        grid = [[self.rng.uniform(-strength, strength) for _ in range(columns)] for _ in range(rows)]
        for y in range(HEIGHT):
            v, fy = divmod(y, cell)
            fy /= cell
            line = [a + (b - a) * fy for a, b in zip(grid[v], grid[v + 1])]
            row = self.pixels[y]
            for x in range(WIDTH):
                u, fx = divmod(x, cell)
                shade = line[u] + (line[u + 1] - line[u]) * fx / cell
                row[x] = tuple(min(255, max(0, int(c + shade))) for c in row[x])


def jitter(rng, colour, amount):
    return tuple(min(255, max(0, c + rng.randint(-amount, amount))) for c in colour)


def paint_facade(seed):
    rng = random.Random(seed)
    canvas = Canvas(rng)
    wall = rng.choice([(196, 164, 120), (170, 92, 72), (180, 184, 188), (214, 200, 166), (132, 148, 128)])
    trim = jitter(rng, (235, 228, 214), 15)
    canvas.rectangle(0, 0, WIDTH, HEIGHT, (150, 186, 220))
    top = rng.randint(50, 100)
    canvas.rectangle(40, top, 600, HEIGHT, wall)
    for y in range(top, HEIGHT, rng.randint(9, 14)):
        canvas.rectangle(40, y, 600, y + 1, jitter(rng, wall, 18))
        for x in range(40 + rng.randint(0, 20), 600, rng.randint(22, 34)):
            canvas.rectangle(x, y, x + 1, y + 10, jitter(rng, wall, 30))
    canvas.rectangle(30, top - 14, 610, top, trim)
    columns, floors = rng.randint(4, 7), rng.randint(3, 4)
    for floor in range(floors):
        for column in range(columns):
            paint_window(canvas, rng, trim, 70 + column * 500 // columns, top + 24 + floor * 95)
    door = rng.randint(180, 400)
    canvas.rectangle(door, HEIGHT - 95, door + 62, HEIGHT, jitter(rng, (88, 52, 34), 25))
    canvas.rectangle(door + 6, HEIGHT - 88, door + 28, HEIGHT - 30, jitter(rng, (60, 40, 30), 20))
    for _ in range(14):
        x, y = rng.randint(60, 580), rng.randint(top, HEIGHT - 20)
        canvas.rectangle(x, y, x + rng.randint(4, 22), y + rng.randint(3, 12), jitter(rng, (120, 110, 100), 80))
    canvas.texture(37, 14)
    canvas.texture(5, 10)
    canvas.texture(2, 6)
    return canvas.pixels


def paint_window(canvas, rng, trim, x, y):
    width, height = rng.randint(34, 46), rng.randint(52, 64)
    canvas.rectangle(x - 4, y - 6, x + width + 4, y + height + 4, trim)
    canvas.rectangle(x, y, x + width, y + height, jitter(rng, (52, 66, 84), 22))
    for k in range(1, rng.randint(2, 4)):
        canvas.rectangle(x, y + k * height // 4, x + width, y + k * height // 4 + 2, trim)
    canvas.rectangle(x + width // 2 - 1, y, x + width // 2 + 1, y + height, trim)
    if rng.random() < 0.4:
        canvas.rectangle(x, y, x + width, y + rng.randint(10, 40), jitter(rng, (160, 120, 110), 60))


def viewpoint(view, rng):
    """The map from the photograph's pixels to the facade's, as a 3 x 3 matrix: view 0 looks straight at it."""
    if view == 0:
        return (1, 0, 0, 0, 1, 0, 0, 0)
    scale, turn = rng.uniform(0.8, 1.15), rng.uniform(-0.12, 0.12)
    return (scale, turn, rng.uniform(-20, 60), -turn, scale * rng.uniform(0.9, 1.1), rng.uniform(-10, 40),
            rng.uniform(-4e-4, 4e-4), rng.uniform(-2e-4, 2e-4))


def photograph(facade, view, seed):
    rng = random.Random(seed * 1000 + view)
    a, b, c, d, e, f, g, h = viewpoint(view, rng)
    light = 1.0 if view == 0 else rng.uniform(0.75, 1.15)
    noise = [rng.gauss(0, 4) for _ in range(4096)]
    out = bytearray()
    for y in range(HEIGHT):
        for x in range(WIDTH):
            w = g * x + h * y + 1
            u, v = (a * x + b * y + c) / w, (d * x + e * y + f) / w
            u0, v0 = int(u), int(v)
            if not (0 <= u0 < WIDTH - 1 and 0 <= v0 < HEIGHT - 1):
                out += b"\x9b\xa8\xb2"
                continue
            fu, fv = u - u0, v - v0
            grain = noise[(y * 7919 + x) & 4095]
            for p, q, r, s in zip(facade[v0][u0], facade[v0][u0 + 1], facade[v0 + 1][u0], facade[v0 + 1][u0 + 1]):
                value = ((p * (1 - fu) + q * fu) * (1 - fv) + (r * (1 - fu) + s * fu) * fv) * light + grain
                out.append(min(255, max(0, int(value))))
    return bytes(out)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--places", type=int, default=3)
    parser.add_argument("--views", type=int, default=2)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for place in range(arguments.places):
        facade = paint_facade(place)
        for view in range(arguments.views):
            write_png(arguments.folder / f"place-{place}-view-{view}.png", WIDTH, HEIGHT, photograph(facade, view, place))


if __name__ == "__main__":
    main()
