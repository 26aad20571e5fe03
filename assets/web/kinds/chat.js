// Chat: answers before and after tuning, to the same prompts, in the report.
(() => {
  const { kinds, sections, h, fill, say, number, waiting, refusal } = window.studio;
  const speech = (messages) => Array.isArray(messages) ? messages.map((m) => h("div", {}, h("small.muted", {}, say("web.chat." + m.role)), h("div.answer", {}, m.content))) : h("div.answer", {}, messages);
  const samples = (report) => h("div", {}, report.samples.map((s) => h("div.card", { style: { margin: "12px 0" } }, speech(s.prompt), h("div.half", { style: { gap: "12px" } }, h("div", {}, h("small.muted", {}, say("web.play.before")), h("div.answer", {}, s.before ?? "–")), h("div", {}, h("small.muted", {}, say("web.play.after")), h("div.answer", {}, s.after))), h("details", {}, h("summary.muted", {}, say("web.report.expected")), h("div.answer", {}, s.truth)))));
  sections.chat = (report) => report.samples?.length ? [h("h2", {}, say("web.report.samples")), samples(report)] : null;
  // Below the talk: what is waited for, why there is no answer, or how each answer ended.
  kinds.talking = (root) => {
    const working = h("p.working", { role: "status", hidden: true }), wait = waiting(working);
    // A press of Stop, or a request that got lost, hands nothing on.
    window.addEventListener("studio:talked", () => { if (wait.busy()) setTimeout(() => { wait.off(); }, 500); });
    const ended = (end) => h("span", {}, h("b", {}, end.side), " ", say("web.play.written", { n: number(end.tokens), s: number(end.seconds, 1) }), end.told ? " " + end.told : "");
    return { update(value) {
      if (value?.working) { fill(root, working); return wait.on(value.working); }
      wait.off();
      if (value?.error) return fill(root, refusal(value.error));
      fill(root, value?.ends?.length ? h("p.muted.ends", { role: "status" }, value.ends.map(ended)) : null);
    } };
  };
})();
