// Language models: the candidates for each hidden word, or what was given and, marked, how it goes on.
(() => {
  const { results, sections, mistakes, h, say, percent, metric } = window.studio;
  const bars = (fills) => h("div.bars", {}, fills.map((one, place) => h("div.bar", { class: place ? "" : "top" }, h("span.who", { title: one.token }, one.token), h("span.track", { role: "meter", "aria-valuenow": one.share, "aria-valuemin": 0, "aria-valuemax": 1, "aria-label": one.token }, h("i", { style: { width: 100 * one.share + "%" } })), h("span.val", {}, percent(one.share)))));
  sections.tokens = (report) => window.studio.untaught(report);
  // The truth of a text is the text itself: it is shown once, beside its loss.
  mistakes.tokens = (report) => [h("h2", {}, say("web.report.hardest")), h("p.muted", {}, say("web.report.hardest_help")), h("div.scroll", {}, h("table", {}, h("thead", {}, h("tr", {}, h("th", {}, say("web.col.text")), h("th.num", {}, metric("loss")))), h("tbody", {}, report.mistakes.map((row) => h("tr", {}, h("td.text", {}, row.text), h("td.num", {}, row.answer))))))];
  results.tokens = (prediction) => {
    if (prediction.begun !== undefined) return h("div.answer", { dir: "auto" }, h("span.muted", {}, prediction.begun), " ", h("mark", {}, prediction.text || "–"));
    if (!prediction.fills?.length) return h("p.muted", {}, say("web.play.no_blank"));
    return h("div", {}, h("div.answer", { dir: "auto" }, prediction.text), prediction.fills.map(bars));
  };
})();
