/* What figures need of the browser: two buttons that save them as PNG and as SVG, and a zoom that stays.

Plotly takes buttons of one's own as functions only, which the server cannot send: they are put among plotly's
defaults as soon as plotly is there. */
(function () {
  "use strict";

  const icon = (letters) => ({
    width: 24,
    height: 24,
    svg: '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><path d="M12 1v9M8 6.5l4 4 4-4M4 12.5h16" ' +
      'fill="none" stroke="currentColor" stroke-width="2"/><text x="12" y="23.5" text-anchor="middle" ' +
      'fill="currentColor" font-family="sans-serif" font-weight="bold" font-size="10">' + letters + "</text></svg>",
  });

  /* A figure as it is seen now, zoom included, but not see-through. */
  function save(graph, format) {
    const full = graph._fullLayout;
    const options = Object.assign({ filename: "nebulium", scale: 3 }, graph._context.toImageButtonOptions);
    const background = (full.meta && full.meta.background) || "#ffffff";
    const layout = Object.assign({}, graph.layout, { paper_bgcolor: background });
    return window.Plotly.downloadImage({ data: graph.data, layout: layout }, Object.assign(options, {
      format: format,
      width: full.width,
      height: full.height,
      scale: format === "png" ? options.scale : 1,
    }));
  }

  const button = (format) => ({
    name: "save-" + format,
    title: "Save as " + format.toUpperCase(),
    icon: icon(format.toUpperCase()),
    click: (graph) => save(graph, format),
  });

  function prepare(plotly) {
    plotly.setPlotConfig({ modeBarButtonsToAdd: [button("png"), button("svg")] });
    /* When a visitor has zoomed, Dash draws the same figure once more with the new limits. That is needless, and
    plotly would take the limits for the server's, so that the next figure undid the zoom. */
    const react = plotly.react, drawn = new WeakMap();
    plotly.react = (graph, figure, ...rest) => {
      if (figure && figure.data && drawn.get(graph) === figure.data) return Promise.resolve(graph);
      if (figure && figure.data) drawn.set(graph, figure.data);
      return inTurn(() => react(graph, figure, ...rest));
    };
  }

  /* When several figures are to be drawn, the first is seen before the next is begun. */
  let last = null;
  function inTurn(draw) {
    const done = last ? last.then(draw) : draw();
    const seen = done.catch(() => {}).then(frame).then(() => { if (last === seen) last = null; });
    last = seen;
    return done;
  }

  /* The next frame; a tab behind others has none. */
  const frame = () => new Promise((seen) => {
    window.requestAnimationFrame(() => window.setTimeout(seen, 0));
    window.setTimeout(seen, 100);
  });

  /* Plotly is loaded with the first figure, after this. */
  let plotly = window.Plotly;
  if (plotly) return prepare(plotly);
  Object.defineProperty(window, "Plotly", {
    configurable: true,
    get: () => plotly,
    set: (loaded) => {
      plotly = loaded;
      if (plotly && plotly.setPlotConfig) prepare(plotly);
    },
  });
})();
