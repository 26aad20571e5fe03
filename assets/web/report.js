// Evaluate tab: how good, where wrong, is it better? One verdict first, then the ladder, then the details.
(() => {
  const { kinds, h, fill, say, get, post, open, button, number, percent, bytes, metric, score, layout, plotly, PLOT, colour, downloading, lines, lang } = window.studio;

  function ladder(report) {
    const lower = report.lower_is_better;
    const top = lower ? Math.max(...report.ladder.map((r) => r.high ?? r.score)) : 1;
    const at = (value) => 100 * Math.max(0, Math.min(1, value / top)) + "%";
    return h("div.bars.ladder", {}, report.ladder.map((rung) => h("div.bar", { class: rung.key === "tuned" ? "top" : "" },
      h("span.who", { title: say("ladder." + rung.key + "_help") }, say("ladder." + rung.key), rung.by_hand ? " " + say("web.report.by_hand") : ""),
      h("span.track", { role: "meter", "aria-valuenow": rung.score, "aria-valuemin": 0, "aria-valuemax": top, "aria-label": say("ladder." + rung.key) }, h("i", { style: { width: at(rung.score) } }), rung.low !== null && rung.low !== undefined ? h("u", { style: { left: at(rung.low), width: `calc(${at(rung.high)} - ${at(rung.low)})` }, title: say("web.report.interval") }) : null),
      h("span.val", {}, h("b", {}, score(report.main_metric, rung.score)), h("small.muted", {}, rung.low !== null && rung.low !== undefined ? ` (${score(report.main_metric, rung.low)}–${score(report.main_metric, rung.high)})` : "", rung.bytes && rung.ms !== null && rung.ms !== undefined ? ` · ${bytes(rung.bytes)} · ${number(rung.ms, 2)} ms` : "")))));
  }
  // What the test says when the tuning counts in part; measured with the report where that is quick, else when asked.
  function strength(report, run, again) {
    const found = report.strength;
    if (!found) return null;
    const help = h("p.muted", {}, say("web.report.strength_help", { metric: metric(report.main_metric) }));
    if (!found.length) return [h("h2", {}, say("web.report.strength")), help, h("div.ask", {}, button(say("web.report.strength_measure"), async (node) => {
      const label = node.textContent;
      node.textContent = say("web.data.working") + " …";
      try {
        for await (const line of lines(`/api/runs/${encodeURIComponent(run)}/strength?lang=${lang()}`)) {
          if (line.told) node.textContent = line.told;
          if (line.text) throw Object.assign(new Error(line.text), { parts: line.parts });
        }
        again();
      } finally { node.textContent = label; }
    }))];
    const top = report.lower_is_better ? Math.max(...found.map((one) => one.score)) || 1 : 1;
    const best = found.reduce((one, other) => (report.lower_is_better ? other.score < one.score : other.score > one.score) ? other : one);
    return [h("h2", {}, say("web.report.strength")), help,
      h("div.bars.strength", {}, found.map((one) => h("div.bar", { class: one === best ? "top" : "" }, h("span.who", {}, percent(one.strength, 0)), h("span.track", { role: "meter", "aria-valuenow": one.score, "aria-valuemin": 0, "aria-valuemax": top, "aria-label": percent(one.strength, 0) }, h("i", { style: { width: 100 * Math.max(0, Math.min(1, one.score / top)) + "%" } })), h("span.val", {}, score(report.main_metric, one.score)))))];
  }
  const TONES = { better: "good", worse: "bad" };
  function techniques(found, run, again) {
    if (!found?.length) return null;
    return [h("h2", {}, say("web.report.techniques")), h("p.muted", {}, say("web.report.techniques_help")), h("div.cards.measured", {}, found.map((one) => h("div.card", { "data-key": one.key }, h("h3", {}, one.title), h("p", {}, one.help),
      one.text ? h("p.banner", { class: TONES[one.tone] ?? "" }, one.text) : one.run ? h("p.muted", {}, say("web.report.measuring")) : null,
      one.run ? button(say("web.report.measured_run"), () => open({ tab: "train", run: one.run }), ".small") : button(say("web.report.measure"), async () => { await post(`/api/runs/${encodeURIComponent(run)}/without`, { technique: one.key, nonce: window.studio.nonce() }); again(); }, ".small"))))];
  }
  const numbers = (report) => h("div.tiles.wide", {}, Object.entries(report.test).map(([name, value]) => h("div.tile", { title: window.studio.known(`metric.${name}_help`) ? say(`metric.${name}_help`) : "" }, h("b", {}, score(name, value)), h("small", {}, metric(name), report.interval?.[name] ? ` (${score(name, report.interval[name][0])}–${score(name, report.interval[name][1])})` : ""))));

  const readable = (text) => window.studio.readable(text);
  // Of a pair both texts, one below the other; of a question about a text the question alone.
  const asked = (row) => row.asked && "context" in row.asked ? row.asked.question : row.asked ? Object.values(row.asked).map((text) => h("div", { dir: "auto" }, text)) : row.text;
  function rowsTable(rows) {
    // Not every kind says how sure it is.
    const sure = rows.some((row) => row.confidence !== undefined && row.confidence !== null);
    return h("div.scroll", {}, h("table", {}, h("thead", {}, h("tr", {}, ["text", "truth", "answer", ...(sure ? ["sure"] : [])].map((c) => h("th", {}, say("web.col." + c))))),
      h("tbody", {}, rows.map((row) => h("tr", {}, h("td.text", {}, row.earlier ? h("small.muted", { style: { display: "block", whiteSpace: "pre-line" } }, row.earlier) : null, asked(row)), h("td", {}, readable(row.truth)), h("td", {}, h("span.chip", { class: row.truth === row.answer ? "good" : "bad" }, readable(row.answer))), sure ? h("td.num", {}, row.confidence === undefined || row.confidence === null ? "" : percent(row.confidence, 0)) : null)))));
  }
  // What a kind calls its worst rows, and how it shows them, where that is its own.
  // The same rows in the grid of the data, each with what the model said, to be corrected there.
  const inData = (report, view) => view?.data && !view.sample && report.mistakes.every((one) => Number.isInteger(one.row)) ? h("div.ask", {}, button(say("web.report.correct"), () => window.studio.rowsOn(view.data, view.name || view.id, report.mistakes), ".small")) : null;
  const mistakes = (report) => [h("h2", {}, say("web.report.mistakes")), h("p.muted", {}, say(report.scatter ? "web.report.mistakes_far" : "web.report.mistakes_help")), rowsTable(report.mistakes)];
  window.studio.rowsTable = rowsTable;
  window.studio.worst = mistakes;
  function matrix(run, report) {
    const { labels, counts } = report.confusion, most = Math.max(1, ...counts.flat());
    const rows = h("div", { "aria-live": "polite" });
    const cell = (i, j) => h("td", { tabindex: 0, role: "button", "aria-label": say("web.report.cell", { truth: labels[i], answer: labels[j], n: counts[i][j] }), style: { background: counts[i][j] ? `color-mix(in srgb, ${i === j ? "var(--accent)" : "var(--amber)"} ${Math.round(12 + 60 * counts[i][j] / most)}%, transparent)` : "transparent" },
      onkeydown: (e) => { if (e.key === "Enter") e.target.click(); },
      onclick: async () => { let found; try { found = await get(`/api/runs/${run}/rows?truth=${encodeURIComponent(labels[i])}&answer=${encodeURIComponent(labels[j])}`); } catch (error) { return window.studio.notice(error); } fill(rows, h("h3", { style: { marginTop: "12px" } }, say("web.report.cell", { truth: labels[i], answer: labels[j], n: counts[i][j] })), rowsTable(found.rows)); } }, counts[i][j] || "·");
    return h("div", {}, h("p.muted", {}, say("web.report.matrix_help")), h("div.scroll", {}, h("table.matrix", {}, h("thead", {}, h("tr", {}, h("th", {}, say("web.report.corner")), labels.map((l) => h("th", {}, l)))), h("tbody", {}, labels.map((l, i) => h("tr", {}, h("th", {}, l), labels.map((_, j) => cell(i, j))))))), rows);
  }
  function classes(report) {
    return h("div.scroll", {}, h("table", {}, h("thead", {}, h("tr", {}, h("th", {}, say("web.col.label")), ["precision", "recall", "f1"].map((m) => h("th.num", { title: window.studio.known(`metric.${m}_help`) ? say(`metric.${m}_help`) : "" }, metric(m))), report.thresholds ? h("th.num", { title: say("web.play.threshold_help") }, say("web.report.threshold")) : null, h("th.num", {}, say("web.col.rows")))),
      h("tbody", {}, report.classes.map((c) => h("tr", {}, h("td", {}, c.label), ["precision", "recall", "f1"].map((m) => h("td.num", {}, score(m, c[m]))), report.thresholds ? h("td.num", {}, percent(report.thresholds[c.label], 0)) : null, h("td.num", {}, c.rows))))));
  }
  kinds.report = (root) => {
    let run = null, turn = 0;
    async function figures(place, drawings) {
      const engine = await plotly();
      for (const figure of drawings) {
        const node = h("div"); place.append(node);
        await engine.newPlot(node, figure.data, { ...layout({ height: figure.layout?.height ?? 320 }), ...figure.layout, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: colour("ink") } }, { ...PLOT, displayModeBar: false });
      }
    }
    async function load() {
      const mine = ++turn;
      if (!run) return fill(root, h("p.muted", {}, say("web.report.none")));
      let reply;
      try { reply = await get(`/api/runs/${encodeURIComponent(run)}/report?dark=${document.body.classList.contains("dark")}`); } catch (error) { return mine === turn ? fill(root, h("div.banner", {}, error.message)) : null; }
      if (mine !== turn) return;  // another run was chosen meanwhile
      const { report, verdict, run: view, figures: drawings } = reply, tone = { better: "good", worse: "amber" }[verdict.tone] ?? "";
      const place = h("div");
      // Where tuning has brought nothing, what is smaller and faster is one press away.
      const simpler = view.can_download && report.model === "tuned" && report.simple && verdict.tone !== "better";
      fill(root, h("p.muted", {}, view.name === view.data_name ? null : view.name + " · ", view.about),
        h("div.banner", { class: tone, style: { padding: "20px" } }, h("p.verdict", {}, verdict.text), h("span.muted", {}, verdict.detail)),
        view.without_model ? h("div.banner.amber", {}, view.without_model) : null,
        h("div.ask", {}, view.sample ? button(say("web.report.train_sample"), async () => { const made = await post(`/api/samples/${view.sample}/train`, { nonce: window.studio.nonce() }); open({ tab: "train", run: made.run, data: made.data }); }, ".main") : null, view.can_play ? button(say("web.live.try"), () => open({ tab: "playground", run }), view.sample || simpler && verdict.tone === "unclear" ? "" : ".main") : null, view.can_download ? downloading(run) : null, simpler ? [button(say("coach.action.use_simple"), () => open({ tab: "playground", run, with: "simple" }), verdict.tone === "unclear" ? ".main" : ""), view.can_download_simple ? downloading(run, "simple") : null] : null, button(say("web.report.chart"), () => open({ tab: "train", run })), report.result === "labels" && view.data && !view.sample ? button(say("web.report.doubts"), () => window.studio.doubtOn(view.data)) : null),
        h("h2", {}, say("web.report.ladder")), h("p.muted", {}, say("web.report.ladder_help", { n: report.rows })), ladder(report), reply.notes.map((text) => h("p.muted", {}, text)),
        h("h2", {}, say("web.report.numbers")), numbers(report),
        strength(report, run, load), techniques(reply.techniques, run, load),
        report.classes?.length ? [h("h2", {}, say("web.report.classes")), h("div.half", {}, classes(report), place)] : null,
        report.confusion ? [h("h2", {}, say("web.report.matrix")), matrix(run, report)] : null,
        window.studio.sections[report.result]?.(report, run),
        report.mistakes?.length ? [(window.studio.mistakes[report.result] ?? mistakes)(report), inData(report, view)] : null);
      if (drawings?.length) figures(place, drawings);
    }
    window.addEventListener("studio:shade", () => { if (run) load(); });
    return { update(value) { if (value) { run = value.run; load(); } } };
  };
})();
