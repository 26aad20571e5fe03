// What the playground's kinds draw with: bars of shares, and a sentence that counts while something is waited for.
(() => {
  const { h, fill, say, percent, duration } = window.studio;
  const MANY = 10, FIRST = 8, LONG = 30;

  // `share` is from 0 to 1; `top` stands out; `threshold` is marked on the track and told as `hint`.
  function bar({ name, share, top, mark = "", threshold, hint }) {
    const sign = threshold === undefined ? null : h("u.threshold", { style: { left: 100 * threshold + "%", width: "2px" }, title: hint });
    return h("div.bar", { class: top ? "top" : "" }, h("span.who", { title: name, dir: "auto" }, mark + name),
      h("span.track", { role: "meter", "aria-valuenow": share, "aria-valuemin": 0, "aria-valuemax": 1, "aria-label": name }, h("i", { style: { width: 100 * share + "%" } }), sign),
      h("span.val", {}, percent(share)));
  }
  // Where there are many, the first ones and the others folded; who has opened them finds them open next time.
  let open = false;
  function bars(items, first = FIRST) {
    if (items.length <= Math.max(MANY, first)) return h("div.bars", {}, items.map(bar));
    const rest = items.slice(first), folded = h("details.rest", { open }, h("summary", {}, say("web.play.rest", { n: rest.length })), h("div.bars", {}, rest.map(bar)));
    folded.addEventListener("toggle", () => { open = folded.open; });
    return h("div", {}, h("div.bars", {}, items.slice(0, first).map(bar)), folded);
  }

  // What is waited for, the seconds so far, and after a while why it may take long.
  function waiting(node) {
    let since = 0, timer = null, told = "";
    function tick() {
      const seconds = (performance.now() - since) / 1000;
      fill(node, told, seconds < 2 ? null : h("span.num", { "aria-hidden": "true" }, " " + duration(seconds)), seconds < LONG ? null : h("small", { style: { display: "block" } }, say("web.play.patience")));
    }
    return {
      on(text) { if (!timer) { since = performance.now(); timer = setInterval(tick, 1000); } told = text; node.hidden = false; tick(); },
      off() { clearInterval(timer); timer = null; node.hidden = true; },
      busy: () => timer !== null,
    };
  }
  // Marks of the data's own for "no answer" and "no label" are words on a screen.
  const readable = (text) => ["", "-", "∅"].includes(text) ? say("web.play.nothing") : text;
  // What happened, why and what to do, where the answer would stand.
  const refusal = (parts) => h("div.banner.bad", { role: "alert" }, h("b", {}, parts[0]), h("span", {}, parts.slice(1).join(" ")));
  Object.assign(window.studio, { bars, waiting, readable, refusal });
})();
