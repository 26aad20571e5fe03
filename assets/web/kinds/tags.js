// Entities: the text with its parts marked, and a legend of the types. Places count characters, not UTF-16 units.
(() => {
  const { results, sections, mistakes, h, say, percent } = window.studio;
  // A type keeps its colour on a page, and types that meet on it differ clearly: neighbours lie a golden angle apart.
  const places = new Map();
  function hue(type) { if (!places.has(type)) places.set(type, places.size); return Math.round(168 + 137.5 * places.get(type)) % 360; }
  const tint = (type) => `hsl(${hue(type)} 70% 50% / 0.24)`;
  const edge = (type) => `2px solid hsl(${hue(type)} 65% 48%)`;
  const mark = (text, type, score) => h("mark.entity", { style: { background: tint(type), borderBottom: edge(type) }, title: score === undefined ? type : type + " " + percent(score) }, text, h("small", {}, type));
  function marked(text, entities) {
    const letters = Array.from(text), parts = [];
    let at = 0;
    [...new Set(entities.map((one) => one[2]))].sort().forEach(hue);
    for (const [start, end, type, score] of [...entities].sort((a, b) => a[0] - b[0])) {
      if (start < at) continue;
      parts.push(letters.slice(at, start).join(""), mark(letters.slice(start, end).join(""), type, score));
      at = end;
    }
    return h("div.answer.entities", { dir: "auto" }, parts, letters.slice(at).join(""));
  }
  Object.assign(window.studio, { marked, tint, edge });
  const legend = (types) => h("p", {}, types.map((type) => h("span.chip", { style: { background: tint(type), color: "var(--ink)", margin: "0 6px 6px 0" } }, type)));
  results.tags = (prediction, value) => {
    const found = (prediction.entities ?? []).map((one) => [one.start, one.end, one.type, one.score]);
    const types = [...new Set(found.map((one) => one[2]))].sort();
    return [marked(value.row?.text ?? value.text ?? "", found), types.length ? legend(types) : h("p.muted", {}, say("web.play.no_entities"))];
  };
  const side = (title, text, entities) => h("div", {}, h("small.muted", {}, title), marked(text, entities));
  // Where all mistakes are marked in their texts, a table of them says nothing more.
  mistakes.tags = (report) => report.marked?.length >= report.mistakes.length ? null : window.studio.worst(report);
  sections.tags = (report) => report.marked?.length ? [h("h2", {}, say("web.report.marked")), h("div", {}, report.marked.map((one) => h("div.card", { style: { margin: "12px 0" } }, h("div.half", { style: { gap: "12px" } }, side(say("web.report.expected"), one.text, one.truth), side(say("web.play.after"), one.text, one.answer)))))] : null;
})();
