// How a model reads the data: lengths in its tokens with the cut-off, and a text as it is cut.
(() => {
  const { kinds, h, fill, say, post, notice, layout, plotly, colour, PLOT } = window.studio;

  const spaces = (text) => text.replace(/^\s+|\s+$/g, (blank) => "·".repeat(blank.length));
  function piece([text, token, added, known, part], beyond) {
    const title = say("web.tokens." + (added ? "added" : beyond ? "beyond" : "unknown"), { token });
    return h("span.piece", { class: added ? "added" : [known ? "" : "unknown", beyond ? "beyond" : ""].join(" "), title: added || beyond || !known ? title : token }, spaces(text) || token, part ? h("small", {}, part) : null);
  }

  async function bars(node, told) {
    const engine = await plotly();
    const line = { type: "line", x0: told.cut, x1: told.cut, yref: "paper", y0: 0, y1: 1, line: { color: colour("red"), width: 2, dash: "dash" } };
    const last = told.bins.at(-1)[1], right = told.cut > last / 2;
    const note = { x: told.cut, xanchor: right ? "right" : "left", y: 1, yref: "paper", yanchor: "top", showarrow: false, text: say(told.windows > 1 ? "web.tokens.part_here" : "web.tokens.cut_here", { tokens: told.cut }), font: { color: colour("red"), size: 12 }, xshift: right ? -4 : 4 };
    // The last bin also holds a few giants; it is drawn as wide as the others.
    const wide = told.bins[0][1] - told.bins[0][0];
    await engine.newPlot(node, [{ type: "bar", x: told.bins.map(([low]) => low + wide / 2), width: told.bins.map(() => wide), y: told.bins.map((bin) => bin[2]), customdata: told.bins.map(([low, high]) => `${Math.ceil(low)}–${Math.floor(high)}`), marker: { color: told.bins.map(([low]) => colour(low >= told.cut ? "muted" : "accent")), line: { color: colour("card"), width: 1 } }, hovertemplate: "%{customdata}: %{y}<extra></extra>" }],
      layout({ height: 240, hovermode: "closest", margin: { t: 8, r: 8, b: 40, l: 44 }, xaxis: { title: { text: say("web.tokens.tokens") }, rangemode: "tozero" }, yaxis: { title: { text: say("web.data.rows") } }, shapes: [line], annotations: [note] }), { ...PLOT, displayModeBar: false });
  }

  kinds.reading = (root) => {
    let value = null, told = null, model = "", turn = 0, waiting = 0;
    const chart = h("div", { role: "img" }), shown = h("div", { role: "status" });
    const box = h("textarea", { id: "tokens-text", rows: 3, maxlength: 4000, oninput: () => { clearTimeout(waiting); waiting = setTimeout(() => cut().catch(notice), 400); } });

    async function cut() {
      const mine = ++turn;
      if (!told?.model || !box.value.trim()) return fill(shown);
      const found = await post("/api/pieces", { model: told.model, text: box.value });
      if (mine !== turn) return;
      const after = found.pieces.length - 1 - found.pieces.findLastIndex((one) => !one[2]);
      // A row that is read in several parts loses nothing here.
      const beyond = (place) => told.windows < 2 && found.pieces.length > told.cut && place >= told.cut - after;
      fill(shown, h("p.muted", {}, found.line), h("div.pieces", { dir: "auto" }, found.pieces.map((one, place) => piece(one, beyond(place)))),
        found.words.length ? [h("h3", {}, say("web.tokens.words")), h("div.pieces", {}, found.words.map((word) => h("span.piece", {}, word)))] : null);
    }
    async function ask() {
      const asked = value;
      const next = await post(`/api/data/${encodeURIComponent(asked.version)}/tokens`, { ...asked.use, model });
      if (value !== asked) return;
      told = next;
      if (!told.models.length) return fill(root, h("h2", {}, say("web.tokens.title")), h("p.muted", {}, told.line));
      const select = h("select", { id: "tokens-model", onchange: () => { model = select.value; ask().catch(notice); } }, told.models.map(([id, title]) => h("option", { value: id, selected: id === told.model }, title)));
      fill(root, h("h2", {}, say("web.tokens.title")),
        h("div.half", {},
          h("div", {}, h("div.field.stacked", {}, h("label", { for: "tokens-model" }, say("web.tokens.model")), select), h("p", {}, told.line), told.bins.length ? [h("h3", {}, say("web.tokens.lengths")), chart] : null),
          h("div", {}, h("div.field.stacked", {}, h("label", { for: "tokens-text" }, say("web.tokens.text")), box, h("small.muted", {}, say("web.tokens.text_help"))), shown)));
      if (!box.value || box.dataset.of !== asked.version) { box.value = told.text.slice(0, 400); box.dataset.of = asked.version; }
      chart.setAttribute("aria-label", told.line);
      if (told.bins.length) await bars(chart, told);
      await cut();
    }
    window.addEventListener("studio:shade", () => { if (told?.bins?.length && chart.isConnected) bars(chart, told); });
    return { update(next) {
      const same = next && value && JSON.stringify(next) === JSON.stringify(value);
      value = next;
      if (!value) { told = null; return fill(root); }
      if (!same) ask().catch((error) => { fill(root); notice(error); });
    } };
  };
})();
