// Written texts: the answer as it is; in the report what was asked, known and written side by side.
(() => {
  const { results, sections, h, say } = window.studio;
  results.text = (prediction) => h("div.answer", { dir: "auto" }, prediction.text || "–");
  const side = (title, text) => h("div", {}, h("small.muted", {}, title), h("div.answer", { dir: "auto" }, text || "–"));
  const sample = (s) => h("div.card", { style: { margin: "12px 0" } }, h("div.answer", { dir: "auto" }, s.prompt), h("div.half", { style: { gap: "12px" } }, side(say("web.report.expected"), s.truth), side(say("web.play.after"), s.after)));
  sections.text = (report) => report.samples?.length ? [h("h2", {}, say("web.report.samples")), h("div", {}, report.samples.map(sample))] : null;
})();
