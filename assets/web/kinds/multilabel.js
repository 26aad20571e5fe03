// Label sets: a bar of probability for each label with a mark at its threshold; those that reach it are given.
(() => {
  const { results, h, say, percent, bars } = window.studio;
  results.multilabel = (prediction, value) => {
    const given = new Set(prediction.labels);
    // A label may be given at a lower share than another is refused at, so those that are given come first.
    const all = Object.entries(prediction.scores ?? {}).sort((a, b) => given.has(b[0]) - given.has(a[0]) || b[1] - a[1]);
    const drawn = all.map(([name, share]) => {
      const threshold = prediction.thresholds?.[name] ?? 0.5;
      return { name, share, threshold, top: given.has(name), mark: given.has(name) ? "✓ " : "", hint: say("web.play.threshold", { p: percent(threshold, 0) }) };
    });
    return [h("p", {}, given.size ? prediction.labels.map((label) => [h("span.chip.good", {}, label), " "]) : say("web.play.no_labels")), bars(drawn, Math.max(8, given.size)), value.answers[0].prediction === prediction ? h("small.muted", {}, say("web.play.threshold_help")) : null];
  };
})();
