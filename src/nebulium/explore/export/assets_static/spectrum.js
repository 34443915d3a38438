/* One galaxy: its continuum and lines, or its fluxes through filters. The same drawing as spectrum_figures.py. */
"use strict";

nebulium.spectrum = (function () {
  let data = null, graph;

  function open(spectra) {
    graph = document.getElementById("spectrum");
    data = spectra;
    const parts = data.kind === "spectrum" ? ["level", "shape"] : ["flux", "error"];
    for (const part of parts) data[part] = nebulium.unpack(data[part]);
    for (const line of data.lines || []) {
      for (const part of ["measured", "low", "median", "high"]) line[part] = nebulium.unpack(line[part]);
    }
  }

  function draw(galaxy, { look, theme, redshift, config }) {
    const layout = structuredClone(data.layout[theme]);
    const traces = data.kind === "spectrum" ? spectrum(galaxy, layout, redshift, look) : photometry(galaxy, layout, look);
    layout.template = look.template;
    layout.paper_bgcolor = look.background;
    const first = !graph._fullLayout;
    return Plotly.react(graph, traces, layout, config).then(() => {
      if (first) nebulium.followSize(graph);
    });
  }

  function spectrum(galaxy, layout, redshift, look) {
    const flux = continuumOf(galaxy), shift = 1 + redshift;
    const measured = known(galaxy, "measured"), median = known(galaxy, "median");
    const traces = [steps(flux, shift, look)];
    const tops = flux.filter(Number.isFinite);
    const add = (widths, more) => {
      const curve = withLines(flux, widths, shift);
      tops.push(...curve.y.filter(Number.isFinite));
      traces.push({ ...line(curve, more.name, more.line), ...more });
    };
    if (measured.length) add(measured, { name: "observed lines", line: { color: look.observed, width: 2 } });
    if (median.length) {
      traces.push(...band(flux, galaxy, shift, look));
      add(median, { name: "predicted lines, 68 %", legendgroup: "predicted", line: { color: look.predicted, width: 2, dash: "dash" } });
      traces.push(bars(flux, galaxy, median, shift, look));
    }
    const finite = flux.filter(Number.isFinite), most = data.highest * Math.max(...finite.map(Math.abs), 0) || 1;
    layout.yaxis.range = [Math.min(0, 1.1 * Math.min(...finite, 0)), 1.08 * Math.min(Math.max(...tops, 1e-30), most)];
    move(layout, shift);
    if (redshift) layout.xaxis.title.text = layout.xaxis.title.text.replace("Rest", "Observed");
    return traces;
  }

  /* From the rest frame to the observed. */
  function move(layout, shift) {
    layout.xaxis.range = layout.xaxis.range.map((wave) => wave * shift);
    for (const note of layout.annotations) if (note.xref === "x") note.x *= shift;
    for (const mark of layout.shapes) { mark.x0 *= shift; mark.x1 *= shift; }
    layout.uirevision = "spectrum-" + shift;
  }

  /* Twelve bins; one where there is no continuum to stand on. */
  function continuumOf(galaxy) {
    const bins = data.edges.length - 1;
    if (!data.shape) return Array(bins).fill(1);
    const flux = Array.from(data.shape.subarray(galaxy * bins, (galaxy + 1) * bins), (part) => part * data.level[galaxy]);
    return flux.some(Number.isFinite) ? flux : Array(bins).fill(1);
  }

  /* Lines of which a galaxy has a number, and the number. */
  function known(galaxy, part) {
    return data.lines.filter((one) => one[part] && Number.isFinite(one[part][galaxy])).map((one) => ({ one, width: one[part][galaxy] }));
  }

  function steps(flux, shift, look) {
    const x = data.edges.flatMap((edge) => [edge * shift, edge * shift]).slice(1, -1);
    return line({ x, y: flux.flatMap((value) => [value, value]) }, "continuum", { color: look.muted, width: 2 });
  }

  function continuumAt(flux, wave) {
    let bin = data.edges.findIndex((edge) => wave < edge) - 1;
    if (bin === -2) bin = flux.length - 1;
    return flux[Math.max(bin, 0)];
  }

  /* Of the Gaussian; none where there is no continuum to measure it by. */
  function height(flux, one, width) {
    const level = continuumAt(flux, one.wave);
    return Number.isFinite(level) ? (width * level) / (data.sigma * Math.sqrt(2 * Math.PI)) : 0;
  }

  /* Continuum plus lines, near the lines only; a gap between lines is a gap in the curve. */
  function withLines(flux, widths, shift) {
    const near = new Set();
    for (const { one } of widths) for (let step = -16; step <= 16; step++) near.add(one.wave + (step / 4) * data.sigma);
    const x = [], y = [];
    let before = Infinity;
    for (const wave of [...near].sort((a, b) => a - b)) {
      if (wave - before > data.sigma) { x.push(NaN); y.push(NaN); }
      const lines = widths.map(({ one, width }) => height(flux, one, width) * Math.exp(-0.5 * ((wave - one.wave) / data.sigma) ** 2));
      x.push(wave * shift);
      y.push(continuumAt(flux, wave) + lines.reduce((sum, part) => sum + part, 0));
      before = wave;
    }
    return { x, y };
  }

  /* The range between the quantiles; each stretch is filled on its own, for a fill does not know of gaps. */
  function band(flux, galaxy, shift, look) {
    const low = withLines(flux, known(galaxy, "low"), shift), high = withLines(flux, known(galaxy, "high"), shift);
    const style = { fill: "toself", fillcolor: look.faint, legendgroup: "predicted", showlegend: false };
    const ends = [-1, ...low.x.flatMap((wave, i) => (Number.isNaN(wave) ? [i] : [])), low.x.length];
    return ends.slice(1).map((end, i) => {
      const part = [ends[i] + 1, end];
      const x = [...low.x.slice(...part), ...low.x.slice(...part).reverse()];
      const y = [...low.y.slice(...part), ...high.y.slice(...part).reverse()];
      return { ...line({ x, y }, "68 %", { width: 0 }), ...style };
    });
  }

  /* Tops of predicted lines with bars: in the whole spectrum a line is but a few pixels wide. */
  function bars(flux, galaxy, median, shift, look) {
    const of = (part) => median.map(({ one }) => height(flux, one, one[part] ? one[part][galaxy] : NaN));
    const middle = of("median"), low = of("low"), high = of("high");
    const marker = { symbol: "line-ew", size: 12, line: { color: look.predicted, width: 3 } };
    return {
      type: "scatter", mode: "markers", hoverinfo: "skip", showlegend: false, legendgroup: "predicted", marker,
      x: median.map(({ one }) => one.wave * shift),
      y: median.map(({ one }, i) => continuumAt(flux, one.wave) + middle[i]),
      error_y: {
        type: "data", array: high.map((top, i) => top - middle[i]), arrayminus: low.map((bottom, i) => middle[i] - bottom),
        width: 5, thickness: 2, color: look.predicted,
      },
    };
  }

  function line({ x, y }, name, style) {
    return { type: "scatter", mode: "lines", name, x, y, line: style, hoverinfo: "skip", connectgaps: false };
  }

  function photometry(galaxy, layout, look) {
    const count = data.bands.length, from = galaxy * count;
    const has = data.bands.map((_, i) => i).filter((i) => Number.isFinite(data.flux[from + i]));
    const flux = has.map((i) => data.flux[from + i]), error = has.map((i) => data.error[from + i] || 0);
    const wide = flux.length > 0 && Math.min(...flux) > 0 && Math.max(...flux) > 10 * Math.min(...flux);
    layout.yaxis.type = wide ? "log" : "linear";
    layout.yaxis.rangemode = wide ? "normal" : "tozero";
    const marker = { size: 11, color: look.observed };
    return [{
      type: "scatter", mode: "markers", name: "flux", x: has.map((i) => data.bands[i]), y: flux, marker,
      hoverinfo: "skip", error_y: { type: "data", array: error, width: 5, thickness: 2 },
    }];
  }

  /* Equivalent widths as a table, which can be read out. */
  function table(galaxy) {
    const { element, number } = nebulium;
    const rows = (data.lines || []).map((one) => {
      const [measured, low, median, high] = ["measured", "low", "median", "high"].map((part) => (one[part] ? one[part][galaxy] : NaN));
      const range = Number.isFinite(low) ? number(low, 3) + " to " + number(high, 3) : "–";
      return { label: one.label, texts: [number(measured, 3), number(median, 3), range], empty: ![measured, median].some(Number.isFinite) };
    }).filter((row) => !row.empty);
    if (!rows.length) return [];
    const head = element("tr"), body = element("tbody"), top = element("thead"), made = element("table");
    for (const text of ["Line", "Measured", "Predicted", "68 %"]) head.append(element("th", text, { scope: "col" }));
    for (const { label, texts } of rows) {
      const row = element("tr");
      row.append(element("th", label, { scope: "row" }), ...texts.map((text) => element("td", text)));
      body.append(row);
    }
    top.append(head);
    made.append(element("caption", "Equivalent widths / Å, rest frame"), top, body);
    return [made];
  }

  return { open, draw, table, isSpectrum: () => data !== null && data.kind === "spectrum" };
})();
