// A data set of the hub by its id: what it has is shown first, then a part of it is brought in. A token is sent with a
// request and leaves its field with the import.
(() => {
  const { kinds, h, fill, say, post, button, open, bytes } = window.studio;

  kinds.hubset = (root) => {
    let told = null;
    const name = h("input", { id: "hub-id", type: "text", maxlength: 300, autocomplete: "off", spellcheck: "false", placeholder: "org/name" });
    const token = h("input", { id: "hub-token", type: "password", maxlength: 400, autocomplete: "off", spellcheck: "false" });
    const secret = h("div.field.stacked", { hidden: true }, h("label", { for: "hub-token" }, say("web.data.hub_token")), token, h("small.muted", {}, say("web.data.hub_token_help")));
    const parts = h("div"), state = h("div", { role: "status" }), wrong = h("div");
    // Whatever was refused may be open to somebody who is known there.
    const refuse = (error) => { secret.hidden = false; fill(wrong, h("div.banner.bad", { role: "alert" }, (error.parts ?? [error.message]).join(" "))); };
    const calm = () => { fill(wrong); fill(state); };
    const look = button(say("web.data.hub_look"), async () => {
      calm();
      fill(parts);
      if (!name.value.trim()) return name.focus();
      fill(state, h("span.working", {}, say("web.data.hub_looking")));
      try { told = await post("/api/data/hub/look", { name: name.value, token: token.value }); draw(); calm(); } catch (error) { fill(state); refuse(error); }
    }, ".small");
    look.id = "hub-look";
    name.addEventListener("input", () => { told = null; fill(parts); });

    function draw() {
      const config = h("select", { id: "hub-config" }, told.configs.map((one) => h("option", { value: one.name }, one.name)));
      const split = h("select", { id: "hub-split" });
      const size = (splits) => bytes(splits.reduce((sum, one) => sum + one.bytes, 0));
      const splits = () => {
        const { splits: found } = told.configs.find((one) => one.name === config.value);
        fill(split, found.map((one) => h("option", { value: one.name }, `${one.name} · ${size([one])}`)), found.length > 1 ? h("option", { value: "" }, say("web.data.hub_all", { size: size(found) })) : null);
      };
      config.addEventListener("change", splits);
      splits();
      const go = button(say("web.data.hub_bring"), () => bring(config.value, split.value), ".main.small");
      go.id = "hub-bring";
      const line = (id, label, control) => h("div.field.stacked", {}, h("label", { for: id }, label), control);
      fill(parts, told.configs.length > 1 ? line("hub-config", say("web.data.hub_config"), config) : null, line("hub-split", say("web.data.hub_split"), split), told.licence ? h("p.muted", {}, say("web.data.hub_licence", { licence: told.licence })) : null, h("div.ask", {}, go));
    }
    async function bring(config, split) {
      const mine = new AbortController();
      const shown = h("span.working", {}, say("web.data.hub_looking"));
      fill(wrong);
      fill(state, h("div.ask", {}, shown, button(say("web.data.stop"), () => { mine.abort(); fill(state, h("span.muted", {}, say("web.data.hub_stopped"))); }, ".small")));
      try {
        const made = await window.studio.work("hub", "bring", { name: told.name, config, split, token: token.value }, (line) => { shown.textContent = line; }, mine.signal);
        token.value = "";
        secret.hidden = true;
        fill(parts);
        fill(state);
        open({ tab: "data", data: made.data, run: "" });
      } catch (error) { if (error.name !== "AbortError") { fill(state); refuse(error); } }
    }
    return { update() {
      if (root.firstChild) return;
      // Of several fields Enter submits no form that has no submit button.
      const enter = (event) => { if (event.key === "Enter") { event.preventDefault(); look.click(); } };
      const form = h("form", { autocomplete: "off", onkeydown: enter, onsubmit: (event) => event.preventDefault() }, h("div.field.stacked", {}, h("label", { for: "hub-id" }, say("web.data.hub_id")), name, h("small.muted", {}, say("web.data.hub_help"))), secret, h("div.ask", {}, look));
      fill(root, form, parts, state, wrong);
    } };
  };
})();
