// The page's small core: words, requests, the address, and islands (gr.HTML shells that draw themselves).
// Text only ever reaches the page through textContent; nothing a person wrote is parsed as HTML.
(() => {
  const kinds = { bridge() {} };
  const live = new Map();
  let bridge = null;

  const lang = () => window.STUDIO.lang;
  function say(code, values = {}) {
    const text = window.STUDIO.words[code];
    return (text ?? code).replace(/\{(\w+)[^}]*\}/g, (_, name) => values[name] ?? "");
  }
  const known = (code) => code in window.STUDIO.words;

  function h(tag, props = {}, ...children) {
    const [name, ...classes] = tag.split(".");
    const node = document.createElement(name || "div");
    if (classes.length) node.className = classes.join(" ");
    for (const [key, value] of Object.entries(props ?? {})) {
      if (value === null || value === undefined || value === false) continue;
      if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
      else if (key === "style") Object.assign(node.style, value);
      else if (key === "class") node.className += " " + value;
      else node.setAttribute(key, value === true ? "" : value);
    }
    for (const child of children.flat(Infinity)) {
      if (child === null || child === undefined || child === false) continue;
      node.append(child instanceof Node ? child : document.createTextNode(String(child)));
    }
    return node;
  }
  const fill = (node, ...children) => { node.replaceChildren(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false)); return node; };

  // The browser's own words ("Failed to fetch") tell nobody that it is the server that is gone.
  const reached = (url, options) => fetch(url, options).catch(() => { throw new Error(say("web.error.unreachable")); });
  async function request(path, options = {}) {
    const url = new URL(path, location.origin);
    url.searchParams.set("lang", lang());
    const reply = await reached(url, options);
    if (reply.status === 401) { location.href = "/login?then=" + encodeURIComponent(location.pathname + location.search); throw new Error("login"); }
    const body = await reply.json().catch(() => ({}));
    if (!reply.ok) throw Object.assign(new Error(body.text ?? say("web.error.unreachable")), { parts: body.parts, status: reply.status });
    return body;
  }
  const get = (path) => request(path);
  const post = (path, body = {}) => request(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

  // The address is the truth: ?tab=&run=&data= restores any screen.
  function address() { const q = new URLSearchParams(location.search); return { tab: q.get("tab") ?? "start", run: q.get("run") ?? "", data: q.get("data") ?? "", from: q.get("from") ?? "", with: q.get("with") ?? "" }; }
  function write(next, replace) {
    const q = new URLSearchParams(location.search);
    for (const key of ["tab", "run", "data", "from", "with"]) { if (next[key]) q.set(key, next[key]); else q.delete(key); }
    const url = location.pathname + "?" + q.toString();
    if (url !== location.pathname + location.search) history[replace ? "replaceState" : "pushState"](null, "", url);
  }
  function announce() { for (const island of live.values()) island.address?.(address()); }
  // `there`: the tab is open already, so the answer, which may come late, must not open it again.
  function open(changes, replace = false, there = false) {
    write({ ...address(), from: "", with: "", ...changes }, replace);
    announce();
    if (bridge) bridge.trigger("click", { ...address(), there });
    if (changes.tab) window.scrollTo({ top: 0 });
  }
  // A tab chosen by hand: its lists are asked for anew. Gradio also announces the tab it draws first and the ones that
  // Python selects; those follow the address and must not change it.
  let touched = 0;
  document.addEventListener("click", (event) => { if (event.target.closest?.(".tab-wrapper, [role=tablist], .overflow-menu")) touched = Date.now(); }, true);
  function tabbed(tab) { if (Date.now() - touched < 2000 && address().tab !== tab) open({ tab }, false, true); }
  window.addEventListener("popstate", () => { announce(); if (bridge) bridge.trigger("click", address()); });

  function mount(kind, element, props, watch, trigger) {
    if (kind === "bridge") { bridge = { trigger }; return; }
    const root = element.querySelector(".island");
    const island = kinds[kind](root, props, trigger) ?? {};
    live.set(root, island);
    // What is about data that is no longer the chosen one came too late.
    const late = (value) => Boolean(value?.version && address().data && value.version !== address().data);
    watch("value", () => { if (!late(props.value)) island.update?.(props.value); });
    if (props.value !== null && props.value !== undefined && props.value !== "") island.update?.(props.value);
    island.address?.(address());
  }
  // Repeat `work` every `ms` while the node is on the page and the page is visible; a failed round is retried.
  function every(node, ms, work) {
    let busy = false;
    const tick = async () => {
      if (!document.body.contains(node)) return clearInterval(timer);
      if (busy || document.hidden || !node.offsetParent) return;
      busy = true;
      try { await work(); } catch (error) { if (error.message !== "login") console.warn(error); } finally { busy = false; }
    };
    const timer = setInterval(tick, ms);
    tick();
    return tick;
  }

  // One heartbeat: what the header tells, and whether the studio is there at all.
  let missed = 0, beating = false, gone = null;
  async function beat() {
    if (beating || document.hidden) return;
    beating = true;
    try {
      const state = await request("/api/state", { signal: AbortSignal.timeout(10000) });
      missed = 0;
      gone?.remove();
      window.dispatchEvent(new CustomEvent("studio:state", { detail: state }));
    } catch (error) {
      if (error.status || error.message === "login" || ++missed < 2) return;
      gone ??= h("div.island", {}, h("div.banner.bad.gone", { role: "alert" }, say("web.error.unreachable")));
      document.body.append(gone);
    } finally { beating = false; }
  }
  setInterval(beat, 3000);

  const number = (value, digits = 3) => value === null || value === undefined ? "–" : Number(value).toLocaleString(lang() === "zh" ? "zh-CN" : "en", { maximumFractionDigits: digits, minimumFractionDigits: Number.isInteger(value) ? 0 : Math.min(digits, 1) });
  const percent = (value, digits = 1) => value === null || value === undefined ? "–" : (100 * value).toFixed(digits) + " %";
  function duration(seconds) {
    if (seconds === null || seconds === undefined) return "–";
    seconds = Math.max(0, Math.round(seconds));
    if (seconds < 90) return say("web.time.seconds", { n: seconds });
    if (seconds < 5400) return say("web.time.minutes", { n: Math.round(seconds / 60) });
    return say("web.time.hours", { n: (seconds / 3600).toFixed(1) });
  }
  const place = (run) => run.expected_start === null ? say("web.start.place", { n: run.position }) : say("web.start.position", { n: run.position, wait: duration(run.expected_start) });
  function bytes(value) { if (!value && value !== 0) return "–"; return value >= 1e9 ? (value / 1e9).toFixed(1) + " GB" : value >= 1e6 ? Math.round(value / 1e6) + " MB" : Math.max(1, Math.round(value / 1e3)) + " kB"; }
  const tongue = () => lang() === "zh" ? "zh-CN" : "en-GB";
  const ago = (time) => time ? new Date(time * 1000).toLocaleString(tongue(), { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" }) : "–";
  const clock = (time) => new Date(time * 1000).toLocaleTimeString(tongue(), { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  const metric = (name) => known("metric." + name) ? say("metric." + name) : name;
  const score = (name, value) => ["loss", "perplexity"].includes(name) || Math.abs(value) >= 100 ? number(value, 3) : value === null || value === undefined ? "–" : Number(value).toFixed(3);

  const TONE = { done: "good", running: "good", stopped: "wait", failed: "bad", "out-of-memory": "bad", "non-finite": "bad", interrupted: "amber", stalled: "amber" };
  const chip = (state) => h("span.chip", { class: TONE[state] ?? "wait" }, say("state." + state));
  const button = (label, act, cls = "") => {
    const node = h("button.act" + cls, { type: "button" }, label);
    node.addEventListener("click", async () => {
      if (node.disabled) return;
      node.disabled = true;  // a second click while the first is under way does nothing
      try { await act(node); } catch (error) { notice(error); } finally { node.disabled = false; }
    });
    return node;
  };
  // The model is packed and tried before it is offered, which takes a while: the button says what is being done.
  // `which` is "tuned", "simple", or "" for what the run has.
  const downloading = (run, which = "", cls = "") => button(say(which === "simple" ? "web.report.download_simple" : "web.live.download"), async (node) => {
    const label = node.textContent, url = `/api/runs/${encodeURIComponent(run)}`;
    try {
      let made = null;
      for await (const line of lines(`${url}/package?which=${which}&lang=${lang()}`)) {
        if (line.told) node.textContent = line.told + " …";
        if (line.text) throw Object.assign(new Error(line.text), { parts: line.parts });
        made = line.package ?? made;
      }
      if (!made) throw new Error(say("web.error.unreachable"));
      const link = h("a", { href: `${url}/download?package=${made}&lang=${lang()}`, download: "" });
      document.body.append(link);
      link.click();
      link.remove();
    } finally { node.textContent = label; }
  }, cls);
  // Lines of JSON as the server writes them.
  async function* lines(path) {
    const reply = await reached(path, { method: "POST" });
    if (!reply.ok) { const body = await reply.json().catch(() => ({})); throw Object.assign(new Error(body.text ?? say("web.error.unreachable")), { parts: body.parts }); }
    const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      rest += value ?? "";
      const whole = rest.split("\n");
      rest = whole.pop();
      for (const line of whole) if (line) yield JSON.parse(line);
      if (done) return;
    }
  }
  function notice(error) {
    const box = h("div.banner.bad", { role: "alert", style: { position: "fixed", right: "16px", bottom: "16px", maxWidth: "420px", zIndex: 50, boxShadow: "0 4px 24px #0003" } });
    const parts = error.parts ?? [error.message ?? String(error)];
    fill(box, h("b", {}, parts[0]), h("span", {}, parts.slice(1).join(" ")));
    const shell = h("div.island", {}, box);
    document.body.append(shell);
    setTimeout(() => shell.remove(), 12000);
  }
  function toast(text, undoLabel, undo) {
    const shell = h("div.island", { role: "status" }, h("div.banner", { style: { position: "fixed", left: "50%", transform: "translateX(-50%)", bottom: "16px", zIndex: 50, boxShadow: "0 4px 24px #0003", display: "flex", gap: "16px", alignItems: "center" } }, text, undo ? button(undoLabel, async () => { await undo(); shell.remove(); }, ".small") : null));
    document.body.append(shell);
    setTimeout(() => shell.remove(), 10000);
  }
  const colour = (name) => getComputedStyle(document.body).getPropertyValue("--" + name).trim();
  function layout(extra = {}) {
    const axis = { gridcolor: colour("grid"), zerolinecolor: colour("grid"), linecolor: colour("line"), tickfont: { color: colour("muted"), size: 12 }, title: { font: { color: colour("muted"), size: 12 } } };
    const base = { paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { family: "IBM Plex Sans, Noto Sans SC, PingFang SC, Microsoft YaHei, sans-serif", color: colour("ink"), size: 13 }, margin: { t: 16, r: 16, b: 40, l: 52 }, legend: { orientation: "h", ...(innerWidth < 600 ? { y: -0.16 } : { y: 1.08 }), x: 0, font: { color: colour("ink") } }, modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("muted"), activecolor: colour("accent") }, hovermode: "x unified", hoverlabel: { bgcolor: colour("card"), font: { color: colour("ink") } } };
    const merged = { ...base, ...extra };
    for (const key of Object.keys(merged)) if (/^[xy]axis/.test(key)) merged[key] = { ...axis, ...merged[key], title: { ...axis.title, ...(merged[key].title ?? {}) } };
    for (const key of ["xaxis", "yaxis"]) merged[key] ??= axis;
    return merged;
  }
  let plotlyReady = null;
  function plotly() {
    // Gradio's own plot component sets window.Plotly to an older engine, so ours is kept under a name of our own.
    plotlyReady ??= new Promise((resolve, reject) => {
      const before = window.Plotly;
      const script = h("script", { src: "/static/plotly.js" });
      script.onload = () => { window.StudioPlotly = window.Plotly; if (before) window.Plotly = before; resolve(window.StudioPlotly); };
      script.onerror = reject;
      document.head.append(script);
    });
    return plotlyReady;
  }
  // Plotly reads a few tags in axis and legend texts; what people wrote is no markup.
  const plain = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  // Into the middle of the screen, and kept there while what stands above still grows, until somebody scrolls.
  function bring(node) {
    let alone = true, top = null;
    for (const name of ["wheel", "touchstart", "pointerdown", "keydown"]) addEventListener(name, () => { alone = false; }, { once: true, passive: true });
    const until = performance.now() + 3000;
    (function settle() {
      if (!alone || !node.isConnected || performance.now() > until) return;
      const now = node.getBoundingClientRect();
      if (now.height && (top === null || Math.abs(now.top - top) > 8)) { node.scrollIntoView({ block: "center" }); top = node.getBoundingClientRect().top; }
      setTimeout(settle, 150);
    })();
  }
  const nonce = () => crypto.getRandomValues(new Uint32Array(4)).join("-");
  // One press is one run, however often its request is sent: the key changes only once the run is there.
  const pressed = new Map();
  async function again(run, change = "") {
    const press = run + " " + change;
    if (!pressed.has(press)) pressed.set(press, nonce());
    const made = await post(`/api/runs/${encodeURIComponent(run)}/again`, { change, nonce: pressed.get(press) });
    pressed.delete(press);
    return made.run;
  }
  // Nothing leaves the machine: the buttons that send a chart to somebody's server are neither drawn nor reachable.
  const PLOT = { responsive: true, displaylogo: false, showSendToCloud: false, showEditInChartStudio: false, plotlyServerURL: "", modeBarButtonsToRemove: ["sendChartToCloud", "sendDataToCloud", "editInChartStudio", "select2d", "lasso2d", "autoScale2d"] };

  // What a result kind draws of a prediction, and what it adds to a report; each kind's own file fills these in.
  const results = {}, sections = {}, mistakes = {};
  window.studio = { kinds, results, sections, mistakes, mount, h, fill, say, known, get, post, address, open, tabbed, every, beat, number, percent, duration, place, bytes, ago, clock, metric, score, chip, button, downloading, lines, notice, toast, bring, colour, layout, plotly, plain, nonce, again, PLOT, lang };

  // Arrow keys move between tabs, as people who use the keyboard expect of a tab list.
  document.addEventListener("keydown", (event) => {
    if (!["ArrowLeft", "ArrowRight"].includes(event.key) || event.target.getAttribute?.("role") !== "tab") return;
    const tabs = [...event.target.closest("[role=tablist]").querySelectorAll("[role=tab]")].filter((tab) => tab.offsetParent && !tab.disabled);
    const next = tabs[(tabs.indexOf(event.target) + (event.key === "ArrowRight" ? 1 : tabs.length - 1)) % tabs.length];
    next?.focus(); next?.click();
  });
})();
