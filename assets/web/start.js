// Header and Start tab: where do I begin?
(() => {
  const { kinds, h, fill, say, get, post, open, every, chip, button, ago, score, metric } = window.studio;

  kinds.header = (root) => {
    const device = h("span.badge"), queue = h("span.badge", { role: "status" }), who = h("span.badge.who");
    // A plain form: the server answers with the login page, and the browser goes there.
    const leave = h("form", { method: "post", action: "/logout", hidden: true }, h("button", { type: "submit" }, say("web.header.logout")));
    const language = h("select", { "aria-label": say("web.header.language") });
    for (const [key, name] of [["en", "English"], ["zh", "中文"]]) language.append(h("option", { value: key, selected: window.STUDIO.lang === key }, name));
    language.addEventListener("change", () => { location.href = "/" + language.value + "/" + location.search; });
    const shade = h("button", { type: "button", "aria-label": say("web.header.shade") }, "◐");
    shade.addEventListener("click", () => {
      const dark = !document.body.classList.contains("dark");
      document.body.classList.toggle("dark", dark);
      localStorage.setItem("studio-shade", dark ? "dark" : "light");
      window.dispatchEvent(new Event("studio:shade"));
    });
    const kept = localStorage.getItem("studio-shade");
    if (kept && !new URLSearchParams(location.search).get("__theme")) document.body.classList.toggle("dark", kept === "dark");
    fill(root, h("div.top", {}, h("span.name", {}, h("b", {}, "●"), " ", say("web.name")), device, queue, h("span.grow"), who, leave, language, shade));
    window.addEventListener("studio:state", ({ detail: state }) => {
      device.textContent = state.device;
      leave.hidden = !state.named;
      queue.textContent = state.queue;
      queue.classList.toggle("live", state.running > 0);
      who.textContent = state.person;
      who.title = say("web.header.shared");
    });
    window.studio.beat();
  };

  function sampleCard(sample) {
    let nonce = window.studio.nonce();  // one press, one run, however often it arrives
    return h("div.card", {},
      h("h3", {}, sample.title), h("span.muted", {}, sample.blurb),
      h("div.rows", {}, sample.preview.map((row) => h("div", {}, h("q", { title: row.text }, row.text), h("span", { title: row.label }, row.label)))),
      h("div.foot", {},
        button(say("web.start.train"), async () => { const made = await post(`/api/samples/${sample.key}/train`, { nonce }); nonce = window.studio.nonce(); open({ tab: "train", run: made.run, data: made.data }); }, ".main"),
        button(say("web.start.look"), async () => { const made = await post(`/api/samples/${sample.key}/open`); open({ tab: "data", data: made.data, run: "" }); }),
        h("small.muted", {}, say("web.start.facts", sample))));
  }
  const runLine = (run) => h("tr", {},
    h("td.text", {}, h("button.plain", { type: "button", onclick: () => open({ tab: run.state === "done" ? "evaluate" : "train", run: run.id }) }, run.name)),
    h("td", {}, chip(run.state), run.progress ? " " + run.progress : ""), h("td.num", {}, run.score === null ? "" : `${metric(run.metric)} ${score(run.metric, run.score)}`),
    h("td", {}, run.owner_name), h("td", {}, ago(run.created)));

  kinds.start = (root) => {
    const cards = h("div.cards"), recent = h("div"), queue = h("div"), example = h("div");
    fill(root,
      h("div.two", {},
        h("div", {}, h("h2", {}, say("web.start.samples")), cards),
        h("div", {}, h("h2", {}, say("web.start.guide")), h("ol.steps", {}, [1, 2, 3, 4, 5].map((n) => h("li", {}, say("web.start.step" + n)))), example, h("h2", {}, say("web.start.queue")), queue)),
      h("h2", {}, say("web.start.recent")), recent);
    get("/api/samples").then(({ samples }) => fill(cards, samples.map(sampleCard))).catch(window.studio.notice);
    every(root, 2500, async () => {
      const { runs, queue: waiting, example: shown } = await get("/api/start");
      fill(recent, runs.length ? h("div.scroll", {}, h("table", {}, h("tbody", {}, runs.map(runLine)))) : h("p.muted", {}, say("web.start.none")));
      fill(queue, waiting.length ? h("div", {}, waiting.map((run) => h("p", {}, h("button.plain", { type: "button", onclick: () => open({ tab: "train", run: run.id }) }, run.name), " ", chip(run.state), h("span.muted", {}, run.position ? " " + window.studio.place(run) : "")))) : h("p.muted", {}, say("web.start.idle")));
      fill(example, shown ? h("div.banner.good", {}, h("b", {}, say("web.start.example")), h("p", {}, say("web.start.example_blurb")), button(say("web.start.example_open"), () => open({ tab: "evaluate", run: shown }))) : null);
    });
  };
})();
