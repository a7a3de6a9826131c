import random

from lra.results.figures.labels import Box, Circle, Segment, place

ROOM = (400.0, 300.0)


def overlap(a, b):
    across = (a.width + b.width) / 2 - abs(a.x - b.x)
    up = (a.height + b.height) / 2 - abs(a.y - b.y)
    return max(0, across) * max(0, up)


def inside(box):
    return (
        box.x - box.width / 2 >= -1e-6
        and box.x + box.width / 2 <= ROOM[0] + 1e-6
        and box.y - box.height / 2 >= -1e-6
        and box.y + box.height / 2 <= ROOM[1] + 1e-6
    )


def test_a_label_alone_stands_right_of_its_circle():
    (box,) = place([Circle(200, 150, 10)], [(40, 8)], [], [], ROOM)
    assert box == Box(200 + 10 + 2 + 20, 150, 40, 8)


def test_labels_keep_off_each_other_and_inside():
    draws = random.Random(0)
    circles = [Circle(draws.uniform(100, 300), draws.uniform(80, 220), 8) for _ in range(24)]
    boxes = place(circles, [(45, 8)] * 24, [], [], ROOM)
    assert all(map(inside, boxes))
    assert sum(overlap(a, b) for i, a in enumerate(boxes) for b in boxes[:i]) < 1


def test_a_label_at_the_edge_turns_inward():
    (box,) = place([Circle(395, 150, 5)], [(40, 8)], [], [], ROOM)
    assert inside(box) and box.x < 395


def test_labels_keep_off_what_is_taken_and_off_lines():
    taken = Box(232, 150, 44, 8)
    (box,) = place([Circle(200, 150, 10)], [(40, 8)], [], [taken], ROOM)
    assert overlap(box, taken) == 0
    line = Segment(0, 150, 400, 150)
    (box,) = place([Circle(200, 150, 10)], [(40, 8)], [line], [], ROOM)
    assert abs(box.y - 150) > 4


def test_a_circle_without_a_label_gets_no_box_and_repeats_are_equal():
    circles = [Circle(100, 100, 5), Circle(104, 100, 5)]
    sizes = [(30, 8), None]
    boxes = place(circles, sizes, [], [], ROOM)
    assert boxes[1] is None and boxes == place(circles, sizes, [], [], ROOM)
