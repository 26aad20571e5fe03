// Label sets: a bar of probability for each label with a mark at its threshold; those that reach it are given.
(() => {
  const { results, h, say, percent } = window.studio;
  results.multilabel = (prediction) => {
    const all = Object.entries(prediction.scores ?? {}).sort((a, b) => b[1] - a[1]), given = new Set(prediction.labels);
    const bar = ([label, p]) => {
      const bound = prediction.thresholds?.[label] ?? 0.5;
      return h("div.bar", { class: given.has(label) ? "top" : "" }, h("span.who", { title: label }, (given.has(label) ? "✓ " : "") + label),
        h("span.track", { role: "meter", "aria-valuenow": p, "aria-valuemin": 0, "aria-valuemax": 1, "aria-label": label }, h("i", { style: { width: 100 * p + "%" } }), h("u.threshold", { style: { left: 100 * bound + "%", width: "2px" }, title: say("web.play.threshold", { p: percent(bound, 0) }) })), h("span.val", {}, percent(p)));
    };
    return [h("p", {}, prediction.labels.length ? prediction.labels.map((label) => [h("span.chip.good", {}, label), " "]) : say("web.play.no_labels")), h("div.bars", {}, all.map(bar))];
  };
})();
