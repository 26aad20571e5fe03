// The live view: is it learning? Pulls only what is new once a second and appends it to the chart.
(() => {
  const { kinds, h, fill, say, get, post, open, every, chip, button, number, duration, bytes, clock, metric, score, layout, plotly, again, PLOT, colour, toast, downloading } = window.studio;
  // Evaluating is no stage of its own: it happens before and inside the training.
  const PLAIN = ["queued", "fetching", "tokenising", "baselines", "training", "saving", "reporting"];
  // Runs that learn the language of the texts first have a stage more.
  const stages = (first) => (first ? [...PLAIN.slice(0, 2), "language", ...PLAIN.slice(2)] : PLAIN);
  const OVER = ["done", "stopped", "failed", "out-of-memory", "non-finite", "interrupted"];
  const tile = (label, help) => { const value = h("b", {}, "–"); return { node: h("div.tile", { title: help }, value, h("small", {}, label)), value }; };

  // Lines of about `width` letters (a Chinese one is as wide as two): Plotly breaks none by itself.
  function wrapped(text, width) {
    const lines = [""];
    let used = 0;
    for (const piece of text.match(/[\u2E80-\uFFEF]|[^\s\u2E80-\uFFEF]+\s*|\s+/g) ?? []) {
      const size = piece.length * (piece.codePointAt(0) > 0x2E7F ? 2 : 1);
      // No line begins with a mark that ends a clause.
      if (used + size > width && used && !/^[，。、；：？！）,.;:?!)]/.test(piece)) { lines.push(""); used = 0; }
      lines[lines.length - 1] += piece;
      used += size;
    }
    return lines.map((line) => line.trimEnd()).join("<br>");
  }

  kinds.live = (root) => {
    let run = "", cursor = "", generation = 0, drawn = false, view = null, logOpen = false;
    let data = fresh();
    function fresh() { return { step: [], loss: [], epoch: [], evals: [], baselines: {}, marks: [], samples: null, plan: null, phase: null, stage: null, last: null, reached: 0, end: null }; }

    const title = h("h2", { style: { margin: "0" } }), state = h("span"), sub = h("p.muted"), acts = h("div.ask", { style: { flex: "none", maxWidth: "100%" } });
    const chart = h("div.chart", { role: "img", "aria-label": say("web.live.chart") });
    const status = h("p", { role: "status", style: { fontSize: "17px", fontWeight: 600, margin: 0 } });
    const coach = h("div.coach"), failure = h("div");
    const phases = h("div.phases"), meter = h("i"), bar = h("div.meter", { role: "progressbar", "aria-label": say("web.live.progress"), "aria-valuemin": 0, "aria-valuemax": 100 }, meter);
    const tiles = Object.fromEntries(["step", "epoch", "left", "speed", "rate", "gradient", "memory", "loss"].map((key) => [key, tile(say("web.tile." + key), say("web.tile." + key + "_help"))]));
    const samples = h("div"), timeline = h("div.timeline"), decisions = h("div"), settings = h("div.settings"), log = h("pre.log");
    const folded = h("details", {}, h("summary", {}, say("web.live.log")), log);
    folded.addEventListener("toggle", () => { logOpen = folded.open; if (logOpen) tail(); });
    const body = h("div", {},
      h("div", { style: { display: "flex", gap: "12px", alignItems: "center", flexWrap: "wrap" } }, title, state, h("span", { style: { flex: 1 } }), acts), sub, phases, bar, failure,
      h("div.two", {}, h("div", {}, chart), h("div", {}, status, coach, h("div.tiles", {}, Object.values(tiles).map((t) => t.node)), h("h3", { style: { marginTop: "16px" } }, say("web.live.timeline")), timeline)),
      h("details", {}, h("summary", {}, say("web.live.settings")), settings), samples, h("details", {}, h("summary", {}, say("web.live.decisions")), decisions), folded);
    const nothing = h("p.muted", {}, say("web.live.none"));

    async function tail() { try { log.textContent = (await get(`/api/runs/${run}/log`)).text || say("web.live.log_empty"); log.scrollTop = log.scrollHeight; } catch { /* shown again at the next round */ } }

    function take(event) {
      const kind = event.event;
      if (["stopped", "failed", "done"].includes(kind)) data.end = event;
      else if (data.end && event.attempt !== data.end.attempt) data.end = null;
      if (kind === "step") { data.step.push(event.step); data.loss.push(event.loss); data.last = event; data.reached = event.step; }
      // A step or a score after it says that an evaluation is over; the phase is told anew only now and then.
      if (["step", "eval"].includes(kind) && data.phase?.name === "evaluating") data.phase = { name: data.stage };
      if (kind === "resumed" || kind === "stopped") data.reached = event.step ?? data.reached;
      if (kind === "eval") data.evals.push(event);
      else if (kind === "baseline") data.baselines[event.key] = event;
      else if (kind === "sample") { data.before = data.samples; data.samples = event; }
      else if (kind === "plan") data.plan = event;
      else if (kind === "phase") { data.phase = event; data.first ||= event.name === "language"; if (event.name !== "evaluating") data.stage = event.name; }
      // Not every ending knows its step; it happened where the curve had come to.
      const at = kind === "failed" ? data.last?.step || event.step : event.step || data.last?.step;
      if (event.text) data.marks.push({ ...event, at: at || 0 });
    }

    function traces() {
      const evals = data.evals, best = evals.filter((e) => e.best).at(-1), name = data.metric ?? "loss";
      const own = name !== "loss";
      const all = [
        { x: data.step, y: data.loss, name: say("web.live.train_loss"), mode: "lines", line: { color: colour("series-1"), width: 1.6 } },
        { x: evals.map((e) => e.step), y: evals.map((e) => e.loss), name: say("web.live.validation_loss"), mode: "lines+markers", line: { color: colour("series-2"), width: 2.4, dash: "dot" }, marker: { size: 6, symbol: "diamond" } }];
      if (own) all.push({ x: evals.map((e) => e.step), y: evals.map((e) => e.metrics[name]), name: metric(name), mode: "lines+markers", yaxis: "y2", line: { color: colour("series-3"), width: 2.6 }, marker: { size: 7 } });
      all.push({ x: best ? [best.step] : [], y: best ? [own ? best.metrics[name] : best.loss] : [], name: say("web.live.best"), mode: "markers", yaxis: own ? "y2" : "y", marker: { size: 14, symbol: "star", color: colour("amber") } });
      return all;
    }
    function frame() {
      const own = data.metric && data.metric !== "loss";
      const shapes = [], notes = [];
      const dashes = { majority: "dot", rules: "dashdot", tfidf: "dash", base: "dash" };
      for (const [key, line] of Object.entries(data.baselines)) {
        shapes.push({ type: "line", xref: "paper", x0: 0, x1: 1, yref: own ? "y2" : "y", y0: line.score, y1: line.score, line: { color: colour("amber"), width: key === "tfidf" || key === "base" ? 2 : 1, dash: dashes[key] ?? "dash" } });
        notes.push({ xref: "paper", x: 1, xanchor: "right", yref: own ? "y2" : "y", y: line.score, yanchor: "bottom", showarrow: false, text: `${say("ladder." + key)}${line.by_hand ? " " + say("web.report.by_hand") : ""} ${score(line.metric, line.score)}`, font: { size: 11, color: colour("amber") } });
      }
      for (const mark of data.marks.filter((m) => m.flag || (m.at && m.event !== "checkpoint")).slice(-24)) {
        const bad = mark.flag === "bad", ink = colour(bad ? "red" : "muted");
        shapes.push({ type: "line", x0: mark.at, x1: mark.at, yref: "paper", y0: 0, y1: 1, line: { color: ink, width: 1, dash: "dot" } });
        // What happened is read where it happened, too: the sentence hangs on the flag, all of one step on one flag.
        if (!mark.flag) continue;
        const there = notes.find((note) => note.hovertext && note.x === mark.at), said = wrapped(mark.text, 64);
        if (!there) notes.push({ x: mark.at, yref: "paper", y: 1, yanchor: "bottom", showarrow: false, text: bad ? "⚑" : "▸", hovertext: said, font: { size: 13, color: ink } });
        else { there.hovertext += "<br>" + said; if (bad) { there.text = "⚑"; there.font.color = ink; } }
      }
      const total = data.plan?.steps;
      return layout({ uirevision: run, height: 430, shapes, annotations: notes,
        xaxis: { title: { text: say("web.live.steps") }, anchor: own ? "y2" : "y", range: drawn ? undefined : [0, Math.max(total || 10, data.step.at(-1) ?? 0) * 1.02], autorange: !drawn && !total ? true : undefined },
        yaxis: { title: { text: say("web.live.loss") }, domain: own ? [0.5, 1] : [0, 1], rangemode: "tozero" },
        ...(own ? { yaxis2: { title: { text: metric(data.metric) }, domain: [0, 0.42], range: [0, 1.02], anchor: "x" } } : {}) });
    }
    async function draw(reset) {
      if (!data.step.length && !data.evals.length && !Object.keys(data.baselines).length && !data.marks.some((m) => m.flag)) { if (reset && drawn) { (await plotly()).purge(chart); drawn = false; } return; }
      const engine = await plotly();
      const wanted = frame();
      if (drawn) delete wanted.xaxis.range;  // a zoom the person chose is theirs
      await engine.react(chart, traces(), wanted, PLOT);
      drawn = true;
    }
    window.addEventListener("studio:shade", () => { if (run && drawn) draw(true); });

    function showActs() {
      const id = run, over = OVER.includes(view.state), parts = [];
      if (!over) {
        parts.push(button(say(view.state === "queued" ? "web.live.unqueue" : "web.live.stop"), async () => { await post(`/api/runs/${id}/stop`, { keep: "last" }); }, ".warn"));
        if (data.evals.length && view.state === "running") parts.push(button(say("web.live.stop_best"), async () => { await post(`/api/runs/${id}/stop`, { keep: "best" }); }));
      }
      if (over && view.can_resume) parts.push(button(say("web.live.resume"), async () => { await post(`/api/runs/${id}/resume`); }, ".main"));
      if (view.can_play) parts.push(button(say(over ? "web.live.try" : "web.live.try_simple"), () => open({ tab: "playground", run: id }), over ? ".main" : ""));
      if (view.has_report) parts.push(button(say("web.live.mistakes"), () => open({ tab: "evaluate", run: id })));
      if (view.can_download) parts.push(downloading(id));
      if (over) parts.push(button(say("web.live.another"), () => open({ run: "" })));
      const key = JSON.stringify([id, view.state, view.can_play, view.can_download, view.has_report, data.evals.length > 0]);
      if (acts.dataset.key !== key) { acts.dataset.key = key; fill(acts, parts); }
    }
    const once = (node, key, make) => { if (node.dataset.drawn !== key) { node.dataset.drawn = key; fill(node, make()); } };
    function show() {
      title.textContent = view.name;
      if (state.dataset.state !== view.state) { state.dataset.state = view.state; fill(state, chip(view.state)); }
      sub.textContent = view.about;
      status.textContent = view.status;
      showActs();
      const over = OVER.includes(view.state), total = data.plan?.steps, done = data.reached;
      // Of fetching a share: what is unpacked counts as well, so its bytes are more than the download that was promised.
      const count = (phase) => !phase?.total ? "" : phase.name === "fetching" ? ` ${Math.floor(100 * phase.done / phase.total)} %` : ` ${number(phase.done, 0)} / ${number(phase.total, 0)}`;
      // A run that waits anew has not begun yet, whatever its last attempt told; one that was stopped came no further than its steps.
      const waits = ["queued", "admitted"].includes(view.state) || (!over && data.end && view.state === "starting");
      const STAGES = stages(data.first || view.language_first);
      const short = ["stopped", "stopping"].includes(view.state) && total && done < total;
      const stage = waits ? "queued" : short ? "training" : data.stage ?? "queued", at = view.state === "done" ? STAGES.length : STAGES.indexOf(stage);
      const steps = total ? ` ${number(done, 0)} / ${number(total, 0)}` : "";
      const inside = !over && !waits && data.phase?.name === "evaluating" ? ` · ${say("phase.evaluating")}${count(data.phase)}` : "";
      fill(phases, STAGES.map((p, i) => h("span", { class: i < at ? "past" : i === at && !over ? "now" : "" }, (i < at ? "✓ " : "") + say("phase." + p) + (i !== at ? "" : (p === "training" ? steps : over || waits || inside ? "" : count(data.phase)) + inside))));
      const share = view.state === "done" ? 1 : total && done ? Math.min(1, done / total) : over || waits || !data.phase?.total || data.phase.name === "evaluating" ? 0 : data.phase.done / data.phase.total;
      meter.style.width = 100 * share + "%"; bar.setAttribute("aria-valuenow", Math.round(100 * share));
      const last = data.last;
      tiles.step.value.textContent = total ? `${done} / ${total}` : done || "–";
      tiles.epoch.value.textContent = last ? number(last.epoch, 1) : "–";
      tiles.left.value.textContent = over ? "–" : duration(view.seconds_left);
      tiles.speed.value.textContent = last ? say("web.live.rows_s", { n: number(last.rate, 1) }) : "–";
      tiles.rate.value.textContent = last ? Number(last.learning_rate).toExponential(1) : "–";
      tiles.gradient.value.textContent = last?.gradient_norm === null || !last ? "–" : number(last.gradient_norm, 2);
      tiles.memory.value.textContent = last ? bytes(last.memory) : "–";
      tiles.loss.value.textContent = last?.loss === null || !last ? "–" : number(last.loss, 3);
      const advice = view.coach;
      if (advice) {
        coach.className = "coach " + (advice.tone ?? "");
        const key = JSON.stringify(advice);
        if (coach.dataset.key !== key) { coach.dataset.key = key; fill(coach, h("div.say", {}, advice.text), advice.evidence ? h("small.muted", {}, advice.evidence) : null, advice.action ? h("div.ask", { style: { marginTop: "8px" } }, button(advice.action_label, () => act(advice.action), ".small")) : null); }
      }
      coach.style.display = advice ? "" : "none";
      once(failure, JSON.stringify([run, view.failure]), () => [view.failure ? h("div.banner.bad", { role: "alert" }, h("b", {}, view.failure[0]), h("span", {}, view.failure.slice(1).join(" "))) : null]);
      document.title = over ? `${say("state." + view.state)} – ${view.name}` : `${Math.round(100 * share)} % ${data.evals.length && data.metric ? "– " + metric(data.metric) + " " + score(data.metric, data.metric === "loss" ? data.evals.at(-1).loss : data.evals.at(-1).metrics[data.metric]) : ""} – ${view.name}`;
      const names = { label: say("web.live.truth"), before: say("web.live.start_answer") };
      if (data.samples) once(samples, run + data.samples.step, () => [h("h2", {}, say("web.live.samples")), h("div.scroll", {}, h("table.cardy", {}, h("thead", {}, h("tr", {}, [say("web.col.text"), names.label, say("web.live.answer")].map((t) => h("th", {}, t)))), h("tbody", {}, data.samples.rows.map((row, i) => {
        const old = data.before?.rows?.[i];
        const turned = old && old.right === false && row.right === true;
        return h("tr", { class: turned ? "flash" : "" }, h("td.text", {}, row.text), h("td.text", { "data-label": names.label }, row.truth), h("td.text", { "data-label": say("web.live.answer") }, row.right === null || row.right === undefined ? row.answer : h("span.chip", { class: row.right ? "good" : "bad" }, (row.right ? "✓ " : "✗ ") + row.answer)));
      }))))]);
      else once(samples, run, () => []);
      once(timeline, run + data.marks.length, () => data.marks.slice().reverse().map((m) => h("div", { class: "mark", "data-event": m.event }, clock(m.time), " ", m.text)));
      fill(decisions, (data.plan?.decisions ?? []).map((d) => h("p", {}, h("b", {}, d.label ?? d.name), " ", String(d.value), " ", h("span.reason", {}, d.text ?? ""))));
    }
    async function act(action) {
      if (action === "stop_best") await post(`/api/runs/${run}/stop`, { keep: "best" });
      else if (action === "stop") await post(`/api/runs/${run}/stop`, { keep: "last" });
      else if (action === "use_simple") open({ tab: "playground", run, with: "simple" });
      else if (action === "add_rows") open({ tab: "data", data: view.data });
      else {
        // A run whose rate is wrong only keeps the better one waiting.
        if (action.endsWith("_rate") && !OVER.includes(view.state)) await post(`/api/runs/${run}/stop`, { keep: "best" });
        open({ tab: "train", run: await again(run, action) }); toast(say("web.live.again_started"));
      }
    }
    async function pull() {
      if (!run) return;
      const mine = generation;
      const reply = await get(`/api/runs/${encodeURIComponent(run)}/live?cursor=${encodeURIComponent(cursor)}`).catch((error) => { if (error.status === 404 || error.status === 400) { run = ""; generation++; document.querySelector("#train-form")?.classList.remove("folded"); fill(root, h("p.banner", {}, error.message)); return null; } status.textContent = say("web.live.reconnecting"); throw error; });
      if (!reply || mine !== generation) return;
      if (reply.reset) data = fresh();
      cursor = reply.cursor; view = reply.run; data.metric = view.metric;
      reply.events.forEach(take);
      // Rules that a person has edited are scored anew, while it learns or later: their line moves.
      const moved = view.edited && data.baselines[view.edited.key]?.score !== view.edited.score;
      if (view.edited) data.baselines[view.edited.key] = { ...view.edited, by_hand: true };
      if (reply.settings) fill(settings, reply.settings.map((part) => h("div", {}, h("h3", {}, part.title), h("table", {}, h("tbody", {}, part.rows.map(([name, value]) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, value))))))));
      show();
      if (reply.reset || reply.events.length || moved) await draw(reply.reset);
      if (logOpen) tail();
    }
    const tick = every(root, 1000, pull);
    fill(root, nothing);
    return {
      address({ run: wanted }) {
        if (wanted === run) return;
        run = wanted; cursor = ""; generation++; data = fresh(); view = null; acts.dataset.key = "";
        if (drawn) { window.StudioPlotly?.purge(chart); drawn = false; }
        fill(root, run ? body : nothing);
        document.querySelector("#train-form")?.classList.toggle("folded", Boolean(run));
        if (run) pull().catch(() => {});
      },
    };
  };
})();
