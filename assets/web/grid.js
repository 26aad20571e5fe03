// The grid of rows: pages, order, filter, and cells that are corrected where they stand and saved as one step.
(() => {
  const { kinds, h, fill, say, button, number } = window.studio;
  const ALL = "";

  kinds.grid = (root, props, trigger) => {
    let now = null, data = "";
    // "12:label" -> { before, after }: corrections that are not saved yet, also of rows on other pages.
    const edits = new Map();
    const go = (changes) => trigger("click", { ...now.view, ...changes });
    const turn = (name, move, end) => { const node = button(say("web.data." + name), () => go({ number: now.view.number + move }), ".small"); node.id = "data-" + name; node.disabled = end; return node; };

    function filter() {
      if (!now.filters.length) return null;
      const { column, value } = now.view, node = h("select", { id: "data-filter", "aria-label": say("web.data.filter") }, h("option", { value: ALL }, say("web.data.filter_all")));
      for (const [name, values] of now.filters) node.append(h("optgroup", { label: name }, values.map((one) => h("option", { value: JSON.stringify([name, one]), selected: name === column && one === value }, one))));
      node.addEventListener("change", () => { const [name, one] = node.value === ALL ? ["", ""] : JSON.parse(node.value); go({ column: name, value: one, number: 0 }); });
      return node;
    }
    function heading(column) {
      const { sort, falling } = now.view, mine = sort === column;
      const next = !mine ? { sort: column, falling: false } : falling ? { sort: "", falling: false } : { sort: column, falling: true };
      return h("th", { "aria-sort": mine ? (falling ? "descending" : "ascending") : "none" }, h("button.plain.sort", { type: "button", title: say("web.data.sort"), onclick: () => go({ ...next, number: 0 }) }, column, h("span", { "aria-hidden": "true" }, mine ? (falling ? " ▼" : " ▲") : "")));
    }
    const shown = (text) => text === null ? h("span.muted", {}, "∅") : text.length > 400 ? h("details", {}, h("summary", {}, text.slice(0, 200) + "…"), text) : text;
    function cell(row, column, text) {
      const key = `${row.n}:${column}`, node = h("td.text", { "data-cell": key, "data-label": column });
      const draw = () => {
        const edit = edits.get(key);
        node.classList.toggle("edited", Boolean(edit));
        fill(node, !edit && row.marked?.column === column ? window.studio.marked(row.marked.text, row.marked.entities) : shown(edit ? edit.after || null : text), h("button.plain.edit", { type: "button", "aria-label": say("web.data.edit_cell", { row: row.n, column }), title: say("web.data.edit"), onclick: open }, "✎"));
      };
      function open() {
        const id = "edit-" + Math.random().toString(36).slice(2), values = now.filters.find(([name]) => name === column)?.[1] ?? [];
        const area = h("textarea", { rows: Math.min(8, 1 + Math.floor((text ?? "").length / 60)), "aria-label": say("web.data.edit_cell", { row: row.n, column }) });
        area.value = edits.get(key)?.after ?? text ?? "";
        // A label is chosen from those there are, or written anew.
        const pick = values.length ? h("div.ask", { id }, values.slice(0, 12).map((one) => button(one, () => { area.value = one; keep(); }, ".small"))) : null;
        const keep = () => { if (area.value === (text ?? "")) edits.delete(key); else edits.set(key, { before: text ?? "", after: area.value }); draw(); bar(); node.querySelector("button")?.focus(); };
        area.addEventListener("keydown", (event) => { if (event.key === "Escape") { draw(); node.querySelector("button")?.focus(); } if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); keep(); } });
        fill(node, area, pick, h("div.ask", {}, button(say("web.data.keep_edit"), keep, ".small"), button(say("web.data.cancel"), draw, ".small")));
        area.focus();
      }
      draw();
      return node;
    }
    const saving = h("div", { role: "status" });
    function bar() {
      if (!edits.size) return fill(saving);
      const save = button(say("web.data.save_edits", { n: edits.size }), async () => {
        const pairs = [...edits].map(([where, edit]) => [where, edit.after]);
        await window.studio.mend({ version: data, use: window.studio.use?.(data) ?? {} }, [{ step: "set_cells", options: { edits: pairs } }]);
        edits.clear();
      }, ".main.small");
      save.id = "data-save-edits";
      fill(saving, h("div.ask.edits", {}, save, button(say("web.data.drop_edits"), () => { edits.clear(); update(now); }, ".small")));
    }
    function update(value) {
      if (!value) { now = null; edits.clear(); return fill(root); }
      if (value.data !== data) { edits.clear(); data = value.data; }
      now = value;
      bar();
      fill(root, h("div.pager", {}, turn("previous", -1, value.first), h("span.muted", { role: "status" }, value.line), turn("next", 1, value.last), filter()), saving,
        h("div.scroll", { tabindex: 0 }, h("table.cardy", {}, h("thead", {}, h("tr", {}, h("th.num", {}, "#"), value.columns.map(heading))), h("tbody", {}, value.rows.map((row) => h("tr", {}, h("td.num.muted", {}, number(row.n)), row.cells.map((text, place) => cell(row, value.columns[place], text))))))));
    }
    return { update };
  };

  // What augmentation would add: rows and their copies, and which kinds cannot be used here.
  kinds.augmented = (root) => ({ update(value) {
    if (!value) return fill(root);
    fill(root, value.line ? h("p", { role: "status" }, value.line) : null,
      value.pairs?.length ? h("div.pairs", {}, value.pairs.map((one) => h("div.pair", {}, h("small.muted", {}, one.label), h("div", {}, one.before), h("div.came", {}, one.after)))) : null,
      value.reasons.map(([kind, why]) => h("p.reason", { "aria-disabled": "true" }, h("b", {}, kind), " – ", why)));
  } });
})();
