"use strict";
// What the pages do beyond links and forms. All of it is also there without.
(() => {
  const byId = id => document.getElementById(id);
  const tip = byId("tip"), main = byId("main"), rows = byId("rows");
  let zoomTo, drag = null, cross = null; // dragging a range, and the line under the pointer

  // The address of a run that MLflow's client prints.
  const printed = /^#\/experiments\/[^/]+\/runs\/(\w+)$/.exec(location.hash);
  if (printed && location.pathname === "/") location.replace("/runs/" + printed[1]);

  async function text(address) {
    const answer = await fetch(address);
    if (!answer.ok) throw new Error(answer.status + " " + answer.statusText);
    return answer.text();
  }
  const load = async address => new DOMParser().parseFromString(await text(address), "text/html");
  // Fragments of rows are no document of their own: a table takes them in.
  async function loadRows(address) {
    const page = new DOMParser().parseFromString("<table><tbody>" + await text(address) + "</tbody></table>", "text/html");
    return [...page.querySelectorAll("tr")];
  }

  // Only one load of a kind at a time; what comes meanwhile is one more after it.
  function gate(work) {
    let busy = false, again = false;
    return async () => {
      if (busy) { again = true; return; }
      busy = true;
      do { again = false; try { await work(); } catch { /* the next event tries again */ } } while (again);
      busy = false;
    };
  }

  // Events come while the page is looked at; browsers allow few open streams.
  function listen(address, handlers) {
    let source = null;
    const open = () => {
      const to = address();
      if (source || document.hidden || !to) return;
      source = new EventSource(to);
      for (const [name, handler] of Object.entries(handlers)) source.addEventListener(name, handler);
      source.addEventListener("end", close);
    };
    const close = () => { if (source) source.close(); source = null; };
    document.addEventListener("visibilitychange", () => { if (document.hidden) close(); else open(); });
    addEventListener("pagehide", close);
    addEventListener("pageshow", open);
    open();
    return {open, close};
  }

  // --- the page of a run ---
  const controls = byId("controls");
  function swap(fresh) {
    const open = [...document.querySelectorAll("[data-part] details")].map(d => d.open);
    const focused = charts().indexOf(document.activeElement), shown = !tip.hidden;
    for (const part of fresh.querySelectorAll("[data-part]")) {
      const old = byId(part.id);
      if (old && !(drag && old.contains(drag.svg)) && old.outerHTML !== part.outerHTML) old.replaceWith(document.adoptNode(part));
    }
    [...document.querySelectorAll("[data-part] details")].forEach((d, i) => { if (open[i] !== undefined) d.open = open[i]; });
    hide();
    const chart = charts()[focused];
    if (!chart) return;
    chart.focus({preventScroll: true});
    if (shown) step(chart, 0);
  }
  if (controls) {
    const query = () => new URLSearchParams([...new FormData(controls)].filter(([, v]) => v !== "")).toString();
    const draw = gate(async () => swap(await load("/runs/" + main.dataset.run + "/live?" + query())));
    const redraw = () => {
      history.replaceState(null, "", location.pathname + "?" + query());
      draw();
    };
    controls.addEventListener("submit", event => { event.preventDefault(); redraw(); });
    controls.addEventListener("change", event => {
      if (event.target.name === "x") controls.elements.from.value = controls.elements.to.value = "";
      if (controls.reportValidity()) redraw();
    });
    controls.querySelector("a").addEventListener("click", event => {
      event.preventDefault();
      controls.elements.from.value = controls.elements.to.value = controls.elements.smooth.value = "";
      controls.elements.log.checked = false;
      redraw();
    });
    zoomTo = (from, to) => {
      controls.elements.from.value = from;
      controls.elements.to.value = to;
      redraw();
    };
    addEventListener("beforeprint", () => { for (const d of document.querySelectorAll("[data-part] details")) d.open = true; });
    if (main.dataset.events) listen(() => main.dataset.events, {change: draw, end: draw});
  }

  // --- hovering and zooming ---
  const chartOf = event => event.target.closest && event.target.closest("svg.wide");
  const inside = (svg, event) => new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
  const ns = "http://www.w3.org/2000/svg";
  function element(svg, name, attributes) {
    const e = document.createElementNS(ns, name);
    for (const key in attributes) e.setAttribute(key, attributes[key]);
    svg.append(e);
    return e;
  }
  function hide() {
    tip.hidden = true;
    if (cross) cross.remove();
    cross = null;
  }
  // values shows what the lines have nearest to a place on the axis, beside the pointer.
  function values(svg, at, pointer) {
    const d = svg.dataset;
    hide();
    if (at < d.from - 4 || at > Number(d.to) + 4) return;
    const found = [];
    for (const line of svg.querySelectorAll("[data-at]")) {
      let best, least = Infinity;
      for (const part of line.dataset.at.split(";")) {
        const place = part.split(" "), far = Math.abs(place[0] - at);
        if (far < least) { least = far; best = place; }
      }
      if (best) found.push({name: line.querySelector("title").textContent.split(": ")[0], far: least, place: best});
    }
    if (!found.length) return;
    const nearest = found.reduce((a, b) => b.far < a.far ? b : a);
    const x = nearest.place[0];
    tip.replaceChildren(d.x + " " + nearest.place[2]);
    for (const f of found.filter(f => Math.abs(f.place[0] - x) < 12).slice(0, 12)) {
      const line = document.createElement("div");
      line.textContent = f.name + " " + f.place[3];
      tip.append(line);
    }
    cross = element(svg, "path", {class: "l muted cross", d: "M" + x + " " + d.top + "V" + d.bottom});
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    const left = pointer.x + 14 + box.width < innerWidth ? pointer.x + 14 : pointer.x - box.width - 14;
    tip.style.left = Math.max(4, left) + "px";
    tip.style.top = Math.min(Math.max(4, pointer.y - box.height / 2), innerHeight - box.height - 4) + "px";
  }
  // step goes along the points of the chart that has the focus, by so many. Live charts are replaced: their place counts.
  function charts() { return [...document.querySelectorAll("svg.chart")]; }
  let stepped = {};
  function step(svg, by) {
    const at = [...svg.querySelectorAll("[data-at]")].flatMap(line => line.dataset.at.split(";").map(part => Number(part.split(" ")[0])));
    const places = [...new Set(at)].sort((a, b) => a - b);
    if (!places.length) return;
    const chart = charts().indexOf(svg), last = stepped.chart === chart ? stepped.at : by > 0 ? -1 : places.length;
    const now = Math.min(Math.max(last + by, 0), places.length - 1);
    stepped = {chart, at: now};
    const d = svg.dataset, pointer = new DOMPoint(places[now], (Number(d.top) + Number(d.bottom)) / 2).matrixTransform(svg.getScreenCTM());
    values(svg, places[now], pointer);
  }
  document.addEventListener("pointermove", event => {
    if (drag) {
      const at = Math.min(Math.max(inside(drag.svg, event).x, drag.svg.dataset.from), drag.svg.dataset.to);
      drag.to = at;
      drag.area.setAttribute("x", Math.min(at, drag.from));
      drag.area.setAttribute("width", Math.abs(at - drag.from));
      return;
    }
    const svg = chartOf(event);
    if (svg && event.pointerType !== "touch") values(svg, inside(svg, event).x, {x: event.clientX, y: event.clientY}); else hide();
  });
  document.addEventListener("pointerdown", event => {
    const svg = chartOf(event);
    if (!svg || !zoomTo || event.button !== 0 || event.pointerType === "touch") return;
    const d = svg.dataset, from = Math.min(Math.max(inside(svg, event).x, d.from), d.to);
    hide();
    drag = {svg, from, to: from, area: element(svg, "rect", {class: "zoom", x: from, y: d.top, width: 0, height: d.bottom - d.top})};
    event.preventDefault();
  });
  document.addEventListener("pointerup", () => {
    if (!drag) return;
    const {svg, area} = drag, d = svg.dataset;
    const [a, b] = [drag.from, drag.to].sort((x, y) => x - y);
    drag = null;
    area.remove();
    if (b - a < 5) return;
    const value = at => Number((Number(d.low) + (at - d.from) / (d.to - d.from) * (d.high - d.low)).toPrecision(4));
    zoomTo(value(a), value(b));
  });
  document.addEventListener("dblclick", event => { if (chartOf(event) && zoomTo) zoomTo("", ""); });
  document.addEventListener("focusout", event => { if (event.target.closest && event.target.closest("svg.chart")) hide(); });
  document.addEventListener("scroll", hide, {passive: true});

  // --- the list of runs ---
  if (rows) {
    const count = () => {
      const n = rows.querySelectorAll(".pick input:checked").length, label = byId("chosen");
      if (!label) return;
      label.dataset.all ??= label.textContent;
      label.textContent = n ? n + " chosen" : label.dataset.all;
    };
    rows.addEventListener("change", count);
    addEventListener("pageshow", count);

    const next = () => document.querySelector(".pages [rel=next]");
    const tell = () => {
      const shown = (rows.rows.length - 1).toLocaleString("en"), total = Number(byId("count").dataset.total);
      byId("count").textContent = !next() ? shown + " runs" : total ? shown + " of " + total.toLocaleString("en") + " runs" : shown + " runs, more follow";
    };
    const put = fresh => {
      for (const row of fresh) {
        const old = byId(row.id);
        if (!old) continue;
        row.querySelector(".pick input").checked = old.querySelector(".pick input").checked;
        old.replaceWith(document.adoptNode(row));
      }
    };
    const events = listen(() => {
      const [path, query] = rows.dataset.events.split("?"), values = new URLSearchParams(query);
      for (const row of [...rows.querySelectorAll("[data-running]")].slice(0, 200)) values.append("run", row.dataset.run);
      if (values.has("new")) for (const row of [...rows.querySelectorAll("tbody tr")].slice(0, 20)) values.append("known", row.dataset.run);
      return values.has("new") || values.has("run") ? path + "?" + values : "";
    }, {
      change: async event => { try { put(await loadRows("/rows?" + event.data)); } catch { /* the next event tries again */ } },
      new: async event => {
        if (rows.hidden) { location.reload(); return; } // the first run of all
        const fresh = (await loadRows("/rows?" + event.data)).filter(row => !byId(row.id));
        const before = document.documentElement.scrollHeight;
        rows.tBodies[0].prepend(...fresh.map(row => document.adoptNode(row)));
        if (scrollY > 200) scrollBy(0, document.documentElement.scrollHeight - before); // what is read stays where it is
        if (!fresh.length) return;
        byId("fresh").textContent = "new: " + rows.querySelector("tbody th a").textContent;
        byId("fresh").hidden = false;
        const found = byId("count").dataset;
        if (found.total) found.total = Number(found.total) + fresh.length;
        tell();
      },
    });

    // The next page is appended before its place is reached.
    const append = gate(async () => {
      const link = next();
      if (!link || link.getBoundingClientRect().top > innerHeight + 1500) return;
      const page = await load(link.href);
      const fresh = [...page.querySelectorAll("#rows tbody tr")].filter(row => !byId(row.id)), body = rows.createTBody();
      body.setAttribute("role", "rowgroup");
      body.append(...fresh.map(row => document.adoptNode(row)));
      const after = page.querySelector(".pages [rel=next]");
      if (after) link.href = after.getAttribute("href"); else link.remove();
      tell();
      if (fresh.some(row => "running" in row.dataset)) { events.close(); events.open(); }
      requestAnimationFrame(append);
    });
    if (next()) new IntersectionObserver(append, {rootMargin: "1500px"}).observe(document.querySelector(".pages"));
  }

  document.addEventListener("keydown", event => {
    if (event.key === "Escape") hide();
    const chart = event.target.closest && event.target.closest("svg.chart");
    const by = {ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity}[event.key];
    if (chart && by && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      step(chart, by);
    }
    const field = document.querySelector("input[type=search]");
    if (event.key === "/" && field && !event.ctrlKey && !event.metaKey && !event.target.closest("input,textarea,select")) {
      event.preventDefault();
      field.select();
    }
  });
})();
