// Written texts: the answer as it is; in the report what was asked, known and written side by side.
(() => {
  const { results, sections, mistakes, h, say } = window.studio;
  results.text = (prediction) => h("div.answer", { dir: "auto" }, prediction.text || "–");
  const side = (title, text) => h("div", {}, h("small.muted", {}, title), h("div.answer", { dir: "auto" }, text || "–"));
  const sample = (s) => h("div.card", { style: { margin: "12px 0" } }, h("div.answer", { dir: "auto" }, s.prompt), h("div.half", { style: { gap: "12px" } }, side(say("web.report.expected"), s.truth), side(say("web.play.after"), s.after)));
  const untaught = (report) => { const keys = report.ladder.map((rung) => rung.key); return keys.includes("tuned") && !keys.includes("base") ? h("p.muted", {}, say("web.report.untaught")) : null; };
  window.studio.untaught = untaught;
  sections.text = (report) => [untaught(report), report.samples?.length ? [h("h2", {}, say("web.report.written")), h("div", {}, report.samples.map(sample))] : null];
  mistakes.text = (report) => [h("h2", {}, say("web.report.unlike")), h("p.muted", {}, say("web.report.unlike_help")), window.studio.rowsTable(report.mistakes)];
})();
