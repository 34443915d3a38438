"""The page without a browser: what it answers to good and to bad questions, and how it starts and ends."""

import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from plotly.graph_objects import Figure

from nebulium.data.tables.reading import read_table
from nebulium.errors import NebuliumError
from nebulium.explore.page.callbacks import saved
from nebulium.explore.page.cards import domain_note, galaxy_title, hover_card
from nebulium.explore.page.explored import OUTSIDE, Explored, explore
from nebulium.explore.page.map_view import draw_map
from nebulium.explore.page.server import InTurn, make_app, open_server
from nebulium.explore.page.state import Selection, default_state
from nebulium.explore.page.views import GALAXY_VIEWS, SAMPLE_VIEWS, choices_of, drawn_view
from nebulium.explore.sample.galaxies import Galaxies

#: Of the made-up galaxies.
HOSTILE_IDS = 7
SQUARE = Selection("map", ((-0.2, -0.2), (0.2, -0.2), (0.2, 0.2), (-0.2, 0.2)))


@pytest.fixture(scope="module")
def client(explored):
    return make_app(explored).server.test_client()


@pytest.fixture(scope="module")
def first(explored):
    return default_state(choices_of(explored))


def asked(client, output: str, inputs: dict, states: dict):
    """What Dash asks of a callback."""

    def parts(given: dict) -> list:
        return [dict(zip(("id", "property"), name.split("."), strict=True), value=value)
                for name, value in given.items()]  # fmt: skip

    names = output.strip(".").split("...")
    outputs = [dict(zip(("id", "property"), name.split("."), strict=True)) for name in names]
    body = {
        "output": output,
        "outputs": outputs if output.startswith("..") else outputs[0],
        "inputs": parts(inputs),
        "state": parts(states),
        "changedPropIds": list(inputs),
    }
    return client.post("/_dash-update-component", json=body)


def test_nothing_of_the_table_is_markup(client):
    page = client.get("/").text
    assert "&lt;b&gt;made up" in page
    assert "<b>made up" not in page
    # The layout is JSON: texts of the table are children there, never of a component that makes HTML of them.
    assert not {"Markdown", "DangerouslySetInnerHTML", "Iframe"} & types_in(client.get("/_dash-layout").json)


def types_in(layout) -> set[str]:
    if isinstance(layout, dict):
        own = {layout["type"]} if isinstance(layout.get("type"), str) else set()
        return own.union(*(types_in(value) for value in layout.values()))
    return set().union(*(types_in(value) for value in layout)) if isinstance(layout, list) else set()


def test_the_browser_is_told_to_fetch_nothing_from_elsewhere(client):
    headers = client.get("/").headers
    assert headers["Content-Security-Policy"].startswith("default-src 'self';")
    assert "http" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "path", ["/assets/../server.py", "/assets/%2e%2e/server.py", "//etc/passwd", "/assets//etc/passwd"]
)
def test_files_are_not_served(client, path):
    answer = client.get(path)
    assert "root:" not in answer.text
    assert "make_app" not in answer.text


@pytest.mark.parametrize(
    "texts",
    [None, [], "x", {"pin": 5}, {"window": "1"}, {"pin": "../../etc/passwd"}, {"__proto__": {"a": 1}}],
)
def test_whatever_the_page_sends_the_map_is_drawn(client, texts):
    answer = asked(
        client,
        "..map.figure...map-drawn.data..",
        {"texts.data": texts, "made.data": None},
        {"map-drawn.data": 3},
    )
    assert answer.status_code == (204 if texts is None else 200)
    assert texts is None or "heatmap" in answer.text


NOWHERE = (
    None,
    [],
    {"space": "map"},
    {"space": "map", "x": "a", "y": 0, "window": [0, 1, 0, 1]},
    {"space": "map", "x": 0, "y": 0, "window": [0, 1]},
    {"space": "/etc", "x": 0, "y": 0, "window": [0, 1, 0, 1]},
)


@pytest.mark.parametrize("place", NOWHERE)
def test_a_pointer_that_is_nowhere_gets_no_card(client, place):
    answer = asked(client, "card.children", {"pointer.data": place}, {"texts.data": {}})
    assert answer.json["response"]["card"]["children"] == []


def test_the_pointer_gets_the_card_of_the_nearest_galaxy(client, explored):
    row = 500
    x, y = explored.xy[row].tolist()
    place = {"space": "map", "x": x, "y": y, "window": list(explored.window)}
    answer = asked(client, "card.children", {"pointer.data": place}, {"texts.data": {}})
    assert explored.galaxies.ids[row] in answer.text


def test_what_is_drawn_is_not_drawn_again(client):
    output, inputs = "..map.figure...map-drawn.data..", {"texts.data": {"theme": "dark"}, "made.data": None}
    drawn = asked(client, output, inputs, {"map-drawn.data": None}).json["response"]["map-drawn"]["data"]
    assert asked(client, output, inputs, {"map-drawn.data": drawn}).status_code == 204


def test_a_fault_in_a_view_leaves_the_page(client, explored, caplog):
    texts = {"galaxy_view": "density", "pin": str(explored.galaxies.ids[11])}
    names = ("galaxy-figure.figure", "galaxy-body.children", "galaxy-title.children", "neighbours.children",
             "galaxy-drawn.data")  # fmt: skip
    output = f"..{'...'.join(names)}.."
    answer = asked(client, output, {"texts.data": texts}, {"galaxy-drawn.data": None})
    assert answer.status_code == 200
    assert "Something went wrong" in answer.text
    assert "a fault on purpose" not in answer.text
    assert "a fault on purpose" in caplog.text


@pytest.mark.parametrize("views", [GALAXY_VIEWS, SAMPLE_VIEWS], ids=["galaxy", "sample"])
@pytest.mark.parametrize("pin", [None, 0, 3, 23_999])
@pytest.mark.parametrize("selection", [None, SQUARE, Selection("bpt", ((9.0, 9.0), (9.1, 9.0), (9.0, 9.1)))])
def test_every_view_is_drawn_of_every_state(explored, first, views, pin, selection):
    pinned = None if pin is None else str(explored.galaxies.ids[pin])
    state = replace(first, pin=pinned, selection=selection, quantity="ew_HALPHA")
    for name, view in views.items():
        if name != "history":
            assert drawn_view(view, explored, state) is not None


def test_views_without_their_columns_say_what_they_need():
    bare = Explored(Galaxies("bare.csv", np.array(["1", "2"]), {"magnitude": np.array([17.0, np.nan])}), None)
    state = default_state(choices_of(bare))
    for views in (GALAXY_VIEWS, SAMPLE_VIEWS):
        for name, view in views.items():
            if name not in ("selection", "history"):
                assert "This view stays closed: it needs " in str(drawn_view(view, bare, state))
    assert "There is no map" in draw_map(bare, state).layout.meta["description"]
    assert make_app(bare).server.test_client().get("/_dash-layout").status_code == 200


def test_the_map_is_cells_from_afar_and_points_from_near(explored, first):
    near = draw_map(explored, replace(first, window=(-0.1, 0.1, -0.1, 0.1)))
    assert draw_map(explored, first).data[0].type == "heatmap"
    assert near.data[0].type == "scattergl"
    assert len(near.data[0].x) < 1000


def test_three_panels_show_measured_predicted_and_drawn(explored, first):
    figure = draw_map(explored, replace(first, panels="three", quantity="ew_HALPHA"))
    assert isinstance(figure, Figure)
    assert [trace.coloraxis for trace in figure.data if trace.type == "heatmap"] == 3 * ["coloraxis"]


def test_a_selection_in_one_diagram_is_one_in_all(explored, first):
    xy = explored.places("bpt", "")
    low, high = np.nanmedian(xy, axis=0), np.nanmax(xy, axis=0)
    box = Selection("bpt", ((low[0], low[1]), (high[0], low[1]), (high[0], high[1]), (low[0], high[1])))
    rows = explored.rows_selected(replace(first, selection=box))
    assert rows is not None
    assert 0 < len(rows) < len(explored.galaxies)
    assert (xy[rows] >= low).all()


@pytest.mark.parametrize("direction", ["left", "right", "up", "down"])
def test_arrows_walk_through_the_map(explored, direction):
    ways = {"left": (0, -1), "right": (0, 1), "up": (1, 1), "down": (1, -1)}
    axis, sign = ways[direction]
    row = explored.next_row(None, direction, explored.window)
    for _ in range(5):
        onward = explored.next_row(row, direction, explored.window)
        assert sign * (explored.xy[onward] - explored.xy[row])[axis] > 0
        row = onward


def test_an_arrow_at_the_edge_leads_nowhere(explored):
    rightmost = int(np.nanargmax(explored.xy[:, 0]))
    assert explored.next_row(rightmost, "right", explored.window) is None


def test_hostile_ids_are_children(explored, first):
    assert hover_card(explored, 0, first)[0].children == str(explored.galaxies.ids[0])
    assert len(hover_card(explored, 3, first)[0].children) < 100


def test_what_is_predicted_outside_the_domain_is_marked(explored):
    inside, widths = np.zeros(len(explored.galaxies)), np.ones(len(explored.galaxies))
    inside[1], widths[2] = 1.0, np.nan
    names = [name for name in explored.galaxies.values if name.startswith("predicted_")]
    columns = {"in_domain": inside, **dict.fromkeys([*names, "predicted_ew_HALPHA"], widths)}
    marked = replace(explored, galaxies=explored.galaxies.with_values(columns, {}))
    for row, words in ((0, [OUTSIDE]), (1, []), (2, [])):
        assert domain_note(marked, row) == words
        assert [child.children for child in galaxy_title(marked, row)].count(OUTSIDE) == len(words)


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_selections_are_saved_as_tables(explored, first, tmp_path, kind):
    # The hostile ids are not all ids that a table may have.
    rows = explored.rows_selected(replace(first, selection=SQUARE))
    rows = rows[rows >= HOSTILE_IDS]
    name, content = saved(explored, rows, kind)
    (tmp_path / name).write_bytes(content)
    table = read_table(tmp_path / name)
    assert len(table) == len(rows)
    assert np.allclose(table["redshift"], explored.galaxies.values["redshift"][rows])


def test_ids_of_a_selection_are_saved(explored):
    name, content = saved(explored, np.array([7, 9]), "ids")
    assert (name, content) == ("selection.txt", b"39000000\n39000002\n")


def test_answers_take_turns_but_none_waits_for_a_slow_one(monkeypatch):
    slow, told, inside, crowded = threading.Event(), threading.Event(), [], []

    def application(environ, start_response):
        if environ["PATH_INFO"] == "/slow":
            told.set()
            assert slow.wait(timeout=60)
            return [b"slow"]
        inside.append(None)
        crowded.append(len(inside))
        time.sleep(0.005)
        inside.pop()
        return [b"quick"]

    in_turn = InTurn(application)
    monkeypatch.setattr("nebulium.explore.page.server.LONGEST_WAIT_S", 60.0)
    with ThreadPoolExecutor(5) as pool:
        quick = [pool.submit(in_turn, {"PATH_INFO": "/"}, None) for _ in range(5)]
        assert all(answer.result() == [b"quick"] for answer in quick)
        assert max(crowded) == 1
        monkeypatch.setattr("nebulium.explore.page.server.LONGEST_WAIT_S", 0.01)
        late = pool.submit(in_turn, {"PATH_INFO": "/slow"}, None)
        assert told.wait(timeout=60)
        assert in_turn({"PATH_INFO": "/"}, None) == [b"quick"]
        slow.set()
        assert late.result() == [b"slow"]


def test_a_port_that_is_taken_is_told(explored):
    app = make_app(explored)
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(NebuliumError, match="--port"):
        open_server(app, port=taken.getsockname()[1])


def test_a_host_that_is_not_ours_is_told(explored):
    with pytest.raises(NebuliumError, match="--host"):
        open_server(make_app(explored), host="192.0.2.1", port=0)


def test_other_sites_cannot_ask_by_a_name_of_their_own(explored):
    app = make_app(explored)
    open_server(app, port=0).server_close()
    client = app.server.test_client()
    assert client.get("/", headers={"Host": "127.0.0.1:8050"}).status_code == 200
    assert client.get("/", headers={"Host": "elsewhere.example"}).status_code == 400


def test_the_map_is_drawn_once_and_kept(tmp_path):
    rng = np.random.default_rng(0)
    columns = {f"flux_njy_{band}": rng.lognormal(size=40) for band in "gri"}
    header, rows = ",".join(["id", *columns]), zip(range(40), *columns.values(), strict=True)
    (tmp_path / "a.csv").write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]))
    drawn = explore(tmp_path / "a.csv")
    kept = explore(tmp_path / "a.csv")
    assert np.array_equal(drawn.xy, kept.xy)
    assert any("The map:" in note for note in kept.notes)


def test_a_table_without_anything_to_draw_a_map_of_is_shown_all_the_same(tmp_path):
    (tmp_path / "a.csv").write_text("id,redshift\n1,0.1\n2,0.2\n")
    bare = explore(tmp_path / "a.csv")
    assert bare.galaxy_map is None
    assert "There is no map" in bare.notes[-1]


#: A process that a script starts beside itself ignores Ctrl-C; this one heeds it, as in a terminal.
HEEDING = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_the_command_ends_well(tmp_path, how):
    (tmp_path / "a.csv").write_text("id,redshift\n1,0.1\n2,0.2\n")
    code = f"{HEEDING}from nebulium.cli import main; main()"
    command = [sys.executable, "-c", code, "explore", "a.csv", "--port", "0"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as started:
        line = ""
        while "ends it" not in line:
            line = started.stdout.readline()
            assert line, "the command ended by itself"
        started.send_signal(how)
        try:
            rest, _ = started.communicate(timeout=60)
        finally:
            started.kill()
        assert started.returncode == 0
    assert line.startswith("http://127.0.0.1:")
    assert "Ended." in rest
