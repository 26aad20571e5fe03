// What a data set is: its sentences, columns, languages and most frequent rows.
(() => {
  const { kinds, h, fill, say, number, percent } = window.studio;
  const SHOWN = 12;

  const cell = (name, ...inside) => h("td", { "data-label": say("web.about." + name) }, ...inside);
  const share = (part) => part < 0.0005 ? "< 0.1 %" : percent(part);
  const line = (one) => h("tr", {},
    h("th", { scope: "row" }, one.name, one.role ? h("span.chip.good", {}, one.role) : null),
    cell("kind_head", one.kind),
    cell("missing", one.missing ? number(one.missing) : "–"),
    cell("distinct", number(one.distinct)),
    cell("length", one.longest ? say("web.about.length_of", { mean: number(one.mean, 0), longest: number(one.longest) }) : "–"));
  function columns(list) {
    const head = h("thead", {}, h("tr", {}, ["column", "kind_head", "missing", "distinct", "length"].map((name) => h("th", { scope: "col" }, say("web.about." + name)))));
    const table = (some, titled) => h("table.cardy", {}, titled ? head : null, h("tbody", {}, some.map(line)));
    const rest = list.slice(SHOWN);
    return [h("h3", {}, say("web.about.columns")), table(list.slice(0, SHOWN), true), rest.length ? h("details", {}, h("summary", {}, say("web.about.more", { n: rest.length })), table(rest, false)) : null];
  }
  function languages(list) {
    const whole = list.reduce((sum, [, rows]) => sum + rows, 0);
    return list.length ? [h("h3", {}, say("web.about.languages")), h("div.bars", {}, list.map(([name, rows], turn) =>
      h("div.bar", { class: turn ? "" : "top" }, h("span.who", { title: name }, name), h("span.track", {}, h("i", { style: { width: `${(100 * rows) / whole}%` } })), h("span.val", { title: number(rows) }, share(rows / whole)))))] : null;
  }
  function frequent(value) {
    if (!value.frequent.length) return null;
    return [h("h3", {}, say("web.about.frequent")), h("small.muted", {}, say("web.about.frequent_help")), h("ol.frequent", {}, value.frequent.map(([row, times, cells]) =>
      h("li", {}, h("span.chip", {}, say("web.about.times", { n: number(times) })), " ", cells.map((text, turn) => h("span", { title: value.frequent_columns[turn] }, turn ? " → " : "", text || "∅")), h("small.muted", {}, " " + say("web.data.row", { n: row })))))];
  }

  kinds.about = (root) => {
    let version = "";
    function draw(value) {
      version = value?.version ?? "";
      if (!value?.columns) return fill(root);
      const side = [languages(value.languages), frequent(value)].filter(Boolean);
      fill(root, h("h2", {}, say("web.about.title")),
        value.lines.length ? h("ul.about", {}, value.lines.map((text) => h("li", {}, text))) : h("p.muted", {}, say("web.about.waiting")),
        h(side.length ? "div.half.wide" : "div", {}, h("div", {}, columns(value.columns)), side.length ? h("div", {}, side) : null));
    }
    // The doctor has counted meanwhile what the sentences say.
    window.addEventListener("studio:looked", (event) => { if (event.detail.version === version) draw(event.detail); });
    return { update: draw };
  };
})();
