// Labels: a bar of probability for each; in the report, what small faults in the texts do to the score.
(() => {
  const { results, sections, h, say, bars, number, metric, score } = window.studio;
  results.labels = (prediction) => {
    const all = Object.entries(prediction.scores ?? {}).sort((a, b) => b[1] - a[1]);
    return bars(all.map(([name, share]) => ({ name, share, top: name === prediction.label })));
  };
  sections.labels = (report) => {
    const found = report.robustness;
    if (!found?.copies?.length) return null;
    const points = (value, key) => { const moved = 100 * (value - found.clean[key]); return Math.abs(moved) < 0.05 ? "" : ` (${moved > 0 ? "+" : "−"}${number(Math.abs(moved), 1)})`; };
    const line = (name, help, of) => h("tr", {}, h("th", { scope: "row", title: help }, name), found.models.map((key) => h("td.num", { "data-label": say("ladder." + key) }, score(found.metric, of[key]), of === found.clean ? "" : h("small.muted", {}, points(of[key], key)))));
    return [h("h2", {}, say("web.report.robustness")), h("p.muted", {}, say("web.report.robustness_help", { n: found.rows, metric: metric(found.metric) })),
      h("div.scroll.robustness", {}, h("table.cardy", {}, h("thead", {}, h("tr", {}, h("th", {}, say("web.report.faults")), found.models.map((key) => h("th.num", {}, say("ladder." + key))))),
        h("tbody", {}, line(say("web.report.clean"), "", found.clean), found.copies.map((copy) => line(say("web.fault." + copy.kind), say("web.fault." + copy.kind + "_help"), copy)))))];
  };
})();
