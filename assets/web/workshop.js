// The data workshop: what the doctor found, the steps that mend it, and the versions they make.
(() => {
  const { bring, kinds, h, fill, say, get, open, address, ago, button, notice, toast, number, lang } = window.studio;
  const SAFE = new Set(["mojibake", "unicode", "markup", "control", "whitespace", "map_labels", "redact"]);

  // Work that takes a while: lines of JSON, progress first. Leaving (`signal`) ends it on the server too.
  async function work(version, what, body, tell, signal) {
    const reply = await fetch(`/api/data/${encodeURIComponent(version)}/${what}?lang=${lang()}`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body ?? {}), signal });
    if (reply.status === 401) { location.href = "/login?then=" + encodeURIComponent(location.pathname + location.search); throw new Error("login"); }
    const wrong = (told) => Object.assign(new Error(told.text ?? say("web.error.unreachable")), { parts: told.parts });
    if (!reply.ok) throw wrong(await reply.json().catch(() => ({})));
    const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "", answer = null;
    for (;;) {
      const { value, done } = await reader.read();
      rest += value ?? "";
      const whole = rest.split("\n");
      rest = whole.pop();
      for (const line of whole.filter(Boolean).map((text) => JSON.parse(text))) {
        if (line.told) tell?.(line.told); else if (line.text) throw wrong(line); else answer = line;
      }
      if (done) break;
    }
    if (!answer) throw new Error(say("web.error.unreachable"));
    return answer;
  }
  // A button whose label says how far the work is.
  const working = (label, act, cls = "", title = "") => {
    const made = button(label, async (node) => {
      node.textContent = say("web.data.working") + " …";
      try { await act((told) => { node.textContent = told; }); } finally { node.textContent = label; }
    }, cls);
    if (title) { made.title = title; made.setAttribute("aria-label", title); }
    return made;
  };

  let lately = null;
  // Without naming the tab, so that the page stays where it is.
  const moved = (data) => open({ data, run: "" });
  async function mend(value, steps, tell) {
    const made = await work(value.version, "mend", { steps, ...value.use }, tell);
    moved(made.data);
    toast(made.line, say("web.data.undo_short"), () => moved(value.version));
    return made.data;
  }

  Object.assign(window.studio, { mend, work, working, use: (version) => lately?.version === version ? lately.use : null, editing: (version) => lately?.version === version ? lately.editing : null });
  // Before and after, with what differs marked; what both begin and end with is left plain.
  function marked(before, after) {
    if (before === null) return h("span.came", {}, after);
    if (after === null) return h("span", {}, before);
    let head = 0, tail = 0;
    while (head < before.length && head < after.length && before[head] === after[head]) head += 1;
    while (tail < before.length - head && tail < after.length - head && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail += 1;
    return [before, after].map((text, side) => h("div", {}, text.slice(0, head), h(side ? "ins" : "del", {}, text.slice(head, text.length - tail).replace(/^\s+$/, (blank) => "␣".repeat(blank.length))), text.slice(text.length - tail)));
  }
  const pairs = (examples) => examples.length ? h("div.pairs", {}, examples.map((one) => h("div.pair", {},
    h("small.muted", {}, say("web.data.file_row", { n: one.row }), " · ", one.column, one.after === null ? h("span.chip.bad", {}, say("web.data.gone")) : one.before === null ? h("span.chip.good", {}, say("web.data.came")) : null),
    marked(one.before, one.after)))) : null;
  const changes = (told) => h("div.preview", {}, h("p", {}, told.line), pairs(told.examples));

  function finding(value, one) {
    const place = h("div");
    const shown = one.examples.length ? h("details", {}, h("summary", {}, say("web.data.examples", { n: one.examples.length })), h("ul", {}, one.examples.map(([row, text]) => h("li", {}, say("web.data.row", { n: row }), " ", text)))) : null;
    const acts = one.fix?.length ? h("div.ask", {},
      working(say("web.data.fix"), (tell) => mend(value, one.fix, tell), ".small"),
      working(say("web.data.would"), async (tell) => {
        if (place.firstChild) return fill(place);
        fill(place, changes((await work(value.version, "preview", { steps: one.fix }, tell)).preview));
      }, ".small"),
      h("small.muted", {}, say("web.data.remedy", { title: one.remedy }))) : null;
    return h("div.finding", { class: one.severity, "data-code": one.code }, h("div", {}, one.text, one.severity === "note" ? null : h("span.chip", { class: one.severity === "error" ? "bad" : "amber" }, say("web.data.must_" + one.severity))), shown, acts, place);
  }

  kinds.doctor = (root) => {
    let now = null, stop = null;
    function draw(value, list, looking) {
      const safe = (list ?? []).filter((one) => one.fix?.length && one.fix.every((step) => SAFE.has(step.step)));
      const notes = list.filter((one) => one.severity === "note"), grave = list.filter((one) => one.severity !== "note");
      const open = root.querySelector("details.notes")?.open || !grave.length;
      fill(root, h("h2", {}, say("web.data.doctor")),
        looking ?? h("p.muted.sum", {}, grave.length ? say("web.data.doctor_sum", { n: grave.length }) : null, " ", value.title),
        safe.length > 1 ? h("div.ask", { style: { marginBottom: "12px" } }, working(say("web.data.fix_all", { n: safe.length }), (tell) => mend(value, safe.flatMap((one) => one.fix), tell), ".small")) : null,
        list.length || looking ? null : h("div.banner.good", {}, say("web.data.clean")),
        grave.map((one) => finding(value, one)),
        notes.length ? h("details.notes", { open }, h("summary", {}, say("web.data.notes", { n: notes.length })), notes.map((one) => finding(value, one))) : null,
        looking ? null : window.studio.doubts?.(value));
    }
    async function look(value) {
      const told = h("span.working", { role: "status" }, say("web.data.looking") + " …");
      draw(value, value.problems, told);
      const mine = stop = new AbortController();
      try {
        const { findings, about } = await work(value.version, "doctor", value.use, (line) => { told.textContent = `${say("web.data.looking")} · ${line}`; }, mine.signal);
        if (now === value) draw(value, findings, null);
        window.dispatchEvent(new CustomEvent("studio:looked", { detail: about }));
      } catch (error) {
        // Another data set was chosen meanwhile, or the doctor could not work: the quick findings stay.
        if (now === value && error.name !== "AbortError") { draw(value, value.problems, null); notice(error); }
      }
    }
    return { update(value) {
      stop?.abort();
      now = value;
      if (!value?.shown) return fill(root);
      if (value.findings) draw(value, value.findings, null);
      else look(value);
    } };
  };

  // One field of a step's form; `read()` gives its value.
  function field(option, value) {
    const id = `step-${option.name}`;
    const line = (control, read) => ({ node: h("div.field", {}, h("label", { for: id }, option.label), control, option.help ? h("small.muted", {}, option.help) : null), read });
    const select = (choices, chosen) => { const node = h("select", { id }); for (const [key, text] of choices) node.append(h("option", { value: key, selected: key === chosen }, text)); return node; };
    if (option.kind === "bool") {
      const node = h("input", { type: "checkbox", checked: option.default });
      return { node: h("div.field", {}, h("label.tick", {}, node, " ", option.label), h("small.muted", {}, option.help)), read: () => node.checked };
    }
    if (option.kind === "choice") { const node = select(option.choices, option.default); return line(node, () => node.value); }
    if (option.kind === "int" || option.kind === "float") {
      const node = h("input", { id, type: "number", min: option.low, max: option.high, step: option.step ?? (option.kind === "int" ? 1 : "any"), value: option.default });
      return line(node, () => node.value === "" ? option.default : Number(node.value));
    }
    if (option.kind === "column") {
      const first = option.name === "label" ? value.label : value.texts[0] ?? "";
      const node = select([["", say("web.data.no_choice")], ...value.columns.map((name) => [name, name])], first);
      return line(node, () => node.value);
    }
    if (option.kind === "columns") {
      const boxes = value.columns.map((name) => [name, h("input", { type: "checkbox", checked: value.texts.includes(name) })]);
      return line(h("div.ask", { id, role: "group" }, boxes.map(([name, box]) => h("label.tick", {}, box, " ", name))), () => boxes.filter(([, box]) => box.checked).map(([name]) => name));
    }
    if (option.kind === "pairs") {
      const rows = value.labels.map(([label, count]) => [label, h("input", { type: "text", "aria-label": say("web.data.new_name", { label }), placeholder: label }), count]);
      return line(h("div.renames", { id }, rows.map(([label, input, count]) => h("div", {}, h("span", {}, label, h("small.muted", {}, " " + number(count))), input))), () => rows.filter(([label, input]) => input.value && input.value !== label).map(([label, input]) => [label, input.value]));
    }
    const node = h("input", { id, type: "text", value: option.default, maxlength: 1000 });
    return line(node, () => node.value);
  }

  let declared = null;
  const stepsKnown = () => declared ??= get("/api/steps").then((told) => told.steps).catch((error) => { declared = null; throw error; });

  // A step that another tab asked for: its form opens once the version is drawn.
  let wanted = null;
  function stepOn(data, step) {
    wanted = { data, step };
    open({ tab: "data", data, run: "" });
    window.dispatchEvent(new Event("studio:step"));
  }
  window.studio.stepOn = stepOn;

  async function form(value, place, close, first = "") {
    const known = await stepsKnown();
    const choose = h("select", { id: "step-key" }), fields = h("div.fields"), shown = h("div"), blurb = h("p.muted");
    const groups = Map.groupBy ? Map.groupBy(known, (step) => step.family) : known.reduce((map, step) => map.set(step.family, [...(map.get(step.family) ?? []), step]), new Map());
    for (const [family, list] of groups) choose.append(h("optgroup", { label: family }, list.map((step) => h("option", { value: step.key }, step.title))));
    let reading = [];
    const step = () => ({ step: choose.value, options: Object.fromEntries(reading.map(([name, read]) => [name, read()])) });
    function pick() {
      const chosen = known.find((one) => one.key === choose.value);
      const drawn = chosen.options.map((option) => [option.name, field(option, value)]);
      reading = drawn.map(([name, one]) => [name, one.read]);
      blurb.textContent = chosen.blurb;
      fill(fields, drawn.map(([, one]) => one.node));
      fill(shown);
    }
    if (first) choose.value = first;
    choose.addEventListener("change", pick);
    pick();
    fill(place, h("div.stepform", {}, h("div.field", {}, h("label", { for: "step-key" }, say("web.data.add_which")), choose), blurb, fields,
      h("div.ask", {},
        working(say("web.data.apply"), (tell) => mend(value, [step()], tell), ".main.small"),
        working(say("web.data.preview"), async (tell) => fill(shown, changes((await work(value.version, "preview", { steps: [step()] }, tell)).preview)), ".small"),
        button(say("web.data.cancel"), close, ".small")),
      shown));
    choose.focus();
  }

  kinds.mending = (root) => {
    let now = null;
    const done = (step, turn, value) => h("li", {}, working("×", async (tell) => moved((await work(value.version, "undo", { step: turn }, tell)).data), ".small.take", say("web.data.take_out", { title: step.title })), h("b", {}, step.title), step.about ? h("span.muted", {}, " " + step.about) : null, h("div", {}, h("small.muted", {}, step.line)), step.examples.length ? h("details", {}, h("summary", {}, say("web.data.examples", { n: step.examples.length })), pairs(step.examples)) : null);
    function version(value, one) {
      const place = h("div"), link = (form) => h("a", { href: `/api/data/${encodeURIComponent(one.version)}/export?form=${form}`, download: "", title: form === "csv" ? say("web.data.export_csv") : null }, { csv: "CSV", jsonl: "JSONL", parquet: "Parquet" }[form]);
      const title = one.root ? one.title : `${one.title} · ${one.last}`;
      return h("li.version", { class: one.current ? "current" : "", "data-version": one.version },
        h("div", {}, h("b", {}, title), one.current ? h("span.chip.good", {}, say("web.data.shown_now")) : null),
        h("small.muted", {}, [say("web.data.version_rows", { n: number(one.rows) }), ago(one.created), one.owner].join(" · "), one.runs.length ? h("span", {}, " · ", say("web.data.used_by", { runs: one.runs.join(", ") })) : null),
        h("div.ask", {},
          one.current ? null : button(say("web.data.open_version"), () => moved(one.version), ".small"),
          one.current ? null : working(say("web.data.compare"), async (tell) => {
            if (place.firstChild) return fill(place);
            fill(place, changes((await work(value.version, "compare", { with: one.version }, tell)).compared));
          }, ".small"),
          one.runs.length || one.root ? null : button(say("web.data.delete"), () => remove(value, one, title), ".small.warn"),
          h("small.exports", {}, say("web.data.export"), " ", link("csv"), " ", link("jsonl"), " ", link("parquet"))),
        place);
    }
    async function remove(value, one, title) {
      const gone = await window.studio.post(`/api/data/${encodeURIComponent(one.version)}/delete`);
      const back = async () => { await window.studio.post(`/api/data/${encodeURIComponent(one.version)}/restore`, { owner: gone.owner }); moved(one.version); };
      if (one.current) moved(gone.data); else draw(value);
      toast(say("web.data.deleted", { title }), say("web.data.undo_short"), back);
    }
    // A step being written stays while the same version is drawn again.
    let place = h("div"), drawn = "";
    async function draw(value) {
      const told = await get(`/api/data/${encodeURIComponent(value.version)}/versions`);
      if (now !== value) return;
      if (drawn !== value.version) place = h("div");
      drawn = value.version;
      const open = Boolean(root.querySelector("details.versions")?.open);
      const add = button(say("web.data.add"), () => form(value, place, () => fill(place)), ".small");
      const back = working(say("web.data.undo"), async (tell) => moved((await work(value.version, "undo", {}, tell)).data), ".small");
      const train = button(say("web.data.train_on"), () => document.querySelector("#data-use").click(), ".small.main");
      fill(root, h("h2", {}, say("web.data.steps")),
        told.steps.length ? h("ol.steps.done", {}, told.steps.map((step, turn) => done(step, turn, value))) : h("p.muted", {}, say("web.data.steps_none")),
        h("div.ask", {}, add, told.steps.length ? back : null, train), place,
        h("details.versions", { open }, h("summary", {}, say("web.data.versions", { n: told.versions.length })), h("ul", {}, told.versions.map((one) => version(value, one)))));
    }
    async function asked() {
      if (!wanted || wanted.data !== now?.version || drawn !== now.version || !place.isConnected) return;
      const { step } = wanted;
      wanted = null;
      await form(now, place, () => fill(place), step);
      bring(place);
    }
    window.addEventListener("studio:step", () => asked().catch(notice));
    const again = () => { if (now?.version) draw(now).then(asked).catch(notice); };
    return {
      update(value) { now = lately = value; if (now?.version) again(); else fill(root); },
      // Runs made meanwhile may use a version.
      address(told) { if (told.tab === "data" && told.data === now?.version) again(); },
    };
  };
})();
