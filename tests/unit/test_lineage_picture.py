"""The lineage as a picture: every line spans one column, so that none runs behind a box it has nothing to do with."""

from types import SimpleNamespace

from assurance.views.lineage_picture import _places


def version(key, base=None):
    return SimpleNamespace(pk=key, base_id=base)


def test_what_comes_of_a_box_stands_in_the_next_column_in_its_order():
    versions = {key: version(key, base) for key, base in ((1, None), (2, None), (3, 2), (4, 3), (5, 1))}
    runs = {1: ["a"], 4: ["b"], 5: ["c"]}
    nodes = [(one, False, [SimpleNamespace(pk=name) for name in runs.get(key, [])]) for key, one in versions.items()]
    places = _places(nodes, versions)
    assert places == {
        "v1": (0, 0), "v2": (0, 1), "v5": (1, 0), "da": (1, 1), "v3": (1, 2), "dc": (2, 0), "v4": (2, 1), "db": (3, 0),
    }  # fmt: skip
    pairs = [(f"v{one.base_id}", f"v{key}") for key, one in versions.items() if one.base_id]
    pairs += [(f"v{key}", f"d{name}") for key, names in runs.items() for name in names]
    assert all(places[end][0] == places[start][0] + 1 for start, end in pairs)
    for (a, b), (c, d) in (
        (one, other) for one in pairs for other in pairs if places[one[0]][0] == places[other[0]][0]
    ):
        assert (places[a][1] - places[c][1]) * (places[b][1] - places[d][1]) >= 0  # no two lines cross
