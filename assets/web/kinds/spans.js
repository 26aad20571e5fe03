// Answers from a text: the text with its answer marked, or plainly that there is none. Places count characters, not
// UTF-16 units, and everything is put in as text.
(() => {
  const { results, sections, mistakes, h, say, percent, bars } = window.studio;
  const ROOM = 600;
  // Of a long text what lies around the first mark; a click opens all of it.
  function marked(text, spans) {
    const letters = Array.from(text), told = [...spans].sort((a, b) => a[0] - b[0]), parts = [];
    const slice = (a, b) => letters.slice(a, b).join("");
    let at = 0;
    for (const [start, end] of told) {
      if (start < at) continue;
      parts.push(slice(at, start), h("mark.found", {}, slice(start, end)));
      at = end;
    }
    return h("div.answer.passage", { dir: "auto" }, parts, slice(at));
  }
  const around = (text, spans) => {
    const letters = Array.from(text);
    if (letters.length <= 2 * ROOM || !spans.length) return marked(text, spans);
    const from = Math.max(0, spans[0][0] - ROOM), to = Math.min(letters.length, spans[0][1] + ROOM);
    const near = spans.filter(([a, b]) => a >= from && b <= to).map(([a, b]) => [a - from, b - from]);
    return [marked(letters.slice(from, to).join(""), near), h("details", {}, h("summary.muted", {}, say("web.play.whole_text")), marked(text, spans))];
  };
  results.spans = (prediction, value) => {
    const context = value.row?.context ?? "", given = Boolean(prediction.text);
    const others = (prediction.others ?? []).filter((one) => one.score >= 0.005);
    const unsure = prediction.none === undefined ? null : say(given ? "web.play.none_below" : "web.play.none_above", { p: percent(prediction.none), bound: percent(prediction.threshold) });
    const likeliest = !given && prediction.likeliest ? h("p.muted", {}, say("web.play.would_be", { answer: prediction.likeliest.text })) : null;
    return [
      h("p.said", { dir: "auto" }, given ? h("b", {}, prediction.text) : h("b.none", {}, say("web.play.no_answer"))),
      given && prediction.score !== undefined ? bars([prediction, ...others].map((one, place) => ({ name: one.text, share: one.score, top: !place }))) : null,
      unsure ? h("p.muted", {}, unsure) : null, likeliest,
      prediction.question_cut ? h("div.finding.warning", {}, say("web.play.question_cut", { n: prediction.question_cut })) : null,
      around(context, given ? [[prediction.start, prediction.end]] : []),
    ].filter(Boolean);
  };
  const side = (title, one, spans) => h("div", {}, h("small.muted", {}, title), spans.length ? around(one.context, spans) : [h("p", {}, h("b.none", {}, say("web.play.no_answer"))), around(one.context, [])]);
  // Where all mistakes are marked in their texts, a table of them says nothing more.
  mistakes.spans = (report) => report.marked?.length >= report.mistakes.length ? null : window.studio.worst(report);
  sections.spans = (report) => report.marked?.length ? [h("h2", {}, say("web.report.marked")), h("div", {}, report.marked.map((one) => h("div.card", { style: { margin: "12px 0" } }, h("p", { dir: "auto" }, h("b", {}, one.question)), h("div.half", { style: { gap: "12px" } }, side(say("web.report.expected"), one, one.truth), side(say("web.play.after"), one, one.answer)))))] : null;
})();
