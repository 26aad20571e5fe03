// Scores of pairs: the gauge of numbers, and the texts of one's own data that are nearest to what was typed.
(() => {
  const { kinds, results, h, fill, say, number } = window.studio;
  results.similarity = (prediction) => window.studio.gauge.draw(prediction);
  const hit = (found) => h("li.hit", {}, h("div", {}, h("div", { dir: "auto" }, found.text), h("small.muted", {}, say("web.play.hit_row", { n: found.row }))), window.studio.gauge.track(found, say("web.play.range")), h("b.num", {}, window.studio.gauge.spoken(found.score, found.digits)));
  kinds.hits = (root) => ({ update(value) {
    if (!value) return fill(root);
    if (value.working) return fill(root, h("p.working", { role: "status" }, say("web.play.searching")));
    const told = value.total > value.texts ? say("web.play.searched_part", { n: number(value.texts), total: number(value.total) }) : say("web.play.searched", { n: number(value.texts) });
    fill(root, h("div", { role: "status" }, h("p.muted", {}, told), h("ol.hits", {}, value.hits.map(hit))));
  } });
})();
