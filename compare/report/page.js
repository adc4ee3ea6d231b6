"use strict";
(() => {
  const tip = document.getElementById("tip");

  // Following: one configuration of a table is lit in everything that shows it.
  function shows(element, series) {
    const d = element.dataset;
    return d.c === series || d.row === series || d.col === series;
  }
  function follow(section, series) {
    const on = section.dataset.follow === series ? undefined : series;
    if (on === undefined) delete section.dataset.follow; else section.dataset.follow = on;
    section.classList.toggle("following", on !== undefined);
    for (const e of section.querySelectorAll("[data-c],[data-row]")) {
      const lit = on !== undefined && shows(e, on);
      e.classList.toggle("lit", lit);
      e.classList.toggle("dim", on !== undefined && !lit && !e.matches("button"));
      if (e.hasAttribute("aria-pressed") || e.matches(".c")) e.setAttribute("aria-pressed", String(lit));
    }
  }

  // Sorting: numbers best first, then the other way round; cells without a number last.
  function sort(button) {
    const head = button.closest("th"), table = button.closest("table"), body = table.tBodies[0];
    const column = head.cellIndex, name = button.dataset.sort === "name";
    const first = button.dataset.higher === "true" ? "descending" : "ascending";
    const other = first === "ascending" ? "descending" : "ascending";
    const order = head.getAttribute("aria-sort") === first ? other : first;
    for (const th of table.tHead.rows[0].cells) th.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    const rows = [...body.rows].sort((a, b) => {
      const x = a.cells[column], y = b.cells[column];
      if (name) return sign * x.textContent.localeCompare(y.textContent, "en", {numeric: true});
      if (x.dataset.v === "" || y.dataset.v === "") return (x.dataset.v === "") - (y.dataset.v === "");
      return sign * (Number(x.dataset.v) - Number(y.dataset.v));
    });
    body.append(...rows);
  }

  function say(element) {
    tip.textContent = element.dataset.tip;
    tip.hidden = false;
    const at = element.getBoundingClientRect(), box = tip.getBoundingClientRect();
    const left = Math.min(Math.max(8, at.left + at.width / 2 - box.width / 2), innerWidth - box.width - 8);
    const above = at.top - box.height - 8;
    tip.style.left = left + "px";
    tip.style.top = (above > 4 ? above : Math.min(at.bottom + 8, innerHeight - box.height - 8)) + "px";
  }
  const told = event => event.target.closest && event.target.closest("[data-tip]");
  // The value of a line nearest to the pointer, in the chart's own units.
  function nearest(line, event) {
    const svg = line.ownerSVGElement, at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    let best, least = Infinity;
    for (const part of line.dataset.at.split(";")) {
      const [x, y, ...shown] = part.split(" ");
      const far = Math.hypot(x - at.x, (y - at.y) / 4);
      if (far < least) { least = far; best = shown; }
    }
    const name = line.dataset.tip.slice(0, line.dataset.tip.lastIndexOf(": "));
    return name + ": " + svg.dataset.y + " " + best[1] + ", " + svg.dataset.x.replace(" (log scale)", "") + " " + best[0];
  }
  // Where lines cross a chart, what is said stands beside the pointer, not above the whole line.
  function point(event) {
    const element = told(event);
    if (!element) { tip.hidden = true; return; }
    say(element);
    const box = tip.getBoundingClientRect();
    if (!element.matches(".c")) return;
    if (element.dataset.at) tip.textContent = nearest(element, event);
    tip.style.left = Math.min(Math.max(8, event.clientX - box.width / 2), innerWidth - box.width - 8) + "px";
    tip.style.top = (event.clientY - box.height - 14 > 4 ? event.clientY - box.height - 14 : event.clientY + 18) + "px";
  }
  document.addEventListener("pointermove", point);
  document.addEventListener("focusin", event => { const e = told(event); if (e && e.matches(":focus-visible")) say(e); else tip.hidden = true; });
  document.addEventListener("scroll", () => { tip.hidden = true; }, {passive: true});

  document.addEventListener("click", event => {
    const head = event.target.closest("[data-sort]");
    if (head) { sort(head); return; }
    const mark = event.target.closest("button[data-c],.c");
    if (mark) follow(mark.closest("section"), mark.dataset.c);
  });
  document.addEventListener("keydown", event => {
    if (event.key === "Escape") {
      tip.hidden = true;
      for (const section of document.querySelectorAll("section[data-follow]")) follow(section, section.dataset.follow);
    }
    const mark = event.target.closest && event.target.closest(".c");
    if (mark && (event.key === "Enter" || event.key === " ")) {
      event.preventDefault();
      follow(mark.closest("section"), mark.dataset.c);
    }
  });
  addEventListener("beforeprint", () => { for (const d of document.querySelectorAll("details")) d.open = true; });
})();
