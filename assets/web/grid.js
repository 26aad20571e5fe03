// The grid of rows: pages, order, filter, and cells that are corrected where they stand and saved as one step.
(() => {
  const { kinds, h, fill, say, button, number, open } = window.studio;
  const ALL = "", FEW = 30;

  let wanted = null;
  // From a report: the Data tab opens on that version and shows these rows alone.
  window.studio.rowsOn = (data, run, rows) => {
    wanted = { data, run, rows };
    open({ tab: "data", data, run: "" });
    window.dispatchEvent(new Event("studio:rows"));
  };

  kinds.grid = (root, props, trigger) => {
    let now = null, data = "";
    // "12:label" -> { before, after }: corrections that are not saved yet, also of rows on other pages.
    const edits = new Map();
    // Labels and types that nothing had before and that a person has asked for.
    const fresh = new Set();
    let later = null;
    // Rows that a report asked for, with what the model said of each.
    let only = null;
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
    const drawn = new Map();
    // A cell's correction; what it was before is none. `marks` are drawn in the text they belong to.
    function set(row, column, after, marks = null) {
      const before = row.cells[now.columns.indexOf(column)] ?? "", key = `${row.n}:${column}`;
      if (after === before) edits.delete(key); else edits.set(key, { before, after, marks });
      drawn.get(key)?.();
      bar();
    }
    const changed = (row) => Object.fromEntries(now.columns.filter((column) => edits.has(`${row.n}:${column}`)).map((column) => [column, edits.get(`${row.n}:${column}`).after]));
    // What the row marks is corrected in a line of its own below it.
    function mark(row, node) {
      const line = node.closest("tr"), use = window.studio.use(data), how = window.studio.editing(data);
      if (line.nextSibling?.classList?.contains("marking-row")) return line.nextSibling.remove();
      const place = h("td", { colspan: now.columns.length + 1 }), below = h("tr.marking-row", {}, place);
      const away = () => { below.remove(); node.querySelector(".edit")?.focus(); };
      line.after(below);
      window.studio.markRow(place, { version: data, use, row: row.n, cells: changed(row), kind: how.kind, fresh: [...fresh], away, keep(cells, marks, text, named) {
        for (const [column, cell] of Object.entries(cells)) set(row, column, cell, how.kind === "parts" ? { text, entities: marks } : null);
        for (const name of named) fresh.add(name);
        away();
      } });
    }
    // A label is chosen from those there are; a new one has to be asked for.
    function labels(row, column, text, choices, done) {
      const NEW = "\0new", value = edits.get(`${row.n}:${column}`)?.after ?? text ?? "", named = say("web.data.edit_cell", { row: row.n, column });
      const known = [...new Set([...choices, ...fresh, value])].filter(Boolean);
      const select = h("select", { "aria-label": named }, value ? null : h("option", { value: "", selected: true }, "∅"), known.map((one) => h("option", { value: one, selected: one === value }, one)), h("option", { value: NEW }, say("web.mark.other_label")));
      const other = h("input", { type: "text", maxlength: 200, "aria-label": say("web.mark.new_label"), placeholder: say("web.mark.new_label"), hidden: true });
      const keep = () => {
        const wanted = select.value === NEW ? other.value.trim() : select.value;
        if (!wanted) return (other.hidden ? select : other).focus();
        if (!choices.includes(wanted)) fresh.add(wanted);
        set(row, column, wanted);
        done();
      };
      select.addEventListener("change", () => { other.hidden = select.value !== NEW; if (!other.hidden) other.focus(); });
      return [[select, other, h("div.ask", {}, button(say("web.data.keep_edit"), keep, ".small"), button(say("web.data.cancel"), done, ".small"))], select, keep];
    }
    function plain(row, column, text, done) {
      const how = window.studio.editing?.(data), key = `${row.n}:${column}`, values = now.filters.find(([name]) => name === column)?.[1] ?? [];
      const area = h("textarea", { rows: Math.min(8, 1 + Math.floor((text ?? "").length / 60)), "aria-label": say("web.data.edit_cell", { row: row.n, column }) });
      area.value = edits.get(key)?.after ?? text ?? "";
      const keep = async () => {
        // Marks in a text move along with what is written before them.
        const moving = how?.text === column && area.value !== (edits.get(key)?.after ?? text ?? "");
        const cells = moving ? (await window.studio.post(`/api/data/${encodeURIComponent(data)}/row/write`, { ...window.studio.use(data), row: row.n, cells: changed(row), text: area.value })).cells : { [column]: area.value };
        const found = moving && how.kind === "parts" && cells[how.columns[0]] ? { text: area.value, entities: JSON.parse(cells[how.columns[0]]).map((one) => [one.start, one.end, one.type]) } : null;
        for (const [name, cell] of Object.entries(cells)) set(row, name, cell, name === column ? null : found);
        done();
      };
      const pick = values.length ? h("div.ask", {}, values.slice(0, 12).map((one) => button(one, () => { area.value = one; return keep(); }, ".small"))) : null;
      return [[area, pick, h("div.ask", {}, button(say("web.data.keep_edit"), keep, ".small"), button(say("web.data.cancel"), done, ".small"))], area, keep];
    }
    // The column that holds what is to be learnt, as far as it is known.
    const answers = () => { const how = window.studio.editing?.(data); return how?.column ?? how?.columns?.[0] ?? now.columns.at(-1); };
    function cell(row, column, text) {
      const key = `${row.n}:${column}`, node = h("td.text", { "data-cell": key, "data-label": column });
      const draw = () => {
        const edit = edits.get(key), marks = edit ? edit.marks : row.marked?.column === column ? row.marked : null;
        node.classList.toggle("edited", Boolean(edit));
        const told = only && column === answers() ? only.rows.find((one) => one.row === row.n - 1) : null;
        fill(node, marks ? window.studio.marked(marks.text, marks.entities) : shown(edit ? edit.after || null : text), h("button.plain.edit", { type: "button", "aria-label": say("web.data.edit_cell", { row: row.n, column }), title: say("web.data.edit"), onclick: begin }, "✎"), told ? h("div", {}, h("small.muted", {}, say("web.data.rows_said", { answer: told.answer || "∅" }))) : null);
      };
      function begin() {
        const how = window.studio.editing?.(data), done = () => { draw(); node.querySelector(".edit")?.focus(); };
        if (["parts", "answer"].includes(how?.kind) && how.columns.includes(column)) return mark(row, node);
        // Of other columns with few values all are known where they are offered as a filter.
        const few = now.filters.find(([name]) => name === column)?.[1] ?? [], choices = how?.kind === "label" && how.column === column ? how.choices : few.length < FEW ? few : [];
        const [parts, first, keep] = choices.length ? labels(row, column, text, choices, done) : plain(row, column, text, done);
        node.onkeydown = (event) => {
          if (event.key === "Escape") done();
          if (event.key === "Enter" && !event.shiftKey && event.target.tagName !== "BUTTON") { event.preventDefault(); Promise.resolve(keep()).catch(window.studio.notice); }
        };
        fill(node, ...parts);
        first.focus();
      }
      drawn.set(key, draw);
      draw();
      return node;
    }
    const saving = h("div", { role: "status" });
    async function save() {
      const how = window.studio.editing?.(data), use = window.studio.use?.(data) ?? {}, pairs = [...edits].map(([where, edit]) => [where, edit.after]);
      const judged = how ? { task: use.task, roles: Object.entries(use.columns), fresh: [...fresh] } : {};
      const { number: page, sort, falling, column } = now.view;
      const made = await window.studio.mend({ version: data, use }, [{ step: "set_cells", options: { edits: pairs, ...judged } }]);
      // The same page again, where it is still the same rows.
      later = column || only ? null : { data: made, view: { number: page, sort, falling } };
      edits.clear();
      fresh.clear();
      bar();
    }
    function bar() {
      if (!edits.size) return fill(saving);
      const go = button(say("web.data.save_edits", { n: edits.size }), save, ".main.small");
      go.id = "data-save-edits";
      fill(saving, h("div.ask.edits", {}, go, button(say("web.data.drop_edits"), () => { edits.clear(); fresh.clear(); update(now); }, ".small")));
    }
    function update(value) {
      if (!value) { now = null; edits.clear(); return fill(root); }
      if (value.data !== data) { edits.clear(); fresh.clear(); data = value.data; only = null; }
      now = value;
      drawn.clear();
      bar();
      if (wanted?.data === data) { only = wanted; wanted = null; setTimeout(() => { go({ rows: only.rows.map((one) => one.row), number: 0, column: "", value: "", sort: "" }); window.studio.bring(root); }, 0); }
      if (later?.data === data) { const { view } = later; later = null; if (view.number || view.sort) setTimeout(() => go(view), 0); }
      fill(root, h("div.pager", {}, turn("previous", -1, value.first), h("span.muted", { role: "status" }, value.line), turn("next", 1, value.last), filter()), only && now.view.rows?.length ? h("div.banner", {}, say("web.data.rows_only", { run: only.run, n: only.rows.length }), " ", button(say("web.data.rows_all"), () => { only = null; go({ rows: [], number: 0 }); }, ".small")) : null, saving,
        h("div.scroll", { tabindex: 0 }, h("table.cardy", {}, h("thead", {}, h("tr", {}, h("th.num", {}, "#"), value.columns.map(heading))), h("tbody", {}, value.rows.map((row) => h("tr", {}, h("td.num.muted", {}, number(row.n)), row.cells.map((text, place) => cell(row, value.columns[place], text))))))));
    }
    // The version may be on the page already: then nothing is drawn anew.
    window.addEventListener("studio:rows", () => setTimeout(() => { if (now && wanted?.data === data) update(now); }, 300));
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
