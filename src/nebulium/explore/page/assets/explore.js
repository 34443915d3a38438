/* What the page does by itself: it keeps its state in the address, follows the pointer, and listens to keys.

The state is a few short texts by name. They are written here, and the server checks them each time it draws.
Nothing here makes HTML of a text. */
(function () {
  "use strict";

  const FIELDS = ["colour", "quantity", "panels", "frame", "theme", "stretch", "galaxy_view", "sample_view",
    "pin", "window", "selection", "history"];
  const MOST_CHARACTERS = 8000, MOST_CORNERS = 100;
  const HOVER_MS = 60, ZOOM_MS = 120, ADDRESS_MS = 150, CLICK_PX = 5, TWICE_MS = 300;
  const ROOT = document.documentElement;
  const ARROWS = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down" };

  let texts = {}, defaults = {}, names = {}, asked = 0;

  const byId = (name) => document.getElementById(name);
  const send = (name, data) => window.dash_clientside.set_props(name, { data: data });
  const ask = (name, data) => send(name, Object.assign({ asked: ++asked }, data));
  const systemTheme = () => (window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  const number = (value) => String(Number(value.toPrecision(5)));

  /* --- state --------------------------------------------------------------------------------------- */

  function merge(changes) {
    const next = {};
    for (const name of FIELDS) {
      const value = Object.hasOwn(changes, name) ? changes[name] : texts[name];
      if (value !== undefined && value !== null && value !== "") next[name] = String(value);
    }
    if (FIELDS.every((name) => next[name] === texts[name])) return;
    texts = next;
    show();
    send("texts", texts);
  }

  function show() {
    ROOT.dataset.theme = texts.theme;
    ROOT.dataset.panels = texts.panels || defaults.panels;
    ROOT.dataset.galaxyView = texts.galaxy_view || defaults.galaxy_view;
    ROOT.dataset.sampleView = texts.sample_view || defaults.sample_view;
    ROOT.dataset.pinned = texts.pin === undefined ? "no" : "yes";
    ROOT.dataset.zoomed = texts.window === undefined ? "no" : "yes";
    ROOT.dataset.selected = texts.selection === undefined ? "no" : "yes";
    later("address", writeAddress, ADDRESS_MS);
  }

  function writeAddress() {
    const usual = Object.assign({}, defaults, { theme: systemTheme() });
    const pairs = FIELDS.filter((name) => texts[name] !== undefined && texts[name] !== usual[name])
      .map((name) => name + "=" + encodeURIComponent(texts[name]).replace(/%2C/g, ",").replace(/%3B/g, ";").replace(/%3A/g, ":"));
    const query = pairs.join("&");
    if (query.length > MOST_CHARACTERS) return notice("This view is too long for an address.");
    window.history.replaceState(null, "", query ? "?" + query : window.location.pathname);
  }

  const timers = {};
  function later(name, act, delay) {
    window.clearTimeout(timers[name]);
    timers[name] = window.setTimeout(act, delay);
  }

  function notice(text) {
    byId("notice").textContent = text;
    later("notice", () => { byId("notice").textContent = ""; }, 5000);
  }

  /* --- what Dash calls ------------------------------------------------------------------------------- */

  const nebulium = {
    /* First of all: the state is what the address says, and the server is asked whether that makes sense. */
    open: function (_, first, choices) {
      defaults = first;
      names = choices;
      const query = window.location.search.slice(1, MOST_CHARACTERS + 2);
      const given = query.length > MOST_CHARACTERS ? new URLSearchParams() : new URLSearchParams(query);
      texts = { theme: systemTheme() };
      for (const name of FIELDS) if (given.has(name)) texts[name] = given.get(name);
      show();
      return [texts, query];
    },
    /* What the address says after the server has dropped the nonsense. */
    settle: function (settled) {
      if (!settled) return;
      const kept = Object.fromEntries(FIELDS.map((name) => [name, settled[name]]));
      if (!new URLSearchParams(window.location.search).has("theme")) kept.theme = texts.theme;
      merge(kept);
    },
    change: function (colour, quantity, panels, frame, stretch, galaxy_view, sample_view, history) {
      // Dropdowns know their choices by place.
      const name = (of, place) => (place === null || place === undefined ? null : names[of][Number(place)]);
      merge({ colour: name("colour", colour), quantity: name("quantity", quantity), panels, frame, stretch, galaxy_view, sample_view, history });
    },
    pin: function (found) {
      if (found && found.pin) merge({ pin: found.pin });
    },
    notify: function (message) {
      if (message && message.text) notice(message.text);
    },
    zoom: function () {
      const moved = window.dash_clientside.callback_context.triggered[0];
      if (!moved || !moved.value) return;
      const seen = windowOf(moved.value, byId(moved.prop_id.split(".")[0]));
      if (seen !== undefined) later("zoom", () => merge({ window: seen }), ZOOM_MS);
    },
    select: function () {
      const drawn = window.dash_clientside.callback_context.triggered[0];
      if (!drawn || !drawn.value) return;
      const space = byId(drawn.prop_id.split(".")[0]).closest("[data-space]");
      const corners = cornersOf(drawn.value);
      if (space && space.dataset.space && corners.length > 2) {
        merge({ selection: space.dataset.space + ":" + corners.map((xy) => xy.map(number).join(",")).join(";") });
      }
    },
  };
  window.dash_clientside = Object.assign({}, window.dash_clientside, { nebulium: nebulium });

  /* Left, right, bottom, top; undefined if nothing moved. */
  function windowOf(moved, graph) {
    if (!Object.keys(moved).some((key) => /^[xy]axis\d?\.range/.test(key))) return undefined;
    const layout = graph.querySelector(".js-plotly-plot")._fullLayout;
    return [...layout.xaxis.range, ...layout.yaxis.range].map(number).join(",");
  }

  function cornersOf(drawn) {
    const outline = drawn.lassoPoints, box = drawn.range;
    const axis = (from, letter) => from[Object.keys(from).find((key) => key.startsWith(letter))];
    if (outline) {
      const x = axis(outline, "x"), y = axis(outline, "y");
      const every = Math.ceil(x.length / MOST_CORNERS);
      return x.map((value, i) => [value, y[i]]).filter((_, i) => i % every === 0);
    }
    if (!box) return [];
    const x = axis(box, "x"), y = axis(box, "y");
    return [[x[0], y[0]], [x[1], y[0]], [x[1], y[1]], [x[0], y[1]]];
  }

  /* --- pointer --------------------------------------------------------------------------------------- */

  /* Where in a diagram the pointer is; null if it is in none. */
  function placeOf(event) {
    const space = event.target.closest && event.target.closest("[data-space]");
    const plot = space && space.dataset.space && event.target.closest(".js-plotly-plot");
    if (!plot || !plot._fullLayout || !plot._fullLayout.xaxis || event.target.closest(".modebar")) return null;
    const box = plot.getBoundingClientRect();
    for (const { xaxis, yaxis } of Object.values(plot._fullLayout._plots)) {
      const across = event.clientX - box.left - xaxis._offset, down = event.clientY - box.top - yaxis._offset;
      if (across < 0 || down < 0 || across > xaxis._length || down > yaxis._length) continue;
      const view = [...xaxis.range, ...yaxis.range];
      return { space: space.dataset.space, x: xaxis.p2l(across), y: yaxis.p2l(down), window: view };
    }
    return null;
  }

  let lastHover = 0, lastPress = -Infinity, pressed = null;

  function hover(event) {
    const place = event.pointerType === "touch" || event.buttons ? null : placeOf(event);
    if (!place || place.space !== "map") return hideCard();
    putCard(event);
    const wait = Math.max(0, lastHover + HOVER_MS - performance.now());
    later("hover", () => { lastHover = performance.now(); ask("pointer", place); }, wait);
  }

  function putCard(event) {
    const card = byId("card"), box = byId("maps").getBoundingClientRect();
    const x = event.clientX - box.left, y = event.clientY - box.top;
    const left = x + 18 + card.offsetWidth > box.width ? x - 18 - card.offsetWidth : x + 18;
    const top = Math.min(y + 14, box.height - card.offsetHeight - 4);
    card.style.transform = `translate(${Math.max(0, Math.round(left))}px, ${Math.max(0, Math.round(top))}px)`;
    card.dataset.open = "yes";
  }

  function hideCard() {
    window.clearTimeout(timers.hover);
    const card = byId("card");
    if (card) card.dataset.open = "no";
  }

  document.addEventListener("pointermove", hover, { passive: true });
  document.addEventListener("pointerdown", (event) => {
    const place = event.button === 0 ? placeOf(event) : null;
    pressed = place && { place: place, x: event.clientX, y: event.clientY };
    hideCard();
  }, { capture: true, passive: true });
  document.addEventListener("pointerup", (event) => {
    const still = pressed && Math.hypot(event.clientX - pressed.x, event.clientY - pressed.y) < CLICK_PX;
    const twice = still && event.timeStamp - lastPress < TWICE_MS;
    if (still) lastPress = event.timeStamp;
    if (twice && pressed.place.space === "map") merge({ window: null });
    else if (still) ask("pick", pressed.place);
    pressed = null;
  }, { capture: true, passive: true });

  document.addEventListener("click", (event) => {
    const to = event.target.closest && event.target.closest("[data-pin]");
    if (to) return merge({ pin: to.dataset.pin });
    const button = event.target.closest && event.target.closest("button[id]");
    if (button && Object.hasOwn(BUTTONS, button.id)) BUTTONS[button.id]();
  });

  const BUTTONS = {
    whole: () => merge({ window: null }),
    theme: () => merge({ theme: texts.theme === "dark" ? "light" : "dark" }),
    clear: clear,
    share: () => {
      writeAddress();
      copy(window.location.href).then(() => notice("Link copied."), () => notice(window.location.href));
    },
  };

  function clear() {
    merge({ pin: null, selection: null });
  }

  /* The clipboard is there only on the loopback address or with TLS. */
  function copy(text) {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    return Promise.reject(new Error("no clipboard"));
  }

  /* --- keys ------------------------------------------------------------------------------------------ */

  document.addEventListener("keydown", (event) => {
    const within = (selector) => event.target.closest && event.target.closest(selector);
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && !within("input")) return clear();
    if (event.key === "Escape") return event.target.blur();
    if (within("input, textarea, select, [contenteditable], [role=combobox], [role=listbox], [role=slider]")) return;
    if (act(event, within)) event.preventDefault();
  });

  function act(event, within) {
    const arrow = ARROWS[event.key];
    if (event.key === "/") return focus(byId("search"));
    if (event.key === "n" || event.key === "p") return walk(event.key === "n" ? 1 : -1);
    if (arrow && within("#neighbours")) return walk(arrow === "right" || arrow === "down" ? 1 : -1);
    if (arrow && within("#maps")) return ask("step", { direction: arrow }) || true;
    return false;
  }

  function focus(element) {
    if (element) element.focus();
    return Boolean(element);
  }

  function walk(by) {
    const all = Array.from(document.querySelectorAll("#neighbours [data-pin]"));
    const here = all.indexOf(document.activeElement);
    const next = here < 0 ? (by > 0 ? 0 : all.length - 1) : (here + by + all.length) % all.length;
    return focus(all[next]);
  }
})();
