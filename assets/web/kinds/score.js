// Numbers: a gauge over the range seen in training; in the report what was said over what is true.
(() => {
  const { results, sections, h, say, plotly, layout, plain, colour, lang, PLOT } = window.studio;
  const spoken = (value, digits) => Number(value).toLocaleString(lang() === "zh" ? "zh-CN" : "en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const share = (p) => p.high > p.low ? (p.score - p.low) / (p.high - p.low) : 0.5;
  function track(p, label) {
    const at = 100 * Math.max(0, Math.min(1, share(p))) + "%";
    return h("div.track", { role: "meter", "aria-valuenow": p.score, "aria-valuemin": p.low, "aria-valuemax": p.high, "aria-label": label }, h("i", { style: { width: at } }), h("u", { style: { left: at } }));
  }
  function gauge(p) {
    const outside = p.high > p.low && (share(p) < -0.005 || share(p) > 1.005);
    return h("div.gauge", {}, h("b.num", {}, spoken(p.score, p.digits)), track(p, say("web.play.range")),
      h("div.ends", {}, h("small.muted", {}, spoken(p.low, p.digits)), h("small.muted", {}, say(outside ? "web.play.range_outside" : "web.play.range")), h("small.muted", {}, spoken(p.high, p.digits))));
  }
  // Scores of pairs are drawn in the same way.
  window.studio.gauge = { draw: gauge, track, spoken };
  results.score = gauge;

  function scatter(report) {
    const { points, digits } = report.scatter, node = h("div.scatter");
    const all = points.flatMap(([truth, said]) => [truth, said]), low = Math.min(...all), high = Math.max(...all), room = 0.04 * (high - low || 1);
    const ends = [low - room, high + room];
    const draw = async () => {
      const engine = await plotly();
      if (!node.isConnected) return;
      engine.newPlot(node, [
        { x: ends, y: ends, mode: "lines", line: { color: colour("muted"), width: 1, dash: "dot" }, hoverinfo: "skip", showlegend: false },
        { x: points.map((p) => p[0]), y: points.map((p) => p[1]), mode: "markers", marker: { color: colour("accent"), size: 7, opacity: 0.55 }, showlegend: false,
          hovertemplate: points.map(([truth, said, row]) => plain(`${say("web.report.row", { n: row + 1 })} · ${say("web.report.true")} ${spoken(truth, digits)} · ${say("web.report.said")} ${spoken(said, digits)}`) + "<extra></extra>") },
      ], layout({ height: 400, hovermode: "closest", xaxis: { range: ends, title: { text: say("web.report.true") } }, yaxis: { range: ends, title: { text: say("web.report.said") } } }), { ...PLOT, displayModeBar: false });
    };
    setTimeout(draw, 0);
    return node;
  }
  sections.score = (report) => report.scatter?.points.length ? [h("h2", {}, say("web.report.scatter")), h("p.muted", {}, say("web.report.scatter_help")), scatter(report)] : null;
  sections.similarity = sections.score;
})();
