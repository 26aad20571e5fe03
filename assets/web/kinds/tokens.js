// Language models: the candidates for each hidden word, or what was given and, marked, how it goes on.
(() => {
  const { results, sections, mistakes, h, say, bars, metric } = window.studio;
  const candidates = (fills) => bars(fills.map((one, place) => ({ name: one.token, share: one.share, top: !place })));
  sections.tokens = (report) => window.studio.untaught(report);
  // The truth of a text is the text itself: it is shown once, beside its loss.
  mistakes.tokens = (report) => [h("h2", {}, say("web.report.hardest")), h("p.muted", {}, say("web.report.hardest_help")), h("div.scroll", {}, h("table", {}, h("thead", {}, h("tr", {}, h("th", {}, say("web.col.text")), h("th.num", {}, metric("loss")))), h("tbody", {}, report.mistakes.map((row) => h("tr", {}, h("td.text", {}, row.text), h("td.num", {}, row.answer))))))];
  results.tokens = (prediction) => {
    if (prediction.begun !== undefined) return h("div.answer", { dir: "auto" }, h("span.muted", {}, prediction.begun), " ", h("mark", {}, prediction.text || "–"));
    if (!prediction.fills?.length) return h("p.muted", {}, say("web.play.no_blank"));
    const whole = prediction.parts.map((part, place) => [part, place < prediction.parts.length - 1 ? h("mark", {}, prediction.fills[place]?.[0].token ?? "…") : null]);
    return h("div", {}, h("div.answer", { dir: "auto" }, whole), prediction.fills.map(candidates));
  };
})();
