// The small drawings inside the Data, Train and Playground forms; each shows the value that Python hands it.
(() => {
  const { kinds, results, h, fill, say, get, post, open, number, percent, duration, bytes, button, layout, plotly, plain, PLOT, colour } = window.studio;

  const finding = (p) => h("div.finding", { class: p.severity, "data-code": p.code }, h("div", {}, h("span.visually-hidden", {}, say("web.severity." + p.severity)), p.text), p.examples?.length ? h("details", {}, h("summary", {}, say("web.data.examples", { n: p.examples.length })), h("ul", {}, p.examples.map(([row, text]) => h("li", {}, say("web.data.row", { n: row }), " ", text)))) : null, p.protect ? h("div.ask", {}, button(say("web.train.protect"), () => window.studio.stepOn(p.protect, "redact"), ".small")) : null);
  kinds.findings = (root) => ({ update(value) {
    if (!value?.shown) return fill(root);
    fill(root, h("h2", {}, value.title), value.problems.length ? value.problems.map(finding) : h("div.banner.good", {}, say("web.data.clean")));
  } });

  kinds.facts = (root, props, trigger) => ({ update(value) {
    if (!value) return fill(root, h("p.muted", {}, say("web.data.none")));
    const answers = value.answers?.length ? h("div.ask", {}, value.answers.map((answer) => button(answer.text, () => trigger("click", { text: answer.text }), ".small"))) : null;
    fill(root, h("p", { style: { fontSize: "17px", fontWeight: 600 } }, value.line), value.origin ? h("p.muted", {}, value.origin) : null, value.reason ? h("div.banner", { class: value.sure ? "good" : "amber" }, value.reason, answers) : null);
  } });

  // The words that mark each label, the surest first.
  const marking = (figure) => h("div.marking", {}, h("h3", {}, figure.title), h("small.muted", {}, figure.help), h("dl", {}, figure.words.map(([label, words]) => [h("dt", {}, label), h("dd", {}, words.map(([word, rows, others]) => h("span.chip", { title: say("web.data.words_rows", { rows: number(rows), others: number(others) }) }, word, h("small.muted", {}, " " + number(rows)))))])));
  kinds.charts = (root) => {
    let value = null, turn = 0;
    async function draw() {
      const mine = ++turn;
      if (!value) return fill(root);
      const engine = await plotly();
      if (mine !== turn) return;
      fill(root);
      for (const figure of value.figures) {
        if (figure.words) { root.append(marking(figure)); continue; }
        const node = h("div", { role: "img", "aria-label": figure.title }); root.append(h("div", {}, h("h3", {}, figure.title), node));
        const names = figure.x.map(plain);
        const bars = figure.horizontal ? { type: "bar", orientation: "h", y: names, x: figure.y } : { type: "bar", x: names, y: figure.y };
        await engine.newPlot(node, [{ ...bars, marker: { color: colour("accent") }, hovertemplate: figure.horizontal ? "%{y}: %{x}<extra></extra>" : "%{x}: %{y}<extra></extra>" }], layout({ height: figure.horizontal ? Math.max(160, 60 + 26 * figure.x.length) : 240, hovermode: "closest", margin: { t: 8, r: 8, b: 40, l: figure.horizontal ? 120 : 44 }, xaxis: { title: { text: figure.x_title }, ...(figure.horizontal ? {} : { type: "category", nticks: 7, tickangle: 0 }) }, yaxis: figure.horizontal ? { automargin: true, autorange: "reversed", type: "category" } : { title: { text: figure.y_title } } }), { ...PLOT, displayModeBar: false });
      }
    }
    window.addEventListener("studio:shade", draw);
    return { update(next) { value = next; draw(); } };
  };

  kinds.rendered = (root) => ({ update(value) {
    if (!value?.texts?.length && !value?.note) return fill(root);
    fill(root, h("h2", {}, say("web.data.as_seen")), h("p.muted", {}, value.note || say("web.data.as_seen_help")), value.texts.map((text) => h("pre.log", {}, text)));
  } });

  // Why a file was refused: what happened, why, and what to do.
  kinds.refused = (root) => ({ update(parts) { fill(root, parts?.length ? h("div.banner.bad", { role: "alert" }, h("b", {}, parts[0]), h("span", {}, parts.slice(1).join(" "))) : null); } });

  kinds.heading = (root) => ({ update(text) { fill(root, h("h3", {}, text)); } });

  // A card's own download: begun here, followed here, gone on with after a stop or a broken connection. What is typed as
  // a token leaves the page with the one request and is taken out of the box at once.
  function fetching(about, trigger) {
    const shown = h("div.fetching", { role: "status" });
    const path = "/api/models/fetch?model=" + encodeURIComponent(about.model);
    const box = about.token ? h("input", { type: "password", autocomplete: "off", spellcheck: "false", maxlength: 400, "aria-label": say("web.fetch.token"), placeholder: say("web.fetch.token") }) : null;
    const start = button(say("web.fetch.now"), () => begin(), ".small");
    const ask = h("form.fetch", { autocomplete: "off", onsubmit: (event) => { event.preventDefault(); start.click(); } }, box, start, about.token ? h("small.muted", {}, about.help) : h("small.muted", {}, say("web.fetch.training_does")));
    const node = h("div", {}, ask, shown);
    let following = false;
    async function begin() {
      const token = box?.value ?? "";
      if (box) box.value = "";
      show(await post("/api/models/fetch", { model: about.model, token }));
    }
    function show(told) {
      const running = told.state === "running";
      ask.hidden = running || told.state === "done";
      if (told.state === "failed" || told.state === "stopped") start.textContent = say(told.done ? "web.fetch.on" : "web.fetch.now");
      const sizes = { done: bytes(told.done), total: bytes(told.total), percent: told.total ? Math.floor(100 * told.done / told.total) : 0 };
      if (running) fill(shown, h("progress", { max: told.total || 1, value: told.total ? told.done : null, "aria-label": say("web.fetch.now") }), h("span.num", {}, told.total ? say(about.unpacked ? "web.fetch.unpacking" : "web.fetch.running", sizes) : say("web.fetch.asking")), button(say("web.fetch.stop"), () => post("/api/models/fetch/stop", { model: about.model }), ".small"));
      else if (told.state === "failed") fill(shown, h("div.banner.bad", { role: "alert" }, h("b", {}, told.parts[0]), h("span", {}, told.parts.slice(1).join(" "))));
      else if (told.state === "stopped") fill(shown, h("span.muted", {}, told.total && !about.unpacked ? say("web.fetch.stopped", sizes) : ""));
      else fill(shown);
      if (running && !following) follow();
      if (told.state === "done" && following) trigger("click", { fetched: about.model });
      following = running;
    }
    async function follow() {
      following = true;
      while (following) {
        await new Promise((go) => setTimeout(go, 700));
        if (!document.body.contains(node)) return;
        try { show(await get(path)); } catch (error) { if (error.message === "login") return; }
      }
    }
    get(path).then((told) => { if (told.state === "running" || (told.state === "stopped" && told.done)) show(told); }, () => {});
    return node;
  }
  const remaining = (memory) => h("div.memory", {}, h("span.muted", {}, memory.title), memory.methods.map((one) => h("span.chip", { class: one.tone, "data-tone": one.tone }, one.title, " ≈ ", one.size)), memory.instead ? h("p.reason", {}, memory.instead) : null);
  kinds.card = (root, props, trigger) => ({ update(card) {
    if (!card) return fill(root);
    const reads = card.reads === null || card.reads === undefined ? null : h("span.chip", { class: card.reads < 0.8 ? "bad" : card.reads < 0.95 ? "amber" : "good" }, say("web.train.reads", { share: Math.round(100 * card.reads) }));
    fill(root, h("div.model-card", {}, h("span", {}, card.size), h("span", {}, card.licence), h("span", {}, card.languages), card.context ? h("span", {}, card.context) : null, card.gated ? h("span.chip.amber", {}, say("web.models.gated")) : null, card.on_disk || card.download ? h("span.chip", { class: card.on_disk ? "good" : "wait" }, card.on_disk ? say("web.train.on_disk") : say("web.train.to_fetch", { size: card.download })) : null, reads),
      card.unsure ? h("small.muted", {}, card.unsure) : null, card.fetch ? fetching(card.fetch, trigger) : null, card.memory?.methods.length ? remaining(card.memory) : null, card.settled?.length ? h("p.reason.settled", {}, card.settled.join(" ")) : null, card.needs ? h("p.banner.amber.needs", { role: "note" }, card.needs) : null, card.note ? h("p.reason", {}, card.note) : null, card.why ? h("p.reason", {}, card.why) : null);
  } });

  // Tables of models: on a phone each line becomes a card whose cells say what they are.
  const heading = (columns) => h("thead", {}, h("tr", {}, columns.map((c) => h("th", {}, say("web.models." + c))), h("th", {})));
  const cells = (columns, values) => columns.map((c, place) => place ? h("td", { "data-label": say("web.models." + c) }, values[place]) : h("td.called", {}, values[place]));
  kinds.models = (root, props, trigger) => ({ update(models) {
    if (!models?.length) return fill(root);
    const reads = (model) => model.reads === null ? h("span.muted", {}, say("web.train.reads_unknown")) : h("span.chip", { class: model.reads < 0.8 ? "bad" : model.reads < 0.95 ? "amber" : "good" }, Math.round(100 * model.reads) + " %");
    const columns = ["model", "size", "licence", "languages", "place", "reads"];
    fill(root, h("details.models", {}, h("summary", {}, say("web.models.compare", { n: models.length })), h("div.scroll", {}, h("table.cardy", {}, heading(columns), h("tbody", {}, models.map((model) => h("tr", {},
      cells(columns, [model.title, model.size, model.licence || "–", model.languages || "–", model.on_disk ? say("web.train.on_disk") : say("web.train.to_fetch", { size: model.download }), reads(model)]),
      h("td", {}, button(say("web.models.take"), () => trigger("click", { model: model.id }), ".small")))))))));
  } });

  // Techniques: each with a sentence and its cost; a press sets its option among the advanced ones.
  // While a plan is under way, a press would be overwritten by it: until then nothing here can be pressed.
  let held = 0, letGo = 0;
  window.studio.hold = (more) => {
    held = Math.max(0, held + more);
    clearTimeout(letGo);
    if (held) letGo = setTimeout(() => window.studio.hold(-held), 20000); // an answer may never come
    const node = document.getElementById("train-techniques");
    if (node) node.inert = held > 0;
  };
  kinds.techniques = (root, props, trigger) => ({ update(rows) {
    const open = root.querySelector("details")?.open ?? rows?.some((row) => row.on || row.advice);
    if (!rows?.length) return fill(root);
    const count = rows.filter((row) => row.on).length;
    fill(root, h("details.techniques", { open: open || null }, h("summary", {}, count ? say("web.train.techniques_on", { n: count }) : say("web.train.techniques")), h("div.cards", {}, rows.map((row) => h("div.card", { class: row.on ? "on" : "", "data-key": row.key },
      h("h3", {}, row.title), h("p", {}, row.help), h("p.muted", {}, row.cost), row.advice ? h("p.advice", {}, row.advice) : null, row.why ? h("p.muted", {}, row.why)
        : h("button.act.small", { type: "button", "aria-pressed": String(row.on), onclick: () => trigger("click", { key: row.key }) }, say(row.on ? "web.train.technique_off" : "web.train.technique_on")))))));
  } });

  kinds.hubmodels = (root, props, trigger) => ({ update(value) {
    if (!value) return fill(root);
    const parts = value.parts ?? [];
    const told = parts.length ? h("div.banner", { class: parts.length > 1 ? "bad" : "amber", role: "status" }, h("b", {}, parts[0]), h("span", {}, parts.slice(1).join(" "))) : null;
    if (!value.models?.length) return fill(root, told);
    const columns = ["model", "size", "download", "licence", "languages", "downloads"];
    fill(root, told, h("div.models", {}, h("div.scroll", { tabindex: 0 }, h("table.cardy", {}, heading(columns), h("tbody", {}, value.models.map((model) => h("tr", {},
      cells(columns, [[model.title, " ", model.gated ? h("span.chip.amber", {}, say("web.models.gated")) : null], model.size, model.download, model.licence || "–", model.languages || "–", number(model.downloads)]),
      h("td", {}, button(say("web.models.take"), () => trigger("click", { model: model.id }), ".small")))))))));
  } });

  // The sentence of the chosen method, the others folded; which one is chosen the radio buttons above say.
  kinds.methods = (root) => {
    let rows = [];
    const line = (row) => h("p.reason", {}, h("b", {}, row.title), " – ", row.reason);
    const chosen = () => document.querySelector("#train-method input:checked")?.closest("label")?.textContent.trim();
    function draw() {
      const first = rows.find((row) => row.title === chosen()), open = Boolean(root.querySelector("details")?.open);
      fill(root, rows.length ? [first ? line(first) : null, h("details", { open }, h("summary", {}, say("web.train.methods", { n: rows.length })), rows.filter((row) => row !== first).map(line))] : null);
    }
    document.addEventListener("change", (event) => { if (event.target.closest?.("#train-method")) draw(); });
    let seen = "";
    window.studio.every(root, 400, () => { if (rows.length && seen !== chosen()) { seen = chosen(); draw(); } });
    return { update(found) { rows = found ?? []; draw(); } };
  };

  kinds.preflight = (root) => {
    let waiting = 0;
    const nothing = () => fill(root, h("div.banner.pre", {}, h("b", {}, say("web.train.no_data")), h("span", {}, say("web.train.no_data_help")), h("div.ask", {}, button(say("web.train.to_data"), () => open({ tab: "data", run: "" }, true), ".small"))));
    let looks = 0;
    const chosen = () => Boolean(document.querySelector("#train-data input")?.value), named = () => ["data", "from"].some((name) => new URLSearchParams(location.search).get(name));
    // What is chosen is being looked at, and what the address names may still be on its way.
    function look() {
      if (!chosen() && !(named() && looks++ < 3)) return nothing();
      fill(root, h("p.muted", { role: "status" }, say("web.train.checking")));
      waiting = setTimeout(look, 2000);
    }
    function update(value) {
      clearTimeout(waiting);
      fill(root);
      looks = 0;
      if (value) show(value); else waiting = setTimeout(look, 1000);
    }
    function show(value) {
      const tone = value.problems.some((p) => p.severity === "error") ? "bad" : value.problems.some((p) => p.severity === "warning") ? "amber" : "good";
      fill(root, h("div.banner.pre", { class: tone }, h("b", {}, value.title), value.estimate ? h("div.ask", { style: { gap: "4px 24px" } }, [["time", duration(value.estimate.seconds)], ["memory", bytes(value.estimate.memory)], ["disk", bytes(value.estimate.disk)]].map(([k, v]) => h("span", {}, h("small.muted", {}, say("web.train." + k) + " "), h("b.num", { style: { display: "inline" } }, "≈ " + v)))) : null, value.free ? h("small.muted", {}, value.free) : null), value.problems.map(finding));
    }
    update(null);
    return { update };
  };

  // Each kind draws its own predictions; what has no drawing is shown as text.
  const drawn = (value, answer) => (results[value.kind] ?? ((prediction) => h("div.answer", {}, prediction.text ?? JSON.stringify(prediction))))(answer.prediction, value);
  const card = (value, answer) => h("div.card", {}, h("h3", {}, answer.title), answer.note ? h("small.muted", {}, answer.note) : null, drawn(value, answer));
  kinds.answers = (root) => {
    const typed = () => [...document.querySelectorAll("#play-asking .play-box textarea")].map((box) => box.value.trim());
    const before = () => document.querySelector("#play-earlier textarea")?.value.trim() ?? "";
    const working = h("p.working", { role: "status", hidden: true }), wait = window.studio.waiting(working);
    const shown = h("div", { role: "status" });
    let value = null, truth = null, turn = 0;
    // Answers to another text than the one in the box are old, and a known truth is not that text's.
    function age() {
      const old = Boolean(value?.texts) && typed().length > 0 && (before() !== (value.earlier ?? "").trim() || value.texts.some((text, place) => typed()[place] !== undefined && typed()[place] !== text.trim()));
      shown.classList.toggle("stale", old || wait.busy());
      if (truth) truth.hidden = old;
    }
    function work(text) {
      turn += 1;
      wait.on(text);
      if (!root.contains(working)) fill(root, working, shown);
      age();
    }
    function refuse(parts) {
      wait.off();
      fill(root, window.studio.refusal(parts), shown);
      age();
      shown.classList.add("stale");
    }
    document.addEventListener("input", (event) => { if (event.target.closest?.(".play-box, #play-earlier")) age(); });
    document.addEventListener("click", (event) => { if (event.target.closest?.("#play-send") && typed()[0]) work(say("web.play.working")); });
    window.addEventListener("studio:asked", () => work(say("web.play.working")));
    // The request is over. If nothing has come of it, it got lost on its way: that is said as well.
    window.addEventListener("studio:answered", () => { const mine = turn; setTimeout(() => { if (wait.busy() && mine === turn) refuse(["lost", "lost_why", "lost_do"].map((name) => say("web.play." + name))); }, 2000); });
    return { update(next) {
      if (next?.working) return work(next.working);
      if (next?.error) return refuse(next.error);
      value = next;
      wait.off();
      if (!value) { fill(shown); return fill(root); }
      truth = value.truth ? h("p", {}, say("web.play.truth"), " ", h("b", {}, window.studio.readable(value.truth))) : null;
      fill(shown, truth, h("div.half", { style: { gap: "16px" } }, value.answers.map((answer) => card(value, answer))), value.ms !== null && value.ms !== undefined ? h("small.muted", {}, say("web.play.ms", { n: number(value.ms, 1) })) : null);
      fill(root, working, shown);
      shown.classList.remove("stale");
      // An example's text reaches the box in the same moment as its answer.
      setTimeout(age, 300);
    } };
  };
  // In the box of one text Enter sends and Shift+Enter is a new line; Gradio has it the other way round.
  document.addEventListener("keypress", (event) => {
    if (event.key !== "Enter" || event.isComposing || !event.target.closest?.(".play-box")) return;
    event.stopImmediatePropagation();
    if (event.shiftKey) return;
    event.preventDefault();
    document.querySelector("#play-send")?.click();
  }, true);
  kinds.examples = (root, props, trigger) => ({ update(rows) {
    fill(root, rows?.length ? [h("h3", {}, say("web.play.examples")), h("div", { style: { display: "grid", gap: "4px" } }, rows.map((row) => h("button.plain", { type: "button", onclick: () => { if (row.asks) window.dispatchEvent(new Event("studio:asked")); trigger("click", { row: row.row }); } }, row.text.length > 140 ? row.text.slice(0, 140) + "…" : row.text, row.truth ? h("span.muted", {}, " — " + (row.truth.length > 60 ? row.truth.slice(0, 60) + "…" : window.studio.readable(row.truth))) : null)))] : null);
  } });
})();
