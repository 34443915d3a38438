/* The map: one panel, or several on one scale that move together. */
"use strict";

nebulium.map = (function () {
  /* Closer than this share of the whole map, single galaxies are drawn instead of cells. */
  const CLOSE = 0.6;
  /* Panels stand on top of each other where the map is narrower, pixels. */
  const NARROW = 640, GAP = 0.07;
  /* How far from a galaxy the pointer may be, pixels; further where only a sample can be pointed at. */
  const REACH = 14, FAR_REACH = 40;
  /* How far an arrow key reaches, as a share of the view. */
  const STEP = 0.04;

  let graph, all, x, y, cells, at, moved, shown = 0, drawing = Promise.resolve();

  /* The galaxies of the page, and what to do when the view has moved. */
  function open(galaxies, listener) {
    graph = document.getElementById("graph");
    all = galaxies;
    x = nebulium.unpack(all.x);
    y = nebulium.unpack(all.y);
    cells = all.cells;
    at = cells && nebulium.unpack(cells.at);
    moved = listener;
  }

  /* Draw some panels of a colour; those who ask while it draws are drawn in turn. */
  function draw(view) {
    drawing = drawing.then(() => drawn(view));
    return drawing;
  }

  async function drawn({ look, colour, names, theme, places, pin }) {
    shown = places.length;
    const layout = structuredClone(look.maps[shown - 1]);
    if (shown > 1) names.forEach((name, i) => { layout.annotations[i].text = name; });
    const stacked = shown > 1 && graph.clientWidth < NARROW;
    document.getElementById("map").style.setProperty("--panels", stacked ? shown : 1);
    if (stacked) stack(layout);
    layout.coloraxis = colour.axis[theme];
    layout.template = look.template;
    layout.paper_bgcolor = look.background;
    /* A finger scrolls the page; the buttons of the figure let it move the map. */
    if (window.matchMedia("(pointer: coarse)").matches) layout.dragmode = false;
    const traces = places.flatMap((place, i) => panel(colour.panels[place], i, pin, look));
    const first = !graph._fullLayout;
    await Plotly.react(graph, traces, layout, all.config);
    if (!first) return;
    graph.on("plotly_relayout", () => { swap(); moved(); });
    nebulium.followSize(graph);
  }

  function panel(values, i, pin, look) {
    const on = { xaxis: "x" + (i ? i + 1 : ""), yaxis: "y" + (i ? i + 1 : ""), hoverinfo: "skip", showlegend: false };
    const traces = cells ? [{ ...on, ...picture(values.cells) }] : [];
    traces.push({ ...on, ...points(values.points), visible: !cells || isClose() });
    if (pin !== null) traces.push({ ...on, ...star(pin, look) });
    return traces;
  }

  function picture(codes) {
    const z = Array.from({ length: cells.height }, () => new Uint8Array(cells.width));
    at.forEach((cell, i) => { z[Math.floor(cell / cells.width)][cell % cells.width] = codes[i]; });
    const { x0, dx, y0, dy } = cells;
    return { type: "heatmap", z, x0, dx, y0, dy, coloraxis: "coloraxis", visible: !isClose() };
  }

  function points(codes) {
    const size = all.size * (cells ? 1.5 : 1);
    return { type: "scattergl", mode: "markers", x, y, marker: { color: codes, coloraxis: "coloraxis", size } };
  }

  function star(pin, look) {
    const marker = { symbol: "star", size: 20, color: look.pinned, line: { color: look.edge, width: 1.8 } };
    return { type: "scatter", mode: "markers", x: [x[pin]], y: [y[pin]], marker };
  }

  function stack(layout) {
    const height = (1 - GAP * (shown - 1)) / shown;
    for (let i = 0; i < shown; i++) {
      const number = i ? i + 1 : "", top = 1 - i * (height + GAP);
      layout["xaxis" + number].domain = [0, 1];
      layout["yaxis" + number].domain = [Math.max(0, top - height), top];
      layout["xaxis" + number].title = { text: "" };
      layout["yaxis" + number].title = { text: "" };
    }
  }

  /* Cells from afar, single galaxies from near. */
  function swap() {
    if (!cells) return;
    const close = isClose();
    const wanted = graph.data.map((trace) => (trace.type === "heatmap" ? !close : trace.type === "scattergl" ? close : true));
    if (wanted.some((visible, i) => visible !== (graph.data[i].visible !== false))) Plotly.restyle(graph, { visible: wanted });
  }

  function isClose() {
    const [left, right] = view(), [from, to] = all.window;
    return right - left < CLOSE * (to - from);
  }

  function view() {
    const full = graph._fullLayout;
    return full && full.xaxis ? [...full.xaxis.range, ...full.yaxis.range] : all.window;
  }

  /* The panel under a point of the screen, and the place in the map; null if there is none. */
  function placeOf(event) {
    if (!graph._fullLayout || event.target.closest(".modebar")) return null;
    const box = graph.getBoundingClientRect();
    for (const { xaxis, yaxis } of axes()) {
      const across = event.clientX - box.left - xaxis._offset, down = event.clientY - box.top - yaxis._offset;
      if (across >= 0 && down >= 0 && across <= xaxis._length && down <= yaxis._length) {
        return { x: xaxis.p2l(across), y: yaxis.p2l(down), xaxis, yaxis };
      }
    }
    return null;
  }

  const axes = () => Object.values(graph._fullLayout._plots || {});

  /* The galaxy nearest to a place, by distance on the screen; null if it is too far. */
  function nearest(place) {
    const [left, right, bottom, top] = view();
    const across = place.xaxis._length / (right - left), along = place.yaxis._length / (top - bottom);
    let best = null, least = (cells && !isClose() ? FAR_REACH : REACH) ** 2;
    for (let i = 0; i < x.length; i++) {
      const dx = (x[i] - place.x) * across, dy = (y[i] - place.y) * along, distance = dx * dx + dy * dy;
      if (distance <= least) { least = distance; best = i; }
    }
    return best;
  }

  /* The galaxy that an arrow key leads to: the nearest to a point a step away, within the view. */
  function next(from, dx, dy) {
    const [left, right, bottom, top] = view(), width = right - left, height = top - bottom;
    const start = from === null ? [(left + right) / 2, (bottom + top) / 2] : [x[from], y[from]];
    let best = null, least = Infinity;
    for (let i = 0; i < x.length; i++) {
      if (i === from || x[i] < left || x[i] > right || y[i] < bottom || y[i] > top) continue;
      const u = (x[i] - start[0]) / width, v = (y[i] - start[1]) / height;
      const along = u * dx + v * dy, across = Math.abs(u * dy) + Math.abs(v * dx);
      if (from !== null && along <= Math.max(across, 1e-9)) continue;
      const distance = from === null ? Math.hypot(u, v) : Math.hypot(along - STEP, across);
      if (distance < least) { least = distance; best = i; }
    }
    return best;
  }

  /* Where a galaxy lies in each panel that shows it, pixels from the corner of the figure. */
  function placesOf(galaxy) {
    return axes().map(({ xaxis, yaxis }) => ({ left: xaxis.l2p(x[galaxy]), top: yaxis.l2p(y[galaxy]), xaxis, yaxis }))
      .filter(({ left, top, xaxis, yaxis }) => left >= 0 && top >= 0 && left <= xaxis._length && top <= yaxis._length)
      .map(({ left, top, xaxis, yaxis }) => [left + xaxis._offset, top + yaxis._offset]);
  }

  return { open, draw, placeOf, nearest, next, placesOf, isClose };
})();
