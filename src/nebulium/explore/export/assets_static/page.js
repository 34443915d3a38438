/* What a visitor does, and what the page shows of it. Nothing here makes HTML of a text. */
"use strict";

(function () {
  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  const CLICK_PX = 5, NOTICE_MS = 5000, ALL = "all", REST = "rest", OBSERVED = "observed";
  const { element, number, load } = nebulium;
  const byId = (name) => document.getElementById(name);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");

  /* colour and pin are places in the lists of the data. */
  const state = { colour: 0, show: ALL, pin: null, frame: REST, theme: dark.matches ? "dark" : "light" };
  let all, redshift, outside, colours = new Map(), telling, resizing, pressed = null, hovered = null;

  start().catch((error) => notice(error.message));

  async function start() {
    document.documentElement.dataset.theme = state.theme;
    all = await load("galaxies");
    redshift = nebulium.unpack(all.redshift);
    outside = nebulium.unpack(all.outside);
    nebulium.map.open(all, tellDrawn);
    Object.assign(state, { colour: all.first, pin: all.pin });
    readAddress();
    fill();
    listen();
    await drawMap();
    if (all.spectra) nebulium.spectrum.open(await load("spectra"));
    await drawGalaxy();
    document.documentElement.dataset.ready = "yes";
  }

  /* --- the page ---------------------------------------------------------------------------------------- */

  function fill() {
    byId("name").textContent = all.name;
    byId("count").textContent = all.count.toLocaleString("en-GB") + " galaxies";
    for (const text of all.about) byId("about").append(element("li", text));
    const compared = group("Measured and predicted", (one) => one.panels.length > 1);
    const others = group("Columns", (one) => one.panels.length === 1);
    byId("colour").append(...(compared && others ? [compared, others] : (compared || others).children));
    byId("colour").value = String(state.colour);
    choices("frame", [[REST, "Rest"], [OBSERVED, "Observed"]], state.frame);
    fillShow();
  }

  function group(label, belongs) {
    const made = element("optgroup");
    made.label = label;
    all.colours.forEach((one, i) => {
      if (belongs(one)) made.append(element("option", one.label, { value: i }));
    });
    return made.children.length ? made : null;
  }

  function fillShow() {
    const names = all.colours[state.colour].panels;
    byId("show-field").hidden = names.length === 1;
    if (names.length <= Number(state.show)) state.show = ALL;
    choices("show", [[ALL, "All"], ...names.map((name, i) => [String(i), name])], state.show);
  }

  /* Radio buttons, so that keys and screen readers know them. */
  function choices(name, options, chosen) {
    byId(name).replaceChildren(...options.map(([value, text]) => {
      const label = element("label"), input = element("input", "", { type: "radio", name, value });
      input.checked = value === chosen;
      label.append(input, element("span", text));
      return label;
    }));
  }

  function notice(text) {
    byId("notice").textContent = text;
    window.clearTimeout(telling);
    telling = window.setTimeout(() => { byId("notice").textContent = ""; }, NOTICE_MS);
  }

  /* --- what is drawn ----------------------------------------------------------------------------------- */

  async function colourOf(place) {
    if (!colours.has(place)) {
      const colour = structuredClone(await load("colour-" + place));
      for (const panel of colour.panels) for (const part of Object.keys(panel)) panel[part] = nebulium.unpack(panel[part]);
      colours.set(place, colour);
    }
    return colours.get(place);
  }

  async function drawMap() {
    const { colour, show, pin, theme } = state;
    const values = await colourOf(colour);
    if (colour !== state.colour) return;
    const names = all.colours[colour].panels, count = names.length;
    const places = show === ALL ? Array.from({ length: count }, (_, i) => i) : [Number(show)];
    document.documentElement.dataset.panels = places.length;
    await nebulium.map.draw({ look: all.look[theme], colour: values, names, theme, places, pin });
    tellDrawn();
    writeAddress();
  }

  function tellDrawn() {
    const shown = all.ids.length.toLocaleString("en-GB"), placed = all.placed.toLocaleString("en-GB");
    const sampled = all.ids.length < all.placed;
    byId("drawn").textContent = !sampled ? "" : nebulium.map.isClose()
      ? shown + " of " + placed + " galaxies, chosen at random"
      : "means of all " + placed + " galaxies; " + shown + " can be pointed at; zoom in to see them";
  }

  async function drawGalaxy() {
    const { pin, theme } = state;
    const z = pin === null || !redshift ? NaN : redshift[pin];
    byId("galaxy").dataset.pinned = pin === null ? "no" : "yes";
    byId("frame-field").hidden = !(pin !== null && nebulium.spectrum.isSpectrum() && Number.isFinite(z));
    tellGalaxy(pin);
    if (pin === null || !all.spectra) return;
    byId("lines").replaceChildren(...nebulium.spectrum.table(pin));
    const moved = state.frame === OBSERVED && Number.isFinite(z) ? z : 0;
    await nebulium.spectrum.draw(pin, { look: all.look[theme], theme, redshift: moved, config: all.plain });
  }

  function tellGalaxy(pin) {
    const words = pin === null
      ? [element("strong", "No galaxy is chosen"), element("span", "click on one in the map, or search for its id")]
      : [element("strong", all.ids[pin]), ...facts(pin).map(([name, value]) => element("span", name + " " + value)), ...warnings(pin)];
    byId("galaxy-title").replaceChildren(...words);
  }

  /* A word where a galaxy is predicted that is unlike those of the training set. */
  function warnings(galaxy) {
    return outside[galaxy] ? [element("span", all.outside_note)] : [];
  }

  /* The title of a galaxy: what the map shows of it, and its redshift. */
  function facts(galaxy) {
    const { label, panels } = all.colours[state.colour], colour = colours.get(state.colour), found = [];
    if (colour) panels.forEach((name, i) => found.push([name || label, number(colour.panels[i].values[galaxy], colour.digits)]));
    if (panels.length > 1) found.unshift([label, ""]);
    if (redshift && Number.isFinite(redshift[galaxy]) && found.every(([, value]) => value !== number(redshift[galaxy]))) found.push(["redshift", number(redshift[galaxy])]);
    return found;
  }

  /* --- state --------------------------------------------------------------------------------------------- */

  function merge(changes) {
    const before = { ...state };
    Object.assign(state, changes);
    const changed = (...names) => names.some((name) => state[name] !== before[name]);
    document.documentElement.dataset.theme = state.theme;
    if (changed("colour")) fillShow();
    const work = [];
    if (changed("colour", "show", "theme", "pin")) work.push(drawMap());
    if (changed("theme", "pin", "frame")) work.push(drawGalaxy());
    if (changed("colour")) work[0].then(() => tellGalaxy(state.pin), () => {});
    if (changed("frame")) writeAddress();
    hideCard();
    Promise.all(work).catch((error) => notice(error.message));
  }

  function writeAddress() {
    const pairs = new URLSearchParams();
    if (state.colour !== all.first) pairs.set("colour", all.colours[state.colour].label);
    if (state.show !== ALL) pairs.set("show", state.show);
    if (state.pin !== all.pin) pairs.set("pin", state.pin === null ? "" : all.ids[state.pin]);
    if (state.frame !== REST) pairs.set("frame", state.frame);
    if (state.theme !== (dark.matches ? "dark" : "light")) pairs.set("theme", state.theme);
    window.history.replaceState(null, "", "#" + pairs);
  }

  /* Whatever makes no sense is dropped. */
  function readAddress() {
    const given = new URLSearchParams(window.location.hash.slice(1));
    const colour = all.colours.findIndex((one) => one.label === given.get("colour"));
    const pin = all.ids.indexOf(given.get("pin"));
    if (colour >= 0) state.colour = colour;
    if (pin >= 0) state.pin = pin;
    else if (given.get("pin") === "") state.pin = null;
    const panels = all.colours[state.colour].panels;
    if (panels.length > 1 && panels.some((_, i) => String(i) === given.get("show"))) state.show = given.get("show");
    if (given.get("frame") === OBSERVED) state.frame = OBSERVED;
    if (["light", "dark"].includes(given.get("theme"))) state.theme = given.get("theme");
    document.documentElement.dataset.theme = state.theme;
  }

  /* --- pointer and keys ---------------------------------------------------------------------------------- */

  function listen() {
    byId("colour").addEventListener("change", (event) => merge({ colour: Number(event.target.value) }));
    byId("show").addEventListener("change", (event) => merge({ show: event.target.value }));
    byId("frame").addEventListener("change", (event) => merge({ frame: event.target.value }));
    byId("theme").addEventListener("click", () => merge({ theme: state.theme === "dark" ? "light" : "dark" }));
    byId("find").addEventListener("submit", find);
    byId("map").addEventListener("pointermove", hover, { passive: true });
    byId("map").addEventListener("pointerleave", hideCard);
    byId("map").addEventListener("pointerdown", press, { capture: true, passive: true });
    document.addEventListener("pointerup", release, { capture: true, passive: true });
    byId("map").addEventListener("keydown", walk);
    document.addEventListener("keydown", key);
    window.addEventListener("resize", resize);
  }

  function resize() {
    hideCard();
    window.clearTimeout(resizing);
    resizing = window.setTimeout(drawMap, 150);
  }

  function find(event) {
    event.preventDefault();
    const text = byId("search").value.trim();
    let found = all.ids.indexOf(text);
    if (found < 0 && text) found = all.ids.findIndex((one) => one.startsWith(text));
    if (text && found < 0) return notice("No galaxy of that id is in the sample of this page.");
    if (text) merge({ pin: found });
  }

  function hover(event) {
    const place = event.pointerType === "touch" || event.buttons ? null : nebulium.map.placeOf(event);
    const galaxy = place && nebulium.map.nearest(place);
    if (place === null || galaxy === null) return hideCard();
    if (galaxy !== hovered) showCard(galaxy);
    const card = byId("card"), box = byId("map").getBoundingClientRect();
    const x = event.clientX - box.left, y = event.clientY - box.top;
    const left = x + 18 + card.offsetWidth > box.width ? x - 18 - card.offsetWidth : x + 18;
    const top = Math.min(y + 14, box.height - card.offsetHeight - 4);
    card.style.transform = "translate(" + Math.max(0, Math.round(left)) + "px," + Math.max(0, Math.round(top)) + "px)";
  }

  function showCard(galaxy) {
    hovered = galaxy;
    const pairs = element("dl");
    for (const [name, value] of facts(galaxy)) pairs.append(element("dt", name), element("dd", value));
    byId("card").replaceChildren(element("strong", all.ids[galaxy]), pairs, ...warnings(galaxy));
    byId("card").dataset.open = "yes";
    byId("rings").replaceChildren(...nebulium.map.placesOf(galaxy).map(([left, top]) => {
      const ring = element("i");
      ring.style.transform = "translate(" + left + "px," + top + "px)";
      return ring;
    }));
  }

  function hideCard() {
    hovered = null;
    byId("card").dataset.open = "no";
    byId("rings").replaceChildren();
  }

  function press(event) {
    const place = event.button === 0 ? nebulium.map.placeOf(event) : null;
    pressed = place && { place, x: event.clientX, y: event.clientY };
    hideCard();
  }

  function release(event) {
    const still = pressed && Math.hypot(event.clientX - pressed.x, event.clientY - pressed.y) < CLICK_PX;
    const galaxy = still ? nebulium.map.nearest(pressed.place) : null;
    pressed = null;
    if (galaxy !== null) merge({ pin: galaxy });
  }

  function walk(event) {
    if (!Object.hasOwn(ARROWS, event.key) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const galaxy = nebulium.map.next(state.pin, ...ARROWS[event.key]);
    if (galaxy !== null) merge({ pin: galaxy });
  }

  function key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.closest("input, select");
    if (event.key === "Escape") { if (typing) typing.blur(); else merge({ pin: null }); }
    if (event.key === "/" && !typing) { event.preventDefault(); byId("search").focus(); }
  }
})();
