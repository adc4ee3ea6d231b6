"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const find = id => document.getElementById(id);
  const scenes = data.scenes || [];
  if (!scenes.length) return;
  const colors = Uint8Array.from(atob(data.colors), c => c.charCodeAt(0));
  const board = find("patches"), maps = find("maps"), picture = find("image");
  let scene, layer, heads, grid, query = 0, held = false, grey = null, on = [];

  const scores = (text, max) => {
    const raw = atob(text), out = new Float64Array(raw.length / 2);
    for (let i = 0; i < out.length; i++) out[i] = (raw.charCodeAt(2 * i) + 256 * raw.charCodeAt(2 * i + 1)) * max / 65535;
    return out;
  };
  const place = p => "row " + (Math.floor(p / grid) + 1) + ", column " + (p % grid + 1);
  const percent = v => (100 * v).toFixed(v < .1 ? 1 : 0) + " %";

  // A map's cells are painted `fine` pixels wide, so that the image shows through.
  const paint = (canvas, row, top, over) => {
    const fine = over && grey ? grey.fine : 1, size = grid * fine;
    canvas.width = canvas.height = size;
    const context = canvas.getContext("2d"), pixels = context.createImageData(size, size);
    for (let y = 0; y < size; y++) for (let x = 0; x < size; x++) {
      const v = row[Math.floor(y / fine) * grid + Math.floor(x / fine)];
      const c = 3 * Math.round(255 * Math.min(1, v / top)), i = 4 * (y * size + x);
      for (let k = 0; k < 3; k++)
        pixels.data[i + k] = over && grey ? .35 * grey.values[y * size + x] + .65 * colors[c + k] : colors[c + k];
      pixels.data[i + 3] = 255;
    }
    context.putImageData(pixels, 0, 0);
  };

  const mark = (canvas) => { // the query in its map
    const cell = canvas.width / grid, context = canvas.getContext("2d");
    const x = query % grid * cell, y = Math.floor(query / grid) * cell, thick = Math.max(1, cell / 14);
    if (cell < 4) return;
    context.lineWidth = thick;
    context.strokeStyle = "#fff";
    context.strokeRect(x - thick / 2, y - thick / 2, cell + thick, cell + thick);
    context.strokeStyle = "#d52b1e";
    context.strokeRect(x + thick / 2, y + thick / 2, cell - thick, cell - thick);
  };

  const show = () => {
    const tokens = grid * grid, own = find("own").checked, over = find("over").checked, words = [];
    const rows = heads.map(h => h.subarray(query * tokens, (query + 1) * tokens));
    const shown = rows.filter((_, h) => on[h]);
    const common = Math.max(1e-9, ...shown.map(r => Math.max(...r)));
    [...maps.children].forEach((figure, h) => {
      figure.hidden = !on[h];
      if (!on[h]) return;
      const row = rows[h], most = row.indexOf(Math.max(...row)), top = own ? Math.max(1e-9, row[most]) : common;
      const canvas = figure.querySelector("canvas");
      paint(canvas, row, top, over);
      if (over) mark(canvas);
      let far = 0, bits = 0;
      row.forEach((v, k) => {
        far += v * Math.hypot(Math.floor(k / grid) - Math.floor(query / grid), k % grid - query % grid);
        if (v > 0) bits -= v * Math.log2(v);
      });
      figure.querySelector("span").textContent = "most: " + place(most) + " (" + percent(row[most]) + "); on average " +
        far.toFixed(1) + " patches away; " + bits.toFixed(1) + " bits";
      canvas.setAttribute("aria-label", "Head " + (h + 1) + " from " + place(query) + ": most at " + place(most) + ", " + percent(row[most]));
      words.push("head " + (h + 1) + " most at " + place(most) + " (" + percent(row[most]) + ")");
    });
    find("where").textContent = "Query: " + place(query) + (held ? " (held)" : "");
    find("high").textContent = own ? "each map's largest" : percent(common);
    find("said").textContent = "From " + place(query) + ": " + (words.join(", ") || "no head is chosen") + ".";
    board.classList.toggle("held", held);
    [...board.children].forEach((b, p) => {
      b.classList.toggle("on", p === query);
      b.tabIndex = p === query ? 0 : -1;
      b.setAttribute("aria-pressed", String(held && p === query));
    });
  };

  const chooseLayer = () => {
    layer = scene.layers[find("layer").value];
    heads = layer.heads.map(h => scores(h, layer.max));
    if (on.length !== heads.length) on = heads.map(() => true);
    find("heads").replaceChildren(...heads.map((_, h) => {
      const label = document.createElement("label"), box = document.createElement("input");
      box.type = "checkbox"; box.checked = on[h]; box.dataset.head = h;
      box.addEventListener("change", () => { on[h] = box.checked; show(); });
      label.append(box, " " + (h + 1));
      return label;
    }));
    maps.classList.toggle("many", heads.length > 4);
    maps.replaceChildren(...heads.map((_, h) => {
      const figure = document.createElement("figure"), canvas = document.createElement("canvas"), caption = document.createElement("figcaption");
      const name = document.createElement("strong");
      canvas.setAttribute("role", "img");
      name.textContent = "Head " + (h + 1);
      caption.append(name, document.createElement("span"));
      figure.append(canvas, caption);
      return figure;
    }));
    show();
  };

  const chooseScene = () => {
    scene = scenes[find("scene").value];
    grid = scene.grid; query = Math.floor(grid / 2) * grid + Math.floor(grid / 2); held = false; grey = null; on = [];
    find("note").textContent = scene.note;
    board.style.gridTemplate = "repeat(" + grid + ", 1fr) / repeat(" + grid + ", 1fr)";
    board.replaceChildren(...Array.from({length: grid * grid}, (_, p) => {
      const b = document.createElement("button");
      b.type = "button"; b.dataset.patch = p; b.setAttribute("aria-label", "patch in " + place(p));
      return b;
    }));
    find("layer").replaceChildren(...scene.layers.map((l, i) => new Option(l.name, i)));
    picture.onload = () => {
      const fine = Math.max(2, Math.ceil(picture.naturalWidth / grid)) * 2, size = grid * fine;
      const canvas = document.createElement("canvas"), context = canvas.getContext("2d");
      canvas.width = canvas.height = size;
      context.imageSmoothingEnabled = false;
      context.drawImage(picture, 0, 0, size, size);
      const pixels = context.getImageData(0, 0, size, size).data, values = new Float64Array(size * size);
      for (let i = 0; i < values.length; i++) values[i] = .299 * pixels[4 * i] + .587 * pixels[4 * i + 1] + .114 * pixels[4 * i + 2];
      grey = {fine, values};
      show();
    };
    picture.src = scene.image;
    chooseLayer();
  };

  const to = (p, focus) => {
    if (p < 0 || p >= grid * grid) return;
    query = p;
    show();
    if (focus) board.children[p].focus();
  };
  const patch = event => {
    const b = event.target.closest("button");
    return b ? Number(b.dataset.patch) : -1;
  };
  board.addEventListener("pointerover", e => { if (!held && e.pointerType !== "touch") to(patch(e)); });
  board.addEventListener("focusin", e => { if (!held && e.target.matches(":focus-visible")) to(patch(e)); });
  board.addEventListener("click", e => {
    const p = patch(e);
    if (p < 0) return;
    held = !(held && p === query);
    to(p, true);
  });
  board.addEventListener("keydown", e => {
    const p = patch(e), column = p % grid;
    const next = {ArrowLeft: column > 0 ? p - 1 : -1, ArrowRight: column < grid - 1 ? p + 1 : -1, ArrowUp: p - grid, ArrowDown: p + grid,
      Home: p - column, End: p - column + grid - 1}[e.key];
    if (next === undefined) return;
    e.preventDefault();
    held = false;
    to(next, true);
  });
  document.addEventListener("keydown", e => { if (e.key === "Escape" && held) { held = false; show(); } });
  find("scene").addEventListener("change", chooseScene);
  find("layer").addEventListener("change", chooseLayer);
  find("over").addEventListener("change", show);
  find("own").addEventListener("change", show);
  find("scene-label").hidden = scenes.length < 2;

  const bar = find("bar").getContext("2d"), strip = bar.createImageData(256, 1);
  for (let i = 0; i < 256; i++) for (let k = 0; k < 4; k++) strip.data[4 * i + k] = k < 3 ? colors[3 * i + k] : 255;
  bar.putImageData(strip, 0, 0);
  chooseScene();
})();
