// Labels that look wrong: rows with the label they may have instead, each accepted or turned down, saved as one step.
(() => {
  const { bring, h, fill, say, percent, number, button, open, post, notice } = window.studio;
  const SHOWN = 20;
  // What was found and decided is kept while the Data tab is drawn again for the same data and columns.
  const known = new Map();
  let wanted = "";

  // From a report: the Data tab opens on that version and looks at once.
  window.studio.doubtOn = (data) => {
    wanted = data;
    open({ tab: "data", data, run: "" });
    window.dispatchEvent(new Event("studio:doubts"));
  };

  function section(value) {
    const { able, title } = value.doubts;
    const about = h("p.muted", {}, title), place = h("div"), accepted = new Map(), gone = new Set();
    let told = null, all = false;
    const look = window.studio.working(say("web.doubts.look"), async (tell) => {
      told = await window.studio.work(value.version, "doubts", value.use, tell);
      about.textContent = told.title;
      draw();
    }, ".small");
    look.id = "doubts-look";

    function row(one) {
      const taken = accepted.has(one.row);
      const take = button(say(taken ? "web.doubts.take_back" : "web.doubts.accept"), () => { if (taken) accepted.delete(one.row); else accepted.set(one.row, one.suggested); draw(); }, taken ? ".small" : ".small.main");
      const deny = taken ? null : button(say("web.doubts.reject"), async () => { await post(`/api/data/${encodeURIComponent(value.version)}/doubts/reject`, { ...value.use, row: one.row }); gone.add(one.row); draw(); }, ".small");
      return h("tr", { class: taken ? "edited" : "", "data-row": one.row },
        h("td.num.muted", {}, number(one.row)), h("td.text", {}, one.text),
        h("td", {}, taken ? h("del", {}, one.label) : one.label, " → ", h("b", {}, one.suggested), h("div", {}, h("small.muted", {}, say("web.doubts.sure", { sure: percent(one.sure), given: percent(one.given) }), " · ", h("span.whole", {}, say("web.doubts.by_" + one.by))))),
        h("td", {}, h("div.ask", {}, take, deny)));
    }
    function bar(left) {
      const edits = [...accepted].map(([number, label]) => [`${number}:${value.label}`, label]);
      const save = edits.length ? window.studio.working(say("web.doubts.save", { n: edits.length }), (tell) => window.studio.mend(value, [{ step: "set_cells", options: { edits } }], tell), ".small.main") : null;
      if (save) save.id = "doubts-save";
      const open = left.filter((one) => !accepted.has(one.row));
      return h("div.ask", {}, save, open.length > 1 ? button(say("web.doubts.accept_all", { n: open.length }), () => { for (const one of open) accepted.set(one.row, one.suggested); draw(); }, ".small") : null);
    }
    function draw() {
      const left = told.doubts.filter((one) => !gone.has(one.row)), shown = all ? left : left.slice(0, SHOWN);
      fill(place, h("p", { role: "status" }, told.line), left.length ? bar(left) : null,
        shown.length ? h("div.scroll", { tabindex: 0 }, h("table.cardy", {}, h("thead", {}, h("tr", {}, ["row", "text", "label"].map((name) => h("th", {}, say("web.doubts." + name))), h("th"))), h("tbody", {}, shown.map(row)))) : null,
        left.length > shown.length ? button(say("web.doubts.more", { n: left.length - shown.length }), () => { all = true; draw(); }, ".small") : null);
    }
    const node = h("section.doubts", { id: "data-doubts" }, h("h3", {}, say("web.doubts.title")), about, able ? h("div.ask", {}, look) : null, place);
    return { node, asked() {
      if (wanted !== value.version || !node.isConnected) return;
      wanted = "";
      bring(node);
      if (able) look.click();  // also again: a run may have answered since
    } };
  }

  // The section for what the Data tab shows; the same one as long as data, columns and run are the same.
  window.studio.doubts = (value) => {
    if (!value?.doubts || !value.label) return null;
    const key = JSON.stringify([value.version, value.use.task, value.use.columns, value.doubts.run]);
    if (!known.has(key)) { known.clear(); known.set(key, section(value)); }
    const made = known.get(key);
    setTimeout(made.asked, 0);
    return made.node;
  };
  window.addEventListener("studio:doubts", () => { for (const made of known.values()) setTimeout(made.asked, 300); });
})();
