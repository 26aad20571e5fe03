// Runs tab: what have I tried?
(() => {
  const { kinds, h, fill, say, get, post, open, every, chip, button, ago, duration, metric, score, layout, plotly, plain, again, downloading, PLOT, colour, toast } = window.studio;

  kinds.runs = (root) => {
    let filter = "", picked = new Set(), runs = [], key = "", binned = false, naming = false;
    const search = h("input", { type: "search", placeholder: say("web.runs.search"), "aria-label": say("web.runs.search"), style: { font: "inherit", padding: "7px 12px", borderRadius: "8px", border: "1px solid var(--line)", background: "var(--card)", color: "var(--ink)", width: "min(360px, 100%)" } });
    search.addEventListener("input", () => { filter = search.value.toLowerCase(); table(); });
    const bin = h("label.muted", {}, h("input", { type: "checkbox", onchange: (e) => { binned = e.target.checked; key = ""; tick(); } }), " ", say("web.runs.deleted"));
    const compare = button(say("web.runs.overlay"), overlay), list = h("div.scroll"), chart = h("div", { style: { display: "none" } });
    fill(root, h("div.ask", { style: { marginBottom: "8px", alignItems: "center" } }, search, compare, bin), chart, list);

    // The new name is typed where the old one stands: Enter or leaving the field keeps it, Escape does not.
    function rename(run, place) {
      const field = h("input", { value: run.name, "aria-label": say("web.runs.rename_to"), maxlength: 120, style: { font: "inherit", width: "100%", minWidth: "140px", padding: "2px 6px", borderRadius: "6px", border: "1px solid var(--accent)", background: "var(--card)", color: "var(--ink)" } });
      let over = false;
      const end = async (keep) => {
        if (over) return;
        over = true; naming = false;
        const name = field.value.trim();
        try { if (keep && name && name !== run.name) await post(`/api/runs/${run.id}/rename`, { name }); } catch (error) { window.studio.notice(error); }
        key = ""; await tick();
      };
      field.addEventListener("keydown", (event) => { if (event.isComposing) return; if (event.key === "Enter") end(true); if (event.key === "Escape") end(false); });
      field.addEventListener("blur", () => end(true));
      naming = true;
      fill(place, field);
      field.focus(); field.select();
    }
    async function remove(run) {
      await post(`/api/runs/${run.id}/delete`); key = ""; await tick();
      toast(say("web.runs.removed", { name: run.name }), say("web.runs.undo"), async () => { await post(`/api/runs/${run.id}/restore`); key = ""; await tick(); });
    }
    function acts(run) {
      if (run.deleted) return button(say("web.runs.restore"), async () => { await post(`/api/runs/${run.id}/restore`); key = ""; await tick(); }, ".small");
      const over = !["queued", "admitted", "starting", "running", "stalled", "stopping"].includes(run.state);
      return h("div.ask", {},
        run.has_report ? button(say("web.runs.report"), () => open({ tab: "evaluate", run: run.id }), ".small") : null,
        run.can_play ? button(say("web.runs.try"), () => open({ tab: "playground", run: run.id }), ".small") : null,
        run.can_download ? downloading(run.id, "", ".small") : null,
        run.can_resume ? button(say("web.live.resume"), async () => { await post(`/api/runs/${run.id}/resume`); open({ tab: "train", run: run.id }); }, ".small") : null,
        button(say("web.runs.change"), () => open({ tab: "train", run: "", data: run.data, from: run.id }), ".small"),
        over ? button(say("web.runs.again"), async () => open({ tab: "train", run: await again(run.id) }), ".small") : button(say(run.state === "queued" ? "web.live.unqueue" : "web.live.stop"), () => post(`/api/runs/${run.id}/stop`, { keep: "last" }), ".small.warn"),
        button(say("web.runs.rename"), (node) => rename(run, node.closest("tr").querySelector(".called")), ".small"),
        over ? button(say("web.runs.delete"), () => remove(run), ".small.warn") : null);
    }
    function table() {
      const shown = runs.filter((r) => !filter || [r.name, r.data_name, r.model, r.method_title, r.owner_name, say("state." + r.state)].join(" ").toLowerCase().includes(filter));
      if (!runs.length) return fill(list, h("p.muted", {}, binned ? say("web.runs.bin_empty") : say("web.runs.none")));
      const head = ["", "name", "state", "data", "model", "method", "score", "time", "owner", "created", ""].map((t) => h("th", { class: t === "score" || t === "time" ? "num" : "", title: t === "score" ? say("web.runs.on_test") : "" }, t ? say("web.col." + t) : ""));
      const cell = (name, tag, ...inside) => h(tag, name ? { "data-label": say("web.col." + name) } : {}, inside);
      fill(list, h("table.cardy.runs", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, shown.map((run) => h("tr", {},
        cell("", "td.tick", h("input", { type: "checkbox", "aria-label": say("web.runs.pick", { name: run.name }), checked: picked.has(run.id), onchange: (e) => { e.target.checked ? picked.add(run.id) : picked.delete(run.id); } })),
        cell("", "td.text.called", h("button.plain", { type: "button", onclick: () => open({ tab: "train", run: run.id }) }, run.name)),
        cell("state", "td", chip(run.state), run.position ? h("small", {}, " " + window.studio.place(run)) : null), cell("data", "td.text", run.sample ? run.data_name : h("button.plain", { type: "button", title: say("web.runs.data_open"), onclick: () => open({ tab: "data", data: run.data, run: "" }) }, run.data_name)), cell("model", "td", run.model_title), cell("method", "td", run.method_title),
        cell("score", "td.num", run.score === null ? "–" : [score(run.metric, run.score), " ", h("small.muted.metric", {}, metric(run.metric))]), cell("time", "td.num", duration(run.seconds)), cell("owner", "td", run.owner_name), cell("created", "td", ago(run.created)), cell("", "td.acts", acts(run)))))));
    }
    async function overlay() {
      const ids = [...picked].filter((id) => runs.some((r) => r.id === id));
      if (!ids.length) { chart.style.display = "none"; toast(say("web.runs.pick_some")); return; }
      const { curves } = await get("/api/overlay?runs=" + ids.join(","));
      chart.style.display = "";
      const engine = await plotly(), dashes = ["solid", "dash", "dot", "dashdot", "longdash"], colours = ["series-1", "series-2", "series-3", "ink", "muted"];
      // Scores of different kinds share no axis: each main metric gets a panel below that of the training loss.
      const metrics = [...new Set(curves.map((c) => c.metric))], panels = 1 + metrics.length, gap = 0.1, each = (1 - gap * (panels - 1)) / panels;
      const domain = (panel) => [1 - each - panel * (each + gap), 1 - panel * (each + gap)].map((at) => Math.max(0, at));
      const lines = curves.flatMap((c, i) => {
        const look = { name: plain(c.name), legendgroup: String(i), line: { dash: dashes[i % 5], color: colour(colours[i % 5]), width: 2 } };
        return [{ ...look, x: c.step, y: c.loss, mode: "lines" }, { ...look, x: c.eval_step, y: c.eval_score, mode: "lines+markers", yaxis: "y" + (metrics.indexOf(c.metric) + 2), showlegend: false }];
      });
      const axes = Object.fromEntries(metrics.map((name, i) => ["yaxis" + (i + 2), { domain: domain(i + 1), title: { text: name === "loss" ? say("web.live.validation_loss") : say("web.runs.on_validation", { metric: metric(name) }) } }]));
      await engine.react(chart, lines, layout({ height: 210 * panels, hovermode: "closest", xaxis: { title: { text: say("web.live.steps") }, anchor: "y" + panels }, yaxis: { domain: domain(0), title: { text: say("web.live.train_loss") } }, ...axes }), PLOT);
    }
    const tick = every(root, 2500, async () => {
      const reply = await get("/api/runs" + (binned ? "?deleted=1" : ""));
      const next = JSON.stringify(reply.runs, (name, value) => (name === "seconds" || name === "expected_start" ? undefined : value));
      if (next === key || naming) return;  // an unchanged list is left alone, so that focus and ticks stay
      key = next; runs = reply.runs; table();
    });
  };
})();
