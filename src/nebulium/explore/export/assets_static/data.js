/* The data of the page: classic scripts, for a page that is opened as a file may read nothing else. */
"use strict";

const nebulium = {};

(function () {
  const waiting = new Map(), loaded = new Map();
  const KINDS = { u1: Uint8Array, u4: Uint32Array, f4: Float32Array };

  /* What the scripts in data/ call. */
  nebulium.give = function (name, data) {
    if (waiting.has(name)) waiting.get(name)(data);
    waiting.delete(name);
  };

  /* A file of data/ as a promise; read once. Names are the page's own, never those of a table. */
  nebulium.load = function (name) {
    if (!loaded.has(name)) loaded.set(name, new Promise((resolve, reject) => {
      waiting.set(name, resolve);
      const script = document.createElement("script");
      script.src = "data/" + name + ".js";
      script.onerror = () => { loaded.delete(name); reject(new Error("data/" + name + ".js cannot be read.")); };
      document.head.append(script);
    }));
    return loaded.get(name);
  };

  /* Numbers from the text of their bytes; null if there are none. */
  nebulium.unpack = function (packed) {
    if (!packed) return null;
    const text = atob(packed.data), bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    if (packed.type === "f2") return Float32Array.from(new Uint16Array(bytes.buffer), half);
    return new KINDS[packed.type](bytes.buffer);
  };

  function half(bits) {
    const sign = bits & 0x8000 ? -1 : 1, power = (bits >> 10) & 31, part = bits & 1023;
    if (power === 31) return part ? NaN : sign * Infinity;
    return sign * (power ? 2 ** (power - 15) * (1 + part / 1024) : 2 ** -24 * part);
  }

  /* A number as it is read out. */
  nebulium.number = function (value, digits = 5) {
    if (!Number.isFinite(value)) return "–";
    const size = Math.abs(value);
    if (size >= 1e4 && size < 1e7) return Math.round(value).toLocaleString("en-GB");
    const shown = value.toPrecision(digits);
    return String(size !== 0 && (size < 1e-3 || size >= 1e7) ? Number(shown).toExponential() : Number(shown)).replace("-", "−");
  };

  /* Draw a figure anew when its place on the page changes; one that is hidden has no place. */
  nebulium.followSize = function (graph) {
    new ResizeObserver(() => { if (graph.offsetParent) Plotly.Plots.resize(graph); }).observe(graph);
  };

  /* An element that holds a text, and nothing else. */
  nebulium.element = function (kind, text = "", attributes = {}) {
    const made = document.createElement(kind);
    made.textContent = text;
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  };
})();
