// Chat: answers before and after tuning, to the same prompts, in the report.
(() => {
  const { sections, h, say } = window.studio;
  const speech = (messages) => Array.isArray(messages) ? messages.map((m) => h("div", {}, h("small.muted", {}, say("web.chat." + m.role)), h("div.answer", {}, m.content))) : h("div.answer", {}, messages);
  const samples = (report) => h("div", {}, report.samples.map((s) => h("div.card", { style: { margin: "12px 0" } }, speech(s.prompt), h("div.half", { style: { gap: "12px" } }, h("div", {}, h("small.muted", {}, say("web.play.before")), h("div.answer", {}, s.before ?? "–")), h("div", {}, h("small.muted", {}, say("web.play.after")), h("div.answer", {}, s.after))), h("details", {}, h("summary.muted", {}, say("web.report.expected")), h("div.answer", {}, s.truth)))));
  sections.chat = (report) => report.samples?.length ? [h("h2", {}, say("web.report.samples")), samples(report)] : null;
})();
