// What a row marks, corrected in its text: words or characters are chosen by mouse, finger or keyboard and given a type,
// or are the answer to a question. Places count characters, not UTF-16 units.
(() => {
  const { h, fill, say, post, button } = window.studio;
  const ANSWER = "answer";

  window.studio.markRow = async (place, { version, use, row, cells, kind, fresh, away, keep }) => {
    const { tint, edge } = window.studio;
    const url = `/api/data/${encodeURIComponent(version)}/row`, asked = { ...use, row, cells };
    fill(place, h("span.working", { role: "status" }, say("web.data.working") + " …"));
    let told;
    try { told = await post(url, asked); } catch (error) { away(); throw error; }
    const letters = Array.from(told.text), { words } = told, types = [...new Set([...told.types, ...fresh])], named = [];
    const slice = (a, b) => letters.slice(a, b).join("");
    let marks = told.marks, chosen = null, first = -1, last = -1;

    const text = h("div.answer.markable", { tabindex: 0, role: "group", dir: "auto", "aria-label": say("web.mark.help_" + kind) });
    const status = h("p.muted", { role: "status" }), bar = h("div.ask.types"), wrong = h("div");
    const touching = ([a, b]) => marks.filter(([start, end]) => start < b && a < end);

    function draw() {
      const cuts = new Set([0, letters.length]);
      for (const [a, b] of [...words, ...marks, ...(chosen ? [chosen] : [])]) { cuts.add(a); cuts.add(b); }
      const edges = [...cuts].sort((a, b) => a - b), parts = [];
      let held = null, into = parts;
      for (let n = 0; n + 1 < edges.length; n += 1) {
        const [a, b] = [edges[n], edges[n + 1]], mark = marks.find(([start, end]) => start <= a && b <= end);
        if (mark !== held) {
          held = mark;
          into = mark ? [] : parts;
          if (mark) parts.push([mark, into]);
        }
        into.push(h("span", { "data-at": a, class: chosen && chosen[0] <= a && b <= chosen[1] ? "chosen" : "" }, slice(a, b)));
      }
      fill(text, parts.map((one) => Array.isArray(one) ? h("mark.entity", { style: { background: tint(one[0][2]), borderBottom: edge(one[0][2]) } }, one[1], kind === "parts" ? h("small", { "aria-hidden": "true" }, one[0][2]) : null) : one));
      tell();
    }
    function tell() {
      const under = chosen ? touching(chosen) : [];
      status.textContent = !chosen ? say("web.mark.help_" + kind) : say(under.length ? "web.mark.chosen_marked" : "web.mark.chosen", { text: slice(...chosen).slice(0, 80), type: under.map((one) => kind === "answer" ? say("web.mark.answer") : one[2]).join(", ") });
      for (const node of bar.querySelectorAll("[data-needs]")) node.disabled = !chosen || (node.dataset.needs === "mark" && !under.length);
    }
    const choose = (next) => { chosen = next; draw(); };
    function add(type) {
      if (!chosen) return;
      let [a, b] = chosen;
      while (a < b && !letters[a].trim()) a += 1;
      while (b > a && !letters[b - 1].trim()) b -= 1;
      if (a === b) return;
      const under = touching([a, b]);
      marks = [...(kind === "answer" ? [] : marks.filter((one) => !under.includes(one))), [a, b, type]].sort((one, other) => one[0] - other[0]);
      draw();
    }
    function remove() {
      const under = touching(chosen ?? [0, 0]);
      marks = marks.filter((one) => !under.includes(one));
      draw();
    }
    const settle = () => { text.focus({ preventScroll: true }); };
    function buttons() {
      const press = (label, act, cls, needs) => { const node = button(label, () => { act(); settle(); tell(); }, ".small" + cls); if (needs) node.dataset.needs = needs; return node; };
      if (kind === "answer") return fill(bar, press(say("web.mark.set_answer"), () => add(ANSWER), ".main", "choice"), press(say("web.mark.no_answer"), () => { marks = []; draw(); }, ""));
      const other = h("input", { type: "text", maxlength: 60, "aria-label": say("web.mark.new_type"), placeholder: say("web.mark.new_type") });
      // Whoever asks for a type that there is not has meant it.
      const make = press(say("web.mark.add_type"), () => {
        const type = other.value.trim();
        if (!type) return;
        if (!types.includes(type)) { types.push(type); named.push(type); }
        add(type);
        buttons();
      }, "");
      other.addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); event.stopPropagation(); make.click(); } });
      fill(bar, types.map((type, turn) => { const node = press(turn < 9 ? `${turn + 1} ${type}` : type, () => add(type), ".type", "choice"); node.style.background = tint(type); return node; }), press(say("web.mark.remove"), remove, "", "mark"), h("span.ask", {}, other, make));
      tell();
    }

    // A word: its whole mark where it has one; the next one to what is chosen is taken in as well, as with Shift any other.
    function take(at, shift) {
      const word = words.findIndex(([a, b]) => a <= at && at < b);
      if (word < 0) return choose(null);
      const mark = marks.find(([a, b]) => a <= words[word][0] && words[word][1] <= b), [from, to] = words[word];
      const beside = first >= 0 && (word === first - 1 || word === last + 1);
      if (chosen && !mark && (shift || beside) && !touching(chosen).length) { first = Math.min(first, word); last = Math.max(last, word); return choose([words[first][0], words[last][1]]); }
      if (chosen && chosen[0] === from && chosen[1] === to && !mark) { first = last = -1; return choose(null); }
      first = last = word;
      choose(mark ? [mark[0], mark[1]] : [from, to]);
    }
    const at = (node, offset) => { const span = (node.nodeType === Node.TEXT_NODE ? node.parentElement : node)?.closest?.("[data-at]"); return !span || !text.contains(span) ? null : Number(span.dataset.at) + (node.nodeType === Node.TEXT_NODE ? Array.from(node.data.slice(0, offset)).length : offset ? Array.from(span.textContent).length : 0); };
    // Characters chosen as anywhere else on a page. The text is not drawn again, which would let go of them.
    function selected() {
      const found = getSelection();
      if (!found.rangeCount || found.isCollapsed) return null;
      const range = found.getRangeAt(0), a = at(range.startContainer, range.startOffset), b = at(range.endContainer, range.endOffset);
      return a === null || b === null || a >= b ? null : [a, b];
    }
    const heard = () => { if (!text.isConnected) return document.removeEventListener("selectionchange", heard); const found = selected(); if (found) { chosen = found; first = words.findIndex(([, b]) => b > found[0]); last = words.findLastIndex(([a]) => a < found[1]); tell(); } };
    document.addEventListener("selectionchange", heard);
    text.addEventListener("click", (event) => { const span = event.target.closest("[data-at]"); if (span && !selected()) take(Number(span.dataset.at), event.shiftKey); });
    text.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (step && words.length) {
        event.preventDefault();
        getSelection().removeAllRanges();
        const moved = Math.max(0, Math.min(words.length - 1, (step > 0 ? last : event.shiftKey ? last : first) + (first < 0 ? 1 : step)));
        if (event.shiftKey && first >= 0) last = Math.max(first, moved); else first = last = moved;
        choose([words[first][0], words[last][1]]);
      } else if (/^[1-9]$/.test(event.key) && !event.ctrlKey && !event.metaKey) {
        const type = kind === "answer" ? (event.key === "1" ? ANSWER : null) : types[Number(event.key) - 1];
        if (type) { event.preventDefault(); add(type); }
      } else if (["Delete", "Backspace"].includes(event.key)) { event.preventDefault(); remove(); }
      else if (event.key === "Enter") { event.preventDefault(); kept.click(); }
    });
    place.addEventListener("keydown", (event) => { if (event.key === "Escape") { event.stopPropagation(); away(); } });

    const kept = button(say("web.data.keep_edit"), async () => {
      try {
        const found = await post(url + "/write", { ...asked, marks });
        keep(found.cells, marks, told.text, named.filter((type) => marks.some((one) => one[2] === type)));
      } catch (error) { fill(wrong, h("div.banner.bad", { role: "alert" }, (error.parts ?? [error.message]).join(" "))); }
    }, ".small.main");
    fill(place, h("div.marker", {}, told.question ? h("p", { dir: "auto" }, h("b", {}, told.question)) : null,
      told.faults.map((line) => h("div.finding.warning", {}, line, " ", say("web.mark.fault"))),
      told.others ? h("div.finding.note", {}, say("web.mark.others", { n: told.others })) : null,
      text, status, bar, wrong, h("div.ask", {}, kept, button(say("web.data.cancel"), away, ".small"))));
    buttons();
    draw();
    settle();
  };
})();
