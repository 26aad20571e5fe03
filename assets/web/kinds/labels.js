// Labels: a bar of probability for each.
(() => {
  const { results, h, percent } = window.studio;
  results.labels = (prediction) => {
    const all = Object.entries(prediction.scores ?? {}).sort((a, b) => b[1] - a[1]);
    return h("div.bars", {}, all.map(([label, p]) => h("div.bar", { class: label === prediction.label ? "top" : "" }, h("span.who", { title: label }, label), h("span.track", { role: "meter", "aria-valuenow": p, "aria-valuemin": 0, "aria-valuemax": 1, "aria-label": label }, h("i", { style: { width: 100 * p + "%" } })), h("span.val", {}, percent(p)))));
  };
})();
