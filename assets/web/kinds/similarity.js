// Scores of pairs: the gauge of numbers, and the texts of one's own data that are nearest to what was typed.
(() => {
  const { kinds, results, h, fill, say, number, waiting, refusal } = window.studio;
  results.similarity = (prediction) => window.studio.gauge.draw(prediction);
  const hit = (found) => h("li.hit", {}, h("div", {}, h("div", { dir: "auto" }, found.text), h("small.muted", {}, say("web.play.hit_row", { n: found.row }))), window.studio.gauge.track(found, say("web.play.range")), h("b.num", {}, window.studio.gauge.spoken(found.score, found.digits)));
  kinds.hits = (root) => {
    const working = h("p.working", { role: "status", hidden: true }), wait = waiting(working);
    return { update(value) {
      if (value?.working) { fill(root, working); return wait.on(value.working); }
      wait.off();
      if (!value) return fill(root);
      if (value.error) return fill(root, refusal(value.error));
      const told = value.total > value.texts ? say("web.play.searched_part", { n: number(value.texts), total: number(value.total) }) : say("web.play.searched", { n: number(value.texts) });
      fill(root, h("div", { role: "status" }, h("p.muted", {}, told), h("ol.hits", {}, value.hits.map(hit))));
    } };
  };
})();
