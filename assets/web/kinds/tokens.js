// Language models: the candidates for each hidden word, or what was given and, marked, how it goes on.
(() => {
  const { results, h, say, percent } = window.studio;
  const bars = (fills) => h("div.bars", {}, fills.map((one, place) => h("div.bar", { class: place ? "" : "top" }, h("span.who", { title: one.token }, one.token), h("span.track", { role: "meter", "aria-valuenow": one.share, "aria-valuemin": 0, "aria-valuemax": 1, "aria-label": one.token }, h("i", { style: { width: 100 * one.share + "%" } })), h("span.val", {}, percent(one.share)))));
  results.tokens = (prediction) => {
    if (prediction.begun !== undefined) return h("div.answer", { dir: "auto" }, h("span.muted", {}, prediction.begun), " ", h("mark", {}, prediction.text || "–"));
    if (!prediction.fills?.length) return h("p.muted", {}, say("web.play.no_blank"));
    return h("div", {}, h("div.answer", { dir: "auto" }, prediction.text), prediction.fills.map(bars));
  };
})();
